/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/prng.h"
#include "base/thread.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_AFTER_FAILURE_US = 1000 }; /* a refused search is not repeated in a hot loop */

struct worker {
    struct load *load;
    struct qn_client *client;
    struct prng prng;
    pthread_t thread;
};

struct load {
    struct load_options options;
    struct clock clock;
    struct load_stats stats[LOAD_STATS_COUNT];
    uint64_t entered_us[LOAD_STAGES_COUNT + 1]; /* main thread; 0: not yet */
    _Atomic int stage;
    _Atomic bool stopping;
    struct qn_client **handles;
    size_t handles_count;
    struct worker *workers;
    size_t workers_count;
    atomic_flag troubled;
    char trouble[320];
};

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    (void)atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void note_max(_Atomic uint64_t *max, uint64_t value)
{
    uint64_t seen = get(max);

    while (value > seen && !atomic_compare_exchange_weak(max, &seen, value))
        ;
}

static void note_trouble(struct load *load, const struct qn_search_result *result,
                         const struct qn_error *error)
{
    if (atomic_flag_test_and_set(&load->troubled))
        return;
    if (result == NULL)
        (void)snprintf(load->trouble, sizeof load->trouble, "failed: %s", error->text);
    else if (result->missing_count > 0)
        (void)snprintf(load->trouble, sizeof load->trouble,
                       "%s: %zu of %u segments missing, segment %lld on node %lld: %s",
                       qn_verdict_name(result->verdict), result->missing_count,
                       result->segments_count, (long long)result->missing[0].segment_id,
                       (long long)result->missing[0].node_id,
                       qn_status_text(result->missing[0].reason));
    else
        (void)snprintf(load->trouble, sizeof load->trouble, "%s: no view of the collection",
                       qn_verdict_name(result->verdict));
}

static void record(struct load_stats *stats, const struct qn_search_result *result,
                   uint64_t took_us)
{
    if (result->verdict == QN_VERDICT_COMPLETE) {
        count(&stats->complete, 1);
        histogram_add(&stats->took_us, took_us);
        note_max(&stats->max_us, took_us);
    } else {
        count(result->verdict == QN_VERDICT_PARTIAL ? &stats->partial : &stats->unknown, 1);
    }
    count(&stats->requests, result->requests_count);
    count(&stats->retried_requests, result->retried_count);
    count(&stats->retried, result->retried_count > 0);
}

static void search_once(struct worker *worker, struct qn_search_request *request)
{
    struct load *load = worker->load;
    const struct fbin *queries = load->options.queries;
    int stage = atomic_load(&load->stage);
    struct qn_search_result result;
    struct qn_error error = {0};
    uint64_t row = prng_below(&worker->prng, queries->rows_count - request->nq + 1);

    request->queries = queries->values + row * queries->dim;
    uint64_t started_us = clock_now_us(&load->clock);
    enum qn_status status = qn_search(worker->client, request, &result, &error);
    uint64_t took_us = clock_now_us(&load->clock) - started_us;
    if (status != QN_STATUS_OK) {
        count(&load->stats[stage].failed, 1);
        note_trouble(load, NULL, &error);
        clock_nap_us(PAUSE_AFTER_FAILURE_US);
        return;
    }
    record(&load->stats[stage], &result, took_us);
    if (result.overlap)
        record(&load->stats[LOAD_OVERLAP], &result, took_us);
    if (result.verdict != QN_VERDICT_COMPLETE)
        note_trouble(load, &result, NULL);
    qn_search_result_done(&result);
}

static void *worker_run(void *owner)
{
    struct worker *worker = owner;
    const struct load_options *options = &worker->load->options;
    struct qn_search_request request = {.collection_id = options->collection_id,
                                        .nq = options->nq,
                                        .dim = options->queries->dim,
                                        .k = options->k,
                                        .deadline_ms = options->deadline_ms,
                                        .recall = options->recall,
                                        .nprobe = options->nprobe,
                                        .ef = options->ef,
                                        .refine = options->refine};

    while (!atomic_load_explicit(&worker->load->stopping, memory_order_relaxed))
        search_once(worker, &request);
    return NULL;
}

static enum qn_status open_handles(struct load *load, struct qn_error *error)
{
    struct qn_client_options options = {.url = load->options.bus, .cluster = load->options.cluster};

    for (; load->handles_count < load->options.handles_count; load->handles_count++)
        if (qn_client_open(&options, &load->handles[load->handles_count], error) != QN_STATUS_OK)
            return error->status;
    return QN_STATUS_OK;
}

static enum qn_status start_workers(struct load *load, struct qn_error *error)
{
    for (; load->workers_count < load->options.clients_count; load->workers_count++) {
        struct worker *worker = &load->workers[load->workers_count];
        worker->load = load;
        worker->client = load->handles[load->workers_count % load->handles_count];
        prng_init(&worker->prng, load->workers_count + 1);
        if (thread_start(&worker->thread, "bench-client", worker_run, worker, error) !=
            QN_STATUS_OK)
            return error->status;
    }
    return QN_STATUS_OK;
}

enum qn_status load_start(const struct load_options *options, struct load **ret_load,
                          struct qn_error *error)
{
    struct load *load = calloc(1, sizeof *load);

    CHECK(load != NULL && options->queries->rows_count >= options->nq);
    CHECK(options->clients_count > 0 && options->handles_count > 0);
    load->options = *options;
    load->clock = clock_monotonic();
    for (int i = 0; i < LOAD_STATS_COUNT; i++)
        histogram_init(&load->stats[i].took_us);
    atomic_flag_clear(&load->troubled);
    load->handles = calloc(options->handles_count, sizeof(struct qn_client *));
    load->workers = calloc(options->clients_count, sizeof *load->workers);
    CHECK(load->handles != NULL && load->workers != NULL);
    load->entered_us[LOAD_WARM_UP] = clock_now_us(&load->clock);
    if (open_handles(load, error) != QN_STATUS_OK || start_workers(load, error) != QN_STATUS_OK) {
        load_stop(load);
        (void)load_free(load);
        return error->status;
    }
    *ret_load = load;
    return QN_STATUS_OK;
}

void load_enter(struct load *load, enum load_stage stage)
{
    uint64_t now_us = clock_now_us(&load->clock);

    CHECK((int)stage > atomic_load(&load->stage) && stage < LOAD_STAGES_COUNT);
    for (int i = atomic_load(&load->stage) + 1; i <= (int)stage; i++)
        load->entered_us[i] = now_us;
    atomic_store(&load->stage, (int)stage);
}

void load_stop(struct load *load)
{
    atomic_store(&load->stopping, true);
    for (size_t i = 0; i < load->workers_count; i++)
        (void)pthread_join(load->workers[i].thread, NULL);
    load->workers_count = 0;
    for (int i = atomic_load(&load->stage) + 1; i <= LOAD_STAGES_COUNT; i++)
        load->entered_us[i] = clock_now_us(&load->clock);
}

struct load *load_free(struct load *load)
{
    if (load == NULL)
        return NULL;
    CHECK(load->workers_count == 0);
    for (size_t i = 0; i < load->handles_count; i++)
        qn_client_close(load->handles[i]);
    free(load->handles);
    free(load->workers);
    free(load);
    return NULL;
}

const struct load_stats *load_stats(const struct load *load, enum load_stage stage)
{
    return &load->stats[stage];
}

uint64_t load_searches(const struct load_stats *stats)
{
    return get(&stats->complete) + get(&stats->partial) + get(&stats->unknown) +
           get(&stats->failed);
}

double load_stage_s(const struct load *load, enum load_stage stage)
{
    uint64_t from_us = load->entered_us[stage], to_us = load->entered_us[stage + 1];

    if (to_us == 0)
        to_us = clock_now_us(&load->clock);
    return (double)(to_us - from_us) / 1e6;
}

const char *load_first_trouble(const struct load *load)
{
    return load->trouble;
}

struct load_total load_total(const struct load *load)
{
    struct load_total total = {0};

    for (int i = 0; i < LOAD_STAGES_COUNT; i++) {
        const struct load_stats *stats = &load->stats[i];
        total.searches += load_searches(stats);
        total.complete += get(&stats->complete);
        total.partial += get(&stats->partial);
        total.unknown += get(&stats->unknown);
        total.failed += get(&stats->failed);
        total.retried += get(&stats->retried);
    }
    return total;
}
