/* SPDX-License-Identifier: Apache-2.0
 * The judgement of an agent: one event in (with its time), a bounded list of actions out. Pure: no
 * clock, file, socket, allocator after node_new, thread or random. agent.c executes the actions and
 * feeds the events; the simulator runs exactly this.
 *
 * Order of checks for a command: term (refused TERM_STALE when lower than known or more than 2^32
 * ahead; when higher it is first made durable: the step answers with NODE_ACTION_PERSIST_TERM
 * alone, the caller makes it durable, feeds NODE_EVENT_TERM_DURABLE and then the command again),
 * expiry by (boot, uptime), then segment by segment. Everything that is refused is counted and
 * answered. */
#ifndef AGENT_NODE_H
#define AGENT_NODE_H

#include "agent/ledger.h"
#include "channel/message.h"

/* A release on its way (C6, C7). */
struct node_release {
    enum ground ground;
    uint32_t witnesses_count;
    struct witness witnesses[LIMIT_WITNESSES_MAX];
    uint32_t answered_mask; /* witnesses that said SERVING to the ask with this nonce */
    uint64_t nonce;         /* of the ask that is open, 0: none; late answers to others are void */
    bool ask_sent;          /* the open ask went out once at least; asked_ms and deadline hold */
    bool second_ask;        /* drained; asking again before it unmaps */
    bool confirmed;         /* the first ask is answered by all */
    uint64_t leaving_since_ms, asked_ms, ask_deadline_ms;
    uint64_t unmap_ms; /* when NODE_ACTION_UNMAP was emitted */
};

struct node_copy {
    int64_t segment_id, collection_id, partition_id;
    char replica[LIMIT_NAME_BYTES];
    enum qn_copy_state state;
    struct qn_epoch epoch;
    struct qn_hash content_hash;
    uint64_t mem_size, num_rows, delete_generation;
    unsigned numa_node;
    char traceparent[TRACEPARENT_BYTES]; /* of the last load or release; empty: none */
    uint64_t load_started_ms, load_took_ms;
    bool cancelling;             /* LOADING, and its result is no longer wanted */
    bool unmapping;              /* UNMAP was emitted: nothing saves it; LOADING or DRAINING */
    struct node_release release; /* LEAVING and DRAINING; while cancelling: ground and witnesses */
};

enum node_event_kind {
    NODE_EVENT_TICK,         /* time passes; at the latest at node_wake_ms */
    NODE_EVENT_MESSAGE,      /* a decoded control or ask message */
    NODE_EVENT_TERM_DURABLE, /* term: is on disk */
    NODE_EVENT_LOADED,       /* segment_id: is mapped, checked, warm */
    NODE_EVENT_LOAD_FAILED,  /* segment_id, status, text */
    NODE_EVENT_DRAINED,      /* segment_id: its last reader is gone; void after an UNDRAIN */
    NODE_EVENT_UNMAPPED,     /* segment_id: its memory is given back; rss_before, rss_after */
    NODE_EVENT_SHUTDOWN,     /* from now on CopyStatus is answered LEAVING and no load begins */
};

struct node_event {
    enum node_event_kind kind;
    uint64_t now_ms; /* uptime */
    const struct message *message;
    uint64_t term;
    int64_t segment_id;
    enum qn_status status;
    const char *text;
    uint64_t rss_before, rss_after;
};

enum node_action_kind {
    NODE_ACTION_PERSIST_TERM, /* term; alone in its step */
    NODE_ACTION_LOAD,         /* load: start reading into numa_node */
    NODE_ACTION_CANCEL_LOAD,  /* segment_id; LOADED or LOAD_FAILED still follows; text: why */
    NODE_ACTION_DRAIN,        /* segment_id: no new search; DRAINED when the last reader is gone */
    NODE_ACTION_UNDRAIN,      /* segment_id: serves again */
    NODE_ACTION_UNMAP,        /* segment_id: give the memory back; UNMAPPED follows */
    NODE_ACTION_SEND,         /* message to subject_kind of node_id, or to reply_to */
    NODE_ACTION_REPORT,       /* send a full report soon: the copies changed, or it was asked */
};

enum node_subject { NODE_SUBJECT_EVENT, NODE_SUBJECT_ASK, NODE_SUBJECT_REPLY };

struct node_action {
    enum node_action_kind kind;
    uint64_t term;
    int64_t segment_id;
    unsigned numa_node;
    struct segment_load_info load; /* points into the event's message */
    enum node_subject subject;
    int64_t node_id;      /* NODE_SUBJECT_ASK */
    const char *reply_to; /* copy for the requester, or NULL; points into the event's message */
    uint64_t request_id;
    const char *traceparent; /* likewise, or into the copy; may be NULL */
    enum message_kind message_kind;
    union {
        struct copy_status_request copy_status_request;
        struct copy_status copy_status;
        struct segment_loaded segment_loaded;
        struct segment_released segment_released;
        struct load_failed load_failed;         /* text points to `text` below */
        struct release_held release_held;       /* likewise */
        struct leaving leaving;                 /* text: why, for the log */
        struct command_refused command_refused; /* likewise */
    };
    char text[192];
};

struct node_actions {
    uint32_t count;
    struct node_action items[LIMIT_ACTIONS_PER_STEP];
};

struct node_options {
    int64_t node_id;
    uint64_t boot; /* this start's number */
    uint64_t term; /* the highest that is durable */
    uint64_t release_grace_ms;
    uint64_t budget_bytes;
    unsigned numa_count;
    uint64_t numa_total_bytes[LIMIT_NUMA_NODES_MAX];
};

struct node_counters {
    uint64_t commands_refused; /* CommandRefused, of which terms_refused and expired */
    uint64_t terms_refused, expired;
    uint64_t loads_refused; /* LoadFailed at once: nothing was started */
    uint64_t releases_held, asks_answered;
};

struct node;

/* NULL when out of memory: everything the node will ever need is taken here. */
struct node *node_new(const struct node_options *options);
struct node *node_free(struct node *node);

/* The event is consumed, or answered with NODE_ACTION_PERSIST_TERM alone (see the head). A command
 * that names more than LIMIT_SEGMENTS_PER_COMMAND_MAX segments is refused whole, INVALID. Texts and
 * replicas in the actions point into ret_actions, the event and the node: valid until the next
 * step.
 */
void node_step(struct node *node, const struct node_event *event, struct node_actions *ret_actions);
/* When NODE_EVENT_TICK must come at the latest; UINT64_MAX when nothing is waiting. Work that did
 * not fit into LIMIT_ACTIONS_PER_STEP says now. */
uint64_t node_wake_ms(const struct node *node);

/* What is known, for reports and the search path; valid until the next step. */
const struct node_copy *node_find(const struct node *node, int64_t segment_id);
size_t node_copies_count(const struct node *node);
const struct node_copy *node_copy_at(const struct node *node, size_t index); /* by segment id */
/* Where a released segment went, or a draining one goes: true with the node (MOVED), false:
 * NOT_HERE. */
bool node_moved_to(const struct node *node, int64_t segment_id, int64_t *ret_node_id);
uint64_t node_term(const struct node *node);
const struct ledger *node_ledger(const struct node *node);
/* Search scratch is reserved in the same ledger. */
bool node_reserve_scratch(struct node *node, uint64_t bytes);
void node_release_scratch(struct node *node, uint64_t bytes);
const struct node_counters *node_counters(const struct node *node);
/* hash64 chained over (id, state, epoch) of all copies in order: changes whenever one of them does.
 * In O(copies): for reports, not for each step. */
uint64_t node_copies_digest(const struct node *node);
/* Every invariant, in O(copies): for tests. node_step checks what it changed, always. */
bool node_verify(const struct node *node);

#endif
