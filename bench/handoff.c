/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/handoff.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WARM_UP_MS = 1000,
    LOOK_MS = 100, /* between looks at the moves */
    LATE_RECEIPTS_MS = 100,
    REPORTS_MS = 1500, /* nodes report each second: after this the figures are new */
};

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Half of what src serves, the smallest ids. */
static enum qn_status choose(struct handoff *handoff, struct qn_error *error)
{
    int64_t src = handoff->options->src;
    size_t count = 0;

    if (handoff_read_segments(handoff, error) != QN_STATUS_OK)
        return error->status;
    for (size_t i = 0; i < handoff->segments_count; i++)
        if (handoff->segments[i].node_id == src)
            handoff->moving[count++] = handoff->segments[i].segment_id;
    qsort(handoff->moving, count, sizeof handoff->moving[0], compare_ids);
    handoff->src_count = count;
    handoff->moving_count = count / 2;
    if (handoff->moving_count == 0)
        return error_set(error, QN_STATUS_INVALID,
                         "node %" PRId64 " serves %zu segments of collection %" PRId64
                         ": at least 2 are needed (see qnodectl segments)",
                         src, count, handoff->options->load.collection_id);
    return QN_STATUS_OK;
}

static enum qn_status prepare(struct handoff *handoff, struct qn_error *error)
{
    const struct load_options *load = &handoff->options->load;
    struct qn_client_options options = {.url = load->bus, .cluster = load->cluster};

    handoff->segments = calloc(HANDOFF_SEGMENTS_MAX, sizeof *handoff->segments);
    handoff->move_ids = calloc(HANDOFF_SEGMENTS_MAX, sizeof *handoff->move_ids);
    handoff->rows = calloc(HANDOFF_ROWS_MAX, sizeof *handoff->rows);
    CHECK(handoff->segments != NULL && handoff->move_ids != NULL && handoff->rows != NULL);
    if (qn_client_open(&options, &handoff->client, error) != QN_STATUS_OK ||
        qn_feed_open(handoff->client, QN_FEED_EVENTS, &handoff->feed, error) != QN_STATUS_OK)
        return error->status;
    if (choose(handoff, error) != QN_STATUS_OK)
        return error->status;
    return handoff_read_nodes(handoff, HANDOFF_BEFORE, error);
}

/* One leg, from the command to the last receipt. */
static enum qn_status run_leg(struct handoff *handoff, int64_t src, int64_t dst,
                              struct qn_error *error)
{
    struct clock clock = clock_monotonic();
    uint64_t until_ms = clock_now_ms(&clock) + (uint64_t)handoff->options->max_seconds * 1000;

    if (handoff_ask_moves(handoff, src, dst, error) != QN_STATUS_OK)
        return error_wrap(error, "move from %" PRId64 " to %" PRId64, src, dst);
    while (handoff->unfinished_count > 0) {
        handoff_listen(handoff, LOOK_MS);
        if (handoff_look_at_moves(handoff, error) != QN_STATUS_OK)
            return error_wrap(error, "look at the moves");
        if (clock_now_ms(&clock) >= until_ms)
            return error_set(error, QN_STATUS_TIMEOUT,
                             "%zu of %zu moves from %" PRId64 " to %" PRId64
                             " are not finished (see qnodectl moves)",
                             handoff->unfinished_count, handoff->moving_count, src, dst);
    }
    handoff_listen(handoff, LATE_RECEIPTS_MS);
    handoff->legs_count++;
    if (handoff->failure[0] != '\0')
        return error_set(error, QN_STATUS_INCOMPLETE, "%s", handoff->failure);
    return QN_STATUS_OK;
}

static enum qn_status round_trip(struct handoff *handoff, struct qn_error *error)
{
    int64_t src = handoff->options->src, dst = handoff->options->dst;

    if (run_leg(handoff, src, dst, error) != QN_STATUS_OK)
        return error->status;
    if (handoff->legs_count == 1) {
        handoff_listen(handoff, REPORTS_MS);
        if (handoff_read_nodes(handoff, HANDOFF_OUT, error) != QN_STATUS_OK)
            return error->status;
    }
    if (run_leg(handoff, dst, src, error) != QN_STATUS_OK)
        return error->status;
    if (handoff->first_trip_wall_ms == 0)
        handoff->first_trip_wall_ms = clock_wall_ms();
    return QN_STATUS_OK;
}

static enum qn_status run_trips(struct handoff *handoff, struct qn_error *error)
{
    struct clock clock = clock_monotonic();
    uint64_t until_ms = clock_now_ms(&clock) + (uint64_t)handoff->options->max_seconds * 1000;
    uint64_t overlap = 0, wanted = handoff->options->min_overlap;

    handoff->started_wall_ms = clock_wall_ms();
    load_enter(handoff->load, LOAD_DURING);
    do {
        if (round_trip(handoff, error) != QN_STATUS_OK)
            return error->status;
        overlap = load_searches(load_stats(handoff->load, LOAD_OVERLAP));
        struct load_total total = load_total(handoff->load);
        if (total.partial + total.failed + total.unknown > 0)
            return error_set(error, QN_STATUS_INCOMPLETE, "stopped: not every search was complete");
    } while (overlap < wanted && clock_now_ms(&clock) < until_ms);
    if (overlap < wanted)
        return error_set(error, QN_STATUS_INCOMPLETE,
                         "only %" PRIu64 " of %" PRIu64 " searches fell into an overlap in %u s; "
                         "try more --clients",
                         overlap, wanted, handoff->options->max_seconds);
    return QN_STATUS_OK;
}

/* Everything that happens while the clients search. */
static enum qn_status run_under_load(struct handoff *handoff, struct qn_error *error)
{
    uint64_t steady_ms = (uint64_t)handoff->options->seconds * 1000;

    handoff_listen(handoff, WARM_UP_MS);
    load_enter(handoff->load, LOAD_BEFORE);
    handoff_listen(handoff, steady_ms);
    enum qn_status status = run_trips(handoff, error);
    if (status != QN_STATUS_OK)
        return status;
    load_enter(handoff->load, LOAD_AFTER);
    handoff_listen(handoff, steady_ms > REPORTS_MS ? steady_ms : REPORTS_MS);
    if (handoff_read_nodes(handoff, HANDOFF_BACK, error) != QN_STATUS_OK)
        return error->status;
    return handoff_read_segments(handoff, error);
}

static int write_json(const struct handoff *handoff)
{
    const char *path = handoff->options->json_path;
    struct doc *root = handoff_doc(handoff);
    char *text = doc_to_text(root);
    FILE *file = fopen(path, "we");
    bool written = file != NULL && fprintf(file, "%s\n", text) > 0;

    if (file != NULL)
        written = fclose(file) == 0 && written;
    free(text);
    doc_free(root);
    if (!written)
        (void)fprintf(stderr, "qnode-bench: cannot write %s\n", path);
    return written ? 0 : 1;
}

static int report(struct handoff *handoff, const struct qn_error *error)
{
    struct load_total total = load_total(handoff->load);
    int code = bench_verdict(handoff->load);

    if (handoff->legs_count > 0)
        handoff_print(handoff);
    if (handoff->options->json_path != NULL && write_json(handoff) != 0)
        code = 1;
    if (error->status != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error->text);
        code = qn_status_exit_code(error->status);
    } else if (!handoff_given_back(handoff)) {
        (void)fprintf(stderr, "qnode-bench: memory was not given back (see above)\n");
        code = 1;
    }
    (void)fflush(stderr);
    bench_print_last_line(&total);
    return code;
}

static int run(struct handoff *handoff)
{
    struct qn_error error = {0};

    if (prepare(handoff, &error) != QN_STATUS_OK ||
        load_start(&handoff->options->load, &handoff->load, &error) != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        return qn_status_exit_code(error.status);
    }
    (void)run_under_load(handoff, &error);
    load_stop(handoff->load);
    int code = report(handoff, &error);
    handoff->load = load_free(handoff->load);
    return code;
}

int bench_handoff(const struct bench_options *options)
{
    struct handoff *handoff = calloc(1, sizeof *handoff);

    CHECK(handoff != NULL);
    handoff->options = options;
    int code = run(handoff);
    qn_feed_close(handoff->feed);
    qn_client_close(handoff->client);
    free(handoff->segments);
    free(handoff->move_ids);
    free(handoff->rows);
    free(handoff);
    return code;
}
