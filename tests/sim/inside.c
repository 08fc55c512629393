/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/inside.h"

#include "agent/agent_internal.h"
#include "tests/sim/world.h"
#include <inttypes.h>

struct bounds {
    uint64_t least_bytes, most_bytes;
};

/* A load maps when it begins to read, and unmaps before its failure is known; a release unmaps
 * before the node takes notice. */
static struct bounds mapped_bounds(const struct node *node)
{
    struct bounds bounds = {0, 0};

    for (size_t i = 0; i < node_copies_count(node); i++) {
        const struct node_copy *copy = node_copy_at(node, i);
        bounds.most_bytes += copy->mem_size;
        if (copy->state != QN_COPY_LOADING && !copy->unmapping)
            bounds.least_bytes += copy->mem_size;
    }
    return bounds;
}

void inside_check(struct process *process)
{
    if (!process->is_alive || process->agent == NULL)
        return;
    const struct node *node = process->agent->node;
    const struct ledger *ledger = node_ledger(node);
    struct bounds bounds = mapped_bounds(node);
    uint64_t known_bytes = ledger->used_bytes + ledger->reserved_bytes - ledger->scratch_bytes;

    if (!ledger_verify(ledger) || known_bytes != bounds.most_bytes)
        world_fail(process->world, "K3",
                   "%s: the ledger has %" PRIu64 " bytes of segments, its copies have %" PRIu64,
                   process->name, known_bytes, bounds.most_bytes);
    if (process->disk.mapped_bytes < bounds.least_bytes ||
        process->disk.mapped_bytes > bounds.most_bytes)
        world_fail(process->world, "K3",
                   "%s has %" PRIu64 " bytes mapped, its copies take %" PRIu64 " to %" PRIu64,
                   process->name, process->disk.mapped_bytes, bounds.least_bytes,
                   bounds.most_bytes);
}

void inside_check_rest(struct process *process)
{
    const struct agent *agent = process->agent;
    const struct segment *segment;
    size_t cursor = 0;

    if (agent_is_searching(agent) || node_ledger(agent->node)->scratch_bytes != 0)
        world_fail(process->world, "K11",
                   "%s at rest: %u searches under way, %" PRIu64 " bytes of scratch", process->name,
                   agent->searches_in_flight, node_ledger(agent->node)->scratch_bytes);
    if (!node_verify(agent->node))
        world_fail(process->world, "K11", "%s at rest: its tables do not agree", process->name);
    while ((segment = store_next(agent->store, &cursor)) != NULL)
        if (segment_pins_count(segment) != 0)
            world_fail(process->world, "K11",
                       "%s at rest: segment %" PRId64 " has %" PRIu64 " pins", process->name,
                       segment->facts.segment_id, segment_pins_count(segment));
}
