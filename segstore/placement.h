/* SPDX-License-Identifier: Apache-2.0
 * Which NUMA node a segment's pages should lie on. Pure. */
#ifndef SEGSTORE_PLACEMENT_H
#define SEGSTORE_PLACEMENT_H

#include <stdint.h>

/* ledger_bytes, total_bytes [nodes_count]: what is taken on, and what each node has (0: unknown).
 * The node with the smallest share taken after the segment is there, among those it fits on if it
 * fits on any; the lowest number among equals. */
unsigned placement_choose(const uint64_t *ledger_bytes, const uint64_t *total_bytes,
                          unsigned nodes_count, uint64_t segment_bytes);

#endif
