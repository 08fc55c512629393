/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing what a client does with what it hears: views and change infos (client_views.c), and the
 * answers to one search (client_search.c and what is behind it). The input is a list of messages,
 * each with a byte that says how it comes in and two bytes of length. Whatever comes: requests that
 * go out are valid, a result is made of views and answers that were heard, and its verdict adds up.
 */
#include "base/check.h"
#include "channel/client_search.h"
#include "channel/client_views.h"
#include "channel/codec.h"
#include "tests/fuzz/mutate.h"
#include <stdlib.h>
#include <string.h>

enum { COLLECTION = 100, FIRST_ID = 4711, HEAD_BYTES = 3, MESSAGES_MAX = 64, ACTIONS_MAX = 4096 };

/* How a message comes in; the higher bits of the byte are the request's number. */
enum { AS_NEWS = 0, AS_ANSWER = 1, AS_SILENCE = 2, AS_NOBODY = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t capacity);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t capacity, unsigned seed);

struct frame {
    size_t at, count; /* of its message */
    uint8_t how;
};

/* False: no more. A length beyond the end means the rest. */
static bool next_frame(const uint8_t *bytes, size_t size, size_t at, struct frame *ret_frame)
{
    if (size < HEAD_BYTES || at > size - HEAD_BYTES)
        return false;
    size_t rest = size - at - HEAD_BYTES, count = bytes[at + 1] | (size_t)bytes[at + 2] << 8;
    *ret_frame = (struct frame){at + HEAD_BYTES, count < rest ? count : rest, bytes[at]};
    return true;
}

static size_t mutate_frame(uint8_t *bytes, size_t size, size_t capacity, unsigned seed)
{
    struct frame frame, chosen = {0};
    size_t at = 0;

    for (unsigned i = 1; next_frame(bytes, size, at, &frame); i++) {
        if (seed / 8 % i == 0)
            chosen = frame;
        at = frame.at + frame.count;
    }
    if (chosen.at == 0)
        return LLVMFuzzerMutate(bytes, size, capacity);
    size_t tail = size - chosen.at - chosen.count, room = chosen.count + (capacity - size);
    room = room < UINT16_MAX ? room : UINT16_MAX;
    uint8_t *message = malloc(room + 1);
    CHECK(message != NULL);
    memcpy(message, bytes + chosen.at, chosen.count);
    size_t count = mutate_message(message, chosen.count, room, seed);
    memmove(bytes + chosen.at + count, bytes + chosen.at + chosen.count, tail);
    memcpy(bytes + chosen.at, message, count);
    bytes[chosen.at - 2] = (uint8_t)count;
    bytes[chosen.at - 1] = (uint8_t)(count >> 8);
    free(message);
    return size - chosen.count + count;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t capacity, unsigned seed)
{
    if (seed % 8 == 0)
        return LLVMFuzzerMutate(bytes, size, capacity);
    return mutate_frame(bytes, size, capacity, seed);
}

struct heard {
    struct bus_message message;
    uint8_t bytes[];
};

static void heard_free(struct bus_message *message)
{
    free(message);
}

struct scene {
    struct client_views *views;
    struct arena arena; /* the search's */
    struct client_search *search;
    struct client_snapshot *held[MESSAGES_MAX + 1];
    size_t held_count;
    uint64_t now_ms;
    bool is_done;
};

static void hear(struct scene *scene, const uint8_t *bytes, size_t size)
{
    struct heard *heard = malloc(sizeof *heard + size);

    CHECK(heard != NULL);
    if (size > 0)
        memcpy(heard->bytes, bytes, size);
    heard->message = (struct bus_message){
        .subject = "", .bytes = heard->bytes, .size = size, .release = heard_free};
    client_views_offer(scene->views, &heard->message);
    client_views_drain(scene->views, scene->now_ms * 1000);
    struct client_snapshot *snapshot = client_views_get(scene->views, COLLECTION);
    if (snapshot == NULL)
        return;
    CHECK(snapshot->view.collection_id == COLLECTION);
    CHECK(snapshot->view.items_count <= LIMIT_SEGMENTS_PER_VIEW_MAX);
    scene->held[scene->held_count++] = snapshot;
    client_search_on_view(scene->search, &snapshot->view, scene->now_ms);
}

static void check_request(const struct client_search_action *action)
{
    struct message message = {.cluster = "demo",
                              .request_id = action->request_id,
                              .kind = MESSAGE_SEARCH_REQUEST,
                              .search_request = action->request};
    struct arena arena;
    const uint8_t *bytes;
    size_t size;

    CHECK(action->request_id >= FIRST_ID && action->request_id < FIRST_ID + CLIENT_SEARCH_IDS);
    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    CHECK(codec_encode(&message, &arena, &bytes, &size, NULL) == QN_STATUS_OK);
    arena_done(&arena);
}

static void check_hits(const struct qn_search_result *result)
{
    for (uint32_t query = 0; query < result->nq; query++) {
        const struct qn_hit *hits = result->hits + (size_t)query * result->k;
        CHECK(result->hit_counts[query] <= result->k);
        for (uint32_t i = 0; i < result->hit_counts[query]; i++) {
            CHECK(hits[i].distance == hits[i].distance);
            for (uint32_t j = 0; j < i; j++)
                CHECK(hits[j].primary_key != hits[i].primary_key);
        }
    }
}

static void check_result(struct scene *scene)
{
    struct qn_search_result result;

    enum qn_status status = client_search_result(scene->search, &result);
    if (status != QN_STATUS_OK)
        return;
    CHECK(result.missing_count <= result.segments_count);
    CHECK((result.verdict == QN_VERDICT_COMPLETE) <= (result.missing_count == 0));
    CHECK((result.verdict == QN_VERDICT_UNKNOWN) == (result.reason != QN_STATUS_OK));
    CHECK(result.verdict == QN_VERDICT_UNKNOWN || scene->held_count > 0);
    check_hits(&result);
    qn_search_result_done(&result);
}

static void act(struct scene *scene)
{
    struct client_search_action action;
    size_t actions_count = 0;

    while (client_search_next(scene->search, &action)) {
        CHECK(++actions_count < ACTIONS_MAX);
        if (action.kind == CLIENT_SEARCH_SEND)
            check_request(&action);
        if (action.kind == CLIENT_SEARCH_DONE) {
            CHECK(!scene->is_done);
            scene->is_done = true;
            check_result(scene);
        }
    }
}

static void take(struct scene *scene, const struct frame *frame, const uint8_t *bytes)
{
    uint64_t id = FIRST_ID + (frame->how >> 2);
    struct message message;
    struct arena arena;

    switch (frame->how & 3) {
    case AS_NEWS:
        hear(scene, bytes, frame->count);
        return;
    case AS_SILENCE:
        scene->now_ms += frame->count + (frame->how >> 2);
        client_search_on_tick(scene->search, scene->now_ms);
        return;
    case AS_NOBODY:
        client_search_on_no_responders(scene->search, id, scene->now_ms);
        return;
    default:
        arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
        if (codec_decode(bytes, frame->count, &arena, &message, NULL) == QN_STATUS_OK &&
            message.kind == MESSAGE_SEARCH_ANSWER)
            client_search_on_answer(scene->search, id, &message.search_answer, scene->now_ms);
        arena_done(&arena);
    }
}

/* After the last message there is silence, and the search must end by itself. */
static void end(struct scene *scene)
{
    for (unsigned i = 0; i < 10000 && !scene->is_done; i++) {
        uint64_t wake_ms = client_search_wake_ms(scene->search);
        scene->now_ms = wake_ms > scene->now_ms ? wake_ms : scene->now_ms + 1;
        client_search_on_tick(scene->search, scene->now_ms);
        act(scene);
    }
    CHECK(scene->is_done);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const float queries[] = {1, 2, 3, 4, 5, 6};
    struct qn_search_request request = {
        .collection_id = COLLECTION, .queries = queries, .dim = 2, .nq = 1, .k = 2};
    struct scene scene = {0};
    struct frame frame;
    size_t at = 0;

    request.nq += size % 3;
    request.k += size / 3 % 3;
    request.copy_policy = size % 2 == 0 ? QN_COPY_POLICY_ALL : QN_COPY_POLICY_ONE;
    request.deadline_ms = 1000;
    scene.views = aligned_alloc(_Alignof(struct client_views), sizeof *scene.views);
    CHECK(scene.views != NULL && client_views_init(scene.views, 7) == QN_STATUS_OK);
    arena_init(&scene.arena, 4 << 20);
    scene.search = client_search_new(&scene.arena, &request, NULL, FIRST_ID, 0);
    CHECK(scene.search != NULL);
    for (size_t i = 0; i < MESSAGES_MAX && next_frame(bytes, size, at, &frame); i++) {
        take(&scene, &frame, bytes + frame.at);
        act(&scene);
        at = frame.at + frame.count;
    }
    end(&scene);
    for (size_t i = 0; i < scene.held_count; i++)
        client_snapshot_unref(scene.held[i]);
    arena_done(&scene.arena);
    client_views_done(scene.views);
    free(scene.views);
    return 0;
}
