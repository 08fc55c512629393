/* SPDX-License-Identifier: Apache-2.0
 * A segment goes from one node to another while both are searched: the machine of one move
 * (handoff.c has the essay), run over all open moves. Pure. */
#ifndef COORDINATOR_HANDOFF_H
#define COORDINATOR_HANDOFF_H

#include "coordinator/core.h"

/* Numbers are in the state file: never changed, only added. */
enum handoff_phase {
    HANDOFF_LOADING = 1,
    HANDOFF_OVERLAP = 2,
    HANDOFF_RELEASING = 3,
    HANDOFF_DONE = 4,
    HANDOFF_FAILED = 5,
};

enum {
    HANDOFF_RETRIES_MAX = 3,         /* of a load that failed for a passing reason */
    HANDOFF_RELEASES_PER_STEP = 512, /* moves that step into releasing at once */
};

bool handoff_phase_is_known(uint32_t phase);
bool handoff_phase_is_final(uint32_t phase);
/* "loading", or "stalled" when it is loading and there is a reason why it does not go on. */
const char *handoff_phase_name(const struct state_move *row);

/* Opens a move of a segment that serves on src; its dst copy is wanted from now on. */
void handoff_start(struct core *core, struct catalog_segment *segment, int64_t src_node_id,
                   int64_t dst_node_id);
/* Looks at every open move. */
void handoff_run(struct core *core);
/* Gives up: the target's copy is not wanted any more, or, while the source is on its way out, the
 * source's is not. */
void handoff_fail(struct core *core, struct catalog_move *move, const char *reason);

/* Receipts. */
void handoff_on_released(struct core *core, const struct cluster_node *node,
                         const struct segment_released *receipt);
void handoff_on_held(struct core *core, const struct cluster_node *node,
                     const struct release_held *receipt);
/* A load of the move's target failed: true if the move gave up. */
bool handoff_on_load_failed(struct core *core, struct catalog_move *move, enum qn_status status,
                            const char *text);
/* The copy has a new epoch (its old one was stale). */
void handoff_on_reminted(struct core *core, struct catalog_move *move, int64_t node_id,
                         struct qn_epoch epoch);

#endif
