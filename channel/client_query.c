/* SPDX-License-Identifier: Apache-2.0
 * qn_search: the shell around one search. The calling thread does it all: it takes the actions of
 * the step function, sends, sleeps on its waiter, and feeds replies, views and time back. The bus's
 * threads only fill its ring and wake it. It does not spin: agents and clients often share cores,
 * and what a spin saves here it takes from the search there. */
#include "channel/client.h"

#include "base/check.h"
#include "base/error.h"
#include "base/finite.h"
#include "channel/client_query.h"
#include "channel/client_search.h"
#include "channel/codec.h"
#include <inttypes.h>
#include <stdio.h>

enum {
    /* Queries go in one message, beside the ids of some thousand segments. */
    QUERIES_BYTES_MAX = LIMIT_MESSAGE_BYTES_MAX - (64 << 10),
    PARTITIONS_MAX = LIMIT_SEGMENTS_PER_VIEW_MAX,
    REFUSED_WITHIN_MS = 5000, /* what the bus server refused lately is not tried again */
};

/* One qn_search on its thread. */
struct query {
    struct qn_client *client;
    struct client_call *call;
    const struct qn_search_request *asked;
    struct client_search *search;
    struct client_snapshot *snapshot; /* the last one that the search was given */
    uint64_t views_sequence;
    bool is_done;
    struct qn_error too_long; /* a request that the bus never takes; OK: none was */
};

static uint64_t now_ms(const struct query *query)
{
    return clock_now_ms(&query->client->clock);
}

static enum qn_status check_sizes(const struct qn_search_request *asked, struct qn_error *error)
{
    if (asked->nq < 1 || asked->nq > LIMIT_QUERIES_PER_REQUEST_MAX)
        return error_set(error, QN_STATUS_INVALID, "search: nq is %u, 1 to %d wanted", asked->nq,
                         LIMIT_QUERIES_PER_REQUEST_MAX);
    if (asked->k < 1 || asked->k > LIMIT_K_MAX)
        return error_set(error, QN_STATUS_INVALID, "search: k is %u, 1 to %d wanted", asked->k,
                         LIMIT_K_MAX);
    if ((uint64_t)asked->nq * asked->k > LIMIT_HITS_PER_REQUEST_MAX)
        return error_set(error, QN_STATUS_INVALID,
                         "search: nq x k is %u x %u, at most %d wanted: send fewer queries at once",
                         asked->nq, asked->k, LIMIT_HITS_PER_REQUEST_MAX);
    if (asked->dim < 1 || asked->dim > LIMIT_DIM_MAX)
        return error_set(error, QN_STATUS_INVALID, "search: dim is %u, 1 to %d wanted", asked->dim,
                         LIMIT_DIM_MAX);
    if ((uint64_t)asked->nq * asked->dim * sizeof(float) > QUERIES_BYTES_MAX)
        return error_set(error, QN_STATUS_INVALID,
                         "search: nq x dim is %u x %u, at most %zu values fit into a message: "
                         "send fewer queries at once",
                         asked->nq, asked->dim, QUERIES_BYTES_MAX / sizeof(float));
    return QN_STATUS_OK;
}

static enum qn_status check_effort(const struct qn_search_request *asked, struct qn_error *error)
{
    const struct {
        const char *name;
        uint32_t count, max;
    } counts[] = {{"nprobe", asked->nprobe, LIMIT_NPROBE_MAX},
                  {"ef", asked->ef, LIMIT_EF_MAX},
                  {"refine", asked->refine, LIMIT_REFINE_MAX}};

    if (!(asked->recall >= 0 && asked->recall <= 1))
        return error_set(error, QN_STATUS_INVALID, "search: recall is %g, 0 to 1 wanted",
                         (double)asked->recall);
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        if (counts[i].count > counts[i].max)
            return error_set(error, QN_STATUS_INVALID, "search: %s is %u, at most %u wanted",
                             counts[i].name, counts[i].count, counts[i].max);
    return QN_STATUS_OK;
}

static enum qn_status check_request(const struct qn_search_request *asked, struct qn_error *error)
{
    if (check_sizes(asked, error) != QN_STATUS_OK || check_effort(asked, error) != QN_STATUS_OK)
        return QN_STATUS_INVALID;
    if (asked->deadline_ms > LIMIT_SEARCH_MS_MAX)
        return error_set(error, QN_STATUS_INVALID, "search: deadline_ms is %u, at most %d wanted",
                         asked->deadline_ms, LIMIT_SEARCH_MS_MAX);
    if (asked->copy_policy != QN_COPY_POLICY_ALL && asked->copy_policy != QN_COPY_POLICY_ONE)
        return error_set(error, QN_STATUS_INVALID, "search: copy_policy is %d",
                         (int)asked->copy_policy);
    if (asked->partition_ids_count > PARTITIONS_MAX)
        return error_set(error, QN_STATUS_INVALID,
                         "search: partition_ids_count is %zu, at most %d wanted",
                         asked->partition_ids_count, PARTITIONS_MAX);
    if (asked->queries == NULL || !finite_all(asked->queries, (size_t)asked->nq * asked->dim))
        return error_set(error, QN_STATUS_INVALID, "search: queries are missing or not finite");
    return QN_STATUS_OK;
}

/* Several calls want the same view: one asks, and the answer wakes them all. The term says which
 * coordinator's view is held: one with a lower term must learn of it, or none of its views would be
 * taken (C2). */
static void ask_view(struct query *query, bool is_hint)
{
    struct qn_client *client = query->client;
    int64_t collection_id = query->asked->collection_id;
    char collection[32];

    if (!client_views_should_ask(&client->views, collection_id, is_hint,
                                 clock_now_us(&client->clock)))
        return;
    uint64_t asks_count = atomic_fetch_add(&client->view_asks_count, 1) + 1;
    uint64_t id = (asks_count << CLIENT_CALLS_SLOT_BITS | CLIENT_CALLS_VIEW_SLOT)
                  << CLIENT_CALLS_REQUEST_BITS;
    struct subject reply = subject_reply(client->cluster, client->id, id);
    struct subject to = subject_coord(client->cluster);
    struct message message = {
        .term = query->snapshot == NULL ? 0 : query->snapshot->view.version.term,
        .request_id = id,
        .reply_to = reply.text,
        .kind = MESSAGE_COORD_REQUEST,
        .coord_request = {.verb = COORD_GET_VIEW, .collection = collection, .folder = ""}};
    (void)snprintf(collection, sizeof collection, "%" PRId64, collection_id);
    client_views_asked(&client->views, collection_id, id);
    /* Lost or refused by the bus: the search asks again. */
    (void)client_publish(client, &query->call->encode_arena, &to, &message, NULL);
}

/* A request that the bus does not take counts as refused when that will not change, else as lost.
 */
static void send_request(struct query *query, const struct client_search_action *action)
{
    struct qn_client *client = query->client;
    struct subject reply = subject_reply(client->cluster, client->id, action->request_id);
    struct subject to = subject_search(client->cluster, action->node_id);
    struct message message = {.request_id = action->request_id,
                              .reply_to = reply.text,
                              .traceparent = query->asked->traceparent,
                              .kind = MESSAGE_SEARCH_REQUEST,
                              .search_request = action->request};
    /* A server that refuses us the subject says so after the first request: the next one tells. */
    enum qn_status status = transport_refused(&client->transport, to.text, REFUSED_WITHIN_MS, NULL);
    struct qn_error error = {0};

    if (status == QN_STATUS_OK)
        status = client_publish(client, &query->call->encode_arena, &to, &message, &error);
    if (status == QN_STATUS_INVALID) {
        (void)error_set(&query->too_long, status, "search: %.200s: %s", error.text,
                        query->asked->nq > 1 ? "send fewer queries at once"
                                             : "raise it at the bus server");
        query->is_done = true;
        return;
    }
    if (status != QN_STATUS_NO_MEMORY && status != QN_STATUS_NOT_PERMITTED)
        return;
    struct search_answer refused = {.status = status, .text = "", .parts = 1};
    client_search_on_answer(query->search, action->request_id, &refused, now_ms(query));
}

static void act(struct query *query)
{
    struct client_search_action action;

    while (!query->is_done && client_search_next(query->search, &action)) {
        if (action.kind == CLIENT_SEARCH_SEND)
            send_request(query, &action);
        else if (action.kind == CLIENT_SEARCH_ASK_VIEW)
            ask_view(query, false);
        else
            query->is_done = true;
    }
}

/* What cannot be decoded is a refusal like any other: the copy is asked again, or another one. */
static void take_reply(struct query *query, uint64_t id, const struct bus_message *bytes)
{
    struct arena *arena = &query->call->decode_arena;
    struct message message;

    if (bytes->no_responders) {
        client_search_on_no_responders(query->search, id, now_ms(query));
        return;
    }
    arena_reset(arena);
    enum qn_status status = codec_decode(bytes->bytes, bytes->size, arena, &message, NULL);
    if (status == QN_STATUS_OK &&
        (message.request_id != id || message.kind != MESSAGE_SEARCH_ANSWER))
        return;
    struct search_answer refused = {.status = status, .text = "", .parts = 1};
    client_search_on_answer(query->search, id,
                            status == QN_STATUS_OK ? &message.search_answer : &refused,
                            now_ms(query));
}

static void take_replies(struct query *query)
{
    struct bus_message *message;
    uint64_t id;

    while (!query->is_done && (message = client_call_pop(query->call, &id)) != NULL) {
        take_reply(query, id, message);
        message->release(message);
        act(query);
    }
}

/* Decodes what has come in for all; who decoded something new tells the others. */
static void drain_views(struct qn_client *client)
{
    uint64_t before = atomic_load(&client->views.sequence);

    client_views_drain(&client->views, clock_now_us(&client->clock));
    if (atomic_load(&client->views.sequence) != before)
        client_calls_poke_all(&client->calls);
}

static void take_view(struct query *query)
{
    struct client_views *views = &query->client->views;
    uint64_t sequence = atomic_load(&views->sequence);

    if (sequence == query->views_sequence)
        return;
    query->views_sequence = sequence;
    struct client_snapshot *newest = client_views_get(views, query->asked->collection_id);
    if (newest == NULL && client_views_is_absent(views, query->asked->collection_id)) {
        client_search_on_absent(query->search, now_ms(query));
        act(query);
    }
    if (newest == NULL || newest == query->snapshot) {
        client_snapshot_unref(newest);
        return;
    }
    client_search_on_view(query->search, &newest->view, now_ms(query));
    client_snapshot_unref(query->snapshot);
    query->snapshot = newest;
    act(query);
}

static bool has_news(const struct query *query)
{
    return ring_count(&query->call->ring) > 0 || atomic_load(&query->call->is_poked) ||
           atomic_load(&query->client->views.sequence) != query->views_sequence;
}

static void wait_for_news(struct query *query)
{
    struct waiter *waiter = &query->call->waiter;
    uint64_t wake_us = client_search_wake_ms(query->search) * 1000;
    uint32_t ticket = waiter_prepare(waiter);
    uint64_t now_us = clock_now_us(&query->client->clock);

    if (has_news(query) || now_us >= wake_us)
        waiter_cancel(waiter);
    else
        waiter_wait(waiter, ticket, wake_us - now_us);
}

static void run(struct query *query)
{
    act(query);
    while (!query->is_done) {
        wait_for_news(query);
        take_replies(query);
        if (atomic_exchange(&query->call->is_poked, false))
            drain_views(query->client);
        take_view(query);
        client_search_on_tick(query->search, now_ms(query));
        act(query);
    }
}

static enum qn_status explain(const struct query *query, enum qn_status status,
                              struct qn_error *error)
{
    if (query->too_long.status != QN_STATUS_OK)
        return error_set(error, status, "%s", query->too_long.text);
    if (status == QN_STATUS_INVALID)
        return error_set(error, status, "search: dim is %u, collection %" PRId64 " has %u",
                         query->asked->dim, query->asked->collection_id,
                         query->snapshot == NULL ? 0 : query->snapshot->view.dim);
    return error_set(error, status, "search: %s", qn_status_text(status));
}

static enum qn_status search_on_call(struct query *query, struct qn_search_result *ret_result,
                                     struct qn_error *error)
{
    struct client_views *views = &query->client->views;
    uint64_t started_us = clock_now_us(&query->client->clock);

    drain_views(query->client);
    query->views_sequence = atomic_load(&views->sequence);
    query->snapshot = client_views_get(views, query->asked->collection_id);
    if (query->snapshot != NULL)
        ask_view(query, true);
    query->search = client_search_new(&query->call->search_arena, query->asked,
                                      query->snapshot == NULL ? NULL : &query->snapshot->view,
                                      client_call_first_id(query->call), started_us / 1000);
    enum qn_status status = QN_STATUS_NO_MEMORY;
    if (query->search != NULL) {
        run(query);
        status = query->too_long.status;
        if (status == QN_STATUS_OK)
            status = client_search_result(query->search, ret_result);
    }
    if (status == QN_STATUS_OK) {
        struct subject coord = subject_coord(query->client->cluster);
        ret_result->took_us = clock_now_us(&query->client->clock) - started_us;
        if (ret_result->reason == QN_STATUS_NO_VIEW &&
            transport_refused(&query->client->transport, coord.text, ret_result->took_us / 1000 + 1,
                              NULL) != QN_STATUS_OK)
            ret_result->reason = QN_STATUS_NOT_PERMITTED;
    } else
        (void)explain(query, status, error);
    client_snapshot_unref(query->snapshot);
    return status;
}

enum qn_status client_query_run(struct qn_client *client, struct client_call *call,
                                const struct qn_search_request *request,
                                struct qn_search_result *ret_result, struct qn_error *error)
{
    struct query query = {.client = client, .call = call, .asked = request};
    enum qn_status status = search_on_call(&query, ret_result, error);

    call->load = (struct client_load){0};
    if (query.search != NULL)
        client_search_load(query.search, &call->load.queue_us, &call->load.search_us);
    return status;
}

enum qn_status qn_search(struct qn_client *client, const struct qn_search_request *request,
                         struct qn_search_result *ret_result, struct qn_error *error)
{
    enum qn_status status = client_check_fork(client, error);

    if (status == QN_STATUS_OK)
        status = check_request(request, error);
    if (status != QN_STATUS_OK)
        return status;
    struct client_call *call = client_calls_take(&client->calls);
    if (call == NULL)
        return client_calls_refused(&client->calls, error);
    status = client_join_search(client, call, request, ret_result, error);
    client_calls_give_back(&client->calls, call);
    return status;
}
