/* SPDX-License-Identifier: Apache-2.0
 * Commands to agents, as messages: each carries not_after from the node's last report and names at
 * most CORE_COMMAND_SEGMENTS segments. Pure. */
#ifndef COORDINATOR_COMMAND_H
#define COORDINATOR_COMMAND_H

#include "coordinator/core.h"

/* A copy to load or to release, for sorting by node. */
struct command_item {
    int64_t node_id;
    struct catalog_segment *segment;
    struct qn_epoch epoch;
    struct witness witness; /* releases: node_id 0: none, the ground is CEASED */
};

struct command_items {
    struct command_item *items;
    size_t count, capacity;
};

void command_add(struct command_items *items, const struct command_item *item);
void command_items_done(struct command_items *items);

/* A full report, at most once each CORE_REPEAT_MS. */
void command_ask_report(struct core *core, struct cluster_node *node);
/* An empty LoadSegments, so that the node knows our term, makes it durable, and refuses whoever
 * commands with a lower one; at most once each CORE_REPEAT_MS. */
void command_tell_term(struct core *core, struct cluster_node *node);
/* LoadSegments for all items; remembers in the wanted copies that they were sent. */
void command_load(struct core *core, struct command_items *items);
/* ReleaseSegments for all items. */
void command_release(struct core *core, struct command_items *items);

/* What SealedSegmentsChangeInfo says of moves[0..count), all of one collection, sorted by (src,
 * dst): one entry per pair. */
void command_fill_change(struct core *core, struct catalog_move *const *moves, size_t count,
                         struct change_info *ret_change);
/* How many of the moves, from the first on, one change info speaks of: as the bus takes. */
size_t command_change_fit(struct core *core, struct catalog_move *const *moves, size_t count);
/* The change info to the source's control: moves of one collection and source, at most
 * CORE_COMMAND_SEGMENTS of them. */
void command_change(struct core *core, struct catalog_move *const *moves, size_t count);

#endif
