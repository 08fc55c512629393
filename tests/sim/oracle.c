/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/oracle.h"

#include "base/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ORACLE_DIM_MAX = 64 };

static bool has_id(const int64_t *ids, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static bool is_in_scope(const struct collection *collection, size_t number,
                        const struct oracle_scope *scope)
{
    const struct collection_segment *segment = &collection->segments[number];

    if (!collection_is_readable(collection, scope->readable_version, number))
        return false;
    if (has_id(scope->excluded_segment_ids, scope->excluded_count, segment->segment_id))
        return false;
    return scope->partition_ids_count == 0 ||
           has_id(scope->partition_ids, scope->partition_ids_count, segment->partition_id);
}

static void normalise(const float *from, uint32_t dim, float *ret_to)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++)
        sum += (double)from[i] * (double)from[i];
    for (uint32_t i = 0; i < dim; i++)
        ret_to[i] = (float)((double)from[i] * (1.0 / sqrt(sum)));
}

static float distance_l2(const float *query, const float *row, uint32_t dim)
{
    float sum = 0;

    for (uint32_t i = 0; i < dim; i++) {
        float difference = query[i] - row[i];
        sum = fmaf(difference, difference, sum);
    }
    return sum;
}

static float distance_ip(const float *query, const float *row, uint32_t dim)
{
    float sum = 0;

    for (uint32_t i = 0; i < dim; i++)
        sum = fmaf(query[i], row[i], sum);
    return sum;
}

static float distance(const struct collection *collection, const float *query, const float *row)
{
    float query_unit[ORACLE_DIM_MAX], row_unit[ORACLE_DIM_MAX];

    CHECK(collection->dim <= ORACLE_DIM_MAX);
    if (collection->metric == QN_METRIC_L2)
        return distance_l2(query, row, collection->dim);
    if (collection->metric == QN_METRIC_IP)
        return distance_ip(query, row, collection->dim);
    normalise(query, collection->dim, query_unit);
    normalise(row, collection->dim, row_unit);
    return distance_ip(query_unit, row_unit, collection->dim);
}

static bool ranks_before(enum qn_metric metric, struct qn_hit a, struct qn_hit b)
{
    if (a.distance != b.distance)
        return metric == QN_METRIC_L2 ? a.distance < b.distance : a.distance > b.distance;
    return a.primary_key < b.primary_key;
}

/* Keeps ret_hits[0..count) sorted and distinct by key; capacity k. */
static size_t offer(enum qn_metric metric, struct qn_hit hit, uint32_t k, struct qn_hit *ret_hits,
                    size_t count)
{
    size_t at = 0, same = count;

    if (count == k && !ranks_before(metric, hit, ret_hits[k - 1]))
        return count;

    while (at < count && ranks_before(metric, ret_hits[at], hit))
        at++;
    for (size_t i = 0; i < count; i++)
        if (ret_hits[i].primary_key == hit.primary_key)
            same = i;
    if (same < at || (same == count && at == k))
        return count;
    size_t last = same < count ? same : count < k ? count : k - 1;
    memmove(&ret_hits[at + 1], &ret_hits[at], (last - at) * sizeof *ret_hits);
    ret_hits[at] = hit;
    return same < count || count == k ? count : count + 1;
}

size_t oracle_search(const struct collection *collection, const struct oracle_scope *scope,
                     const float *query, uint32_t k, struct qn_hit *ret_hits)
{
    size_t count = 0;

    for (size_t s = 0; s < collection->segments_count; s++) {
        const struct collection_segment *segment = &collection->segments[s];
        if (!is_in_scope(collection, s, scope))
            continue;
        for (uint32_t r = 0; r < segment->rows_count; r++) {
            struct qn_hit hit = {
                .primary_key = segment->keys[r],
                .distance = distance(collection, query, &segment->rows[r * collection->dim]),
            };
            count = offer(collection->metric, hit, k, ret_hits, count);
        }
    }
    return count;
}
