/* SPDX-License-Identifier: Apache-2.0
 * Two things are measured. How many dimensions the rows really have, by how the distances to
 * neighbours grow (the maximum likelihood estimate of Levina and Bickel, NIPS 2004): a graph needs
 * few steps where that is low, lists need no steps and win where it is high. And how far down the
 * order by codes the true neighbours are, for codes along more or fewer directions: short codes are
 * compared faster, but more rows must then be looked at themselves. */
#include "segstore/choose.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/format.h"
#include "segstore/graph_space.h"
#include "segstore/kernels/kernels.h"
#include "segstore/rows.h"
#include "segstore/search.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLAT_ROWS = 2000,      /* too few to calibrate an index on */
    FLAT_VALUES = 1 << 18, /* rows x dim that are scanned in the time that an index takes */
    SAMPLE_QUERIES = 96,
    NEIGHBOURS = 100,     /* of a query, in the sample */
    TOLD = 10,            /* of them that codes must not lose */
    DIRECTIONS_MAX = 255, /* more are never worth their projection */

    /* What a search costs, in cache lines: compared codes, rows, a query's projection. */
    COST_CODES = 450,
    COST_CODE = 1, /* beside its bytes */
    COST_ROW = 2,
    COST_MULTIPLIES = 700, /* so many in the time of a line */
    LINE_BYTES = 64,
};

/* Of intrinsic dimensions, where both are as fast for a recall of 0.95 (measured: glove has 30,
 * fmnist and sift 14). A higher recall costs a graph more than lists. */
static const double intrinsic_middle = 22, intrinsic_per_recall = 100, recall_middle = 0.95;

struct sample {
    const struct choose_input *input;
    size_t rows_count, queries_count;
    float *rows;    /* rows_count x dim */
    float *blocks;  /* the same */
    float *queries; /* queries_count x dim: none of them is among the rows */
    int64_t *keys;  /* rows_count: 0, 1, ... */
    struct topk topks[SAMPLE_QUERIES];
    unsigned char *storage; /* of topks */
};

static enum qn_status out_of_memory(struct qn_error *error)
{
    return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
}

static void sample_free(struct sample *sample)
{
    free(sample->rows);
    free(sample->blocks);
    free(sample->queries);
    free(sample->keys);
    free(sample->storage);
}

/* Every so many-th row is a query instead. */
static enum qn_status sample_take(const struct choose_input *input, struct sample *sample,
                                  struct qn_error *error)
{
    const size_t dim = input->dim, wanted = input->sample_count;
    const size_t per_query = wanted / SAMPLE_QUERIES + 1;

    *sample = (struct sample){.input = input};
    sample->rows = malloc(wanted * dim * sizeof(float));
    sample->blocks = calloc(format_blocks(wanted) * LIMIT_BLOCK_ROWS, dim * sizeof(float));
    sample->queries = malloc(SAMPLE_QUERIES * dim * sizeof(float));
    sample->keys = calloc(wanted, sizeof *sample->keys);
    sample->storage = malloc(SAMPLE_QUERIES * topk_bytes(NEIGHBOURS));
    if (sample->rows == NULL || sample->blocks == NULL || sample->queries == NULL ||
        sample->keys == NULL || sample->storage == NULL)
        return out_of_memory(error);
    for (size_t i = 0; i < wanted; i++) {
        const float *row = input->sample + i * dim;
        if (i % per_query == per_query - 1) {
            memcpy(sample->queries + sample->queries_count++ * dim, row, dim * sizeof(float));
            continue;
        }
        const size_t at = sample->rows_count++;
        memcpy(sample->rows + at * dim, row, dim * sizeof(float));
        rows_to_block(row, (uint32_t)dim, at % LIMIT_BLOCK_ROWS,
                      sample->blocks + at / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS * dim);
        sample->keys[at] = (int64_t)at;
    }
    return QN_STATUS_OK;
}

/* The true neighbours of the queries in the sample, nearest first. */
static enum qn_status find_neighbours(struct sample *sample, struct qn_error *error)
{
    const struct choose_input *input = sample->input;
    const struct search_options options = {.k = NEIGHBOURS};
    const struct segment segment = {
        .facts = {.metric = input->metric, .dim = input->dim, .rows_count = sample->rows_count},
        .primary_keys = sample->keys,
        .blocks = sample->blocks};
    struct search_queries queries;
    void *tiles = malloc(search_queries_bytes(input->dim, (uint32_t)sample->queries_count) + 1);

    if (tiles == NULL)
        return out_of_memory(error);
    for (size_t i = 0; i < sample->queries_count; i++)
        topk_init(&sample->topks[i], input->metric, NEIGHBOURS,
                  sample->storage + i * topk_bytes(NEIGHBOURS));
    search_queries_init(&queries, input->dim, (uint32_t)sample->queries_count, sample->queries,
                        tiles);
    CHECK(search_segment(&segment, &queries, &options, sample->topks) == QN_STATUS_OK);
    for (size_t i = 0; i < sample->queries_count; i++)
        topk_sort(&sample->topks[i]);
    free(tiles);
    return QN_STATUS_OK;
}

static double distance_between(const struct sample *sample, size_t query, int64_t row)
{
    const uint32_t dim = sample->input->dim;
    double square = 0;

    for (uint32_t d = 0; d < dim; d++) {
        double difference =
            (double)sample->queries[query * dim + d] - (double)sample->rows[(size_t)row * dim + d];
        square += difference * difference;
    }
    return sqrt(square);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of the queries' estimates; 0 if all rows are the same. */
static double intrinsic_dim(const struct sample *sample)
{
    double estimates[SAMPLE_QUERIES];
    size_t count = 0;

    for (size_t i = 0; i < sample->queries_count; i++) {
        const struct topk *topk = &sample->topks[i];
        double farthest = 0, sum = 0;
        for (uint32_t j = 0; j < topk->count; j++)
            farthest = fmax(farthest, distance_between(sample, i, topk->hits[j].primary_key));
        uint32_t used = 0;
        for (uint32_t j = 0; j < topk->count; j++) {
            double distance = distance_between(sample, i, topk->hits[j].primary_key);
            if (distance > farthest * 1e-6 && distance < farthest) {
                sum += log(farthest / distance);
                used++;
            }
        }
        if (sum > 0)
            estimates[count++] = used / sum;
    }
    qsort(estimates, count, sizeof *estimates, compare_doubles);
    return count > 0 ? estimates[count / 2] : 0;
}

/* Of one query: how many rows the codes put before each of its true neighbours. */
static void rank_neighbours(const struct sample *sample, size_t query, const uint32_t *distances,
                            double *ret_ranks, size_t *ranks_count)
{
    const struct topk *topk = &sample->topks[query];

    for (uint32_t j = 0; j < topk->count && j < TOLD; j++) {
        uint32_t own = distances[topk->hits[j].primary_key], before = 0;
        for (size_t row = 0; row < sample->rows_count; row++)
            before += distances[row] < own;
        ret_ranks[(*ranks_count)++] = before;
    }
}

struct trial {
    const struct sample *sample;
    struct graph_section graph;
    struct graph_space space;
    uint8_t *codes; /* rows, then a query */
    float *values;
    uint32_t *numbers, *distances; /* rows_count */
};

static void encode(const struct trial *trial, uint64_t at)
{
    graph_space_encode(&trial->graph, trial->values, trial->codes + at * trial->graph.code_dims);
}

/* How many of the nearest codes hold the share of the true neighbours that is wanted. */
static double rows_to_look_at(const struct trial *trial)
{
    const struct sample *sample = trial->sample;
    const uint32_t dim = sample->input->dim;
    const double share = (1 + (double)sample->input->recall) / 2;
    double ranks[SAMPLE_QUERIES * TOLD];
    size_t ranks_count = 0;

    for (size_t i = 0; i < sample->rows_count; i++) {
        graph_space_row(&trial->space, sample->rows + i * dim, trial->values);
        encode(trial, i);
        trial->numbers[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < sample->queries_count; i++) {
        graph_space_query(&trial->graph, sample->queries + i * dim, trial->values);
        encode(trial, sample->rows_count);
        kernels_current()->points(&(struct kernel_points){
            .codes = trial->codes,
            .query = trial->codes + sample->rows_count * trial->graph.code_dims,
            .dims = trial->graph.code_dims,
            .rows = trial->numbers,
            .rows_count = sample->rows_count,
            .ret_distances = trial->distances,
        });
        rank_neighbours(sample, i, trial->distances, ranks, &ranks_count);
    }
    qsort(ranks, ranks_count, sizeof *ranks, compare_doubles);
    return ranks_count > 0 ? 1 + ranks[(size_t)(share * (double)(ranks_count - 1))] : 1;
}

static double cost_of(const struct trial *trial)
{
    const struct graph_shape *shape = &trial->graph.shape;
    const double row_lines = (double)shape->dim * sizeof(float) / LINE_BYTES;
    const double code_lines = (double)trial->graph.code_dims / LINE_BYTES;
    const double rows = fmax(TOLD, rows_to_look_at(trial));

    return COST_CODES * (COST_CODE + code_lines) + rows * (COST_ROW + row_lines) +
           (double)shape->projected * shape->dim / COST_MULTIPLIES;
}

static enum qn_status try_projected(const struct sample *sample, uint32_t projected,
                                    double *ret_cost, struct qn_error *error)
{
    const struct choose_input *input = sample->input;
    const struct graph_shape shape = {.rows_count = sample->rows_count + 1,
                                      .dim = input->dim,
                                      .metric = input->metric,
                                      .projected = projected};
    const struct graph_space_training training = {.rows = sample->rows,
                                                  .rows_count = sample->rows_count,
                                                  .threads = input->threads,
                                                  .seed = input->seed};
    const uint64_t bytes = graph_section_bytes(&shape);
    void *memory = aligned_alloc(SECTION_ALIGNMENT, bytes);
    struct trial trial = {.sample = sample,
                          .numbers = calloc(sample->rows_count, sizeof(uint32_t)),
                          .distances = calloc(sample->rows_count, sizeof(uint32_t))};
    enum qn_status status = out_of_memory(error);

    if (memory != NULL && trial.numbers != NULL && trial.distances != NULL) {
        memset(memory, 0, bytes);
        graph_section_lay(&shape, memory, &trial.graph);
        trial.codes = (uint8_t *)(uintptr_t)trial.graph.codes;
        trial.values = calloc(graph_space_floats(&trial.graph), sizeof(float));
        if (trial.values != NULL)
            status = graph_space_train(&training, &trial.graph, &trial.space, error);
        if (status == QN_STATUS_OK) {
            *ret_cost = cost_of(&trial);
            graph_space_done(&trial.space);
        }
    }
    free(trial.values);
    free(trial.numbers);
    free(trial.distances);
    free(memory);
    return status;
}

/* As few as fit a code of 32, 64, .. bytes, or all dimensions as they are. */
static enum qn_status try_all(const struct sample *sample, struct choice *choice,
                              struct qn_error *error)
{
    const uint32_t dim = sample->input->dim;
    double best = INFINITY;

    choice->projected = 0;
    for (uint32_t bytes = 0; bytes <= DIRECTIONS_MAX + 1; bytes = bytes == 0 ? 32 : 2 * bytes) {
        const uint32_t projected = bytes == 0 ? 0 : bytes - 1;
        double cost = 0;
        if (projected >= dim)
            break;
        enum qn_status status = try_projected(sample, projected, &cost, error);
        if (status != QN_STATUS_OK)
            return status;
        if (cost >= best && choice->projected > 0)
            break; /* more of them will not pay either */
        if (cost < best) {
            best = cost;
            choice->projected = projected;
        }
    }
    return QN_STATUS_OK;
}

bool choose_is_flat(uint64_t rows_count, uint32_t dim)
{
    return rows_count < FLAT_ROWS || rows_count * dim < FLAT_VALUES;
}

enum qn_status choose_index(const struct choose_input *input, enum index_kind kind,
                            struct choice *ret_choice, struct qn_error *error)
{
    const double most =
        intrinsic_middle + intrinsic_per_recall * (recall_middle - (double)input->recall);
    struct sample sample;
    enum qn_status status = sample_take(input, &sample, error);

    if (status == QN_STATUS_OK)
        status = find_neighbours(&sample, error);
    if (status == QN_STATUS_OK) {
        const double dims = intrinsic_dim(&sample);
        *ret_choice =
            (struct choice){.kind = dims < most ? INDEX_GRAPH : INDEX_IVF, .intrinsic_dim = dims};
        if (kind != INDEX_NONE)
            ret_choice->kind = kind;
    }
    if (status == QN_STATUS_OK && ret_choice->kind == INDEX_GRAPH)
        status = try_all(&sample, ret_choice, error);
    sample_free(&sample);
    return status;
}
