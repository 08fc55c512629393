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

static size_t finite_prefix(const float *values, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

const struct kernels kernels_scalar = {"scalar", l2, ip, finite_prefix};
