/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/operator.h"

#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stdio.h>

enum {
    OPERATOR_TICK_US = 100000,
    OPERATOR_RESEND_US = 400000,
    OPERATOR_TRIES = 6,
    OPERATOR_PAUSE_US = 1000000,
};

static const char operator_hex[] = "0be7";

static void send(struct operator* operator, const struct operator_request * request)
{
    struct transport transport = net_transport(operator->process);
    struct subject reply = subject_reply(WORLD_CLUSTER, operator_hex, request->request_id);
    const struct collection *collection = &operator->world->collections[request->collection_number];
    char id[24];
    struct message message = {
        .cluster = WORLD_CLUSTER,
        .sender = "operator",
        .request_id = request->request_id,
        .reply_to = reply.text,
        .kind = MESSAGE_COORD_REQUEST,
        .coord_request = {.verb = request->verb,
                          .collection = collection->name,
                          .folder = collection->folder,
                          .src_node_id = request->src_node_id,
                          .dst_node_ids = request->dst_node_ids,
                          .dst_node_ids_count = request->dst_node_ids_count,
                          .segment_ids = request->segment_ids,
                          .segment_ids_count = request->segment_ids_count},
    };
    const uint8_t *bytes = NULL;
    size_t size = 0;

    (void)snprintf(id, sizeof id, "%" PRId64, collection->collection_id);
    if (request->verb == COORD_LOAD_BALANCE)
        message.coord_request.collection = message.coord_request.folder = "";
    else if (operator->world->is_healed || request->request_id % 2 == 0)
        message.coord_request.collection = id; /* orphans have no name */
    arena_reset(&operator->encode_arena);
    if (codec_encode(&message, &operator->encode_arena, &bytes, &size, NULL) == QN_STATUS_OK)
        (void)transport.ops->publish(transport.self, subject_coord(WORLD_CLUSTER).text, reply.text,
                                     bytes, size);
}

static struct operator_request *new_request(struct operator* operator, enum coord_verb verb)
{
    for (size_t i = 0; i < OPERATOR_PENDING_MAX; i++) {
        if (operator->pending[i].is_active)
            continue;
        operator->pending[i] =(struct operator_request){
            .is_active = true,
            .request_id = ++operator->requests_count,
            .next_at_us = operator->world->timeline.now_us,
            .tries_left = OPERATOR_TRIES,
            .verb = verb,
        };
        operator->world->stats.operator_requests++;
        return &operator->pending[i];
    }
    return NULL;
}

static bool is_asking(const struct operator* operator, uint32_t number)
{
    for (size_t i = 0; i < OPERATOR_PENDING_MAX; i++)
        if (operator->pending[i]
                .is_active &&
                operator->pending[i]
                .verb != COORD_LOAD_BALANCE &&
                operator->pending[i]
                .collection_number == number)
            return true;
    return false;
}

static void pursue(struct operator* operator, uint32_t number)
{
    uint64_t now_us = operator->world->timeline.now_us;
    bool loads = operator->wants_loaded[number] && !operator->must_release[number];

    if ((operator->acknowledged[number] == loads && !operator->must_release[number]) ||
        is_asking(operator, number) || operator->ask_again_us[number]> now_us)
        return;
    struct operator_request *request =
        new_request(operator, loads ? COORD_LOAD_COLLECTION : COORD_RELEASE_COLLECTION);
    if (request != NULL)
        request->collection_number = number;
}

/* The editor rules its own collection until the world is healed. */
static uint32_t ruled_count(const struct operator* operator)
{
    return operator->world->is_healed ? operator->world->collections_count :
                                        operator->world->options.collections;
}

static void on_tick(void *owner, uint64_t tag)
{
    struct operator* operator= owner;
    uint64_t now_us = operator->world->timeline.now_us;

    (void)tag;
    for (uint32_t c = 0; c < ruled_count(operator); c++)
        pursue(operator, c);
    for (size_t i = 0; i < OPERATOR_PENDING_MAX; i++) {
        struct operator_request *request = &operator->pending[i];
        if (!request->is_active || request->next_at_us > now_us)
            continue;
        if (request->tries_left-- == 0) {
            request->is_active = false;
            continue;
        }
        request->next_at_us = now_us + OPERATOR_RESEND_US;
        send(operator, request);
    }
    timeline_at(&operator->world->timeline, now_us + OPERATOR_TICK_US, on_tick, operator, 0);
}

/* "Nothing to release" is as good as released. */
static bool is_granted(const struct operator_request *request, enum qn_status status)
{
    return status == QN_STATUS_OK ||
           (request->verb == COORD_RELEASE_COLLECTION && status == QN_STATUS_NOT_FOUND);
}

static void note_status(struct operator* operator, const struct operator_request * request,
                        enum qn_status status)
{
    uint32_t number = request->collection_number;
    bool is_load = request->verb == COORD_LOAD_COLLECTION;

    if (is_granted(request, status)) {
        operator->acknowledged[number] = is_load;
        operator->must_release[number] = operator->must_release[number] && is_load;
        return;
    }
    operator->must_release[number] = is_load && status == QN_STATUS_CONFLICT;
    operator->ask_again_us[number] = operator->world->timeline.now_us + OPERATOR_PAUSE_US;
}

static void on_answer(struct operator* operator, const struct message * message)
{
    for (size_t i = 0; i < OPERATOR_PENDING_MAX; i++) {
        struct operator_request *request = &operator->pending[i];
        if (!request->is_active || request->request_id != message->request_id)
            continue;
        request->is_active = false;
        if (request->verb == COORD_LOAD_BALANCE)
            return;
        note_status(operator, request, message->coord_answer.status);
        return;
    }
}

static void on_message(void *owner, struct bus_message *bus_message)
{
    struct operator* operator= owner;
    struct message message;

    arena_reset(&operator->decode_arena);
    if (!bus_message->no_responders &&
        codec_decode(bus_message->bytes, bus_message->size, &operator->decode_arena, &message,
                     NULL) == QN_STATUS_OK &&
        message.kind == MESSAGE_COORD_ANSWER)
        on_answer(operator, & message);
    bus_message->release(bus_message);
}

void operator_init(struct operator* operator, struct world * world, struct process *process)
{
    struct transport transport = net_transport(process);

    *operator=(struct operator){.world = world, .process = process};
    for (uint32_t c = 0; c < OPTIONS_COLLECTIONS_MAX; c++)
        operator->wants_loaded[c] = true;
    arena_init(&operator->decode_arena, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&operator->encode_arena, LIMIT_DECODE_ARENA_BYTES);
    (void)transport.ops->subscribe(transport.self,
                                   subject_reply_all(WORLD_CLUSTER, operator_hex).text,
                                   on_message, operator, NULL);
    timeline_at(&world->timeline, 1000, on_tick, operator, 0);
}

void operator_done(struct operator* operator)
{
    arena_done(&operator->decode_arena);
    arena_done(&operator->encode_arena);
}

static int64_t draw_node(struct operator* operator)
{
    struct prng *prng = &operator->world->prng_operator;

    if (prng_below(prng, 40) == 0)
        return 99; /* nobody */
    return 1 + (int64_t)prng_below(prng, operator->world->options.agents);
}

/* Mostly segments that the source was last seen to have. */
static void draw_segments(struct operator* operator, struct operator_request * request)
{
    struct world *world = operator->world;
    struct prng *prng = &world->prng_operator;
    size_t wanted = prng_below(prng, OPERATOR_SEGMENTS_MAX + 1);

    if (request->src_node_id > (int64_t)world->options.agents)
        return;
    const struct observed_agent *agent = &world->observer.agents[request->src_node_id - 1];
    for (size_t i = 0; i < wanted && agent->copies_count > 0; i++) {
        int64_t id = agent->copies[prng_below(prng, agent->copies_count)].segment_id;
        request->segment_ids[request->segment_ids_count++] =
            prng_below(prng, 30) == 0 ? id + 1 : id;
    }
}

void operator_move(struct operator* operator)
{
    struct operator_request *request = new_request(operator, COORD_LOAD_BALANCE);

    if (request == NULL)
        return;
    request->src_node_id = draw_node(operator);
    request->dst_node_ids_count = 1 + prng_below(&operator->world->prng_operator, 2);
    for (size_t i = 0; i < request->dst_node_ids_count; i++)
        request->dst_node_ids[i] = draw_node(operator);
    draw_segments(operator, request);
}

void operator_drain(struct operator* operator, int64_t src_node_id)
{
    struct operator_request *request = new_request(operator, COORD_LOAD_BALANCE);

    if (request != NULL)
        request->src_node_id = src_node_id;
}

void operator_move_wanted(struct operator* operator)
{
    struct world *world = operator->world;
    const struct state_memory *state = &world->leader->state;
    const struct state_copy *copy = NULL;
    struct operator_request *request;
    unsigned seen_count = 0;

    for (size_t i = 0; i < state->count; i++)
        if (state->rows[i].kind == STATE_COPY &&
            prng_below(&world->prng_operator, ++seen_count) == 0)
            copy = &state->rows[i].copy;
    if (copy == NULL || (request = new_request(operator, COORD_LOAD_BALANCE)) == NULL)
        return;
    request->src_node_id = copy->node_id;
    request->segment_ids[request->segment_ids_count++] = copy->segment_id;
    request->dst_node_ids[request->dst_node_ids_count++] =
        1 +
        (copy->node_id + (int64_t)prng_below(&world->prng_operator, world->options.agents - 1)) %
            (int64_t)world->options.agents;
}

void operator_toggle(struct operator* operator)
{
    uint32_t number =
        (uint32_t)prng_below(&operator->world->prng_operator, operator->world->options.collections);

    operator->wants_loaded[number] = !operator->wants_loaded[number];
    if (!operator->wants_loaded[number])
        operator->world->collection_was_released[number] = true;
    else
        collection_renew(&operator->world->collections[number], &operator->world->prng_operator);
}

void operator_settle(struct operator* operator)
{
    uint32_t loadable_count = operator->world->options.collections;
    bool is_any = false;

    for (uint32_t c = 0; c < loadable_count; c++)
        is_any = is_any || operator->wants_loaded[c];
    operator->wants_loaded[0] = operator->wants_loaded[0] || !is_any;
    for (uint32_t c = loadable_count; c < operator->world->collections_count; c++) {
        operator->wants_loaded[c] = operator->acknowledged[c] = false;
        operator->world->collection_was_released[c] = true;
    }
}

void operator_insist(struct operator* operator)
{
    for (uint32_t c = 0; c < ruled_count(operator); c++)
        operator->acknowledged[c] = !operator->wants_loaded[c];
}

bool operator_is_idle(const struct operator* operator)
{
    for (size_t i = 0; i < OPERATOR_PENDING_MAX; i++)
        if (operator->pending[i].is_active)
            return false;
    return true;
}
