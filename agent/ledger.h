/* SPDX-License-Identifier: Apache-2.0
 * Bytes promised and used: admission is exact to the byte (P2). Pure. */
#ifndef AGENT_LEDGER_H
#define AGENT_LEDGER_H

#include "base/limits.h"
#include "qnode/types.h"

struct ledger {
    uint64_t budget_bytes;   /* what may be used in all */
    uint64_t used_bytes;     /* loaded segments and search scratch */
    uint64_t reserved_bytes; /* loads that are not done yet */
    uint64_t scratch_bytes;  /* of used_bytes: search scratch, on no NUMA node in particular */
    unsigned numa_count;
    uint64_t numa_bytes[LIMIT_NUMA_NODES_MAX]; /* used + reserved - scratch, per node */
    uint64_t numa_total_bytes[LIMIT_NUMA_NODES_MAX];
};

void ledger_init(struct ledger *ledger, uint64_t budget_bytes, unsigned numa_count,
                 const uint64_t *numa_total_bytes);
uint64_t ledger_free_bytes(const struct ledger *ledger);
/* Reserves on the NUMA node that will be the least loaded by its share (totals that are not known
 * count as equal; ties go to the lowest node); false when the budget does not allow it. */
bool ledger_reserve(struct ledger *ledger, uint64_t bytes, unsigned *ret_numa_node);
void ledger_commit(struct ledger *ledger, uint64_t bytes); /* reserved -> used */
void ledger_cancel(struct ledger *ledger, uint64_t bytes, unsigned numa_node);
void ledger_release(struct ledger *ledger, uint64_t bytes, unsigned numa_node);
/* False when the budget does not allow it. */
bool ledger_take_scratch(struct ledger *ledger, uint64_t bytes);
void ledger_give_scratch(struct ledger *ledger, uint64_t bytes);
/* The sums agree and nothing is over the budget. */
bool ledger_verify(const struct ledger *ledger);

#endif
