/* SPDX-License-Identifier: Apache-2.0
 * The closed loop: N client threads, each of which sends its next search when the last one is
 * answered. Every search is counted under the stage in which it began; the ones that fell into a
 * hand-off (result.overlap) are counted once more under LOAD_OVERLAP. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/histogram.h"
#include "bench/fbin.h"
#include "qnode/search.h"

enum { LOAD_CLIENTS_MAX = 1024 };

enum load_stage {
    LOAD_WARM_UP,
    LOAD_BEFORE,
    LOAD_DURING,
    LOAD_AFTER,
    LOAD_STAGES_COUNT,
    LOAD_OVERLAP = LOAD_STAGES_COUNT, /* of all stages */
    LOAD_STATS_COUNT,
};

struct load_options {
    const char *bus, *cluster;
    int64_t collection_id;
    const struct fbin *queries;            /* stays the caller's */
    uint32_t clients_count, handles_count; /* threads; client handles (connections) they share */
    uint32_t nq, k, deadline_ms;
    float recall; /* 0: the default */
    uint32_t nprobe, ef, refine;
};

/* searches = complete + partial + unknown + failed. */
struct load_stats {
    struct histogram took_us; /* by the caller's clock, complete searches only */
    _Atomic uint64_t complete, partial, unknown, failed;
    _Atomic uint64_t retried;          /* searches that had to ask again */
    _Atomic uint64_t requests;         /* messages sent to agents */
    _Atomic uint64_t retried_requests; /* of these: asked again */
    _Atomic uint64_t max_us;
};

struct load;

/* Opens the handles and starts the threads, in LOAD_WARM_UP. */
enum qn_status load_start(const struct load_options *options, struct load **ret_load,
                          struct qn_error *error);
/* Takes note of the time too. Forward only. */
void load_enter(struct load *load, enum load_stage stage);
/* Ends the loops and joins the threads. Once. */
void load_stop(struct load *load);
struct load *load_free(struct load *load);

const struct load_stats *load_stats(const struct load *load, enum load_stage stage);
uint64_t load_searches(const struct load_stats *stats);
/* How long the stage lasted (or has lasted). */
double load_stage_s(const struct load *load, enum load_stage stage);
/* What the first search that was not complete said; "" if there was none. After load_stop. */
const char *load_first_trouble(const struct load *load);

/* All stages together. */
struct load_total {
    uint64_t searches, complete, partial, unknown, failed, retried;
};
struct load_total load_total(const struct load *load);

#endif
