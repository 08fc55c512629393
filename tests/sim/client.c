/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/client.h"

#include "base/check.h"
#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT_SEARCH_ARENA_BYTES = 8 << 20 };

/* Of GET_VIEW requests; above all searches' ids. */
#define CLIENT_VIEW_IDS (UINT64_C(1) << 60)

static uint64_t now_ms(const struct sim_client *client)
{
    return client->world->timeline.now_us / 1000;
}

static void client_publish(struct sim_client *client, struct subject subject,
                           struct message *message)
{
    struct transport transport = net_transport(client->process);
    struct subject reply = subject_reply(WORLD_CLUSTER, client->hex, message->request_id);
    const uint8_t *bytes = NULL;
    size_t size = 0;
    struct qn_error error = {0};

    arena_reset(&client->encode_arena);
    message->cluster = WORLD_CLUSTER;
    message->sender = client->process->name;
    message->reply_to = reply.text;
    enum qn_status status = codec_encode(message, &client->encode_arena, &bytes, &size, &error);
    if (status != QN_STATUS_OK)
        world_fail(client->world, "K7", "a client cannot encode %s: %s",
                   message_kind_name(message->kind), error.text);
    else
        (void)transport.ops->publish(transport.self, subject.text, reply.text, bytes, size);
}

static void ask_view(struct sim_client *client, uint32_t collection_number)
{
    struct message message = {
        .request_id = CLIENT_VIEW_IDS + client->view_requests_count++,
        .kind = MESSAGE_COORD_REQUEST,
        .coord_request = {.verb = COORD_GET_VIEW,
                          .collection = client->world->collections[collection_number].name,
                          .folder = ""},
    };
    char id[24];

    if (client->view_requests_count % 2 == 0) {
        (void)snprintf(id, sizeof id, "%" PRId64,
                       client->world->collections[collection_number].collection_id);
        message.coord_request.collection = id;
    }
    client_publish(client, subject_coord(WORLD_CLUSTER), &message);
}

static void send_request(struct sim_client *client, const struct client_search_action *action)
{
    struct message message = {
        .request_id = action->request_id,
        .kind = MESSAGE_SEARCH_REQUEST,
        .search_request = action->request,
    };

    client_publish(client, subject_search(WORLD_CLUSTER, action->node_id), &message);
}

static void free_search(struct sim_search *search)
{
    struct sim_search **link = &search->client->searches;

    while (*link != search)
        link = &(*link)->next;
    *link = search->next;
    search->view = views_unref(search->view);
    arena_done(&search->arena);
    free(search);
}

static void judge(struct sim_search *search)
{
    struct world *world = search->client->world;
    struct qn_search_result result = {.verdict = QN_VERDICT_UNKNOWN};
    enum qn_status status = client_search_result(search->search, &result);

    trace_line(&world->trace, "  %s: search %" PRIu64 " of c%" PRId64 ": %s %s, %zu missing",
               search->client->process->name, search->serial, search->request.collection_id,
               qn_status_name(status), qn_verdict_name(result.verdict), result.missing_count);
    if (status != QN_STATUS_OK) {
        world->stats.searches_failed++;
        world_fail(world, "K6", "a search ended with %s", qn_status_name(status));
        return;
    }
    checkers_on_result(world, &search->request, &result);
    if (search->must_complete && result.verdict != QN_VERDICT_COMPLETE)
        world_fail(world, "K4",
                   "search %" PRIu64 " in the healed world is %s; missing %" PRId64 ": %s",
                   search->serial, qn_verdict_name(result.verdict),
                   result.missing_count > 0 ? result.missing[0].segment_id : 0,
                   result.missing_count > 0 ? qn_status_name(result.missing[0].reason) : "-");
    qn_search_result_done(&result);
}

static void on_wake(void *owner, uint64_t tag);

/* Does what the step asked for; true when the search is over and gone. */
static bool pump(struct sim_search *search)
{
    struct client_search_action action;
    struct world *world = search->client->world;

    while (client_search_next(search->search, &action)) {
        if (action.kind == CLIENT_SEARCH_SEND)
            send_request(search->client, &action);
        if (action.kind == CLIENT_SEARCH_ASK_VIEW)
            ask_view(search->client, search->collection_number);
        if (action.kind == CLIENT_SEARCH_DONE) {
            judge(search);
            free_search(search);
            return true;
        }
    }
    search->wake_ms = client_search_wake_ms(search->search);
    if (search->wake_ms <= now_ms(search->client))
        search->wake_ms = now_ms(search->client) + 1;
    timeline_at(&world->timeline, search->wake_ms * 1000, on_wake, search->client, search->serial);
    return false;
}

static void on_wake(void *owner, uint64_t tag)
{
    struct sim_client *client = owner;
    struct sim_search *search = client->searches;

    while (search != NULL && search->serial != tag)
        search = search->next;
    if (search == NULL || search->wake_ms != now_ms(client))
        return;
    client_search_on_tick(search->search, now_ms(client));
    (void)pump(search);
}

static void on_view(struct sim_client *client, const struct collection_view *page)
{
    int number = world_collection_number(client->world, page->collection_id);

    if (number < 0 || !views_take(&client->views[number], page))
        return;
    struct sim_search *next = NULL;
    for (struct sim_search *search = client->searches; search != NULL; search = next) {
        next = search->next;
        if (search->collection_number != (uint32_t)number)
            continue;
        struct view_kept *old = search->view;
        search->view = views_ref(client->views[number].newest);
        client_search_on_view(search->search, &search->view->view, now_ms(client));
        views_unref(old);
        (void)pump(search);
    }
}

static struct sim_search *find_search(struct sim_client *client, uint64_t request_id)
{
    for (struct sim_search *search = client->searches; search != NULL; search = search->next)
        if (request_id - search->first_request_id < CLIENT_SEARCH_IDS)
            return search;
    return NULL;
}

static void on_no_responders(struct sim_client *client, const char *subject)
{
    const char *dot = strrchr(subject, '.');
    uint64_t request_id = dot == NULL ? 0 : strtoull(dot + 1, NULL, 10);
    struct sim_search *search = find_search(client, request_id);

    if (search == NULL)
        return;
    client_search_on_no_responders(search->search, request_id, now_ms(client));
    (void)pump(search);
}

static void on_decoded(struct sim_client *client, const struct message *message)
{
    struct sim_search *search = find_search(client, message->request_id);

    if (message->kind == MESSAGE_COLLECTION_VIEW)
        on_view(client, &message->collection_view);
    else if (message->kind == MESSAGE_COORD_ANSWER && message->coord_answer.view != NULL)
        on_view(client, message->coord_answer.view);
    else if (message->kind == MESSAGE_SEARCH_ANSWER && search != NULL) {
        client_search_on_answer(search->search, message->request_id, &message->search_answer,
                                now_ms(client));
        (void)pump(search);
    }
}

/* A change info whose predecessor we do not hold, or whose view we do not have: ask (C8). */
static void on_change(struct sim_client *client, const struct change_info *change)
{
    int number = world_collection_number(client->world, change->collection_id);

    if (number >= 0 &&
        (client->views[number].newest == NULL ||
         qn_epoch_compare(client->views[number].newest->view.version, change->version) < 0))
        ask_view(client, (uint32_t)number);
}

static void on_message(void *owner, struct bus_message *bus_message)
{
    struct sim_client *client = owner;
    struct message message;

    if (bus_message->no_responders) {
        on_no_responders(client, bus_message->subject);
        bus_message->release(bus_message);
        return;
    }
    arena_reset(&client->decode_arena);
    enum qn_status status =
        codec_decode(bus_message->bytes, bus_message->size, &client->decode_arena, &message, NULL);
    bus_message->release(bus_message);
    if (status == QN_STATUS_OK && message.kind == MESSAGE_CHANGE_INFO)
        on_change(client, &message.change_info);
    else if (status == QN_STATUS_OK)
        on_decoded(client, &message);
}

void sim_client_init(struct sim_client *client, struct world *world, struct process *process)
{
    struct transport transport = net_transport(process);

    *client = (struct sim_client){.world = world, .process = process};
    (void)snprintf(client->hex, sizeof client->hex, "c1ie%02x", process->index);
    arena_init(&client->decode_arena, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&client->encode_arena, LIMIT_DECODE_ARENA_BYTES);
    (void)transport.ops->subscribe(transport.self,
                                   subject_reply_all(WORLD_CLUSTER, client->hex).text, on_message,
                                   client, NULL);
    (void)transport.ops->subscribe(transport.self, subject_query_all(WORLD_CLUSTER).text,
                                   on_message, client, NULL);
}

void sim_client_done(struct sim_client *client)
{
    while (client->searches != NULL)
        free_search(client->searches);
    for (size_t i = 0; i < COUNT_OF(client->views); i++)
        views_done(&client->views[i]);
    arena_done(&client->decode_arena);
    arena_done(&client->encode_arena);
}

static void draw_request(struct sim_search *search, struct prng *prng)
{
    static const uint32_t ks[] = {1, 5, 20, 100, 1000};
    const struct collection *collection =
        &search->client->world->collections[search->collection_number];
    struct qn_search_request *request = &search->request;
    bool is_coarse = prng_below(prng, 2) == 0, is_wide = prng_below(prng, 8) == 0;
    uint32_t payload_bytes = search->client->world->options.payload_bytes;

    *request = (struct qn_search_request){
        .collection_id = collection->collection_id,
        .queries = search->queries,
        .nq = 1 + (uint32_t)prng_below(prng, is_wide ? CLIENT_QUERIES_MAX : 3),
        .dim = collection->dim,
        /* The hits of one query must fit into one message. */
        .k = ks[prng_below(prng, COUNT_OF(ks) - (payload_bytes > 0 ? 1 : 0))],
        .deadline_ms = 200 + (uint32_t)prng_below(prng, 3000),
        .copy_policy = prng_below(prng, 3) == 0 ? QN_COPY_POLICY_ONE : QN_COPY_POLICY_ALL,
    };
    for (uint32_t i = 0; i < request->nq * request->dim; i++) {
        double value = is_coarse ? (double)prng_below(prng, 5) - 2.0 : prng_normal(prng);
        search->queries[i] = value == 0.0 ? 1.0f : (float)value;
    }
    search->partition_id = (int64_t)prng_below(prng, 3);
    if (prng_below(prng, 4) == 0) {
        request->partition_ids = &search->partition_id;
        request->partition_ids_count = 1;
    }
}

void sim_client_begin(struct sim_client *client, uint32_t collection_number)
{
    struct sim_search *search = calloc(1, sizeof *search);
    struct view_kept *view = client->views[collection_number].newest;

    CHECK(search != NULL);
    search->client = client;
    search->serial = ++client->serials_count;
    search->first_request_id = search->serial * CLIENT_SEARCH_IDS;
    search->collection_number = collection_number;
    search->view = view == NULL ? NULL : views_ref(view);
    arena_init(&search->arena, CLIENT_SEARCH_ARENA_BYTES);
    draw_request(search, &client->world->prng_search);
    search->must_complete = client->must_complete;
    if (search->must_complete)
        search->request.deadline_ms = 5000;
    search->search =
        client_search_new(&search->arena, &search->request, view == NULL ? NULL : &view->view,
                          search->first_request_id, now_ms(client));
    CHECK(search->search != NULL);
    search->next = client->searches;
    client->searches = search;
    (void)pump(search);
}
