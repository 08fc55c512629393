/* SPDX-License-Identifier: Apache-2.0
 * Some rows stand for queries, and their true neighbours are found. Then two things are measured.
 * How many dimensions the rows really have, by how the distances to neighbours grow (the maximum
 * likelihood estimate of Levina and Bickel, NIPS 2004): a graph needs few steps where that is low,
 * lists need no steps and win where it is high. And how far down the order by codes the nearest
 * are, for codes along more or fewer directions: short codes are compared faster, but more rows
 * must then be looked at themselves.
 */
#include "segstore/choose.h"

#include "base/check.h"
#include "base/error.h"
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
    QUERIES = 96,
    NEIGHBOURS = 1000, /* of a query: no other row's code may come near */
    NEAR = 100,        /* of them that tell of the dimensions, .. */
    TOLD = 10,         /* .. and that codes must not lose */

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
    uint64_t queries[QUERIES]; /* numbers of rows */
    size_t queries_count;
    int64_t *keys; /* of all rows: 0, 1, ... */
    struct topk topks[QUERIES];
    unsigned char *storage; /* of topks */
    float *vectors;         /* of the queries */
    void *tiles, *scratch;  /* of a search */
};

static const float *row_at(const struct sample *sample, uint64_t row)
{
    return sample->input->rows + row * sample->input->dim;
}

static struct segment segment_of(const struct sample *sample)
{
    const struct choose_input *input = sample->input;

    return (struct segment){
        .facts = {.metric = input->metric, .dim = input->dim, .rows_count = input->rows_count},
        .primary_keys = sample->keys,
        .rows = input->rows};
}

static void sample_free(struct sample *sample)
{
    free(sample->keys);
    free(sample->storage);
    free(sample->vectors);
    free(sample->tiles);
    free(sample->scratch);
}

static bool sample_init(struct sample *sample, const struct choose_input *input)
{
    const uint64_t rows_count = input->rows_count;
    const struct search_options options = {.k = NEIGHBOURS};

    *sample = (struct sample){.input = input,
                              .queries_count = rows_count < QUERIES ? rows_count : QUERIES};
    const struct segment segment = segment_of(sample);
    const uint32_t nq = (uint32_t)sample->queries_count;
    sample->keys = calloc(rows_count, sizeof *sample->keys);
    sample->storage = malloc(nq * topk_bytes(NEIGHBOURS));
    sample->vectors = malloc((size_t)nq * input->dim * sizeof(float));
    sample->tiles = malloc(search_queries_bytes(input->dim, nq) + 1);
    sample->scratch = aligned_alloc(
        SECTION_ALIGNMENT, section_align(search_scratch_bytes(&segment, &options, nq) + 1));
    return sample->keys != NULL && sample->storage != NULL && sample->vectors != NULL &&
           sample->tiles != NULL && sample->scratch != NULL;
}

/* The nearest first; the query's own row is one of them. */
static void find_neighbours(struct sample *sample)
{
    const struct choose_input *input = sample->input;
    const struct search_options options = {.k = NEIGHBOURS, .scratch = sample->scratch};
    struct search_queries queries;

    for (uint64_t i = 0; i < input->rows_count; i++)
        sample->keys[i] = (int64_t)i;
    for (size_t i = 0; i < sample->queries_count; i++) {
        sample->queries[i] = i * input->rows_count / sample->queries_count;
        memcpy(sample->vectors + i * input->dim, row_at(sample, sample->queries[i]),
               input->dim * sizeof(float));
        topk_init(&sample->topks[i], input->metric, NEIGHBOURS,
                  sample->storage + i * topk_bytes(NEIGHBOURS));
    }
    search_queries_init(&queries, input->dim, (uint32_t)sample->queries_count, sample->vectors,
                        sample->tiles);
    const struct segment segment = segment_of(sample);
    CHECK(search_segment(&segment, &queries, &options, sample->topks) == QN_STATUS_OK);
    for (size_t i = 0; i < sample->queries_count; i++)
        topk_sort(&sample->topks[i]);
}

static double distance_between(const struct sample *sample, size_t query, int64_t row)
{
    return sqrt(rows_square(row_at(sample, sample->queries[query]), row_at(sample, (uint64_t)row),
                            sample->input->dim));
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of the queries' estimates; 0 if all rows are the same. */
static double intrinsic_dim(const struct sample *sample)
{
    double estimates[QUERIES];
    size_t count = 0;

    for (size_t i = 0; i < sample->queries_count; i++) {
        const struct topk *topk = &sample->topks[i];
        double farthest = 0, sum = 0;
        for (uint32_t j = 0; j < topk->count && j < NEAR; j++)
            farthest = fmax(farthest, distance_between(sample, i, topk->hits[j].primary_key));
        uint32_t used = 0;
        for (uint32_t j = 0; j < topk->count && j < NEAR; j++) {
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

struct trial {
    const struct sample *sample;
    struct graph_section graph;
    struct graph_space space;
    uint8_t *codes; /* of a query's neighbours, then of the query */
    float *values;
};

static void encode(const struct trial *trial, uint64_t at)
{
    graph_space_encode(&trial->graph, trial->values, trial->codes + at * trial->graph.code_dims);
}

/* Of one query: how many of its neighbours the codes put before each of the nearest. The query
 * itself is among them, and always first. */
static size_t rank_neighbours(const struct trial *trial, size_t query, double *ret_ranks)
{
    const struct sample *sample = trial->sample;
    const struct topk *topk = &sample->topks[query];
    uint32_t numbers[NEIGHBOURS], distances[NEIGHBOURS], told = 0;

    for (uint32_t j = 0; j < topk->count; j++) {
        numbers[j] = j;
        graph_space_row(&trial->space, row_at(sample, (uint64_t)topk->hits[j].primary_key),
                        trial->values);
        encode(trial, j);
    }
    graph_space_query(&trial->graph, row_at(sample, sample->queries[query]), trial->values);
    encode(trial, NEIGHBOURS);
    kernels_current()->points(&(struct kernel_points){
        .codes = trial->codes,
        .query = trial->codes + (size_t)NEIGHBOURS * trial->graph.code_dims,
        .dims = trial->graph.code_dims,
        .rows = numbers,
        .rows_count = topk->count,
        .ret_distances = distances,
    });
    for (uint32_t j = 0; j < topk->count && told < TOLD; j++) {
        uint32_t before = 0;
        if ((uint64_t)topk->hits[j].primary_key == sample->queries[query])
            continue;
        for (uint32_t other = 0; other < topk->count; other++)
            before += distances[other] < distances[j] &&
                      (uint64_t)topk->hits[other].primary_key != sample->queries[query];
        ret_ranks[told++] = before;
    }
    return told;
}

/* How many of the nearest codes hold the share of the nearest rows that is wanted. */
static double rows_to_look_at(const struct trial *trial)
{
    const double share = (1 + (double)trial->sample->input->recall) / 2;
    double ranks[QUERIES * TOLD];
    size_t count = 0;

    for (size_t i = 0; i < trial->sample->queries_count; i++)
        count += rank_neighbours(trial, i, ranks + count);
    qsort(ranks, count, sizeof *ranks, compare_doubles);
    return count > 0 ? 1 + ranks[(size_t)(share * (double)(count - 1))] : 1;
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
    const struct graph_shape shape = {.rows_count = NEIGHBOURS + 1,
                                      .dim = input->dim,
                                      .metric = input->metric,
                                      .projected = projected};
    const struct graph_space_training training = {.rows = input->rows,
                                                  .rows_count = input->rows_count,
                                                  .threads = input->threads,
                                                  .seed = input->seed};
    const uint64_t bytes = graph_section_bytes(&shape);
    void *memory = aligned_alloc(SECTION_ALIGNMENT, bytes);
    struct trial trial = {.sample = sample};

    if (memory == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    memset(memory, 0, bytes);
    graph_section_lay(&shape, memory, &trial.graph);
    trial.codes = (uint8_t *)(uintptr_t)trial.graph.codes;
    trial.values = calloc(graph_space_floats(&trial.graph), sizeof(float));
    enum qn_status status = trial.values == NULL
                                ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory")
                                : graph_space_train(&training, &trial.graph, &trial.space, error);
    if (status == QN_STATUS_OK) {
        *ret_cost = cost_of(&trial);
        graph_space_done(&trial.space);
    }
    free(trial.values);
    free(memory);
    return status;
}

/* As few as fit a code of so many bytes, whole cache lines but for the first; or all dimensions as
 * they are. */
static enum qn_status try_all(const struct sample *sample, struct choice *choice,
                              struct qn_error *error)
{
    static const uint32_t code_bytes[] = {32, 64, 128, 192, 256};
    double best = 0;
    enum qn_status status = try_projected(sample, 0, &best, error);

    choice->projected = 0;
    for (size_t i = 0; status == QN_STATUS_OK && i < COUNT_OF(code_bytes); i++) {
        const uint32_t projected = code_bytes[i] - 1;
        double cost = 0;
        if (projected >= sample->input->dim)
            break;
        status = try_projected(sample, projected, &cost, error);
        if (status != QN_STATUS_OK || (cost >= best && choice->projected > 0))
            break; /* more of them will not pay either */
        if (cost < best) {
            best = cost;
            choice->projected = projected;
        }
    }
    return status;
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
    enum qn_status status = QN_STATUS_OK;
    struct sample sample;

    *ret_choice = (struct choice){.kind = kind};
    if (choose_is_flat(input->rows_count, input->dim))
        return QN_STATUS_OK;
    if (!sample_init(&sample, input)) {
        sample_free(&sample);
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    }
    find_neighbours(&sample);
    ret_choice->intrinsic_dim = intrinsic_dim(&sample);
    if (kind == INDEX_NONE)
        ret_choice->kind = ret_choice->intrinsic_dim < most ? INDEX_GRAPH : INDEX_IVF;
    if (ret_choice->kind == INDEX_GRAPH)
        status = try_all(&sample, ret_choice, error);
    sample_free(&sample);
    return status;
}
