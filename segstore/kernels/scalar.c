/* SPDX-License-Identifier: Apache-2.0
 * The oracle: FORMAT.md section 3 word for word. Compiled without the vectoriser. */
#include "segstore/kernels/kernels.h"

#include "base/limits.h"
#include "segstore/half.h"
#include "segstore/kernels/pool.h"
#include <math.h>
#include <string.h>

static float l2_of(const float *query, const float *lane, size_t dim)
{
    float distance = 0;

    for (size_t i = 0; i < dim; i++) {
        float difference = query[i] - lane[i * LIMIT_BLOCK_ROWS];
        distance = fmaf(difference, difference, distance);
    }
    return distance;
}

static float ip_of(const float *query, const float *lane, size_t dim)
{
    float distance = 0;

    for (size_t i = 0; i < dim; i++)
        distance = fmaf(query[i], lane[i * LIMIT_BLOCK_ROWS], distance);
    return distance;
}

static void each_row(const struct kernel_job *job,
                     float (*distance_of)(const float *query, const float *lane, size_t dim))
{
    float *ret = job->ret_distances;

    for (size_t query = 0; query < job->queries_count; query++)
        for (size_t row = 0; row < job->blocks_count * LIMIT_BLOCK_ROWS; row++)
            *ret++ =
                distance_of(job->queries + query * job->dim,
                            job->blocks + row / LIMIT_BLOCK_ROWS * job->dim * LIMIT_BLOCK_ROWS +
                                row % LIMIT_BLOCK_ROWS,
                            job->dim);
}

static void l2(const struct kernel_job *job)
{
    each_row(job, l2_of);
}

static void ip(const struct kernel_job *job)
{
    each_row(job, ip_of);
}

static void l2_pairs(const struct kernel_pairs *pairs)
{
    for (size_t i = 0; i < KERNEL_PAIRS; i++)
        l2(&(struct kernel_job){
            .queries = pairs->queries[i],
            .blocks = pairs->blocks[i],
            .dim = pairs->dim,
            .queries_count = 1,
            .blocks_count = 1,
            .ret_distances = pairs->ret_distances + i * LIMIT_BLOCK_ROWS,
        });
}

static float value_at(const void *row, size_t d, bool is_half)
{
    return is_half ? half_to_float(((const uint16_t *)row)[d]) : ((const float *)row)[d];
}

static void each_of_rows(const struct kernel_rows *rows, bool is_l2, bool is_half)
{
    for (size_t i = 0; i < LIMIT_BLOCK_ROWS; i++) {
        float distance = 0;
        for (size_t d = 0; d < rows->dim; d++) {
            float x = value_at(rows->rows[i], d, is_half), t = is_l2 ? rows->query[d] - x : x;
            distance = fmaf(is_l2 ? t : rows->query[d], t, distance);
        }
        rows->ret_distances[i] = distance;
    }
}

static void l2_rows(const struct kernel_rows *rows)
{
    each_of_rows(rows, true, false);
}

static void ip_rows(const struct kernel_rows *rows)
{
    each_of_rows(rows, false, false);
}

static void l2_rows16(const struct kernel_rows *rows)
{
    each_of_rows(rows, true, true);
}

static void ip_rows16(const struct kernel_rows *rows)
{
    each_of_rows(rows, false, true);
}

static void widen(const uint16_t *halves, size_t count, float *ret_floats)
{
    for (size_t i = 0; i < count; i++)
        ret_floats[i] = half_to_float(halves[i]);
}

static unsigned code_at(const uint8_t *block, size_t lane, size_t d, bool is_half)
{
    if (!is_half)
        return block[d / 4 * 64 + lane * 4 + d % 4] & 127;
    return block[d / 8 * 64 + lane * 4 + d % 4] >> (d / 4 % 2 * 4) & 15;
}

static void codes_block(const struct kernel_codes *codes, const struct kernel_code_query *query,
                        size_t block, bool is_half)
{
    const uint8_t *bytes =
        codes->codes + block * codes->dims * LIMIT_BLOCK_ROWS / (is_half ? 2 : 1);

    query->ret_masks[block] = 0;
    for (size_t lane = 0; lane < LIMIT_BLOCK_ROWS; lane++) {
        const size_t row = block * LIMIT_BLOCK_ROWS + lane;
        int32_t dot = -query->centre;
        for (size_t d = 0; d < codes->dims; d++)
            dot += (int32_t)code_at(bytes, lane, d, is_half) * query->codes[d];
        float estimate = fmaf(codes->scales[row], query->scale * (float)dot,
                              query->base + (codes->terms != NULL ? codes->terms[row] : 0));
        query->ret_estimates[row] = estimate;
        if (!(estimate < query->bound))
            query->ret_masks[block] |= (uint16_t)(1U << lane);
    }
}

static void codes_all(const struct kernel_codes *codes, bool is_half)
{
    for (size_t query = 0; query < codes->queries_count; query++)
        for (size_t block = 0; block < codes->blocks_count; block++)
            codes_block(codes, &codes->queries[query], block, is_half);
}

static void codes4(const struct kernel_codes *codes)
{
    codes_all(codes, true);
}

static void codes8(const struct kernel_codes *codes)
{
    codes_all(codes, false);
}

static void points(const struct kernel_points *points)
{
    for (size_t i = 0; i < points->rows_count; i++) {
        const uint8_t *code = points->codes + (size_t)points->rows[i] * points->dims;
        uint32_t sum = 0;
        for (size_t d = 0; d < points->dims; d++) {
            int difference = points->query[d] - code[d];
            sum += (uint32_t)(difference * difference);
        }
        points->ret_distances[i] = sum;
    }
}

static uint32_t count_below(const uint32_t *distances, uint32_t count, uint32_t distance)
{
    uint32_t below = 0;

    while (below < count && distances[below] < distance)
        below++;
    return below;
}

static void copy(uint32_t *to, const uint32_t *from, uint32_t count)
{
    memcpy(to, from, count * sizeof *to);
}

static uint32_t pool_offer(const struct kernel_offer *offer)
{
    return pool_offer_all(offer, (struct pool_steps){count_below, copy});
}

static bool may_enter(float sum, float term, float bound)
{
    return !(sum - term < bound);
}

static uint32_t tile(const struct kernel_tile *tile)
{
    uint32_t passed = 0;

    for (size_t i = 0; i < tile->blocks_count * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS; i++) {
        size_t block = i / LIMIT_BLOCK_ROWS / KERNEL_TILE_QUERIES;
        const float *query = tile->queries + i / LIMIT_BLOCK_ROWS % KERNEL_TILE_QUERIES;
        const float *lane = tile->blocks + block * tile->block_floats + i % LIMIT_BLOCK_ROWS;
        float sum = tile->is_first ? 0 : tile->sums[i];
        for (size_t d = 0; d < tile->dims; d++)
            sum = fmaf(query[d * KERNEL_TILE_QUERIES], lane[d * LIMIT_BLOCK_ROWS], sum);
        tile->sums[i] = sum;
        float term =
            tile->terms != NULL ? tile->terms[block * LIMIT_BLOCK_ROWS + i % LIMIT_BLOCK_ROWS] : 0;
        if (tile->bounds != NULL &&
            may_enter(sum, term, tile->bounds[i / LIMIT_BLOCK_ROWS % KERNEL_TILE_QUERIES]))
            passed |= UINT32_C(1) << block;
    }
    return passed;
}

static void sieve(const struct kernel_sieve *sieve)
{
    for (size_t q = 0; q < KERNEL_TILE_QUERIES; q++) {
        unsigned mask = 0;
        for (size_t row = 0; row < LIMIT_BLOCK_ROWS; row++)
            mask |=
                (unsigned)may_enter(sieve->sums[q * LIMIT_BLOCK_ROWS + row],
                                    sieve->terms != NULL ? sieve->terms[row] : 0, sieve->bounds[q])
                << row;
        sieve->ret_masks[q] = (uint16_t)mask;
    }
}

static size_t finite_prefix(const float *values, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

const struct kernels kernels_scalar = {"scalar",   l2,        ip,    l2_pairs,     l2_rows, ip_rows,
                                       l2_rows16,  ip_rows16, widen, codes4,       codes8,  points,
                                       pool_offer, tile,      sieve, finite_prefix};
