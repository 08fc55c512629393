/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench kernels --each: every kernel of every table that this machine can run.
 *
 * A case runs for a few milliseconds of CPU time, then comes its next table, then the next case;
 * limits are measured in each round, too, so that what else the machine does falls on all of them.
 * Shares of a limit are those of the fastest table and of the same round; medians of the rounds are
 * printed. */
#include "bench/bench.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/kernels_cases.h"
#include "bench/machine.h"
#include <stdio.h>
#include <stdlib.h>

enum { TABLES_MAX = 8, SLICE_US = 5000, ROW_SIZES = 4 };

struct figures {
    double values[BENCH_KERNELS_ROUNDS_MAX];
    size_t turns; /* that take a slice */
};

struct measuring {
    struct kernel_field field;
    const struct kernels *tables[TABLES_MAX];
    size_t tables_count;
    double read_gbytes[PLACES_COUNT][BENCH_KERNELS_ROUNDS_MAX];
    double anywhere_gbytes[ROW_SIZES][BENCH_KERNELS_ROUNDS_MAX];
    double gmadds[BENCH_KERNELS_ROUNDS_MAX];
    struct figures figures[CASES_MAX][TABLES_MAX];
    double shares[CASES_MAX][BENCH_KERNELS_ROUNDS_MAX];
    uint32_t rounds_count;
};

/* As text and as JSON has them. */
static const char *const place_names[PLACES_COUNT] = {"L1", "L2", "memory"};
static const char *const unit_names[UNITS_COUNT] = {"GB/s", "Gmadd/s", "ns/code", "ns/row"};
static const char *const bound_names[BOUNDS_COUNT] = {"none", "read", "rows", "fma", "fma x4"};
static const char *const row_names[ROW_SIZES] = {"64 B", "128 B", "256 B", "512 B"};

static const struct kernels *fastest(const struct measuring *measuring)
{
    return measuring->tables[measuring->tables_count - 1];
}

static void measure_limits(struct measuring *measuring)
{
    const uint32_t round = measuring->rounds_count;
    const char *name = fastest(measuring)->name;

    measuring->gmadds[round] = machine_fma_gflops(name) / 2;
    for (enum field_place place = PLACE_L1; place < PLACES_COUNT; place++)
        measuring->read_gbytes[place][round] =
            machine_read_gbytes(name, measuring->field.memory, field_place_bytes(place));
    for (int size = 0; size < ROW_SIZES; size++)
        measuring->anywhere_gbytes[size][round] =
            field_anywhere_gbytes(&measuring->field, (size_t)FIELD_LINE_BYTES << size);
}

/* Nanoseconds of CPU a run. */
static double run_ns(struct measuring *measuring, const struct kernel_case *what, size_t table,
                     size_t turns, struct case_work *ret_work)
{
    const uint64_t start_us = clock_thread_cpu_us();

    for (size_t turn = 0; turn < turns; turn++)
        *ret_work = what->run(&measuring->field, measuring->tables[table], what);
    return (double)(clock_thread_cpu_us() - start_us + 1) * 1e3 / (double)turns;
}

/* How many runs take a slice. */
static size_t count_turns(struct measuring *measuring, const struct kernel_case *what, size_t table)
{
    struct case_work work;
    size_t turns = 1;

    while (run_ns(measuring, what, table, turns, &work) * (double)turns < SLICE_US * 1e3)
        turns *= 2;
    return turns;
}

/* 1e9 bytes or multiply-adds a second; 0 if this machine's is not known. */
static double limit_of(const struct measuring *measuring, const struct kernel_case *what)
{
    const uint32_t round = measuring->rounds_count;

    switch (what->bound) {
    case BOUND_READ:
        return measuring->read_gbytes[what->place][round];
    case BOUND_ROWS:
        return measuring->anywhere_gbytes[__builtin_ctzl(what->size / FIELD_LINE_BYTES)][round];
    case BOUND_FMA:
        return measuring->gmadds[round];
    case BOUND_FMA_BYTES:
        return measuring->gmadds[round] * 4;
    default:
        return 0;
    }
}

static double share_of(const struct measuring *measuring, const struct kernel_case *what,
                       const struct case_work *work, double ns)
{
    const bool is_of_bytes = what->bound == BOUND_READ || what->bound == BOUND_ROWS;
    const double limit = limit_of(measuring, what);

    return limit > 0 ? (double)(is_of_bytes ? work->bytes : work->madds) / ns / limit : 0;
}

static double value_of(enum case_unit unit, const struct case_work *work, double ns)
{
    switch (unit) {
    case UNIT_GBYTES:
        return (double)work->bytes / ns;
    case UNIT_GMADDS:
        return (double)work->madds / ns;
    default:
        return ns / (double)work->rows;
    }
}

static void measure_round(struct measuring *measuring)
{
    const uint32_t round = measuring->rounds_count;

    measure_limits(measuring);
    for (size_t i = 0; i < kernel_cases_count; i++)
        for (size_t table = 0; table < measuring->tables_count; table++) {
            const struct kernel_case *what = &kernel_cases[i];
            struct figures *figures = &measuring->figures[i][table];
            struct case_work work = {0};
            if (figures->turns == 0)
                figures->turns = count_turns(measuring, what, table);
            const double ns = run_ns(measuring, what, table, figures->turns, &work);
            figures->values[round] = value_of(what->unit, &work, ns);
            measuring->shares[i][round] = share_of(measuring, what, &work, ns);
        }
    measuring->rounds_count++;
}

static void print_limits(struct measuring *measuring)
{
    const uint32_t rounds = measuring->rounds_count;

    printf("each kernel, one thread, %d dimensions, CPU time, medians of %u rounds\n\n", CASE_DIM,
           rounds);
    printf("limits of %s\n  read:   GB/s, in", fastest(measuring)->name);
    for (int place = 0; place < PLACES_COUNT; place++)
        printf(" %s %.1f%s", place_names[place],
               bench_median(measuring->read_gbytes[place], rounds),
               place + 1 < PLACES_COUNT ? "," : "\n");
    printf("  rows:   GB/s, anywhere in memory:");
    for (int size = 0; size < ROW_SIZES; size++)
        printf(" %s %.1f%s", row_names[size],
               bench_median(measuring->anywhere_gbytes[size], rounds),
               size + 1 < ROW_SIZES ? "," : "\n");
    printf("  fma:    %.1f G multiply-adds/s\n"
           "  fma x4: of bytes, of which an instruction takes four times as many\n\n",
           bench_median(measuring->gmadds, rounds));
}

static void print_case(struct measuring *measuring, size_t number)
{
    const struct kernel_case *what = &kernel_cases[number];
    const double share = bench_median(measuring->shares[number], measuring->rounds_count);

    printf("%-13s %-10s %-6s %-8s", what->kernel, what->shape, place_names[what->place],
           unit_names[what->unit]);
    for (size_t table = 0; table < measuring->tables_count; table++)
        printf(" %8.2f",
               bench_median(measuring->figures[number][table].values, measuring->rounds_count));
    if (share > 0)
        printf("  %.2f %s\n", share, bound_names[what->bound]);
    else
        printf("     -\n");
}

static void print_text(struct measuring *measuring)
{
    print_limits(measuring);
    printf("%-13s %-10s %-6s %-8s", "kernel", "shape", "in", "unit");
    for (size_t table = 0; table < measuring->tables_count; table++)
        printf(" %8s", measuring->tables[table]->name);
    printf("  of limit\n");
    for (size_t i = 0; i < kernel_cases_count; i++)
        print_case(measuring, i);
}

static struct doc *case_doc(struct measuring *measuring, size_t number)
{
    const struct kernel_case *what = &kernel_cases[number];
    const double share = bench_median(measuring->shares[number], measuring->rounds_count);
    struct doc *row = doc_object(), *figures = doc_object();

    doc_set_string(row, "kernel", what->kernel);
    doc_set_string(row, "shape", what->shape);
    doc_set_string(row, "in", place_names[what->place]);
    doc_set_string(row, "unit", unit_names[what->unit]);
    for (size_t table = 0; table < measuring->tables_count; table++)
        doc_set_number(
            figures, measuring->tables[table]->name,
            bench_median(measuring->figures[number][table].values, measuring->rounds_count));
    doc_set(row, "figures", figures);
    doc_set_string(row, "limit", bound_names[what->bound]);
    if (share > 0)
        doc_set_number(row, "share", share);
    return row;
}

static void print_json(struct measuring *measuring)
{
    const uint32_t rounds = measuring->rounds_count;
    struct doc *root = doc_object(), *rows = doc_array();
    struct doc *read = doc_object(), *anywhere = doc_object();

    doc_set_string(root, "kernels", fastest(measuring)->name);
    doc_set_int(root, "rounds", rounds);
    doc_set_int(root, "dim", CASE_DIM);
    for (int place = 0; place < PLACES_COUNT; place++)
        doc_set_number(read, place_names[place],
                       bench_median(measuring->read_gbytes[place], rounds));
    doc_set(root, "read_gbytes", read);
    for (int size = 0; size < ROW_SIZES; size++)
        doc_set_number(anywhere, row_names[size],
                       bench_median(measuring->anywhere_gbytes[size], rounds));
    doc_set(root, "rows_gbytes", anywhere);
    doc_set_number(root, "gmadds", bench_median(measuring->gmadds, rounds));
    for (size_t i = 0; i < kernel_cases_count; i++)
        doc_append(rows, case_doc(measuring, i));
    doc_set(root, "each", rows);
    doc_print(root);
    doc_free(root);
}

int bench_kernels_each(const struct bench_options *options)
{
    struct measuring *measuring = calloc(1, sizeof *measuring);

    CHECK(measuring != NULL && field_init(&measuring->field));
    measuring->tables_count = kernels_supported(measuring->tables, TABLES_MAX);
    measure_round(measuring); /* the first warms up */
    measuring->rounds_count = 0;
    while (measuring->rounds_count < options->rounds && !bench_is_interrupted())
        measure_round(measuring);
    if (measuring->rounds_count > 0)
        (options->json_path != NULL ? print_json : print_text)(measuring);
    field_done(&measuring->field);
    free(measuring);
    return 0;
}
