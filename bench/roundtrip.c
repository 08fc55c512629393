/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench roundtrip: what we add to the bus library's own request and reply.
 *
 * Three things by turns, ten at a time, so that what else the machine does falls on all of them:
 *   bare  natsConnection_Request of as many bytes as our search request has, to another process
 *         that publishes a short reply from its callback (qnode-bench echo);
 *   ours  qn_search of one row in one segment on a real agent: envelope, codec, client library,
 *         the agent's inbox and its node thread, the search itself and all checks;
 *   wake  one thread wakes another, by our waiter (wakeup.c).
 * The chain of threads is the library's own but for one link, from its delivery thread to the node
 * thread; so ours may cost one wake-up more, and 15 % of that for everything else. Quantiles are
 * taken per round; the medians of the rounds are printed, and the difference is the median of the
 * rounds' differences. */
#include "bench/roundtrip.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/bare_nats.h"
#include "bench/bench.h"
#include "bench/wakeup.h"
#include "channel/subject.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    REQUESTS_PER_TURN = 10, /* of one kind; then the other's turn */
    TURNS_PER_ROUND = 20,
    WAKES_PER_ROUND = 200,
    ROUNDS_MAX = 10000,
    REQUEST_EXTRA_BYTES = 110, /* our envelope and head, around the vector */
    MARGIN_PERCENT = 15,
};

enum column { COLUMN_BARE, COLUMN_OURS, COLUMN_WAKE, COLUMNS_COUNT };

static const char *const column_names[COLUMNS_COUNT] = {
    "bare library, request and reply", "qn_search of one row", "one wake-up of a thread"};
static const char *const column_keys[COLUMNS_COUNT] = {"bare", "ours", "wake"};

struct roundtrip {
    const struct bench_options *options;
    struct bare *bare;
    struct qn_client *client;
    char subject[128];
    uint8_t *request; /* the bare one */
    size_t request_bytes;
    double *p50_us[COLUMNS_COUNT], *p99_us[COLUMNS_COUNT]; /* one per round */
    double *added_us;
    struct histogram *took_ns; /* of a round, one per column */
    uint32_t rounds_count;
};

struct figures {
    double p50_us[COLUMNS_COUNT], p99_us[COLUMNS_COUNT], added_us;
    double bound_us; /* one wake-up, and 15 % of the bare round trip */
    double tight_us; /* one wake-up, and 15 % of itself */
    bool holds;
};

uint64_t roundtrip_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum qn_status request_bare(struct roundtrip *trip, struct qn_error *error)
{
    return bare_request(trip->bare, trip->subject, trip->request, trip->request_bytes, error);
}

static enum qn_status request_ours(struct roundtrip *trip, struct qn_error *error)
{
    const struct load_options *load = &trip->options->load;
    struct qn_search_request request = {.collection_id = load->collection_id,
                                        .queries = load->queries->values,
                                        .nq = 1,
                                        .dim = load->queries->dim,
                                        .k = 1};
    struct qn_search_result result = {0};
    enum qn_status status = qn_search(trip->client, &request, &result, error);

    if (status == QN_STATUS_OK && result.verdict != QN_VERDICT_COMPLETE) {
        status = error->status = QN_STATUS_INCOMPLETE;
        (void)snprintf(error->text, sizeof error->text, "the search is %s",
                       qn_verdict_name(result.verdict));
    }
    qn_search_result_done(&result);
    return status;
}

/* A few requests of one kind. */
static enum qn_status run_turn(struct roundtrip *trip, enum column column,
                               struct histogram *took_ns, struct qn_error *error)
{
    enum qn_status status = QN_STATUS_OK;

    for (int i = 0; status == QN_STATUS_OK && i < REQUESTS_PER_TURN; i++) {
        uint64_t began_ns = roundtrip_now_ns();
        status = column == COLUMN_BARE ? request_bare(trip, error) : request_ours(trip, error);
        histogram_add(took_ns, roundtrip_now_ns() - began_ns);
    }
    return status;
}

static void note_quantiles(struct roundtrip *trip, enum column column,
                           const struct histogram *took_ns)
{
    trip->p50_us[column][trip->rounds_count] = (double)histogram_quantile(took_ns, 0.50) / 1000;
    trip->p99_us[column][trip->rounds_count] = (double)histogram_quantile(took_ns, 0.99) / 1000;
}

static enum qn_status run_round(struct roundtrip *trip, struct qn_error *error)
{
    struct histogram *took_ns = trip->took_ns;
    enum qn_status status = QN_STATUS_OK;

    for (int i = 0; i < COLUMNS_COUNT; i++)
        histogram_init(&took_ns[i]);
    for (int turn = 0; status == QN_STATUS_OK && turn < TURNS_PER_ROUND; turn++) {
        status = run_turn(trip, COLUMN_BARE, &took_ns[COLUMN_BARE], error);
        if (status == QN_STATUS_OK)
            status = run_turn(trip, COLUMN_OURS, &took_ns[COLUMN_OURS], error);
    }
    if (status == QN_STATUS_OK)
        status = wakeup_measure(WAKES_PER_ROUND, &took_ns[COLUMN_WAKE], error);
    for (int i = 0; i < COLUMNS_COUNT; i++)
        note_quantiles(trip, (enum column)i, &took_ns[i]);
    trip->added_us[trip->rounds_count] = trip->p50_us[COLUMN_OURS][trip->rounds_count] -
                                         trip->p50_us[COLUMN_BARE][trip->rounds_count];
    return status;
}

static struct figures conclude(struct roundtrip *trip)
{
    struct figures figures;

    for (int i = 0; i < COLUMNS_COUNT; i++) {
        figures.p50_us[i] = bench_median(trip->p50_us[i], trip->rounds_count);
        figures.p99_us[i] = bench_median(trip->p99_us[i], trip->rounds_count);
    }
    figures.added_us = bench_median(trip->added_us, trip->rounds_count);
    figures.tight_us = figures.p50_us[COLUMN_WAKE] * (100 + MARGIN_PERCENT) / 100;
    figures.bound_us =
        figures.p50_us[COLUMN_WAKE] + figures.p50_us[COLUMN_BARE] * MARGIN_PERCENT / 100;
    figures.holds = figures.added_us <= figures.bound_us;
    return figures;
}

static void print_text(const struct roundtrip *trip, const struct figures *figures)
{
    printf("%zu byte requests, %u rounds of %d, medians of the rounds\n\n", trip->request_bytes,
           trip->rounds_count, REQUESTS_PER_TURN * TURNS_PER_ROUND);
    printf("%-34s %9s %9s\n", "", "p50 us", "p99 us");
    for (int i = 0; i < COLUMNS_COUNT; i++)
        printf("%-34s %9.1f %9.1f\n", column_names[i], figures->p50_us[i], figures->p99_us[i]);
    printf("\nwe add at p50                       %9.1f\n", figures->added_us);
    printf("one wake-up + %d %% of itself       %9.1f  %s\n", MARGIN_PERCENT, figures->tight_us,
           figures->added_us <= figures->tight_us ? "held" : "exceeded");
    printf("one wake-up + %d %% of the bare     %9.1f  %s\n", MARGIN_PERCENT, figures->bound_us,
           figures->holds ? "held" : "exceeded");
}

static void print_json(const struct roundtrip *trip, const struct figures *figures)
{
    struct doc *root = doc_object();

    doc_set_int(root, "request_bytes", (int64_t)trip->request_bytes);
    doc_set_int(root, "rounds", trip->rounds_count);
    doc_set_int(root, "requests_per_round", REQUESTS_PER_TURN * TURNS_PER_ROUND);
    for (int i = 0; i < COLUMNS_COUNT; i++) {
        struct doc *row = doc_object();
        doc_set_number(row, "p50_us", figures->p50_us[i]);
        doc_set_number(row, "p99_us", figures->p99_us[i]);
        doc_set(root, column_keys[i], row);
    }
    doc_set_number(root, "added_us", figures->added_us);
    doc_set_number(root, "bound_us", figures->bound_us);
    doc_set_number(root, "tight_us", figures->tight_us);
    doc_set_bool(root, "holds", figures->holds);
    doc_print(root);
    doc_free(root);
}

static enum qn_status open_both(struct roundtrip *trip, struct qn_error *error)
{
    const struct load_options *load = &trip->options->load;
    struct qn_client_options options = {.url = load->bus, .cluster = load->cluster};
    enum qn_status status = bare_open(load->bus, &trip->bare, error);

    return status != QN_STATUS_OK ? status : qn_client_open(&options, &trip->client, error);
}

static void name_subject(const char *cluster, char *ret_text, size_t bytes)
{
    (void)snprintf(ret_text, bytes, "bench.%.64s.echo", cluster);
}

static void take_memory(struct roundtrip *trip)
{
    trip->request_bytes = trip->options->load.queries->dim * sizeof(float) + REQUEST_EXTRA_BYTES;
    trip->request = calloc(1, trip->request_bytes);
    trip->added_us = calloc(ROUNDS_MAX, sizeof(double));
    trip->took_ns = calloc(COLUMNS_COUNT, sizeof *trip->took_ns);
    CHECK(trip->request != NULL && trip->took_ns != NULL && trip->added_us != NULL);
    for (int i = 0; i < COLUMNS_COUNT; i++) {
        trip->p50_us[i] = calloc(ROUNDS_MAX, sizeof(double));
        trip->p99_us[i] = calloc(ROUNDS_MAX, sizeof(double));
        CHECK(trip->p50_us[i] != NULL && trip->p99_us[i] != NULL);
    }
}

static void give_memory(struct roundtrip *trip)
{
    free(trip->request);
    free(trip->added_us);
    free(trip->took_ns);
    for (int i = 0; i < COLUMNS_COUNT; i++) {
        free(trip->p50_us[i]);
        free(trip->p99_us[i]);
    }
}

int bench_roundtrip(const struct bench_options *options)
{
    struct roundtrip trip = {.options = options};
    struct qn_error error = {0};

    take_memory(&trip);
    name_subject(options->load.cluster, trip.subject, sizeof trip.subject);
    bench_catch_signals();
    enum qn_status status = open_both(&trip, &error);
    if (status == QN_STATUS_OK)
        status = run_round(&trip, &error); /* overwritten by the first */
    while (status == QN_STATUS_OK && trip.rounds_count < options->rounds &&
           !bench_is_interrupted()) {
        status = run_round(&trip, &error);
        trip.rounds_count++;
    }
    int code = 1;
    if (status != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        code = qn_status_exit_code(status);
    } else if (trip.rounds_count > 0) {
        struct figures figures = conclude(&trip);
        (options->json_path != NULL ? print_json : print_text)(&trip, &figures);
        code = figures.holds ? 0 : 1;
    }
    qn_client_close(trip.client);
    bare_close(trip.bare);
    give_memory(&trip);
    return code;
}

int bench_echo(const struct bench_options *options)
{
    struct bare *bare = NULL;
    struct qn_error error = {0};
    char subject[128];

    name_subject(options->load.cluster, subject, sizeof subject);
    bench_catch_signals();
    enum qn_status status = bare_open(options->load.bus, &bare, &error);
    if (status == QN_STATUS_OK)
        status = bare_echo(bare, subject, &error);
    if (status != QN_STATUS_OK)
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
    while (status == QN_STATUS_OK && !bench_is_interrupted())
        bench_wait_ms(1000);
    bare_close(bare);
    return qn_status_exit_code(status);
}
