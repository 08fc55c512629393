/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/command.h"

#include "base/check.h"
#include "channel/paging.h"
#include "coordinator/grow.h"
#include "coordinator/page.h"
#include <stdlib.h>

void command_add(struct command_items *items, const struct command_item *item)
{
    items->items = grow_for_one(items->items, items->count, &items->capacity, sizeof *items->items);
    items->items[items->count++] = *item;
}

void command_items_done(struct command_items *items)
{
    free(items->items);
    *items = (struct command_items){0};
}

static struct not_after not_after_of(const struct core *core, int64_t node_id)
{
    const struct cluster_node *node = cluster_find(&core->cluster, node_id);

    CHECK(node != NULL);
    return (struct not_after){.boot = node->boot,
                              .uptime_ms = node->uptime_ms + core->options.command_ttl_ms};
}

static struct message *control(struct core *core, int64_t node_id, enum message_kind kind)
{
    struct message *message = &outbox_message(core->out, OUTBOX_CONTROL, node_id, kind)->message;

    message->request_id = ++core->last_request_id;
    return message;
}

void command_ask_report(struct core *core, struct cluster_node *node)
{
    if (node->asked_ms != 0 && core->now_ms - node->asked_ms < CORE_REPEAT_MS)
        return;
    node->asked_ms = core->now_ms == 0 ? 1 : core->now_ms;
    (void)control(core, node->node_id, MESSAGE_REPORT_REQUEST);
}

void command_tell_term(struct core *core, struct cluster_node *node)
{
    if (node->term >= core->term ||
        (node->told_ms != 0 && core->now_ms - node->told_ms < CORE_REPEAT_MS))
        return;
    node->told_ms = core->now_ms == 0 ? 1 : core->now_ms;
    if (node->first_told_ms == 0) {
        node->first_told_ms = node->told_ms;
        core->obedience_due_ms = core->now_ms + LIMIT_NODE_SILENT_MS;
    }
    control(core, node->node_id, MESSAGE_LOAD_SEGMENTS)->load_segments.not_after =
        not_after_of(core, node->node_id);
}

static int by_node(const void *a, const void *b)
{
    const struct command_item *left = a, *right = b;
    int64_t left_id = left->segment->segment_id, right_id = right->segment->segment_id;

    if (left->node_id != right->node_id)
        return left->node_id > right->node_id ? 1 : -1;
    return (left_id > right_id) - (left_id < right_id);
}

static void sort(struct command_items *items)
{
    if (items->count > 1)
        qsort(items->items, items->count, sizeof *items->items, by_node);
}

/* How many items from `from` on go into one message. */
static size_t chunk(const struct command_items *items, size_t from)
{
    size_t count = 1;

    while (from + count < items->count && count < CORE_COMMAND_SEGMENTS &&
           items->items[from + count].node_id == items->items[from].node_id)
        count++;
    return count;
}

static void fill_load(const struct catalog_segment *segment, const struct catalog_wanted *wanted,
                      struct segment_load_info *ret_load)
{
    *ret_load = (struct segment_load_info){
        .segment_id = segment->segment_id,
        .collection_id = segment->collection->row.collection_id,
        .partition_id = segment->partition_id,
        .replica = wanted->replica == NULL ? "" : wanted->replica,
        .path = segment->path,
        .content_hash = segment->content_hash,
        .mem_size = segment->mem_size,
        .num_rows = segment->num_rows,
        .delete_generation = segment->delete_generation,
        .epoch = wanted->epoch,
        .state = segment->state,
    };
}

/* A command that is measured before it is sent. */
struct probe {
    struct core *core;
    struct message message;
    struct catalog_move *const *moves;
};

static size_t load_bytes(void *owner, size_t count)
{
    struct probe *probe = owner;

    probe->message.load_segments.segments_count = count;
    return page_bytes(probe->core, &probe->message);
}

/* Returns how many of the items the message took. */
static size_t load_chunk(struct core *core, const struct command_item *items, size_t count)
{
    struct segment_load_info *loads = outbox_alloc(core->out, count, sizeof *loads);
    struct probe probe = {.core = core,
                          .message = {.kind = MESSAGE_LOAD_SEGMENTS,
                                      .load_segments = {
                                          .segments = loads,
                                          .not_after = not_after_of(core, items[0].node_id),
                                      }}};

    for (size_t i = 0; i < count; i++) {
        const struct catalog_wanted *wanted = catalog_wanted(items[i].segment, items[i].node_id);
        CHECK(wanted != NULL);
        fill_load(items[i].segment, wanted, &loads[i]);
    }
    count = paging_fit(count, core->payload_max, load_bytes, &probe);
    struct message *message = control(core, items[0].node_id, MESSAGE_LOAD_SEGMENTS);
    message->load_segments = probe.message.load_segments;
    message->load_segments.segments_count = count;
    for (size_t i = 0; i < count; i++) {
        struct catalog_wanted *wanted = catalog_wanted(items[i].segment, items[i].node_id);
        wanted->sent_ms = core->now_ms == 0 ? 1 : core->now_ms;
        wanted->next_ms = core->now_ms + CORE_REPEAT_MS;
        wanted->request_id = message->request_id;
        wanted->answered = false;
    }
    return count;
}

void command_load(struct core *core, struct command_items *items)
{
    sort(items);
    for (size_t at = 0; at < items->count;)
        at += load_chunk(core, items->items + at, chunk(items, at));
}

static size_t release_bytes(void *owner, size_t count)
{
    struct probe *probe = owner;

    probe->message.release_segments.segments_count = count;
    return page_bytes(probe->core, &probe->message);
}

/* Returns how many of the items the message took. */
static size_t release_chunk(struct core *core, const struct command_item *items, size_t count)
{
    struct segment_release *releases = outbox_alloc(core->out, count, sizeof *releases);
    struct witness *witnesses = outbox_alloc(core->out, count, sizeof *witnesses);
    struct probe probe = {.core = core,
                          .message = {.kind = MESSAGE_RELEASE_SEGMENTS,
                                      .release_segments = {
                                          .segments = releases,
                                          .not_after = not_after_of(core, items[0].node_id),
                                      }}};

    for (size_t i = 0; i < count; i++) {
        bool moved = items[i].witness.node_id != 0;
        witnesses[i] = items[i].witness;
        releases[i] = (struct segment_release){
            .segment_id = items[i].segment->segment_id,
            .epoch = items[i].epoch,
            .ground = moved ? GROUND_MOVED : GROUND_CEASED,
            .witnesses = moved ? &witnesses[i] : NULL,
            .witnesses_count = moved ? 1 : 0,
            .since = items[i].segment->collection->version,
            .operator_name = "",
        };
    }
    count = paging_fit(count, core->payload_max, release_bytes, &probe);
    struct message *message = control(core, items[0].node_id, MESSAGE_RELEASE_SEGMENTS);
    message->release_segments = probe.message.release_segments;
    message->release_segments.segments_count = count;
    return count;
}

void command_release(struct core *core, struct command_items *items)
{
    sort(items);
    for (size_t at = 0; at < items->count;)
        at += release_chunk(core, items->items + at, chunk(items, at));
}

static void fill_info(const struct catalog_segment *segment, int64_t node_id, struct qn_epoch epoch,
                      struct segment_info *ret_info)
{
    *ret_info = (struct segment_info){
        .segment_id = segment->segment_id,
        .collection_id = segment->collection->row.collection_id,
        .partition_id = segment->partition_id,
        .mem_size = segment->mem_size,
        .num_rows = segment->num_rows,
        .node_id = node_id,
        .state = segment->state,
        .epoch = epoch,
        .content_hash = segment->content_hash,
        .delete_generation = segment->delete_generation,
        .replica = "",
        .copy_state = QN_COPY_SERVING,
    };
}

static bool is_same_pair(const struct catalog_move *a, const struct catalog_move *b)
{
    return a->row.src_node_id == b->row.src_node_id && a->row.dst_node_id == b->row.dst_node_id;
}

void command_fill_change(struct core *core, struct catalog_move *const *moves, size_t count,
                         struct change_info *ret_change)
{
    struct segment_change_info *infos = outbox_alloc(core->out, count, sizeof *infos);
    struct segment_info *online = outbox_alloc(core->out, count, sizeof *online);
    struct segment_info *offline = outbox_alloc(core->out, count, sizeof *offline);
    size_t infos_count = 0;

    for (size_t i = 0; i < count; i++) {
        const struct state_move *row = &moves[i]->row;
        const struct catalog_segment *segment = catalog_segment(&core->catalog, row->segment_id);
        CHECK(segment != NULL);
        fill_info(segment, row->dst_node_id, row->dst_epoch, &online[i]);
        fill_info(segment, row->src_node_id, row->src_epoch, &offline[i]);
        if (i == 0 || !is_same_pair(moves[i], moves[i - 1]))
            infos[infos_count++] = (struct segment_change_info){
                .online_node_id = row->dst_node_id,
                .online_segments = &online[i],
                .offline_node_id = row->src_node_id,
                .offline_segments = &offline[i],
            };
        infos[infos_count - 1].online_segments_count++;
        infos[infos_count - 1].offline_segments_count++;
    }
    *ret_change = (struct change_info){
        .collection_id = moves[0]->collection_id, .infos = infos, .infos_count = infos_count};
}

static size_t change_bytes(void *owner, size_t count)
{
    struct probe *probe = owner;
    struct change_info *change = &probe->message.change_info;

    command_fill_change(probe->core, probe->moves, count, change);
    change->version = change->follows = (struct qn_epoch){UINT64_MAX, UINT64_MAX};
    change->not_after = (struct not_after){UINT64_MAX, UINT64_MAX};
    return page_bytes(probe->core, &probe->message);
}

size_t command_change_fit(struct core *core, struct catalog_move *const *moves, size_t count)
{
    struct probe probe = {.core = core, .message = {.kind = MESSAGE_CHANGE_INFO}, .moves = moves};

    return paging_fit(count, core->payload_max, change_bytes, &probe);
}

void command_change(struct core *core, struct catalog_move *const *moves, size_t count)
{
    const struct catalog_collection *collection =
        catalog_collection(&core->catalog, moves[0]->collection_id);
    int64_t src_node_id = moves[0]->row.src_node_id;
    struct message *message = control(core, src_node_id, MESSAGE_CHANGE_INFO);

    CHECK(collection != NULL && count <= CORE_COMMAND_SEGMENTS);
    command_fill_change(core, moves, count, &message->change_info);
    message->change_info.version = collection->version;
    message->change_info.follows = moves[0]->follows;
    message->change_info.not_after = not_after_of(core, src_node_id);
}
