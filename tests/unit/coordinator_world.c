/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/coordinator_world.h"

#include "base/check.h"
#include "channel/codec.h"
#include "coordinator/grow.h"
#include "coordinator/handoff.h"
#include "coordinator/step.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 10, TICK_MS = 100, LATENCY_MS = 10 };

/* ---- the bus --------------------------------------------------------------------------------- */

void world_send(struct world *world, int64_t to, const struct message *message)
{
    const uint8_t *bytes;
    size_t size;
    struct qn_error error = {0};
    struct world_letter **end = &world->letters;

    arena_reset(&world->encode_arena);
    if (codec_encode(message, &world->encode_arena, &bytes, &size, &error) != QN_STATUS_OK)
        fail_msg("%s: %s", message_kind_name(message->kind), error.text);
    if (world->drops != NULL && world->drops(world, to, message))
        return;
    struct world_letter *letter = malloc(sizeof *letter + size);
    assert_non_null(letter);
    *letter = (struct world_letter){.at_ms = world->now_ms + LATENCY_MS, .to = to, .size = size};
    memcpy(letter->bytes, bytes, size);
    while (*end != NULL)
        end = &(*end)->next;
    *end = letter;
}

static void decode(struct world *world, const struct world_letter *letter,
                   struct message *ret_message)
{
    struct qn_error error = {0};

    arena_reset(&world->arena);
    if (codec_decode(letter->bytes, letter->size, &world->arena, ret_message, &error) !=
        QN_STATUS_OK)
        fail_msg("decode: %s", error.text);
}

/* ---- the coordinator ------------------------------------------------------------------------- */

static bool is_same_key(const struct state_row *a, const struct state_row *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case STATE_COUNTER:
        return strcmp(a->counter.name, b->counter.name) == 0;
    case STATE_COLLECTION:
        return a->collection.collection_id == b->collection.collection_id;
    case STATE_SEGMENT:
        return a->segment.segment_id == b->segment.segment_id;
    case STATE_COPY:
        return a->copy.segment_id == b->copy.segment_id && a->copy.node_id == b->copy.node_id;
    case STATE_MOVE:
        return a->move.move_id == b->move.move_id;
    }
    return false;
}

static void commit_row(struct world *world, const struct state_row *row)
{
    size_t at = 0;

    while (at < world->rows_count && !is_same_key(&world->rows[at], row))
        at++;
    if (row->removed) {
        if (at < world->rows_count)
            world->rows[at] = world->rows[--world->rows_count];
        return;
    }
    if (at == world->rows_count) {
        world->rows = grow_for_one(world->rows, world->rows_count, &world->rows_capacity,
                                   sizeof *world->rows);
        world->rows_count++;
    }
    world->rows[at] = *row;
}

static void take_view(struct world *world, const struct collection_view *view)
{
    struct world_view *held = &world->view;

    if (view->collection_id != WORLD_COLLECTION)
        return;
    assert_true(qn_epoch_compare(view->version, held->version) >= 0);
    /* Pages come in order; those of one version are always as many. */
    if (qn_epoch_compare(view->version, held->version) == 0)
        assert_int_equal(view->pages, held->pages);
    if (view->page == 0)
        held->items_count = 0;
    held->pages = view->pages;
    held->version = view->version;
    held->readable_version = view->readable_version;
    held->published_count += view->page == 0;
    for (size_t i = 0; i < view->items_count; i++) {
        size_t at = held->items_count++;
        held->items[at].segment_id = view->items[i].segment_id;
        held->items[at].copies_count = view->items[i].copies_count;
        for (size_t j = 0; j < view->items[i].copies_count; j++)
            held->items[at].node_ids[j] = view->items[i].copies[j].node_id;
    }
}

static void take_answer(struct world *world, const struct coord_answer *answer)
{
    world->answer_status = answer->status;
    world->answer_pages = answer->pages;
    world->answer_moves += answer->moves_count;
    world->answer_collections += answer->collections_count;
    if (answer->collections_count > 0) {
        const struct collection_info *last = &answer->collections[answer->collections_count - 1];
        world->answer_segments = last->segments_count;
        world->answer_serving = last->segments_serving;
    }
    (void)snprintf(world->answer_text, sizeof world->answer_text, "%s", answer->text);
}

static void publish(struct world *world, const struct outbox_send *out)
{
    const struct message *message = &out->message;

    arena_reset(&world->encode_arena);
    if (world->payload_max != 0)
        assert_true(codec_size(message, &world->encode_arena) <= world->payload_max);
    if (out->subject == OUTBOX_CONTROL) {
        world->sent[message->kind]++;
        if (!world->mute && !world->nodes[out->id].cut)
            world_send(world, out->id, message);
    } else if (message->kind == MESSAGE_COLLECTION_VIEW) {
        take_view(world, &message->collection_view);
    } else if (message->kind == MESSAGE_CHANGE_INFO) {
        if (message->change_info.collection_id == WORLD_COLLECTION)
            assert_int_equal(qn_epoch_compare(message->change_info.follows, world->view.version),
                             0);
        world->change_infos++;
    } else if (out->subject == OUTBOX_ANNOUNCE) {
        world->announcements++;
    } else if (message->kind == MESSAGE_COORD_ANSWER) {
        take_answer(world, &message->coord_answer);
    }
}

static void step(struct world *world, struct step_event event)
{
    struct outbox *outbox = &world->outbox;

    event.now_ms = world->now_ms;
    event.wall_ms = 1000000 + world->now_ms;
    event.payload_max = world->payload_max;
    outbox_reset(outbox);
    coordinator_step(world->core, &event, outbox);
    for (size_t i = 0; i < outbox->rows_count; i++)
        commit_row(world, &outbox->rows[i]);
    if (outbox->failure != NULL) {
        (void)snprintf(world->failure, sizeof world->failure, "%s", outbox->failure);
        world_kill_coordinator(world);
        return;
    }
    bool counts = outbox->rows_count + outbox->sends_count > 0;
    bool kill = counts && world->steps++ == world->kill_at;
    for (size_t i = 0; i < outbox->sends_count && !(kill && world->kill_before_send); i++)
        publish(world, &outbox->sends[i]);
    if (getenv("WORLD_TALKS") != NULL)
        for (size_t i = 0; i < outbox->notes_count; i++)
            print_message("%6" PRIu64 " %s\n", world->now_ms, outbox->notes[i].text);
    if (kill) {
        world_kill_coordinator(world);
        world_start_coordinator(world);
    }
}

void world_deliver(struct world *world, const struct message *message)
{
    static const struct qn_error not_found = {QN_STATUS_NOT_FOUND, "no such folder"};

    if (world->core == NULL)
        return;
    step(world, (struct step_event){.kind = STEP_MESSAGE, .message = message});
    if (world->core == NULL || world->outbox.manifest_folder == NULL)
        return;
    world->manifests_read++;
    step(world, (struct step_event){.kind = STEP_MANIFEST,
                                    .message = message,
                                    .manifest = world->manifest,
                                    .error = &not_found});
}

void world_tell(struct world *world, int64_t node_id, struct message *message)
{
    message->cluster = "test";
    message->sender = "coordinator";
    message->reply_to = "";
    message->term = world->core->term;
    world_send(world, node_id, message);
}

void world_start_coordinator(struct world *world)
{
    struct qn_error error = {0};

    world->core = core_new(&(struct core_options){.cluster = "test",
                                                  .overlap_ms = WORLD_OVERLAP_MS,
                                                  .command_ttl_ms = 3000,
                                                  .ceased_wait_ms = WORLD_CEASED_WAIT_MS});
    if (core_restore(world->core, world->rows, world->rows_count, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
}

void world_kill_coordinator(struct world *world)
{
    world->core = core_free(world->core);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void deliver_due(struct world *world)
{
    while (world->letters != NULL && world->letters->at_ms <= world->now_ms) {
        struct world_letter *letter = world->letters;
        struct message message;
        world->letters = letter->next;
        decode(world, letter, &message);
        if (letter->to == WORLD_TO_COORDINATOR)
            world_deliver(world, &message);
        else if (world->nodes[letter->to].node != NULL)
            world_node_event(world, letter->to,
                             (struct node_event){.kind = NODE_EVENT_MESSAGE, .message = &message});
        free(letter);
    }
}

static void advance(struct world *world)
{
    world->now_ms += STEP_MS;
    deliver_due(world);
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++)
        if (world->nodes[node_id].node != NULL)
            world_node_turn(world, node_id);
    if (world->core != NULL && world->now_ms >= world->tick_ms) {
        world->tick_ms = world->now_ms + TICK_MS;
        step(world, (struct step_event){.kind = STEP_TICK});
    }
}

void world_run(struct world *world, uint64_t ms)
{
    for (uint64_t until_ms = world->now_ms + ms; world->now_ms < until_ms;)
        advance(world);
}

void world_until(struct world *world, bool (*is_true)(struct world *world), uint64_t limit_ms)
{
    uint64_t until_ms = world->now_ms + limit_ms;

    while (!is_true(world)) {
        if (world->now_ms >= until_ms)
            fail_msg("not true after %" PRIu64 " ms", limit_ms);
        advance(world);
    }
}

void world_open(struct world *world)
{
    *world = (struct world){.kill_at = SIZE_MAX, .request_id = 1};
    outbox_init(&world->outbox);
    arena_init(&world->arena, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&world->encode_arena, LIMIT_DECODE_ARENA_BYTES);
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++) {
        world->nodes[node_id].budget_bytes = WORLD_BUDGET_BYTES;
        world->nodes[node_id].load_ms = 50;
    }
}

void world_start(struct world *world)
{
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++)
        world_start_node(world, node_id);
    world_start_coordinator(world);
    world_run(world, 1500);
}

void world_close(struct world *world)
{
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++)
        world_kill_node(world, node_id);
    world_kill_coordinator(world);
    while (world->letters != NULL) {
        struct world_letter *next = world->letters->next;
        free(world->letters);
        world->letters = next;
    }
    outbox_done(&world->outbox);
    arena_done(&world->arena);
    arena_done(&world->encode_arena);
    free(world->rows);
}
