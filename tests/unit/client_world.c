/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/client_world.h"

#include "base/clock.h"
#include "base/thread.h"
#include "channel/codec.h"
#include "channel/subject.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_message(void *owner, struct bus_message *message)
{
    struct actor *actor = owner;

    if (!ring_push(&actor->ring, message))
        message->release(message);
}

static void publish(struct actor *actor, const char *subject, struct message *message)
{
    struct arena arena;
    const uint8_t *bytes;
    size_t size;
    struct qn_error error = {.status = QN_STATUS_OK, .text = ""};

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    message->cluster = "test";
    message->sender = "world";
    if (codec_encode(message, &arena, &bytes, &size, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    (void)actor->transport.ops->publish(actor->transport.self, subject, NULL, bytes, size);
    arena_done(&arena);
}

void world_send(struct world *world, const char *subject, struct message *message)
{
    publish(&world->coordinator, subject, message);
}

/* The best k hits of every query, in order; the distance tells segment and query. */
static size_t find_hits(struct world *world, const struct search_request *asked, uint32_t segments,
                        struct search_answer *answer)
{
    struct qn_hit *hits = (struct qn_hit *)answer->hits;
    uint32_t *counts = (uint32_t *)answer->hit_counts;
    size_t count = 0;

    for (uint32_t query = 0; query < asked->nq; query++) {
        counts[query] = 0;
        for (uint32_t segment = 0; segment < WORLD_SEGMENTS && counts[query] < asked->k; segment++)
            if (segments >> segment & 1) {
                hits[count++] = (struct qn_hit){
                    .primary_key = segment * 100 + (int64_t)atomic_load(&world->contents[segment]),
                    .distance = (float)segment + asked->queries[query * asked->dim]};
                counts[query]++;
            }
    }
    return count;
}

static void answer_search(struct actor *actor, const struct message *request)
{
    const struct search_request *asked = &request->search_request;
    struct world *world = actor->world;
    uint32_t holds = atomic_load(&world->holds[actor->node_id - 1]), found = 0;
    uint32_t slow_us = atomic_load(&world->slow_us);
    uint8_t covered[2] = {0};
    struct qn_epoch epochs[WORLD_SEGMENTS] = {{1, 1}};
    struct refusal refused[WORLD_SEGMENTS];
    struct qn_hit hits[WORLD_SEGMENTS * WORLD_QUERIES_MAX];
    uint32_t counts[WORLD_QUERIES_MAX];
    struct search_answer answer = {.text = "",
                                   .parts = 1,
                                   .covered = covered,
                                   .covered_bytes = (asked->segments_count + 7) / 8,
                                   .epochs = epochs,
                                   .refused = refused,
                                   .hits = hits,
                                   .hit_counts = counts,
                                   .hit_counts_count = asked->nq,
                                   .queue_us = slow_us,
                                   .search_us = slow_us > 0 ? 1 : 0};

    for (uint32_t i = 0; i < asked->segments_count; i++) {
        int64_t segment = asked->segment_ids[i];
        int64_t to = atomic_load(&world->moved_to[segment]);
        if (holds >> segment & 1) {
            covered[i / 8] |= (uint8_t)(1u << i % 8);
            found |= 1u << segment;
            answer.epochs_count++;
        } else {
            refused[answer.refused_count++] =
                (struct refusal){.index = i,
                                 .status = to != 0 ? QN_STATUS_MOVED : QN_STATUS_NOT_HERE,
                                 .moved_to = to};
        }
    }
    answer.hits_count = find_hits(world, asked, found, &answer);
    struct message message = {
        .request_id = request->request_id, .kind = MESSAGE_SEARCH_ANSWER, .search_answer = answer};
    if (slow_us > 0)
        clock_nap_us(slow_us);
    atomic_fetch_add(&world->searches, 1);
    publish(actor, request->reply_to, &message);
}

/* Page `page` of the view, into the message. world->lock. */
static void fill_view_locked(struct world *world, uint32_t page, struct collection_view *ret_view)
{
    uint32_t per_page = WORLD_SEGMENTS / world->pages;

    *ret_view = (struct collection_view){.collection_id = WORLD_COLLECTION,
                                         .name = "c",
                                         .version = {1, world->version},
                                         .readable_version = world->readable_version,
                                         .metric = QN_METRIC_L2,
                                         .dim = 2,
                                         .page = page,
                                         .pages = world->pages,
                                         .items = world->items + page * per_page,
                                         .items_count = per_page};
}

static void answer_view(struct actor *actor, const struct message *request)
{
    struct world *world = actor->world;

    atomic_fetch_add(&world->view_asks, 1);
    if (atomic_load(&world->is_mute))
        return;
    (void)pthread_mutex_lock(&world->lock);
    for (uint32_t page = world->pages; page-- > 0;) {
        struct collection_view view;
        struct message message = {.request_id = request->request_id,
                                  .kind = MESSAGE_COORD_ANSWER,
                                  .coord_answer = {.text = "", .view = &view, .pages = 1}};
        fill_view_locked(world, page, &view);
        publish(actor, request->reply_to, &message);
    }
    (void)pthread_mutex_unlock(&world->lock);
}

/* Three pages, the last one first and one of them twice. */
static void answer_nodes(struct actor *actor, const struct message *request)
{
    const uint32_t order[] = {2, 0, 0, 1};

    for (size_t i = 0; i < 4; i++) {
        struct node_info node = {.node_id = order[i] + 1, .kernels = ""};
        struct message message = {
            .request_id = request->request_id,
            .kind = MESSAGE_COORD_ANSWER,
            .coord_answer = {
                .text = "", .nodes = &node, .nodes_count = 1, .page = order[i], .pages = 3}};
        publish(actor, request->reply_to, &message);
    }
}

static void answer_coord(struct actor *actor, const struct message *request)
{
    struct message refused = {
        .request_id = request->request_id,
        .kind = MESSAGE_COORD_ANSWER,
        .coord_answer = {.status = QN_STATUS_NOT_FOUND, .text = "no collection \"x\"", .pages = 1}};

    if (atomic_load(&actor->world->busy_answers) > 0) {
        atomic_fetch_sub(&actor->world->busy_answers, 1);
        refused.coord_answer.status = QN_STATUS_BUSY;
        refused.coord_answer.text = "starting";
        publish(actor, request->reply_to, &refused);
        return;
    }
    atomic_store(&actor->world->asked_term, request->term);
    if (request->coord_request.verb == COORD_GET_VIEW &&
        atoi(request->coord_request.collection) == WORLD_COLLECTION)
        answer_view(actor, request);
    else if (request->coord_request.verb == COORD_LIST_NODES)
        answer_nodes(actor, request);
    else
        publish(actor, request->reply_to, &refused);
}

static void play(struct actor *actor, struct bus_message *bytes)
{
    struct arena arena;
    struct message message;

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    if (codec_decode(bytes->bytes, bytes->size, &arena, &message, NULL) == QN_STATUS_OK) {
        if (message.kind == MESSAGE_SEARCH_REQUEST)
            answer_search(actor, &message);
        if (message.kind == MESSAGE_COORD_REQUEST)
            answer_coord(actor, &message);
    }
    arena_done(&arena);
    bytes->release(bytes);
}

static int has_work(void *owner)
{
    struct actor *actor = owner;

    return ring_count(&actor->ring) > 0 || atomic_load(&actor->world->is_closing);
}

static void *act(void *owner)
{
    struct actor *actor = owner;

    while (!atomic_load(&actor->world->is_closing)) {
        struct bus_message *message = ring_pop(&actor->ring);
        if (message != NULL)
            play(actor, message);
        else
            (void)waiter_wait_until(&actor->waiter, has_work, actor, WAITER_FOREVER);
    }
    return NULL;
}

static void actor_open(struct world *world, struct actor *actor, int64_t node_id)
{
    struct subject subject = node_id == 0 ? subject_coord("test") : subject_search("test", node_id);

    actor->world = world;
    actor->node_id = node_id;
    waiter_init(&actor->waiter);
    assert_int_equal(ring_init(&actor->ring, 4096, &actor->waiter), QN_STATUS_OK);
    assert_int_equal(transport_open(world->url, "actor", 10000, &actor->transport, NULL),
                     QN_STATUS_OK);
    assert_int_equal(actor->transport.ops->subscribe(actor->transport.self, subject.text,
                                                     on_message, actor, NULL),
                     QN_STATUS_OK);
    assert_int_equal(thread_start(&actor->thread, "actor", act, actor, NULL), QN_STATUS_OK);
}

static void actor_close(struct actor *actor)
{
    struct bus_message *message;

    waiter_wake(&actor->waiter);
    (void)pthread_join(actor->thread, NULL);
    actor->transport.ops->close(actor->transport.self);
    while ((message = ring_pop(&actor->ring)) != NULL)
        message->release(message);
    ring_done(&actor->ring);
}

void world_open(struct world *world, const char *name)
{
    char url[64];

    (void)snprintf(url, sizeof url, "inproc://client-%s", name);
    world_open_at(world, url);
}

void world_open_at(struct world *world, const char *url)
{
    memset(world, 0, sizeof *world);
    (void)snprintf(world->url, sizeof world->url, "%s", url);
    (void)pthread_mutex_init(&world->lock, NULL);
    world->version = world->readable_version = world->pages = 1;
    for (uint32_t i = 0; i < WORLD_SEGMENTS; i++) {
        uint32_t node = i % WORLD_NODES;
        atomic_store(&world->contents[i], 1);
        atomic_fetch_or(&world->holds[node], 1u << i);
        world->copies[i][0] = (struct view_copy){.node_id = node + 1, .replica = "r"};
        world->items[i] =
            (struct view_item){.segment_id = i, .copies = world->copies[i], .copies_count = 1};
    }
    actor_open(world, &world->coordinator, 0);
    for (int64_t node = 1; node <= WORLD_NODES; node++)
        actor_open(world, &world->agents[node - 1], node);
}

void world_close(struct world *world)
{
    atomic_store(&world->is_closing, true);
    actor_close(&world->coordinator);
    for (size_t i = 0; i < WORLD_NODES; i++)
        actor_close(&world->agents[i]);
    (void)pthread_mutex_destroy(&world->lock);
}

struct qn_client *world_client(struct world *world)
{
    struct qn_client_options options = {.url = world->url, .cluster = "test"};
    struct qn_client *client = NULL;

    assert_int_equal(qn_client_open(&options, &client, NULL), QN_STATUS_OK);
    return client;
}

void world_place(struct world *world, uint32_t segment, int64_t a, int64_t b)
{
    (void)pthread_mutex_lock(&world->lock);
    world->copies[segment][0] = (struct view_copy){.node_id = a, .replica = "r"};
    world->copies[segment][1] = (struct view_copy){.node_id = b, .replica = "r"};
    world->items[segment].copies_count = b == 0 ? 1 : 2;
    world->version++;
    (void)pthread_mutex_unlock(&world->lock);
}

void world_turn(struct world *world)
{
    (void)pthread_mutex_lock(&world->lock);
    world->version++;
    world->readable_version++;
    for (uint32_t i = 0; i < WORLD_SEGMENTS; i++)
        atomic_store(&world->contents[i], world->readable_version);
    (void)pthread_mutex_unlock(&world->lock);
}

void world_publish(struct world *world)
{
    (void)pthread_mutex_lock(&world->lock);
    for (uint32_t page = world->pages; page-- > 0;) {
        struct message message = {.kind = MESSAGE_COLLECTION_VIEW};
        struct subject subject = subject_query_page("test", WORLD_COLLECTION, page);
        fill_view_locked(world, page, &message.collection_view);
        world_send(world, subject.text, &message);
    }
    (void)pthread_mutex_unlock(&world->lock);
}

void world_publish_hint(struct world *world)
{
    struct subject subject = subject_query("test", WORLD_COLLECTION);
    struct message message = {.kind = MESSAGE_CHANGE_INFO,
                              .change_info = {.collection_id = WORLD_COLLECTION,
                                              .version = {1, world->version},
                                              .follows = {1, world->version - 1}}};

    world_send(world, subject.text, &message);
}

static bool is_right(const struct qn_search_result *result)
{
    if (result->verdict != QN_VERDICT_COMPLETE || result->hit_counts[0] != WORLD_SEGMENTS)
        return false;
    for (uint32_t i = 0; i < WORLD_SEGMENTS; i++)
        if (result->hits[i].primary_key / 100 != i)
            return false;
    return true;
}

bool world_search_is_right(struct qn_client *client, uint32_t deadline_ms)
{
    const float query[2] = {0};
    struct qn_search_request request = {.collection_id = WORLD_COLLECTION,
                                        .queries = query,
                                        .nq = 1,
                                        .dim = 2,
                                        .k = WORLD_SEGMENTS,
                                        .deadline_ms = deadline_ms};
    struct qn_search_result result;
    struct qn_error error = {.status = QN_STATUS_OK, .text = ""};
    enum qn_status status = qn_search(client, &request, &result, &error);

    if (status != QN_STATUS_OK) {
        print_error("search: %s\n", error.text);
        return false;
    }
    bool right = is_right(&result);
    if (!right)
        print_error("search: %s, %u hits, %zu missing, first %s on node %d\n",
                    qn_verdict_name(result.verdict), result.hit_counts[0], result.missing_count,
                    result.missing_count > 0 ? qn_status_name(result.missing[0].reason) : "none",
                    result.missing_count > 0 ? (int)result.missing[0].node_id : 0);
    qn_search_result_done(&result);
    return right;
}
