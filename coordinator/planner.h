/* SPDX-License-Identifier: Apache-2.0
 * Which node takes which segment, by bytes: largest first, onto the best node where it fits. Pure;
 * the same input gives the same plan. */
#ifndef COORDINATOR_PLANNER_H
#define COORDINATOR_PLANNER_H

#include "coordinator/text.h"
#include "qnode/types.h"

struct planner_node {
    int64_t node_id;
    uint64_t budget_bytes;
    uint64_t used_bytes;     /* its ledger, and what is planned onto it already */
    uint64_t segments_count; /* likewise */
};

struct planner_segment {
    int64_t segment_id;
    enum qn_segment_state state;
    uint64_t bytes;
    int64_t node_id; /* out: where it goes; given: it goes there whatever (it is there already) */
};

struct planner_input {
    struct planner_node *nodes;
    size_t nodes_count;
    struct planner_segment *segments;
    size_t segments_count;
};

enum planner_rule {
    PLANNER_LOWEST_SHARE, /* used / budget: a collection comes in */
    PLANNER_MOST_FREE,    /* budget - used: segments are moved */
};

struct planner_options {
    enum planner_rule rule;
    /* NULL: every node may take every segment. */
    bool (*may_take)(void *owner, int64_t segment_id, int64_t node_id);
    void *owner;
};

/* Places every segment or none: OVER_BUDGET (the segment, its need, each node's free bytes),
 * INVALID (it is not sealed); text says why. Sorts both arrays (nodes by id, segments largest
 * first) and adds what it placed to the nodes. */
enum qn_status planner_place(const struct planner_input *input,
                             const struct planner_options *options, struct text *text);

#endif
