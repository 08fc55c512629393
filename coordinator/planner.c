/* SPDX-License-Identifier: Apache-2.0
 * A heap of nodes, best on top. A segment goes to the best node that may take it; nodes that were
 * passed over go back. Largest first keeps the remainder small where small segments fill the gaps;
 * the order is total (bytes, then id), so a plan can be repeated and explained. */
#include "coordinator/planner.h"

#include "base/limits.h"
#include "coordinator/grow.h"
#include <inttypes.h>
#include <stdlib.h>

struct heap {
    struct planner_node **nodes; /* nodes[0] is the best */
    size_t count;
    enum planner_rule rule;
};

static uint64_t free_bytes(const struct planner_node *node)
{
    return node->used_bytes < node->budget_bytes ? node->budget_bytes - node->used_bytes : 0;
}

static bool is_better(enum planner_rule rule, const struct planner_node *a,
                      const struct planner_node *b)
{
    unsigned __int128 left, right;

    if (rule == PLANNER_MOST_FREE) {
        left = free_bytes(b);
        right = free_bytes(a);
    } else {
        left = (unsigned __int128)a->used_bytes * b->budget_bytes;
        right = (unsigned __int128)b->used_bytes * a->budget_bytes;
    }
    return left != right ? left < right : a->node_id < b->node_id;
}

static void heap_push(struct heap *heap, struct planner_node *node)
{
    size_t at = heap->count++;

    for (; at > 0 && is_better(heap->rule, node, heap->nodes[(at - 1) / 2]); at = (at - 1) / 2)
        heap->nodes[at] = heap->nodes[(at - 1) / 2];
    heap->nodes[at] = node;
}

static struct planner_node *heap_pop(struct heap *heap)
{
    struct planner_node *best = heap->nodes[0], *last = heap->nodes[--heap->count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap->count &&
            is_better(heap->rule, heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (child >= heap->count || !is_better(heap->rule, heap->nodes[child], last))
            break;
        heap->nodes[at] = heap->nodes[child];
        at = child;
    }
    heap->nodes[at] = last;
    return best;
}

static bool fits(const struct planner_options *options, const struct planner_node *node,
                 const struct planner_segment *segment)
{
    return node->segments_count < LIMIT_SEGMENTS_PER_NODE_MAX &&
           segment->bytes <= free_bytes(node) &&
           (options->may_take == NULL ||
            options->may_take(options->owner, segment->segment_id, node->node_id));
}

static bool place_one(struct heap *heap, struct planner_node **passed,
                      const struct planner_options *options, struct planner_segment *segment)
{
    struct planner_node *node = NULL;
    size_t passed_count = 0;

    while (heap->count > 0) {
        node = heap_pop(heap);
        if (fits(options, node, segment))
            break;
        passed[passed_count++] = node;
        node = NULL;
    }
    while (passed_count > 0)
        heap_push(heap, passed[--passed_count]);
    if (node == NULL)
        return false;
    node->used_bytes += segment->bytes;
    node->segments_count++;
    segment->node_id = node->node_id;
    heap_push(heap, node);
    return true;
}

static int by_node_id(const void *a, const void *b)
{
    const struct planner_node *left = a, *right = b;

    return (left->node_id > right->node_id) - (left->node_id < right->node_id);
}

static int by_size(const void *a, const void *b)
{
    const struct planner_segment *left = a, *right = b;

    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? 1 : -1;
    return (left->segment_id > right->segment_id) - (left->segment_id < right->segment_id);
}

static enum qn_status refuse(const struct planner_input *input,
                             const struct planner_options *options,
                             const struct planner_segment *segment, struct text *text)
{
    text_add(text, "segment %" PRId64 " needs %" PRIu64 " bytes; free:", segment->segment_id,
             segment->bytes);
    for (size_t i = 0; i < input->nodes_count; i++) {
        const struct planner_node *node = &input->nodes[i];
        bool may_take = options->may_take == NULL ||
                        options->may_take(options->owner, segment->segment_id, node->node_id);
        text_add(text, "%s node %" PRId64 " %" PRIu64 "%s", i == 0 ? "" : ",", node->node_id,
                 free_bytes(node), may_take ? "" : " (holds it already)");
        if (node->segments_count >= LIMIT_SEGMENTS_PER_NODE_MAX)
            text_add(text, " (holds %" PRIu64 " segments, its most)", node->segments_count);
    }
    return QN_STATUS_OVER_BUDGET;
}

static enum qn_status place_all(const struct planner_input *input,
                                const struct planner_options *options, struct heap *heap,
                                struct text *text)
{
    struct planner_node **passed = grow_calloc(input->nodes_count, sizeof(struct planner_node *));
    enum qn_status status = QN_STATUS_OK;

    for (size_t i = 0; i < input->segments_count && status == QN_STATUS_OK; i++) {
        struct planner_segment *segment = &input->segments[i];
        if (segment->node_id == 0 && !place_one(heap, passed, options, segment))
            status = refuse(input, options, segment, text);
    }
    free(passed);
    return status;
}

enum qn_status planner_place(const struct planner_input *input,
                             const struct planner_options *options, struct text *text)
{
    struct heap heap = {.rule = options->rule};

    for (size_t i = 0; i < input->segments_count; i++) {
        const struct planner_segment *segment = &input->segments[i];
        if (segment->state == QN_SEGMENT_SEALED)
            continue;
        text_add(text, "segment %" PRId64 " is %s: only sealed segments can be loaded or moved",
                 segment->segment_id, qn_segment_state_name(segment->state));
        return QN_STATUS_INVALID;
    }
    if (input->nodes_count > 1)
        qsort(input->nodes, input->nodes_count, sizeof input->nodes[0], by_node_id);
    if (input->segments_count > 1)
        qsort(input->segments, input->segments_count, sizeof input->segments[0], by_size);
    heap.nodes = grow_calloc(input->nodes_count, sizeof(struct planner_node *));
    for (size_t i = 0; i < input->nodes_count; i++)
        if (input->nodes[i].budget_bytes > 0)
            heap_push(&heap, &input->nodes[i]);
    enum qn_status status = place_all(input, options, &heap, text);
    free(heap.nodes);
    return status;
}
