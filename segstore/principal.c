/* SPDX-License-Identifier: Apache-2.0
 * V starts at random; each round V <- orthonormal(X' X V), X the rows less their mean. A few rounds
 * give the space of the directions with the most variance, which is all that is wanted of them. */
#include "segstore/principal.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/parallel.h"
#include "base/prng.h"
#include "segstore/kernels/kernels.h"
#include "segstore/rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 8, DIMS_STEP = 16, ROWS_STEP = 64 };

struct rounds {
    const struct principal *principal;
    const float *mean;
    size_t padded;   /* count, to a multiple of 16 */
    float *blocks;   /* V */
    float *products; /* rows_count x padded: X V */
    double *sums;    /* dim x count: X' X V */
};

static void multiply_rows(void *owner, size_t first, size_t count)
{
    const struct rounds *rounds = owner;
    const uint32_t dim = rounds->principal->dim;
    float *mean = rounds->products + rounds->principal->rows_count * rounds->padded;

    for (size_t i = first; i < first + count; i++) {
        float *products = rounds->products + i * rounds->padded;
        kernels_current()->ip(&(struct kernel_job){
            .queries = rounds->principal->rows + i * dim,
            .blocks = rounds->blocks,
            .dim = dim,
            .queries_count = 1,
            .blocks_count = rounds->padded / LIMIT_BLOCK_ROWS,
            .ret_distances = products,
        });
        for (size_t j = 0; j < rounds->padded; j++)
            products[j] -= mean[j];
    }
}

static void multiply_mean(const struct rounds *rounds)
{
    kernels_current()->ip(&(struct kernel_job){
        .queries = rounds->mean,
        .blocks = rounds->blocks,
        .dim = rounds->principal->dim,
        .queries_count = 1,
        .blocks_count = rounds->padded / LIMIT_BLOCK_ROWS,
        .ret_distances = rounds->products + rounds->principal->rows_count * rounds->padded,
    });
}

/* Some dimensions of all rows, in their order. */
static void sum_rows(void *owner, size_t first, size_t count)
{
    const struct rounds *rounds = owner;
    const struct principal *principal = rounds->principal;

    memset(rounds->sums + first * principal->count, 0,
           count * principal->count * sizeof *rounds->sums);
    for (size_t i = 0; i < principal->rows_count; i++) {
        const float *row = principal->rows + i * principal->dim;
        const float *products = rounds->products + i * rounds->padded;
        for (size_t d = first; d < first + count; d++) {
            double *sums = rounds->sums + d * principal->count;
            float value = row[d] - rounds->mean[d];
            for (size_t j = 0; j < principal->count; j++)
                sums[j] += (double)(value * products[j]);
        }
    }
}

static double column_dot(const double *sums, size_t a, size_t b, size_t dim, size_t count)
{
    double sum = 0;

    for (size_t d = 0; d < dim; d++)
        sum += sums[d * count + a] * sums[d * count + b];
    return sum;
}

/* Modified Gram-Schmidt, twice for each column. One that vanishes becomes a unit of its own. */
static void make_orthonormal(double *sums, size_t dim, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        double length = sqrt(column_dot(sums, j, j, dim, count));
        for (size_t again = 0; again < 3; again++) {
            double before = length;
            for (size_t i = 0; i < j; i++) {
                double along = column_dot(sums, i, j, dim, count);
                for (size_t d = 0; d < dim; d++)
                    sums[d * count + j] -= along * sums[d * count + i];
            }
            length = sqrt(column_dot(sums, j, j, dim, count));
            if (!(length > 1e-9 * before))
                for (size_t d = 0; d < dim; d++)
                    sums[d * count + j] = d == (j + again) % dim;
        }
        length = sqrt(column_dot(sums, j, j, dim, count));
        for (size_t d = 0; d < dim; d++)
            sums[d * count + j] /= length > 0 ? length : 1;
    }
}

static void to_blocks(const struct rounds *rounds)
{
    const size_t dim = rounds->principal->dim, count = rounds->principal->count;

    for (size_t j = 0; j < count; j++)
        for (size_t d = 0; d < dim; d++)
            rounds->blocks[j / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS * dim + d * LIMIT_BLOCK_ROWS +
                           j % LIMIT_BLOCK_ROWS] = (float)rounds->sums[d * count + j];
}

static void run(const struct rounds *rounds)
{
    const struct principal *principal = rounds->principal;
    struct prng prng;

    prng_init(&prng, principal->seed);
    for (size_t i = 0; i < (size_t)principal->dim * principal->count; i++)
        rounds->sums[i] = prng_normal(&prng);
    for (int round = 0; round <= ROUNDS; round++) {
        make_orthonormal(rounds->sums, principal->dim, principal->count);
        to_blocks(rounds);
        if (round == ROUNDS)
            return;
        multiply_mean(rounds);
        parallel_for(principal->threads, principal->rows_count, ROWS_STEP, multiply_rows,
                     (void *)(uintptr_t)rounds);
        parallel_for(principal->threads, principal->dim, DIMS_STEP, sum_rows,
                     (void *)(uintptr_t)rounds);
    }
}

enum qn_status principal_directions(const struct principal *principal, const float *mean,
                                    float *ret_blocks, struct qn_error *error)
{
    const size_t padded =
        (principal->count + LIMIT_BLOCK_ROWS - 1) / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS;
    struct rounds rounds = {
        .principal = principal,
        .mean = mean,
        .padded = padded,
        .blocks = ret_blocks,
        .products = calloc((principal->rows_count + 1) * padded, sizeof(float)),
        .sums = calloc((size_t)principal->dim * principal->count, sizeof(double)),
    };
    const bool is_short = rounds.products == NULL || rounds.sums == NULL;

    if (!is_short)
        run(&rounds);
    free(rounds.products);
    free(rounds.sums);
    return is_short ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory") : QN_STATUS_OK;
}
