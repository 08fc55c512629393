/* SPDX-License-Identifier: Apache-2.0
 * The oracle: FORMAT.md section 3 word for word. Compiled without the vectoriser. */
#include "segstore/kernels/kernels.h"

#include "base/limits.h"
#include <math.h>

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

static void tile(const struct kernel_tile *tile)
{
    for (size_t i = 0; i < tile->blocks_count * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS; i++) {
        size_t block = i / LIMIT_BLOCK_ROWS / KERNEL_TILE_QUERIES;
        const float *query = tile->queries + i / LIMIT_BLOCK_ROWS % KERNEL_TILE_QUERIES;
        const float *lane = tile->blocks + block * tile->block_floats + i % LIMIT_BLOCK_ROWS;
        float sum = tile->is_first ? 0 : tile->sums[i];
        for (size_t d = 0; d < tile->dims; d++)
            sum = fmaf(query[d * KERNEL_TILE_QUERIES], lane[d * LIMIT_BLOCK_ROWS], sum);
        tile->sums[i] = sum;
    }
}

static bool sieve(const struct kernel_sieve *sieve)
{
    unsigned any = 0;

    for (size_t i = 0; i < sieve->blocks_count * KERNEL_TILE_QUERIES; i++) {
        size_t block = i / KERNEL_TILE_QUERIES;
        unsigned mask = 0;
        for (size_t row = 0; row < LIMIT_BLOCK_ROWS; row++) {
            float sum = sieve->sums[i * LIMIT_BLOCK_ROWS + row];
            if (sieve->terms != NULL)
                sum -= sieve->terms[block * LIMIT_BLOCK_ROWS + row];
            mask |= (unsigned)!(sum < sieve->bounds[i % KERNEL_TILE_QUERIES]) << row;
        }
        sieve->ret_masks[i] = (uint16_t)mask;
        any |= mask;
    }
    return any != 0;
}

static size_t finite_prefix(const float *values, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

const struct kernels kernels_scalar = {"scalar", l2, ip, l2_pairs, tile, sieve, finite_prefix};
