/* SPDX-License-Identifier: Apache-2.0
 * What is wanted against what is reported: loads that are missing are sent again each second (C1,
 * C5), copies of our collections that nobody wants are released, and ceased collections go. Pure.
 */
#ifndef COORDINATOR_RECONCILE_H
#define COORDINATOR_RECONCILE_H

#include "coordinator/core.h"

/* True while something is not yet as it should be. */
bool reconcile_run(struct core *core);
/* A load of a wanted copy failed, or was refused. */
void reconcile_on_load_failed(struct core *core, struct cluster_node *node,
                              const struct load_failed *receipt);

/* Nodes that keep a ceased collection from being forgotten. */
struct reconcile_holders {
    int64_t node_id; /* one of them */
    size_t live_count, silent_count;
};
struct reconcile_holders reconcile_holders(struct core *core,
                                           const struct catalog_collection *collection);

#endif
