/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench: what its verbs share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/doc.h"
#include "bench/load.h"

enum { BENCH_KERNELS_ROUNDS_MAX = 64 };

struct bench_options {
    struct load_options load;
    const char *query_path, *json_path; /* json_path "-": on stdout instead of text (search) */
    uint32_t seconds;                   /* search: how long; handoff: before, and after */
    int64_t src, dst;
    uint64_t min_overlap;
    uint32_t max_seconds;
    const char *base_path; /* probe: the collection's vectors */
    uint32_t pause_ms;     /* probe: of a client between two searches */
    uint32_t rounds;       /* roundtrip, kernels */
    bool is_each;          /* kernels: every one of them by itself */
};

/* ---- bench_options.c ----------------------------------------------------------------------- */

/* argv[0] is the verb. False after a complaint on stderr. */
bool bench_parse(int argc, char **argv, struct bench_options *ret_options);

/* ---- bench_stats.c ------------------------------------------------------------------------- */

/* One stage: counts, rates and quantiles of one row or object. */
struct doc *bench_stats_doc(const struct load_stats *stats, double seconds, uint32_t nq);
/* "searches N complete N partial N failed N retried N"; a search without a view counts as failed.
 */
void bench_print_last_line(const struct load_total *total);
struct doc *bench_total_doc(const struct load_total *total);
/* 1 if a search was not complete, after saying what the first of them met. */
int bench_verdict(const struct load *load);
/* Sorts them. */
double bench_median(double *values, uint32_t count);

/* ---- bench_wait.c -------------------------------------------------------------------------- */

/* Ctrl-C ends the run early, with its figures; a second one ends the process. */
void bench_catch_signals(void);
/* Returns early when interrupted. */
void bench_wait_ms(uint64_t ms);
bool bench_is_interrupted(void);

/* ---- verbs --------------------------------------------------------------------------------- */

int bench_search(const struct bench_options *options);
int bench_handoff(const struct bench_options *options);
int bench_probe(const struct bench_options *options);
int bench_roundtrip(const struct bench_options *options);
int bench_kernels(const struct bench_options *options);
int bench_kernels_each(const struct bench_options *options); /* kernels --each */
int bench_echo(const struct bench_options *options);

#endif
