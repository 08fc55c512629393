/* SPDX-License-Identifier: Apache-2.0
 * What the files of the agent's shell share. Everything belongs to the node thread unless a field
 * says otherwise. */
#ifndef AGENT_AGENT_INTERNAL_H
#define AGENT_AGENT_INTERNAL_H

#include "agent/agent.h"
#include "agent/agent_state.h"
#include "agent/holding.h"
#include "agent/memory.h"
#include "agent/node.h"
#include "base/arena.h"
#include "base/ring.h"
#include "channel/subject.h"
#include "segstore/store.h"

enum {
    AGENT_INBOX_BYTES_MAX = 12 << 20, /* waiting in one inbox; more is dropped and counted */
    AGENT_EVENTS_SLOTS = 16384,       /* >= loads + 2 x copies + searches in flight: never full */
    AGENT_COMMANDS_PER_TURN = 256,
    AGENT_EVENTS_PER_TURN = 64,   /* so that searches are never starved: some unmap */
    AGENT_SEARCHES_PER_TURN = 32, /* so that control is never starved */
    AGENT_TURNS_MAX = 64,         /* per agent_poll, so that its caller is never starved */
    AGENT_QUIET_US = 1000, /* searches that all workers are too busy for wait so long for a look */
    AGENT_ACTIVE_BUCKETS = 1024,     /* of searches under way */
    AGENT_JOBS_KEPT = 64,            /* idle search jobs kept for reuse */
    AGENT_JOB_KEPT_BYTES = 64 << 10, /* of each arena of an idle job */
    AGENT_REPORT_GAP_MS = 50,        /* between full lists */
    AGENT_ENCODE_ARENA_BYTES = 8 << 20,
};

_Static_assert(AGENT_EVENTS_SLOTS >= 3 * LIMIT_SEGMENTS_PER_NODE_MAX + LIMIT_TASK_SLOTS,
               "the events ring must hold everything that may be under way");

enum inbox_kind { INBOX_CONTROL, INBOX_ASK, INBOX_SEARCH, INBOX_COUNT };

/* Filled by the bus library's threads, emptied by the node thread. */
struct inbox {
    struct ring ring;
    struct waiter *waiter;  /* the node thread's, whom its ring wakes not */
    _Atomic int is_quiet;   /* what comes now need not wake the node thread: it will look soon */
    _Atomic uint64_t bytes; /* of the messages that wait */
    _Atomic uint64_t *dropped_total;
};

/* The ledger does not count what waits; the rest is for tables and the search that runs when all is
 * full. Else a flood of messages would get a full node killed by its cgroup. */
_Static_assert(INBOX_COUNT *AGENT_INBOX_BYTES_MAX <= MEMORY_HEADROOM_MIN_BYTES * 5 / 8,
               "full inboxes must fit the headroom");

struct search_job;

struct agent {
    struct agent_options options;
    char cluster[LIMIT_NAME_BYTES], state_path[LIMIT_PATH_BYTES];
    char sender[LIMIT_NAME_BYTES]; /* "node/7" */
    struct agent_state state;      /* what is durable */
    uint64_t opened_us;            /* uptime counts from here */

    struct waiter waiter; /* of the inboxes and of events */
    struct inbox inboxes[INBOX_COUNT];
    struct ring events; /* struct agent_event, from loaders, workers and the node thread */
    _Atomic int woken;  /* agent_wake */

    struct node *node;
    struct node_actions *actions;
    bool stepping; /* actions are being executed: no step may begin */
    struct store *store;
    struct holdings *holdings;

    struct arena decode_arena, send_arena;
    struct subject ask_subject, event_subject, report_subject;

    struct search_job *idle_jobs, *active_jobs[AGENT_ACTIVE_BUCKETS];
    unsigned idle_jobs_count, searches_in_flight; /* in flight: or waiting */
    unsigned batches_in_flight, chunks_in_flight;
    struct search_job *waiting_first, *waiting_last; /* for a place at the executor */
    uint64_t waiting_queries;

    bool leaving, report_wanted;
    bool bus_is_away, bus_refuses; /* said so in the log */
    uint64_t report_number, heartbeat_due_us, list_allowed_us;
    uint64_t searches_total, commands_refused;
    _Atomic uint64_t dropped_total; /* any thread */
};

uint64_t agent_uptime_ms(const struct agent *agent);

#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* agent_receive.c: one message of control or ask; releases it. */
void agent_receive(struct agent *agent, enum inbox_kind kind, struct bus_message *message);
/* False: another cluster, or wrong kinds for this inbox (counted as dropped). */
bool agent_admits(struct agent *agent, enum inbox_kind kind, const struct message *message);
/* A feature is needed that this build lacks (C10). */
bool agent_lacks(const struct message *message);

/* agent_actions.c */
void agent_step(struct agent *agent, const struct node_event *event);
void agent_execute(struct agent *agent);
/* One event of loaders, workers or an unmapping. */
void agent_take_event(struct agent *agent, struct agent_event *event);
/* Shutting down: what is being loaded is not wanted any more. */
void agent_cancel_loads(struct agent *agent);

/* agent_send.c: fills the envelope, encodes, publishes. Node thread. */
void agent_send(struct agent *agent, const char *subject, struct message *message);
/* What the message would take when it is sent. */
size_t agent_message_bytes(struct agent *agent, struct message *message);
void agent_send_action(struct agent *agent, const struct node_action *action);
/* CommandRefused for a whole command, to its sender and to the event subject. */
void agent_refuse_command(struct agent *agent, const struct message *command, enum qn_status status,
                          const char *text);

/* agent_report.c */
void agent_report_due(struct agent *agent);
uint64_t agent_report_wake_us(const struct agent *agent);

/* dispatch.c: one message of the search inbox; releases it. shed: answer BUSY without searching. */
void dispatch_receive(struct agent *agent, struct bus_message *message, bool shed);
/* All places at the executor are taken: more searches cannot begin before one ends. */
bool dispatch_is_full(const struct agent *agent);
/* Gives searches that wait to the executor, as far as it has places; false: none. */
bool dispatch_waiting(struct agent *agent);
/* A batch of searches is over: its scratch goes back. */
void dispatch_finished(struct agent *agent, struct agent_event *event);
void dispatch_close(struct agent *agent);

#endif
