/* SPDX-License-Identifier: Apache-2.0
 * The world's nodes: the agents' own judgement, with timers for what takes time. */
#include "tests/unit/coordinator_world.h"

#include "base/check.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
            world_send(world, action->node_id, &message);
    } else if (!node->cut) {
        world_send(world, WORLD_TO_COORDINATOR, &message);
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

void world_node_event(struct world *world, int64_t node_id, struct node_event event)
{
    struct world_node *node = &world->nodes[node_id];
    struct node_actions *actions = malloc(sizeof *actions);

    assert_non_null(actions);
    event.now_ms = world->now_ms - node->started_ms;
    node_step(node->node, &event, actions);
    if (actions->count == 1 && actions->items[0].kind == NODE_ACTION_PERSIST_TERM) {
        node->term = actions->items[0].term;
        world_node_event(world, node_id,
                         (struct node_event){.kind = NODE_EVENT_TERM_DURABLE, .term = node->term});
        world_node_event(world, node_id, event);
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
        world_send(world, WORLD_TO_COORDINATOR, &message);
}

void world_node_turn(struct world *world, int64_t node_id)
{
    struct world_node *node = &world->nodes[node_id];

    for (size_t i = 0; i < COUNT_OF(node->timers) && node->node != NULL; i++) {
        struct world_timer *timer = &node->timers[i];
        if (!timer->used || timer->at_ms > world->now_ms)
            continue;
        timer->used = false;
        world_node_event(world, node_id,
                         (struct node_event){.kind = timer->kind,
                                             .segment_id = timer->segment_id,
                                             .status = node->load_status == QN_STATUS_OK
                                                           ? QN_STATUS_IO
                                                           : node->load_status,
                                             .text = "the disk says no",
                                             .rss_before = 2 * WORLD_SEGMENT_BYTES,
                                             .rss_after = WORLD_SEGMENT_BYTES});
    }
    world_node_event(world, node_id, (struct node_event){.kind = NODE_EVENT_TICK});
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
