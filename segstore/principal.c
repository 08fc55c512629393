/* SPDX-License-Identifier: Apache-2.0
 * V starts at random; each round V <- orthonormal(X' X V), X the rows less their mean. A few rounds
 * give the space of the directions with the most variance, which is all that is wanted of them.
 * Both products are scans of the flat kernel: of V's blocks for each row, of (X V)'s for each
 * dimension. */
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

enum { ROUNDS = 5, STEP = 16 };

static const float vanished = 1e-4F; /* what is left of a direction that the others span */

struct rounds {
    const struct principal *principal;
    size_t blocks_count;
    float *rows;     /* rows_count x dim: X */
    float *columns;  /* dim x rows_count: X' */
    float *blocks;   /* V: blocks of dim x 16 */
    float *products; /* X V: blocks of rows_count x 16 */
    float *column;   /* dim: of V */
    float *sums;     /* blocks_count x 16 */
};

static void scan(const float *query, const float *blocks, size_t dim, size_t blocks_count,
                 float *ret_sums)
{
    kernels_current()->ip(&(struct kernel_job){.queries = query,
                                               .blocks = blocks,
                                               .dim = dim,
                                               .queries_count = 1,
                                               .blocks_count = blocks_count,
                                               .ret_distances = ret_sums});
}

/* A matrix in blocks of dim x 16. */
struct blocks {
    float *values;
    size_t dim;
};

/* A place of each of its blocks gets what a scan of the other matrix's blocks says. */
static void multiply(const struct rounds *rounds, const float *query, struct blocks from,
                     struct blocks to, size_t place)
{
    float sums[PRINCIPAL_MAX + LIMIT_BLOCK_ROWS];

    scan(query, from.values, from.dim, rounds->blocks_count, sums);
    for (size_t block = 0; block < rounds->blocks_count; block++)
        memcpy(to.values + (block * to.dim + place) * LIMIT_BLOCK_ROWS,
               sums + block * LIMIT_BLOCK_ROWS, LIMIT_BLOCK_ROWS * sizeof *sums);
}

static struct blocks directions_of(const struct rounds *rounds)
{
    return (struct blocks){rounds->blocks, rounds->principal->dim};
}

static struct blocks products_of(const struct rounds *rounds)
{
    return (struct blocks){rounds->products, rounds->principal->rows_count};
}

static void multiply_rows(void *owner, size_t first, size_t count)
{
    const struct rounds *rounds = owner;
    const size_t dim = rounds->principal->dim;

    for (size_t i = first; i < first + count; i++)
        multiply(rounds, rounds->rows + i * dim, directions_of(rounds), products_of(rounds), i);
}

static void multiply_columns(void *owner, size_t first, size_t count)
{
    const struct rounds *rounds = owner;
    const size_t rows_count = rounds->principal->rows_count;

    for (size_t d = first; d < first + count; d++)
        multiply(rounds, rounds->columns + d * rows_count, products_of(rounds),
                 directions_of(rounds), d);
}

static float *place_in(const struct rounds *rounds, size_t direction, size_t d)
{
    return rounds->blocks +
           (direction / LIMIT_BLOCK_ROWS * rounds->principal->dim + d) * LIMIT_BLOCK_ROWS +
           direction % LIMIT_BLOCK_ROWS;
}

static float length_of_column(const struct rounds *rounds)
{
    return (float)sqrt(rows_square(rounds->column, NULL, rounds->principal->dim));
}

/* The column less its parts along the first `count` directions. */
static void take_away(const struct rounds *rounds, size_t count)
{
    const size_t dim = rounds->principal->dim;
    const size_t blocks_count = (count + LIMIT_BLOCK_ROWS - 1) / LIMIT_BLOCK_ROWS;

    scan(rounds->column, rounds->blocks, dim, blocks_count, rounds->sums);
    for (size_t i = count; i < blocks_count * LIMIT_BLOCK_ROWS; i++)
        rounds->sums[i] = 0;
    for (size_t block = 0; block < blocks_count; block++)
        for (size_t d = 0; d < dim; d++) {
            const float *values = place_in(rounds, block * LIMIT_BLOCK_ROWS, d);
            const float *sums = rounds->sums + block * LIMIT_BLOCK_ROWS;
            float along = 0;
            for (size_t lane = 0; lane < LIMIT_BLOCK_ROWS; lane++)
                along += values[lane] * sums[lane];
            rounds->column[d] -= along;
        }
}

/* Gram-Schmidt, twice, as once leaves rounding errors. A direction that the others span becomes
 * one of the axes. */
static void make_orthonormal(const struct rounds *rounds)
{
    const size_t dim = rounds->principal->dim;

    for (size_t j = 0; j < rounds->principal->count; j++) {
        for (size_t d = 0; d < dim; d++)
            rounds->column[d] = *place_in(rounds, j, d);
        for (size_t tries = 0;; tries++) {
            const float before = length_of_column(rounds);
            take_away(rounds, j);
            const float after = length_of_column(rounds);
            take_away(rounds, j);
            if (after > before * vanished || tries == dim)
                break;
            for (size_t d = 0; d < dim; d++)
                rounds->column[d] = d == (j + tries) % dim;
        }
        const float length = length_of_column(rounds);
        for (size_t d = 0; d < dim; d++)
            *place_in(rounds, j, d) = length > 0 ? rounds->column[d] / length : 0;
    }
}

static void run(const struct rounds *rounds)
{
    const struct principal *principal = rounds->principal;
    struct prng prng;

    prng_init(&prng, principal->seed);
    for (size_t j = 0; j < principal->count; j++)
        for (size_t d = 0; d < principal->dim; d++)
            *place_in(rounds, j, d) = (float)prng_normal(&prng);
    make_orthonormal(rounds);
    for (int round = 0; round < ROUNDS; round++) {
        parallel_for(principal->threads, principal->rows_count, STEP, multiply_rows,
                     (void *)(uintptr_t)rounds);
        parallel_for(principal->threads, principal->dim, STEP, multiply_columns,
                     (void *)(uintptr_t)rounds);
        make_orthonormal(rounds);
    }
}

static void take_rows(const struct rounds *rounds, const float *mean)
{
    const struct principal *principal = rounds->principal;

    for (size_t i = 0; i < principal->rows_count; i++)
        for (size_t d = 0; d < principal->dim; d++) {
            float value = principal->rows[i * principal->dim + d] - mean[d];
            rounds->rows[i * principal->dim + d] = value;
            rounds->columns[d * principal->rows_count + i] = value;
        }
}

enum qn_status principal_directions(const struct principal *principal, const float *mean,
                                    float *ret_blocks, struct qn_error *error)
{
    const size_t values_count = principal->rows_count * principal->dim;
    const size_t padded =
        (principal->count + LIMIT_BLOCK_ROWS - 1) / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS;
    struct rounds rounds = {
        .principal = principal,
        .blocks_count = padded / LIMIT_BLOCK_ROWS,
        .rows = malloc(values_count * sizeof(float)),
        .columns = malloc(values_count * sizeof(float)),
        .blocks = ret_blocks,
        .products = malloc(principal->rows_count * padded * sizeof(float)),
        .column = malloc(principal->dim * sizeof(float)),
        .sums = malloc(padded * sizeof(float)),
    };
    const bool is_short = rounds.rows == NULL || rounds.columns == NULL ||
                          rounds.products == NULL || rounds.column == NULL || rounds.sums == NULL;

    if (!is_short) {
        take_rows(&rounds, mean);
        run(&rounds);
    }
    free(rounds.rows);
    free(rounds.columns);
    free(rounds.products);
    free(rounds.column);
    free(rounds.sums);
    return is_short ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory") : QN_STATUS_OK;
}
