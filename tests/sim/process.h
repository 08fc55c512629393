/* SPDX-License-Identifier: Apache-2.0
 * A process of the world: an agent, the coordinator, a client or the operator. A kill -9 cuts all
 * its ports at once, between two steps or inside one (after so many port calls); what the dead code
 * still does reaches nobody, and its memory is taken back when the step returns. */
#ifndef SIM_PROCESS_H
#define SIM_PROCESS_H

#include "agent/agent.h"
#include "coordinator/coordinator.h"
#include "tests/sim/disk.h"
#include "tests/sim/executor.h"
#include "tests/sim/state_memory.h"

enum process_kind { PROCESS_COORDINATOR, PROCESS_AGENT, PROCESS_CLIENT, PROCESS_OPERATOR };

struct process {
    struct world *world;
    enum process_kind kind;
    unsigned index; /* in world.processes */
    int64_t node_id;
    char name[16];

    bool is_alive;        /* its ports reach the world */
    uint32_t incarnation; /* counts starts */
    uint64_t started_us, paused_until_us;
    int64_t calls_left; /* port calls until it dies inside a step; negative: it does not */
    uint64_t poll_at_us;
    uint32_t idle_polls; /* in a row without virtual time passing */

    struct agent *agent;
    struct coordinator *coordinator;
    struct disk disk;             /* agents */
    struct sim_executor executor; /* agents */
    struct state_memory state;    /* coordinator */
};

void process_init(struct process *process, struct world *world, enum process_kind kind,
                  unsigned index);
void process_done(struct process *process);
/* Starts it, or plans another try when the start itself fails. */
void process_start(struct process *process);
void process_plan_start(struct process *process, uint64_t after_us);
/* Agents and the coordinator: it has something to do. */
void process_wake(struct process *process);
/* Now. */
void process_kill(struct process *process);
/* Inside one of its next steps. */
void process_kill_inside(struct process *process, uint32_t calls);
/* After code of the process ran outside of its turn (a task): it has a turn, or is dead. */
void process_after_step(struct process *process);
/* Every port call that matters asks first; false: the caller is dead, nothing happens any more. */
bool process_is_heard(struct process *process);

#endif
