/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ledger.h"

#include "base/check.h"
#include <string.h>

void ledger_init(struct ledger *ledger, uint64_t budget_bytes, unsigned numa_count,
                 const uint64_t *numa_total_bytes)
{
    CHECK(numa_count >= 1);
    CHECK(numa_count <= LIMIT_NUMA_NODES_MAX);
    memset(ledger, 0, sizeof *ledger);
    ledger->budget_bytes = budget_bytes;
    ledger->numa_count = numa_count;
    memcpy(ledger->numa_total_bytes, numa_total_bytes, numa_count * sizeof *numa_total_bytes);
}

uint64_t ledger_free_bytes(const struct ledger *ledger)
{
    return ledger->budget_bytes - ledger->used_bytes - ledger->reserved_bytes;
}

/* a would be less loaded than b: its share of its own memory is smaller. A node without memory of
 * its own is never chosen before one that has some. */
static bool less_loaded(const struct ledger *ledger, unsigned a, unsigned b, uint64_t bytes)
{
    uint64_t total_a = ledger->numa_total_bytes[a], total_b = ledger->numa_total_bytes[b];
    uint64_t would_a = ledger->numa_bytes[a] + bytes, would_b = ledger->numa_bytes[b] + bytes;

    if (total_a == 0 && total_b == 0)
        return would_a < would_b;
    if (total_a == 0 || total_b == 0)
        return total_b == 0;
    return (unsigned __int128)would_a * total_b < (unsigned __int128)would_b * total_a;
}

bool ledger_reserve(struct ledger *ledger, uint64_t bytes, unsigned *ret_numa_node)
{
    unsigned best = 0;

    if (bytes > ledger_free_bytes(ledger))
        return false;
    for (unsigned i = 1; i < ledger->numa_count; i++)
        if (less_loaded(ledger, i, best, bytes))
            best = i;
    ledger->reserved_bytes += bytes;
    ledger->numa_bytes[best] += bytes;
    *ret_numa_node = best;
    return true;
}

void ledger_commit(struct ledger *ledger, uint64_t bytes)
{
    CHECK(bytes <= ledger->reserved_bytes);
    ledger->reserved_bytes -= bytes;
    ledger->used_bytes += bytes;
}

static void leave_numa_node(struct ledger *ledger, uint64_t bytes, unsigned numa_node)
{
    CHECK(numa_node < ledger->numa_count);
    CHECK(bytes <= ledger->numa_bytes[numa_node]);
    ledger->numa_bytes[numa_node] -= bytes;
}

void ledger_cancel(struct ledger *ledger, uint64_t bytes, unsigned numa_node)
{
    CHECK(bytes <= ledger->reserved_bytes);
    ledger->reserved_bytes -= bytes;
    leave_numa_node(ledger, bytes, numa_node);
}

void ledger_release(struct ledger *ledger, uint64_t bytes, unsigned numa_node)
{
    CHECK(bytes <= ledger->used_bytes - ledger->scratch_bytes);
    ledger->used_bytes -= bytes;
    leave_numa_node(ledger, bytes, numa_node);
}

bool ledger_take_scratch(struct ledger *ledger, uint64_t bytes)
{
    if (bytes > ledger_free_bytes(ledger))
        return false;
    ledger->used_bytes += bytes;
    ledger->scratch_bytes += bytes;
    return true;
}

void ledger_give_scratch(struct ledger *ledger, uint64_t bytes)
{
    CHECK(bytes <= ledger->scratch_bytes);
    ledger->scratch_bytes -= bytes;
    ledger->used_bytes -= bytes;
}

bool ledger_verify(const struct ledger *ledger)
{
    uint64_t on_numa_nodes = 0;

    for (unsigned i = 0; i < ledger->numa_count; i++)
        on_numa_nodes += ledger->numa_bytes[i];
    return ledger->used_bytes <= ledger->budget_bytes &&
           ledger->reserved_bytes <= ledger->budget_bytes - ledger->used_bytes &&
           ledger->scratch_bytes <= ledger->used_bytes &&
           on_numa_nodes + ledger->scratch_bytes == ledger->used_bytes + ledger->reserved_bytes;
}
