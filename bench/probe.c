/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench probe: a witness for tests of outages. Its clients search until Ctrl-C at a pace that
 * leaves room for the rest, each answer that calls itself COMPLETE is compared with brute force,
 * and every search is one line on stdout, written whole, so that a test can follow it live. */
#include "bench/bench.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/prng.h"
#include "base/thread.h"
#include "bench/truth.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct probe {
    const struct bench_options *options;
    struct clock clock;
    struct truth truth;
    struct qn_client **handles;
    size_t handles_count;
    struct probe_worker *workers;
    size_t workers_count;
    _Atomic bool stopping;
    _Atomic uint64_t wrong;
};

struct probe_worker {
    struct probe *probe;
    struct qn_client *client;
    struct prng prng;
    pthread_t thread;
};

static bool is_right(const struct probe *probe, uint32_t first_row,
                     const struct qn_search_result *result)
{
    for (uint32_t q = 0; q < result->nq; q++)
        if (!truth_equals(&probe->truth, first_row + q, result->hits + (size_t)q * result->k,
                          result->hit_counts[q]))
            return false;
    return true;
}

/* The first reason stands for all. */
static enum qn_status reason_of(const struct qn_search_result *result)
{
    return result->missing_count > 0 ? result->missing[0].reason : result->reason;
}

static void search_once(struct probe_worker *worker)
{
    struct probe *probe = worker->probe;
    const struct load_options *load = &probe->options->load;
    uint32_t row = (uint32_t)prng_below(&worker->prng, load->queries->rows_count - load->nq + 1);
    struct qn_search_request request = {.collection_id = load->collection_id,
                                        .queries = load->queries->values +
                                                   (size_t)row * load->queries->dim,
                                        .nq = load->nq,
                                        .dim = load->queries->dim,
                                        .k = load->k,
                                        .deadline_ms = load->deadline_ms};
    struct qn_search_result result = {0};
    uint64_t began_us = clock_now_us(&probe->clock);
    enum qn_status status = qn_search(worker->client, &request, &result, NULL);
    uint64_t took_us = clock_now_us(&probe->clock) - began_us;
    const char *verdict = "FAILED";

    if (status == QN_STATUS_OK) {
        verdict = qn_verdict_name(result.verdict);
        status = reason_of(&result);
        if (result.verdict == QN_VERDICT_COMPLETE && !is_right(probe, row, &result)) {
            verdict = "WRONG";
            (void)atomic_fetch_add(&probe->wrong, 1);
        }
    }
    printf("%" PRIu64 " %" PRIu64 " %s %s %u\n", began_us, took_us, verdict, qn_status_name(status),
           result.retried_count);
    qn_search_result_done(&result);
}

static void *worker_run(void *owner)
{
    struct probe_worker *worker = owner;
    uint64_t pause_us = (uint64_t)worker->probe->options->pause_ms * 1000;

    while (!atomic_load(&worker->probe->stopping)) {
        search_once(worker);
        clock_nap_us(pause_us / 2 + prng_below(&worker->prng, pause_us));
    }
    return NULL;
}

static enum qn_status start(struct probe *probe, struct qn_error *error)
{
    const struct load_options *load = &probe->options->load;
    struct qn_client_options options = {.url = load->bus, .cluster = load->cluster};

    for (; probe->handles_count < load->handles_count; probe->handles_count++)
        if (qn_client_open(&options, &probe->handles[probe->handles_count], error) != QN_STATUS_OK)
            return error->status;
    for (; probe->workers_count < load->clients_count; probe->workers_count++) {
        struct probe_worker *worker = &probe->workers[probe->workers_count];
        worker->probe = probe;
        worker->client = probe->handles[probe->workers_count % probe->handles_count];
        prng_init(&worker->prng, probe->workers_count + 1);
        if (thread_start(&worker->thread, "probe-client", worker_run, worker, error) !=
            QN_STATUS_OK)
            return error->status;
    }
    return QN_STATUS_OK;
}

static void stop(struct probe *probe)
{
    atomic_store(&probe->stopping, true);
    for (size_t i = 0; i < probe->workers_count; i++)
        (void)pthread_join(probe->workers[i].thread, NULL);
    for (size_t i = 0; i < probe->handles_count; i++)
        qn_client_close(probe->handles[i]);
    free(probe->workers);
    free(probe->handles);
}

static int run(struct probe *probe)
{
    const struct load_options *load = &probe->options->load;
    struct qn_error error = {0};

    probe->handles = calloc(load->handles_count, sizeof(struct qn_client *));
    probe->workers = calloc(load->clients_count, sizeof *probe->workers);
    CHECK(probe->handles != NULL && probe->workers != NULL);
    bench_catch_signals();
    enum qn_status status = start(probe, &error);
    while (status == QN_STATUS_OK && !bench_is_interrupted())
        bench_wait_ms(1000);
    stop(probe);
    if (status != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        return qn_status_exit_code(status);
    }
    return atomic_load(&probe->wrong) == 0 ? 0 : 1;
}

int bench_probe(const struct bench_options *options)
{
    struct probe probe = {.options = options, .clock = clock_monotonic()};
    struct qn_error error = {0};
    struct fbin base = {0};

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    enum qn_status status = fbin_read(options->base_path, 0, &base, &error);
    if (status == QN_STATUS_OK)
        status = truth_compute(&base, options->load.queries, options->load.k, &probe.truth, &error);
    if (status != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        fbin_done(&base);
        return qn_status_exit_code(status);
    }
    fbin_done(&base);
    int code = run(&probe);
    truth_done(&probe.truth);
    return code;
}
