/* SPDX-License-Identifier: Apache-2.0 */
#include "base/numa.h"

#include "base/check.h"
#include "base/limits.h"
#include <hwloc.h>
#include <pthread.h>

static hwloc_topology_t topology;
static pthread_once_t topology_once = PTHREAD_ONCE_INIT;

static void topology_open(void)
{
    CHECK(hwloc_topology_init(&topology) == 0);
    CHECK(hwloc_topology_load(topology) == 0);
}

static hwloc_obj_t node_object(unsigned numa_node)
{
    (void)pthread_once(&topology_once, topology_open);
    return hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, numa_node);
}

unsigned numa_nodes_count(void)
{
    (void)pthread_once(&topology_once, topology_open);
    int count = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
    if (count < 1)
        return 1;
    return count > LIMIT_NUMA_NODES_MAX ? LIMIT_NUMA_NODES_MAX : (unsigned)count;
}

unsigned numa_cores_count(unsigned numa_node)
{
    hwloc_obj_t object = node_object(numa_node);

    if (object == NULL || object->cpuset == NULL)
        return 1;
    int count = hwloc_bitmap_weight(object->cpuset);
    return count < 1 ? 1 : (unsigned)count;
}

uint64_t numa_memory_bytes(unsigned numa_node)
{
    hwloc_obj_t object = node_object(numa_node);

    return object == NULL ? 0 : object->attr->numanode.local_memory;
}

void numa_prefer_memory(void *memory, size_t bytes, unsigned numa_node)
{
    hwloc_obj_t object = node_object(numa_node);

    /* With one node there is nothing to prefer; a refusal costs speed only, never correctness. */
    if (object != NULL && numa_nodes_count() > 1)
        (void)hwloc_set_area_membind(topology, memory, bytes, object->nodeset, HWLOC_MEMBIND_BIND,
                                     HWLOC_MEMBIND_BYNODESET);
}

void numa_pin_thread(unsigned numa_node)
{
    hwloc_obj_t object = node_object(numa_node);

    if (object != NULL && object->cpuset != NULL)
        (void)hwloc_set_cpubind(topology, object->cpuset, HWLOC_CPUBIND_THREAD);
}
