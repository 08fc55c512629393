/* SPDX-License-Identifier: Apache-2.0
 * Allocations that fail. The linker puts heap.c before malloc and its kin (--wrap, sim.cmake), so
 * production code needs no hook: whatever a process allocates while it is inside its own code may
 * fail. Ports lead outside: what the world allocates never fails. An agent is told NULL; the
 * coordinator, which stops for good when it has no memory, is killed at that very call. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include "base/check.h"

struct process;

/* From here to the end of the block the code is that process's; NULL: the world's. */
#define HEAP_INSIDE(whose)                                                                         \
    CLEANUP(heap_restore) __attribute__((unused)) struct process *heap_outer = heap_swap(whose)
#define HEAP_OUTSIDE HEAP_INSIDE(NULL)

/* Returns whose code it was. */
struct process *heap_swap(struct process *process);
void heap_restore(struct process **outer);

#endif
