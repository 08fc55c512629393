/* SPDX-License-Identifier: Apache-2.0
 * NUMA nodes of this host, by hwloc (the only file that includes it is numa.c). A made-up topology
 * (HWLOC_SYNTHETIC) gives decisions without effects. */
#ifndef BASE_NUMA_H
#define BASE_NUMA_H

#include <stddef.h>
#include <stdint.h>

/* >= 1, <= LIMIT_NUMA_NODES_MAX. */
unsigned numa_nodes_count(void);
unsigned numa_cores_count(unsigned numa_node);
/* Memory of the node in bytes, 0 when unknown. */
uint64_t numa_memory_bytes(unsigned numa_node);
/* Prefers (never binds strictly: that gets processes killed) the node for pages not yet touched. */
void numa_prefer_memory(void *memory, size_t bytes, unsigned numa_node);
void numa_pin_thread(unsigned numa_node);

#endif
