/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/placement.h"

#include "base/check.h"
#include "base/limits.h"
#include <stdbool.h>

struct load_of_node {
    uint64_t taken_bytes, total_bytes;
};

static bool fits(struct load_of_node load)
{
    return load.taken_bytes <= load.total_bytes;
}

/* Shares are compared as products, in 128 bits: no rounding, no overflow. */
static bool is_less_loaded(struct load_of_node a, struct load_of_node b)
{
    if (fits(a) != fits(b))
        return fits(a);
    return (unsigned __int128)a.taken_bytes * b.total_bytes <
           (unsigned __int128)b.taken_bytes * a.total_bytes;
}

unsigned placement_choose(const uint64_t *ledger_bytes, const uint64_t *total_bytes,
                          unsigned nodes_count, uint64_t segment_bytes)
{
    struct load_of_node loads[LIMIT_NUMA_NODES_MAX];
    bool totals_known = true;
    unsigned best = 0;

    CHECK(nodes_count >= 1 && nodes_count <= LIMIT_NUMA_NODES_MAX);
    for (unsigned i = 0; i < nodes_count; i++)
        totals_known = totals_known && total_bytes[i] > 0;
    for (unsigned i = 0; i < nodes_count; i++) {
        if (__builtin_add_overflow(ledger_bytes[i], segment_bytes, &loads[i].taken_bytes))
            loads[i].taken_bytes = UINT64_MAX;
        loads[i].total_bytes = totals_known ? total_bytes[i] : UINT64_MAX;
        if (is_less_loaded(loads[i], loads[best]))
            best = i;
    }
    return best;
}
