/* SPDX-License-Identifier: Apache-2.0
 * LOAD_BALANCE: segments from one node onto others. All of the request or none; each refusal has
 * its line. A repeat finds its moves open and answers the same. */
#include "coordinator/api.h"

#include "coordinator/grow.h"
#include "coordinator/handoff.h"
#include "coordinator/planner.h"
#include <inttypes.h>
#include <stdlib.h>

struct balance {
    struct core *core;
    int64_t src_node_id;
    struct planner_input plan; /* segments with a node: their moves are open already */
    struct text *text;
    enum qn_status status; /* of the first refusal */
};

static void refuse(struct balance *balance, enum qn_status status)
{
    if (balance->status == QN_STATUS_OK)
        balance->status = status;
}

static void begin_line(struct balance *balance)
{
    if (balance->text->used_bytes > 0)
        text_add(balance->text, "\n");
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool check_node(struct balance *balance, int64_t node_id)
{
    const struct cluster_node *node = cluster_find(&balance->core->cluster, node_id);
    const char *fault = node == NULL    ? "is unknown"
                        : node->silent  ? "is silent"
                        : node->leaving ? "is shutting down"
                                        : NULL;

    if (fault == NULL || (node != NULL && node->leaving && node_id == balance->src_node_id))
        return true;
    begin_line(balance);
    text_add(balance->text, "node %" PRId64 " %s", node_id, fault);
    refuse(balance, node == NULL ? QN_STATUS_NOT_FOUND : QN_STATUS_UNAVAILABLE);
    return false;
}

static void add_target(struct balance *balance, int64_t node_id)
{
    const struct cluster_node *node = cluster_find(&balance->core->cluster, node_id);
    uint64_t bytes, count;

    for (size_t i = 0; i < balance->plan.nodes_count; i++)
        if (balance->plan.nodes[i].node_id == node_id)
            return;
    api_planned(balance->core, node_id, &bytes, &count);
    balance->plan.nodes[balance->plan.nodes_count++] = (struct planner_node){
        .node_id = node_id,
        .budget_bytes = node->memory.budget_bytes,
        .used_bytes = node->memory.ledger_bytes + bytes,
        .segments_count = node->list.count + count,
    };
}

static void choose_named(struct balance *balance, const struct coord_request *request)
{
    for (size_t i = 0; i < request->dst_node_ids_count; i++) {
        int64_t node_id = request->dst_node_ids[i];
        if (node_id == balance->src_node_id) {
            begin_line(balance);
            text_add(balance->text, "node %" PRId64 " is source and target", node_id);
            refuse(balance, QN_STATUS_INVALID);
        } else if (check_node(balance, node_id)) {
            add_target(balance, node_id);
        }
    }
}

/* No target named: all other nodes that are alive. */
static void choose_others(struct balance *balance)
{
    const struct idmap *nodes = &balance->core->cluster.nodes;

    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->entries[i].id != balance->src_node_id &&
            core_node_is_live(balance->core, nodes->entries[i].id))
            add_target(balance, nodes->entries[i].id);
    if (balance->plan.nodes_count > 0)
        return;
    begin_line(balance);
    text_add(balance->text, "no other node reports");
    refuse(balance, QN_STATUS_UNAVAILABLE);
}

/* ---- segments -------------------------------------------------------------------------------- */

static bool is_target(const struct balance *balance, int64_t node_id)
{
    for (size_t i = 0; i < balance->plan.nodes_count; i++)
        if (balance->plan.nodes[i].node_id == node_id)
            return true;
    return false;
}

static bool may_take(void *owner, int64_t segment_id, int64_t node_id)
{
    const struct balance *balance = owner;
    const struct catalog_segment *segment = catalog_segment(&balance->core->catalog, segment_id);

    return catalog_wanted(segment, node_id) == NULL;
}

/* A move that is open: this request's own, or in its way. */
static enum qn_status check_move(struct balance *balance, const struct catalog_segment *segment,
                                 int64_t *ret_node_id)
{
    const struct state_move *row = &segment->move->row;

    if (row->src_node_id == balance->src_node_id && is_target(balance, row->dst_node_id)) {
        *ret_node_id = row->dst_node_id;
        return QN_STATUS_OK;
    }
    begin_line(balance);
    text_add(balance->text,
             "segment %" PRId64 " is already moving from node %" PRId64 " to node %" PRId64,
             segment->segment_id, row->src_node_id, row->dst_node_id);
    return QN_STATUS_BUSY;
}

static enum qn_status check_place(struct balance *balance, const struct catalog_segment *segment)
{
    const struct core *core = balance->core;
    const struct catalog_wanted *wanted = catalog_wanted(segment, balance->src_node_id);
    size_t holders = 0;

    if (wanted == NULL || segment->collection->row.ceasing ||
        core_standing(core, wanted->node_id, segment->segment_id, wanted->epoch) !=
            CLUSTER_SERVING) {
        begin_line(balance);
        text_add(balance->text, "segment %" PRId64 " is not on node %" PRId64 "%s",
                 segment->segment_id, balance->src_node_id,
                 segment->collection->row.ceasing ? ": its collection is being released"
                 : wanted == NULL                 ? ""
                                                  : " yet: it does not serve there");
        return wanted == NULL ? QN_STATUS_NOT_HERE : QN_STATUS_BUSY;
    }
    for (size_t i = 0; i < balance->plan.nodes_count; i++)
        holders += catalog_wanted(segment, balance->plan.nodes[i].node_id) != NULL;
    if (holders < balance->plan.nodes_count)
        return QN_STATUS_OK;
    begin_line(balance);
    text_add(balance->text, "segment %" PRId64 " is already on node %" PRId64, segment->segment_id,
             balance->plan.nodes[0].node_id);
    return QN_STATUS_CONFLICT;
}

static void add_segment(struct balance *balance, int64_t segment_id)
{
    const struct catalog_segment *segment = catalog_segment(&balance->core->catalog, segment_id);
    enum qn_status status = QN_STATUS_OK;
    int64_t node_id = 0;

    if (segment == NULL) {
        begin_line(balance);
        text_add(balance->text, "segment %" PRId64 " is unknown", segment_id);
        status = QN_STATUS_NOT_FOUND;
    } else if (segment->state != QN_SEGMENT_SEALED) {
        begin_line(balance);
        text_add(balance->text, "segment %" PRId64 " is %s: only sealed segments can be moved",
                 segment_id, qn_segment_state_name(segment->state));
        status = QN_STATUS_INVALID;
    } else if (segment->move != NULL) {
        status = check_move(balance, segment, &node_id);
    } else {
        status = check_place(balance, segment);
    }
    if (status != QN_STATUS_OK) {
        refuse(balance, status);
        return;
    }
    balance->plan.segments[balance->plan.segments_count++] = (struct planner_segment){
        .segment_id = segment_id,
        .state = segment->state,
        .bytes = segment->mem_size,
        .node_id = node_id,
    };
}

static int by_id(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void add_named(struct balance *balance, const struct coord_request *request)
{
    size_t count = request->segment_ids_count;
    int64_t *ids = outbox_alloc(balance->core->out, count, sizeof *ids);

    for (size_t i = 0; i < count; i++)
        ids[i] = request->segment_ids[i];
    qsort(ids, count, sizeof *ids, by_id);
    balance->plan.segments = grow_calloc(count, sizeof *balance->plan.segments);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || ids[i] != ids[i - 1])
            add_segment(balance, ids[i]);
}

static bool is_on_source(const struct balance *balance, const struct catalog_segment *segment)
{
    const struct catalog_move *move = segment->move;

    if (segment->collection->row.ceasing || segment->state != QN_SEGMENT_SEALED)
        return false;
    return catalog_wanted(segment, balance->src_node_id) != NULL
               ? move == NULL || move->row.dst_node_id != balance->src_node_id
               : move != NULL && move->row.src_node_id == balance->src_node_id;
}

/* All that the source holds, and what is moving away from it already. */
static void add_all(struct balance *balance)
{
    const struct idmap *segments = &balance->core->catalog.segments;

    balance->plan.segments = grow_calloc(segments->count, sizeof *balance->plan.segments);
    for (size_t i = 0; i < segments->count; i++)
        if (is_on_source(balance, segments->entries[i].item))
            add_segment(balance, segments->entries[i].id);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static void start_moves(struct balance *balance, struct api_change *ret_change)
{
    struct core *core = balance->core;

    ret_change->move_ids = grow_calloc(balance->plan.segments_count, sizeof(uint64_t));
    ret_change->moves_count = balance->plan.segments_count;
    for (size_t i = 0; i < balance->plan.segments_count; i++) {
        const struct planner_segment *planned = &balance->plan.segments[i];
        struct catalog_segment *segment = catalog_segment(&core->catalog, planned->segment_id);
        if (segment->move == NULL)
            handoff_start(core, segment, balance->src_node_id, planned->node_id);
        ret_change->move_ids[i] = segment->move->row.move_id;
    }
}

/* "moving 3 segments, 12.0 MiB from node 1 onto nodes 2, 3" */
static void describe(struct balance *balance)
{
    const struct planner_input *plan = &balance->plan;
    int64_t *node_ids = outbox_alloc(balance->core->out, plan->nodes_count, sizeof *node_ids);
    size_t nodes_count = 0;
    uint64_t bytes = 0;

    for (size_t i = 0; i < plan->segments_count; i++)
        bytes += plan->segments[i].bytes;
    for (size_t i = 0; i < plan->nodes_count; i++) {
        bool used = false;
        for (size_t j = 0; j < plan->segments_count && !used; j++)
            used = plan->segments[j].node_id == plan->nodes[i].node_id;
        if (used)
            node_ids[nodes_count++] = plan->nodes[i].node_id;
    }
    if (plan->segments_count == 0) {
        text_add(balance->text, "node %" PRId64 " holds no segments", balance->src_node_id);
        return;
    }
    text_add(balance->text, "moving %zu segment%s, ", plan->segments_count,
             plan->segments_count == 1 ? "" : "s");
    text_add_bytes(balance->text, bytes);
    text_add(balance->text, " from node %" PRId64 " onto ", balance->src_node_id);
    text_add_nodes(balance->text, node_ids, nodes_count);
}

enum qn_status api_balance(struct core *core, const struct coord_request *request,
                           struct api_change *ret_change)
{
    struct text *text = &ret_change->text;
    struct balance balance = {.core = core, .src_node_id = request->src_node_id, .text = text};
    const struct planner_options options = {
        .rule = PLANNER_MOST_FREE, .may_take = may_take, .owner = &balance};
    size_t nodes_count = core->cluster.nodes.count;

    balance.plan.nodes = grow_calloc(nodes_count, sizeof *balance.plan.nodes);
    (void)check_node(&balance, request->src_node_id);
    if (request->dst_node_ids_count > 0)
        choose_named(&balance, request);
    else
        choose_others(&balance);
    if (balance.status == QN_STATUS_OK && request->segment_ids_count > 0)
        add_named(&balance, request);
    else if (balance.status == QN_STATUS_OK)
        add_all(&balance);
    if (balance.status == QN_STATUS_OK)
        balance.status = planner_place(&balance.plan, &options, text);
    if (balance.status == QN_STATUS_OK) {
        start_moves(&balance, ret_change);
        describe(&balance);
    }
    free(balance.plan.nodes);
    free(balance.plan.segments);
    return balance.status;
}
