/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/reconcile.h"

#include "coordinator/command.h"
#include "coordinator/handoff.h"
#include <inttypes.h>

enum { REFUSED_AGAIN_MS = 10000 }; /* a load that failed for a lasting reason is tried again */

/* ---- loads ----------------------------------------------------------------------------------- */

/* The source of a move whose target serves is about to go: it is not loaded again. */
static bool is_on_its_way_out(const struct catalog_segment *segment,
                              const struct catalog_wanted *wanted)
{
    const struct catalog_move *move = segment->move;

    return move != NULL && move->row.phase == HANDOFF_OVERLAP &&
           move->row.src_node_id == wanted->node_id;
}

/* True if the copy is as it is wanted. */
static bool want_one(struct core *core, struct catalog_segment *segment,
                     const struct catalog_wanted *wanted, struct command_items *items)
{
    switch (core_standing(core, wanted->node_id, segment->segment_id, wanted->epoch)) {
    case CLUSTER_SERVING:
        return true;
    case CLUSTER_ABSENT:
        break;
    default:
        return false;
    }
    if (core->now_ms >= wanted->next_ms && !is_on_its_way_out(segment, wanted))
        command_add(items, &(struct command_item){.node_id = wanted->node_id, .segment = segment});
    return false;
}

static bool run_loads(struct core *core)
{
    const struct idmap *segments = &core->catalog.segments;
    struct command_items items = {0};
    bool unsettled = false;

    for (size_t i = 0; i < segments->count; i++) {
        struct catalog_segment *segment = segments->entries[i].item;
        if (segment->collection->row.ceasing)
            continue;
        for (uint32_t j = 0; j < segment->wanted_count; j++)
            unsettled = !want_one(core, segment, &segment->wanted[j], &items) || unsettled;
    }
    command_load(core, &items);
    command_items_done(&items);
    return unsettled;
}

static void remint(struct core *core, struct catalog_segment *segment, int64_t node_id)
{
    struct qn_epoch epoch = core_mint(core);
    struct catalog_wanted *wanted = catalog_want(segment, node_id, epoch, core->out);

    wanted->next_ms = core->now_ms + CORE_REPEAT_MS;
    if (segment->move != NULL)
        handoff_on_reminted(core, segment->move, node_id, epoch);
    core_touch(core);
}

void reconcile_on_load_failed(struct core *core, struct cluster_node *node,
                              const struct load_failed *receipt)
{
    const struct cluster_copy *copy = cluster_copy(node, receipt->segment_id);
    struct catalog_segment *segment = catalog_segment(&core->catalog, receipt->segment_id);
    struct catalog_wanted *wanted = segment == NULL ? NULL : catalog_wanted(segment, node->node_id);

    if (wanted == NULL || wanted->answered || qn_epoch_compare(wanted->epoch, receipt->epoch) != 0)
        return;
    if (copy != NULL && copy->state == QN_COPY_LOADING &&
        qn_epoch_compare(copy->epoch, receipt->epoch) == 0)
        cluster_drop_copy(node, receipt->segment_id);
    wanted->answered = true;
    wanted->failures++;
    wanted->next_ms = core->now_ms + CORE_REPEAT_MS;
    if (receipt->status == QN_STATUS_EPOCH_STALE) {
        remint(core, segment, node->node_id);
        return;
    }
    outbox_note(core->out, true, "node %" PRId64 " did not load segment %" PRId64 ": %s: %s",
                node->node_id, receipt->segment_id, qn_status_name(receipt->status), receipt->text);
    if (segment->move != NULL && segment->move->row.dst_node_id == node->node_id) {
        (void)handoff_on_load_failed(core, segment->move, receipt->status, receipt->text);
        return;
    }
    if (receipt->status != QN_STATUS_IO)
        wanted->next_ms = core->now_ms + REFUSED_AGAIN_MS;
}

/* ---- strays ---------------------------------------------------------------------------------- */

/* Copies of our collections where none is wanted: what finished moves, another edition, another
 * coordinator or an older state of ours left behind. They cost memory and answer nobody, so they
 * go, and C6 has the ground for each: another copy of the segment serves, or no view since this
 * edition's first names the segment. Copies of collections that we do not have are orphans: they
 * may be another's, and are left to the operator (api_release.c). */

/* A copy that is wanted and serves. */
static bool find_witness(const struct core *core, const struct catalog_segment *segment,
                         struct witness *ret_witness)
{
    for (uint32_t i = 0; i < segment->wanted_count; i++) {
        const struct catalog_wanted *wanted = &segment->wanted[i];
        if (core_standing(core, wanted->node_id, segment->segment_id, wanted->epoch) !=
            CLUSTER_SERVING)
            continue;
        *ret_witness = (struct witness){
            .node_id = wanted->node_id,
            .segment_id = segment->segment_id,
            .epoch = wanted->epoch,
            .has_content_hash = true,
            .content_hash = segment->content_hash,
            .delete_generation = segment->delete_generation,
        };
        return true;
    }
    return false;
}

static bool is_due(const struct core *core, const struct cluster_copy *copy)
{
    return copy->asked_ms == 0 || core->now_ms - copy->asked_ms >= CORE_REPEAT_MS;
}

static void ask(struct core *core, struct cluster_copy *copy, struct command_items *items,
                const struct command_item *item)
{
    copy->asked_ms = core->now_ms == 0 ? 1 : core->now_ms;
    command_add(items, item);
}

/* No client that holds an older view may still be searching what this edition lacks (C8). What was
 * published while the bus was away may only just have arrived. */
static bool is_edition_settled(const struct core *core, const struct catalog_collection *collection)
{
    uint64_t since_ms = collection->edition_ms > core->cluster.deaf_ms ? collection->edition_ms
                                                                       : core->cluster.deaf_ms;

    return collection->edition_ms != 0 && !collection->dirty &&
           core->now_ms - since_ms >= core->options.ceased_wait_ms;
}

/* No edition may list the segment any more, and then it has no row: the command needs one. */
static struct catalog_segment *ceased_segment(struct core *core,
                                              struct catalog_collection *collection,
                                              const struct cluster_copy *copy)
{
    struct catalog_segment *segment = outbox_alloc(core->out, 1, sizeof *segment);

    segment->segment_id = copy->segment_id;
    segment->collection = collection;
    return segment;
}

/* The edition names no such segment: it lists others, or lists it elsewhere, or as Growing. */
static bool is_over(const struct catalog_segment *segment,
                    const struct catalog_collection *collection)
{
    return segment == NULL || segment->collection != collection ||
           segment->state != QN_SEGMENT_SEALED;
}

/* Of a segment that the edition names: this copy is none of those that are wanted, or move. */
static bool is_surplus(const struct catalog_segment *segment, const struct cluster_node *node,
                       const struct cluster_copy *copy)
{
    return catalog_wanted(segment, node->node_id) == NULL &&
           (segment->move == NULL || segment->move->row.src_node_id != node->node_id) &&
           qn_hash_equal(&segment->content_hash, &copy->content_hash);
}

/* True: it is one, and goes when its ground holds. */
static bool stray(struct core *core, const struct cluster_node *node, struct cluster_copy *copy,
                  struct command_items *items)
{
    struct catalog_segment *segment = catalog_segment(&core->catalog, copy->segment_id);
    struct catalog_collection *collection = catalog_collection(&core->catalog, copy->collection_id);
    struct command_item item = {.node_id = node->node_id, .epoch = copy->epoch};

    if (collection == NULL || collection->row.ceasing)
        return false;
    bool is_ceased = is_over(segment, collection);
    if (!is_ceased && !is_surplus(segment, node, copy))
        return false;
    bool has_ground = is_ceased ? is_edition_settled(core, collection)
                                : find_witness(core, segment, &item.witness);
    if (!has_ground || !is_due(core, copy))
        return true;
    item.segment = is_ceased ? ceased_segment(core, collection, copy) : segment;
    ask(core, copy, items, &item);
    return true;
}

/* Each second, and when something changed: most strays wait, and there may be many copies. */
static void run_strays(struct core *core)
{
    struct command_items items = {0};
    bool is_any = false;

    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        struct cluster_node *node = core->cluster.nodes.entries[i].item;
        if (node->silent || !node->listed)
            continue;
        for (size_t j = 0; j < node->list.count; j++)
            is_any = stray(core, node, &node->list.copies[j], &items) || is_any;
    }
    core->strays_due_ms = is_any ? core->now_ms + CORE_REPEAT_MS : 0;
    command_release(core, &items);
    command_items_done(&items);
}

/* ---- ceased collections ---------------------------------------------------------------------- */

/* A load that may still be on its way would bring the copy back after we forgot it. */
static bool may_still_load(const struct core *core, const struct catalog_wanted *wanted)
{
    uint64_t since_ms = wanted->sent_ms == 0 ? core->active_ms : wanted->sent_ms;

    return core->now_ms - since_ms < core->options.command_ttl_ms;
}

/* What a silent node said last still tells what it lacks. */
static enum cluster_standing last_standing(const struct core *core, int64_t segment_id,
                                           const struct catalog_wanted *wanted)
{
    const struct cluster_node *node = cluster_find(&core->cluster, wanted->node_id);

    if (node != NULL && node->listed && cluster_copy(node, segment_id) == NULL)
        return CLUSTER_ABSENT;
    return core_standing(core, wanted->node_id, segment_id, wanted->epoch);
}

static void count_holders(const struct core *core, const struct catalog_segment *segment,
                          struct reconcile_holders *holders)
{
    for (uint32_t i = 0; i < segment->wanted_count; i++) {
        const struct catalog_wanted *wanted = &segment->wanted[i];
        enum cluster_standing standing = last_standing(core, segment->segment_id, wanted);
        if (standing == CLUSTER_ABSENT && !may_still_load(core, wanted))
            continue;
        holders->node_id = wanted->node_id;
        if (standing == CLUSTER_SILENT)
            holders->silent_count++;
        else
            holders->live_count++;
    }
}

static void count_reported(const struct core *core, const struct catalog_collection *collection,
                           struct reconcile_holders *holders)
{
    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        const struct cluster_node *node = core->cluster.nodes.entries[i].item;
        for (size_t j = 0; j < node->list.count; j++) {
            if (node->list.copies[j].collection_id != collection->row.collection_id)
                continue;
            holders->node_id = node->node_id;
            *(node->silent ? &holders->silent_count : &holders->live_count) += 1;
        }
    }
}

struct reconcile_holders reconcile_holders(struct core *core,
                                           const struct catalog_collection *collection)
{
    struct reconcile_holders holders = {0};

    for (size_t i = 0; i < collection->segments.count; i++)
        count_holders(core, collection->segments.entries[i].item, &holders);
    count_reported(core, collection, &holders);
    return holders;
}

static void cease_copies(struct core *core, struct catalog_collection *collection)
{
    struct command_items items = {0};

    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        struct cluster_node *node = core->cluster.nodes.entries[i].item;
        for (size_t j = 0; j < node->list.count && !node->silent; j++) {
            struct cluster_copy *copy = &node->list.copies[j];
            struct command_item item = {.node_id = node->node_id, .epoch = copy->epoch};
            if (copy->collection_id != collection->row.collection_id || !is_due(core, copy))
                continue;
            item.segment = ceased_segment(core, collection, copy);
            ask(core, copy, &items, &item);
        }
    }
    command_release(core, &items);
    command_items_done(&items);
}

static void cease(struct core *core, struct catalog_collection *collection)
{
    if (!is_edition_settled(core, collection))
        return;
    struct reconcile_holders holders = reconcile_holders(core, collection);
    if (holders.live_count > 0)
        cease_copies(core, collection);
    if (holders.live_count + holders.silent_count > 0)
        return;
    outbox_note(core->out, false, "collection %s (%" PRId64 ") is released", collection->row.name,
                collection->row.collection_id);
    catalog_remove_collection(&core->catalog, collection, core->out);
}

static bool run_ceasing(struct core *core)
{
    const struct idmap *collections = &core->catalog.collections;
    bool unsettled = false;

    for (size_t i = collections->count; i > 0; i--) {
        struct catalog_collection *collection = collections->entries[i - 1].item;
        if (!collection->row.ceasing)
            continue;
        cease(core, collection);
        unsettled = true;
    }
    return unsettled;
}

bool reconcile_run(struct core *core)
{
    bool loads = run_loads(core);
    bool ceasing = run_ceasing(core);

    run_strays(core);
    return loads || ceasing;
}
