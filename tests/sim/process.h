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
    bool is_retired;      /* nobody starts it again */
    uint64_t started_us, paused_until_us;
    /* Its own clock showed clock_local_us at clock_since_us of the world, and runs so much faster.
     */
    uint64_t clock_since_us, clock_local_us;
    int64_t clock_ppm;
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
/* What its own clock shows: it starts at 0, may drift, and may jump forward (a virtual machine that
 * was suspended). */
uint64_t process_clock_us(const struct process *process);
void process_clock_jump(struct process *process, uint64_t by_us);
/* Drifts from here on by so much; 0: not. */
void process_clock_drift(struct process *process, int64_t ppm);
/* Now. */
void process_kill(struct process *process);
/* Now, within a call that its own code makes. */
void process_kill_here(struct process *process);
/* An agent is told to end, as by SIGTERM; it is stopped later, with process_stop. */
void process_leave(struct process *process);
/* Ends without a crash; restarted like after one, unless retired. */
void process_stop(struct process *process);
/* Inside one of its next steps. */
void process_kill_inside(struct process *process, uint32_t calls);
/* After code of the process ran outside of its turn (a task): it has a turn, or is dead. */
void process_after_step(struct process *process);
/* Every port call that matters asks first; false: the caller is dead, nothing happens any more. */
bool process_is_heard(struct process *process);

#endif
