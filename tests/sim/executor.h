/* SPDX-License-Identifier: Apache-2.0
 * Workers and loaders of one agent: tasks wait in the world and run at later virtual times, in the
 * order that the seed's durations give; or inline, when the options say so. */
#ifndef SIM_EXECUTOR_H
#define SIM_EXECUTOR_H

#include "base/executor.h"

enum { SIM_EXECUTOR_SLOTS = 256, SIM_EXECUTOR_LANES = 2 };

struct process;

struct sim_executor_slot {
    struct task *task; /* NULL: free */
    enum executor_lane lane;
    uint64_t ticket;
};

struct sim_executor {
    struct process *process;
    struct sim_executor_slot slots[SIM_EXECUTOR_SLOTS];
    uint64_t tickets_count;
    uint32_t waiting[SIM_EXECUTOR_LANES];
};

void sim_executor_init(struct sim_executor *executor, struct process *process);
struct executor sim_executor_port(struct sim_executor *executor);
/* Runs what was taken, now: before the memory of a dead process is released. */
void sim_executor_drain(struct sim_executor *executor);

#endif
