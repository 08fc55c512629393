/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/truth.h"

#include "base/error.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float squared_l2(const float *query, const float *row, uint32_t dim)
{
    float distance = 0;

    for (uint32_t i = 0; i < dim; i++) {
        float difference = query[i] - row[i];
        distance = fmaf(difference, difference, distance);
    }
    return distance;
}

static int compare_hits(const void *a, const void *b)
{
    const struct qn_hit *left = a, *right = b;

    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return (left->primary_key > right->primary_key) - (left->primary_key < right->primary_key);
}

enum qn_status truth_compute(const struct fbin *base, const struct fbin *queries, uint32_t k,
                             struct truth *ret_truth, struct qn_error *error)
{
    struct truth truth = {.queries_count = queries->rows_count,
                          .k = k < base->rows_count ? k : base->rows_count};

    if (base->dim != queries->dim)
        return error_set(error, QN_STATUS_INVALID, "dim of the base is %u, of the queries %u",
                         base->dim, queries->dim);
    struct qn_hit *all = calloc(base->rows_count, sizeof *all);
    truth.hits = calloc((size_t)truth.queries_count * truth.k, sizeof *truth.hits);
    if (all == NULL || truth.hits == NULL) {
        free(all);
        free(truth.hits);
        return error_set(error, QN_STATUS_NO_MEMORY, "truth: out of memory");
    }
    for (uint32_t q = 0; q < truth.queries_count; q++) {
        for (uint32_t row = 0; row < base->rows_count; row++)
            all[row] = (struct qn_hit){
                .primary_key = row,
                .distance = squared_l2(queries->values + (size_t)q * base->dim,
                                       base->values + (size_t)row * base->dim, base->dim)};
        qsort(all, base->rows_count, sizeof *all, compare_hits);
        memcpy(truth.hits + (size_t)q * truth.k, all, truth.k * sizeof *all);
    }
    free(all);
    *ret_truth = truth;
    return QN_STATUS_OK;
}

bool truth_equals(const struct truth *truth, uint32_t query, const struct qn_hit *hits,
                  uint32_t count)
{
    const struct qn_hit *right = truth->hits + (size_t)query * truth->k;

    if (count != truth->k)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (hits[i].primary_key != right[i].primary_key || hits[i].distance != right[i].distance)
            return false;
    return true;
}

void truth_done(struct truth *truth)
{
    free(truth->hits);
}
