/* SPDX-License-Identifier: Apache-2.0
 * The agent around its judgement: inboxes, search path, store, loads, reports. Everything outside
 * comes through the four ports, so qnoded and the simulator run the same code.
 *
 * agent_poll is the node thread's turn: it takes what is in the inboxes, steps the node, executes
 * actions, sends reports that are due, and returns when there is nothing to do. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "base/clock.h"
#include "base/executor.h"
#include "base/files.h"
#include "channel/message.h"
#include "channel/transport.h"

struct agent_options {
    int64_t node_id;
    const char *cluster;
    const char *state_dir; /* holds node.state: boot and term */
    uint64_t first_boot;   /* of a new state directory, counted from 1 if 0; random, so that two
                            * that were given the same node id can be told apart */
    uint64_t budget_bytes; /* after headroom; see memory.h */
    uint64_t release_grace_ms;
    unsigned numa_count;
    uint64_t numa_total_bytes[64];
    /* Fills the figures that only the host knows (anon, locked, limit, available, heap); NULL:
     * zeros. */
    void (*read_memory)(void *owner, struct memory_report *report);
    /* RssAnon alone, twice for each unmapping, so it must be cheap; NULL: zero. */
    uint64_t (*read_anon)(void *owner);
    void *read_memory_owner; /* of both */
    /* Both stay the caller's. Searches and their answers may have a connection of their own, so
     * that bulk delays no control; without ops they share the other. */
    struct transport transport, search_transport;
    struct files files;
    struct clock clock;
    struct executor executor;
};

struct agent;

/* Reads the state (a missing one is a first start; a damaged one CORRUPT, another node's CONFLICT),
 * takes boot + 1 and makes it durable, subscribes control, ask and search. A failure to subscribe
 * leaves an agent that can only be closed, after the transport like any other, because the bus may
 * know it already; other failures leave NULL. */
enum qn_status agent_open(const struct agent_options *options, struct agent **ret_agent,
                          struct qn_error *error);
/* Node thread. Returns the time (clock, us) at which it must be called again at the latest. */
uint64_t agent_poll(struct agent *agent);
/* Node thread: sleeps until something is in an inbox or until_us. */
void agent_wait(struct agent *agent, uint64_t until_us);
/* Any thread, and signal handlers: agent_wait returns at once. */
void agent_wake(struct agent *agent);
/* Node thread: says Leaving in reports and answers LEAVING to asks; searches are still answered,
 * loads under way are cancelled. */
void agent_leave(struct agent *agent);
/* Node thread: searches were taken and are not answered yet (who ends the process waits for them).
 */
bool agent_is_searching(const struct agent *agent);
/* Memory only: after the transport's and the executor's threads are gone. Releases all segments. */
void agent_close(struct agent *agent);

#endif
