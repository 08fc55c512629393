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

static void send(struct world *world, int64_t to, const struct message *message)
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

/* ---- nodes ----------------------------------------------------------------------------------- */

static void node_event(struct world *world, int64_t node_id, struct node_event event);

static void add_timer(struct world *world, struct world_node *node, uint64_t in_ms,
                      enum node_event_kind kind, int64_t segment_id)
{
    for (size_t i = 0; i < COUNT_OF(node->timers); i++) {
        if (node->timers[i].used)
            continue;
        node->timers[i] = (struct world_timer){world->now_ms + in_ms, kind, segment_id, true};
        return;
    }
    fail_msg("no timer left");
}

static void node_say(struct world *world, int64_t node_id, const struct node_action *action)
{
    struct world_node *node = &world->nodes[node_id];
    char sender[32];
    struct message message = {.cluster = "test",
                              .sender = sender,
                              .boot = node->boot,
                              .term = node_term(node->node),
                              .request_id = action->request_id,
                              .reply_to = "",
                              .kind = action->message_kind};

    (void)snprintf(sender, sizeof sender, "node/%" PRId64, node_id);
    memcpy(&message.copy_status, &action->copy_status, sizeof action->copy_status);
    if (action->subject == NODE_SUBJECT_ASK) {
        if (!world->nodes[action->node_id].deaf)
            send(world, action->node_id, &message);
    } else if (!node->cut) {
        send(world, WORLD_TO_COORDINATOR, &message);
    }
}

static void start_load(struct world *world, struct world_node *node, int64_t segment_id)
{
    bool fails = node->load_status != QN_STATUS_OK;

    add_timer(world, node, node->load_ms, fails ? NODE_EVENT_LOAD_FAILED : NODE_EVENT_LOADED,
              segment_id);
    if (fails && node->load_failures > 0 && --node->load_failures == 0)
        node->load_status = QN_STATUS_OK;
}

static void node_act(struct world *world, int64_t node_id, const struct node_action *action)
{
    struct world_node *node = &world->nodes[node_id];

    switch (action->kind) {
    case NODE_ACTION_LOAD:
        start_load(world, node, action->segment_id);
        break;
    case NODE_ACTION_DRAIN:
        add_timer(world, node, 20, NODE_EVENT_DRAINED, action->segment_id);
        break;
    case NODE_ACTION_UNMAP:
        add_timer(world, node, 10, NODE_EVENT_UNMAPPED, action->segment_id);
        break;
    case NODE_ACTION_SEND:
        node_say(world, node_id, action);
        break;
    case NODE_ACTION_REPORT:
        node->list_wanted = true;
        break;
    default:
        break;
    }
}

static void node_event(struct world *world, int64_t node_id, struct node_event event)
{
    struct world_node *node = &world->nodes[node_id];
    struct node_actions *actions = malloc(sizeof *actions);

    assert_non_null(actions);
    event.now_ms = world->now_ms - node->started_ms;
    node_step(node->node, &event, actions);
    if (actions->count == 1 && actions->items[0].kind == NODE_ACTION_PERSIST_TERM) {
        node->term = actions->items[0].term;
        node_event(world, node_id,
                   (struct node_event){.kind = NODE_EVENT_TERM_DURABLE, .term = node->term});
        node_event(world, node_id, event);
    } else {
        for (uint32_t i = 0; i < actions->count; i++)
            node_act(world, node_id, &actions->items[i]);
    }
    free(actions);
}

static void node_report(struct world *world, int64_t node_id)
{
    struct world_node *node = &world->nodes[node_id];
    size_t count = node_copies_count(node->node);
    struct copy_report copies[128] = {0};
    char sender[32];
    struct message message = {.cluster = "test",
                              .sender = sender,
                              .boot = node->boot,
                              .term = node_term(node->node),
                              .reply_to = "",
                              .kind = MESSAGE_NODE_REPORT};
    struct node_report *report = &message.node_report;

    assert_true(count <= COUNT_OF(copies));
    (void)snprintf(sender, sizeof sender, "node/%" PRId64, node_id);
    for (size_t i = 0; i < count; i++) {
        const struct node_copy *copy = node_copy_at(node->node, i);
        copies[i].segment = (struct segment_info){
            .segment_id = copy->segment_id,
            .collection_id = copy->collection_id,
            .partition_id = copy->partition_id,
            .mem_size = copy->mem_size,
            .num_rows = copy->num_rows,
            .node_id = node_id,
            .state = QN_SEGMENT_SEALED,
            .epoch = copy->epoch,
            .content_hash = copy->content_hash,
            .replica = copy->replica,
            .copy_state = copy->state,
        };
    }
    *report = (struct node_report){
        .node_id = node_id,
        .report_number = ++node->report_number,
        .uptime_ms = world->now_ms - node->started_ms,
        .memory = {.budget_bytes = node->budget_bytes,
                   .ledger_bytes = node_ledger(node->node)->used_bytes +
                                   node_ledger(node->node)->reserved_bytes},
        .copies_digest = node_copies_digest(node->node),
        .copies_count = (uint32_t)count,
        .has_copies = node->list_wanted,
        .pages = node->list_wanted ? 1 : 0,
        .copies = node->list_wanted && count > 0 ? copies : NULL,
        .copies_in_page = node->list_wanted ? count : 0,
        .kernels = "scalar",
    };
    node->list_wanted = false;
    node->heartbeat_ms = world->now_ms + 1000;
    if (!node->cut)
        send(world, WORLD_TO_COORDINATOR, &message);
}

static void node_turn(struct world *world, int64_t node_id)
{
    struct world_node *node = &world->nodes[node_id];

    for (size_t i = 0; i < COUNT_OF(node->timers) && node->node != NULL; i++) {
        struct world_timer *timer = &node->timers[i];
        if (!timer->used || timer->at_ms > world->now_ms)
            continue;
        timer->used = false;
        node_event(world, node_id,
                   (struct node_event){.kind = timer->kind,
                                       .segment_id = timer->segment_id,
                                       .status = node->load_status == QN_STATUS_OK
                                                     ? QN_STATUS_IO
                                                     : node->load_status,
                                       .text = "the disk says no",
                                       .rss_before = 2 * WORLD_SEGMENT_BYTES,
                                       .rss_after = WORLD_SEGMENT_BYTES});
    }
    node_event(world, node_id, (struct node_event){.kind = NODE_EVENT_TICK});
    if (node->list_wanted || world->now_ms >= node->heartbeat_ms)
        node_report(world, node_id);
}

void world_start_node(struct world *world, int64_t node_id)
{
    struct world_node *node = &world->nodes[node_id];

    node->boot++;
    node->started_ms = world->now_ms;
    node->report_number = 0;
    node->heartbeat_ms = world->now_ms;
    node->node = node_new(&(struct node_options){.node_id = node_id,
                                                 .boot = node->boot,
                                                 .term = node->term,
                                                 .release_grace_ms = 100,
                                                 .budget_bytes = node->budget_bytes,
                                                 .numa_count = 1,
                                                 .numa_total_bytes = {1 << 30}});
    assert_non_null(node->node);
}

void world_kill_node(struct world *world, int64_t node_id)
{
    struct world_node *node = &world->nodes[node_id];

    node->node = node_free(node->node);
    memset(node->timers, 0, sizeof node->timers);
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

    assert_int_equal(view->pages, 1);
    assert_true(qn_epoch_compare(view->version, held->version) >= 0);
    held->version = view->version;
    held->readable_version = view->readable_version;
    held->items_count = view->items_count;
    held->published_count++;
    for (size_t i = 0; i < view->items_count; i++) {
        held->items[i].segment_id = view->items[i].segment_id;
        held->items[i].copies_count = view->items[i].copies_count;
        for (size_t j = 0; j < view->items[i].copies_count; j++)
            held->items[i].node_ids[j] = view->items[i].copies[j].node_id;
    }
}

static void take_answer(struct world *world, const struct coord_answer *answer)
{
    world->answer_status = answer->status;
    world->answer_pages = answer->pages;
    world->answer_moves += answer->moves_count;
    world->answer_collections += answer->collections_count;
    (void)snprintf(world->answer_text, sizeof world->answer_text, "%s", answer->text);
}

static void publish(struct world *world, const struct outbox_send *out)
{
    const struct message *message = &out->message;

    if (out->subject == OUTBOX_CONTROL) {
        world->sent[message->kind]++;
        if (!world->mute && !world->nodes[out->id].cut)
            send(world, out->id, message);
    } else if (message->kind == MESSAGE_COLLECTION_VIEW) {
        take_view(world, &message->collection_view);
    } else if (message->kind == MESSAGE_CHANGE_INFO) {
        assert_int_equal(qn_epoch_compare(message->change_info.follows, world->view.version), 0);
        world->change_infos++;
    } else if (message->kind == MESSAGE_COORD_ANSWER) {
        take_answer(world, &message->coord_answer);
    }
}

static void step(struct world *world, struct step_event event)
{
    struct outbox *outbox = &world->outbox;

    event.now_ms = world->now_ms;
    event.wall_ms = 1000000 + world->now_ms;
    outbox_reset(outbox);
    coordinator_step(world->core, &event, outbox);
    if (outbox->failure != NULL) {
        (void)snprintf(world->failure, sizeof world->failure, "%s", outbox->failure);
        world_kill_coordinator(world);
        return;
    }
    for (size_t i = 0; i < outbox->rows_count; i++)
        commit_row(world, &outbox->rows[i]);
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
    send(world, node_id, message);
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
            node_event(world, letter->to,
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
            node_turn(world, node_id);
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
