/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench kernels: the flat scan, one thread, against what the machine can do.
 *
 * One query reads all vectors once and does little with each: its limit is the memory. A thousand
 * use each block a thousand times: their limit is arithmetic, a multiply-add for each dimension of
 * each row and query. Limits and scans are measured by turns in each round, as shares of each
 * other; medians of the rounds are printed. */
#include "bench/bench.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/prng.h"
#include "bench/machine.h"
#include "segstore/kernels/kernels.h"
#include "segstore/search.h"
#include <stdio.h>
#include <stdlib.h>

enum { K = 10, MANY = 1000, ROUNDS_MAX = BENCH_KERNELS_ROUNDS_MAX, CASES = 6 };

static const size_t memory_bytes = (size_t)512 << 20;
static const double many_work = 1.25e10; /* multiply-adds of a batch */

static const struct {
    enum qn_metric metric;
    uint32_t dim;
} cases[CASES] = {
    {QN_METRIC_L2, 100}, {QN_METRIC_L2, 128}, {QN_METRIC_L2, 784},
    {QN_METRIC_IP, 100}, {QN_METRIC_IP, 128}, {QN_METRIC_IP, 784},
};

struct figures {
    double one_gbytes[ROUNDS_MAX], one_share[ROUNDS_MAX];
    double many_gflops[ROUNDS_MAX], many_share[ROUNDS_MAX];
};

struct measuring {
    float *blocks; /* memory_bytes */
    int64_t *primary_keys;
    float *queries; /* MANY x the largest dim */
    void *tiles;
    struct topk *topks;
    unsigned char *storage;
    double fma_gflops[ROUNDS_MAX], read_gbytes[ROUNDS_MAX];
    struct figures figures[CASES];
    uint32_t rounds_count;
};

static void fill(float *values, size_t count, uint64_t seed)
{
    struct prng prng;

    prng_init(&prng, seed);
    for (size_t i = 0; i + 4 <= count; i += 4) {
        uint64_t bits = prng_next(&prng);
        for (size_t j = 0; j < 4; j++)
            values[i + j] = (float)(int16_t)(bits >> (16 * j)) / 32768;
    }
}

static void take_memory(struct measuring *measuring)
{
    const size_t rows_max = memory_bytes / sizeof(float) / cases[0].dim;

    measuring->blocks = machine_map(memory_bytes);
    measuring->primary_keys = calloc(rows_max, sizeof(int64_t));
    measuring->queries = calloc((size_t)MANY * cases[2].dim, sizeof(float));
    measuring->tiles = malloc(search_queries_bytes(cases[2].dim, MANY));
    measuring->topks = calloc(MANY, sizeof *measuring->topks);
    measuring->storage = malloc(MANY * topk_bytes(K));
    CHECK(measuring->blocks != NULL && measuring->primary_keys != NULL &&
          measuring->queries != NULL && measuring->tiles != NULL && measuring->topks != NULL &&
          measuring->storage != NULL);
    fill(measuring->blocks, memory_bytes / sizeof(float), 1);
    fill(measuring->queries, (size_t)MANY * cases[2].dim, 2);
    for (size_t i = 0; i < rows_max; i++)
        measuring->primary_keys[i] = (int64_t)i;
}

static void give_memory(struct measuring *measuring)
{
    machine_unmap(measuring->blocks, memory_bytes);
    free(measuring->primary_keys);
    free(measuring->queries);
    free(measuring->tiles);
    free(measuring->topks);
    free(measuring->storage);
}

/* Seconds of CPU. */
static double scan(struct measuring *measuring, size_t number, uint32_t nq, uint64_t rows_count)
{
    const uint32_t dim = cases[number].dim;
    struct segment segment = {
        .facts = {.dim = dim, .metric = cases[number].metric, .rows_count = rows_count},
        .primary_keys = measuring->primary_keys,
        .blocks = measuring->blocks};
    struct search_options options = {.k = K};
    struct search_queries queries;

    for (uint32_t i = 0; i < nq; i++)
        topk_init(&measuring->topks[i], cases[number].metric, K,
                  measuring->storage + i * topk_bytes(K));
    uint64_t start_us = clock_thread_cpu_us();
    search_queries_init(&queries, dim, nq, measuring->queries, measuring->tiles);
    CHECK(search_segment(&segment, &queries, &options, measuring->topks) == QN_STATUS_OK);
    return (double)(clock_thread_cpu_us() - start_us + 1) / 1e6;
}

static void measure_case(struct measuring *measuring, size_t number)
{
    const uint32_t dim = cases[number].dim, round = measuring->rounds_count;
    const uint64_t blocks = memory_bytes / sizeof(float) / dim / LIMIT_BLOCK_ROWS;
    const uint64_t many_rows =
        (uint64_t)(many_work / MANY / dim) / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS;
    struct figures *figures = &measuring->figures[number];
    double bytes = (double)blocks * LIMIT_BLOCK_ROWS * dim * sizeof(float);

    figures->one_gbytes[round] =
        bytes / 1e9 / scan(measuring, number, 1, blocks * LIMIT_BLOCK_ROWS);
    figures->one_share[round] = figures->one_gbytes[round] / measuring->read_gbytes[round];
    figures->many_gflops[round] =
        2.0 * MANY * (double)many_rows * dim / 1e9 / scan(measuring, number, MANY, many_rows);
    figures->many_share[round] = figures->many_gflops[round] / measuring->fma_gflops[round];
}

static void measure_round(struct measuring *measuring)
{
    const char *name = kernels_current()->name;

    measuring->fma_gflops[measuring->rounds_count] = machine_fma_gflops(name);
    measuring->read_gbytes[measuring->rounds_count] =
        machine_read_gbytes(name, measuring->blocks, memory_bytes);
    for (size_t i = 0; i < CASES; i++)
        measure_case(measuring, i);
    measuring->rounds_count++;
}

static void print_text(struct measuring *measuring)
{
    uint32_t rounds = measuring->rounds_count;

    printf("%s kernels, one thread, CPU time, medians of %u rounds\n", kernels_current()->name,
           rounds);
    printf("limits: memory read %.1f GB/s, multiply-add %.1f GFLOP/s\n\n",
           bench_median(measuring->read_gbytes, rounds),
           bench_median(measuring->fma_gflops, rounds));
    printf("flat f32, k %d       1 query               %d queries\n", K, MANY);
    printf("metric     dim    GB/s  of read         GFLOP/s  of multiply-add\n");
    for (size_t i = 0; i < CASES; i++) {
        struct figures *figures = &measuring->figures[i];
        printf("%-8s %5u  %6.1f  %7.2f       %9.1f  %15.2f\n", qn_metric_name(cases[i].metric),
               cases[i].dim, bench_median(figures->one_gbytes, rounds),
               bench_median(figures->one_share, rounds), bench_median(figures->many_gflops, rounds),
               bench_median(figures->many_share, rounds));
    }
}

static void print_json(struct measuring *measuring)
{
    uint32_t rounds = measuring->rounds_count;
    struct doc *root = doc_object(), *rows = doc_array();

    doc_set_string(root, "kernels", kernels_current()->name);
    doc_set_int(root, "rounds", rounds);
    doc_set_int(root, "k", K);
    doc_set_int(root, "many", MANY);
    doc_set_number(root, "read_gbytes", bench_median(measuring->read_gbytes, rounds));
    doc_set_number(root, "fma_gflops", bench_median(measuring->fma_gflops, rounds));
    for (size_t i = 0; i < CASES; i++) {
        struct figures *figures = &measuring->figures[i];
        struct doc *row = doc_object();
        doc_set_string(row, "metric", qn_metric_name(cases[i].metric));
        doc_set_int(row, "dim", cases[i].dim);
        doc_set_number(row, "one_gbytes", bench_median(figures->one_gbytes, rounds));
        doc_set_number(row, "one_share", bench_median(figures->one_share, rounds));
        doc_set_number(row, "many_gflops", bench_median(figures->many_gflops, rounds));
        doc_set_number(row, "many_share", bench_median(figures->many_share, rounds));
        doc_append(rows, row);
    }
    doc_set(root, "flat", rows);
    doc_print(root);
    doc_free(root);
}

static int run_flat(const struct bench_options *options)
{
    struct measuring *measuring = calloc(1, sizeof *measuring);

    CHECK(measuring != NULL);
    take_memory(measuring);
    measure_round(measuring); /* the first warms up */
    measuring->rounds_count = 0;
    while (measuring->rounds_count < options->rounds && !bench_is_interrupted())
        measure_round(measuring);
    if (measuring->rounds_count > 0)
        (options->json_path != NULL ? print_json : print_text)(measuring);
    give_memory(measuring);
    free(measuring);
    return 0;
}

int bench_kernels(const struct bench_options *options)
{
    struct qn_error error = {0};

    if (kernels_choose(NULL, &error) != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        return qn_status_exit_code(error.status);
    }
    bench_catch_signals();
    return (options->is_each ? bench_kernels_each : run_flat)(options);
}
