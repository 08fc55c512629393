/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's state port in memory: what was committed survives a kill, all of a transaction
 * or nothing. Moves are counted when they are committed as finished. */
#ifndef SIM_STATE_MEMORY_H
#define SIM_STATE_MEMORY_H

#include "coordinator/state.h"

struct process;

struct state_memory {
    struct process *process;
    struct state_row *rows;
    size_t count, capacity;
    uint64_t moves_done; /* committed here */
};

void state_memory_init(struct state_memory *memory, struct process *process);
void state_memory_done(struct state_memory *memory);
/* As from a backup: the rows of the other, and none of its own. */
void state_memory_copy(struct state_memory *memory, const struct state_memory *from);
struct state state_memory_port(struct state_memory *memory);

#endif
