/* SPDX-License-Identifier: Apache-2.0
 * The judgement's whole memory, and the step that runs. One thread, no clock: now_ms is the
 * event's. */
#ifndef COORDINATOR_CORE_H
#define COORDINATOR_CORE_H

#include "coordinator/catalog.h"
#include "coordinator/cluster.h"
#include "coordinator/outbox.h"

enum {
    CORE_LISTEN_MS = 1000,       /* of reports, before a term is taken */
    CORE_TERM_SPREAD = 1000,     /* a new term lies at most so far above the others */
    CORE_TICK_MS = 100,          /* a tick at least this often */
    CORE_REPEAT_MS = 1000,       /* what is wanted and not seen is said again */
    CORE_CLIENT_TERM_MS = 30000, /* of our term, before a client is believed to know a higher one */
    CORE_COMMAND_SEGMENTS = 64,  /* of one command message */
    CORE_VIEW_GAP_MS = 50,       /* between views that no hand-off waits for */
    CORE_VIEW_REPEAT_MS = 10000, /* an unchanged view is published again */
    CORE_ANSWERS_KEPT = 256,     /* of changing requests, for their repeats */
};

struct core_options {
    const char *cluster;
    uint64_t overlap_ms, command_ttl_ms, ceased_wait_ms;
    uint64_t boot; /* of this start: tells two that took the same term apart */
};

enum core_phase { CORE_LISTENING, CORE_ACTIVE, CORE_STOPPED };

/* An answer that was given: a repeat of the request gets it again. */
struct core_answer {
    char sender[LIMIT_NAME_BYTES];
    uint64_t request_id;
    enum qn_status status;
    char *text; /* NULL: the slot is empty */
    int64_t collection_id;
    uint64_t *move_ids;
    size_t moves_count;
};

struct core {
    struct core_options options;
    enum core_phase phase;
    uint64_t opened_ms, active_ms;
    uint64_t announced_ms; /* on `coord`, last; 0: never */
    bool opened;           /* opened_ms is set: the first event came */

    uint64_t term;       /* ours once ACTIVE; before, the highest that is stored */
    uint64_t heard_term; /* the highest that nodes, clients and other coordinators know */
    uint64_t version;    /* the last one minted */
    bool counters_changed;
    uint64_t last_request_id;

    struct cluster cluster;
    struct catalog catalog;
    struct core_answer answers[CORE_ANSWERS_KEPT];
    size_t answers_next;

    uint64_t strays_due_ms;    /* when they are looked at again; 0: there were none */
    uint64_t obedience_due_ms; /* when the last node is no longer waited for; 0: none is */

    bool touched;   /* something changed that moves, loads or views look at */
    bool unsettled; /* something wanted is not seen yet */

    /* of the step that runs */
    struct outbox *out;
    uint64_t now_ms, wall_ms;
    size_t payload_max; /* bytes of a message that the bus takes now, and that we send at most */
    uint64_t answer_number; /* of the request that is answered now */
    struct arena probe;     /* messages that are only measured */
};

struct core *core_new(const struct core_options *options);
struct core *core_free(struct core *core);
/* All rows of the state, before the first step. */
enum qn_status core_restore(struct core *core, const struct state_row *rows, size_t count,
                            struct qn_error *error);

/* A fresh (term, version); the counter is made durable with this step. */
struct qn_epoch core_mint(struct core *core);
/* Moves, loads and views are looked at again in this step. */
void core_touch(struct core *core);
/* A node that was never heard of is UNKNOWN at first, and SILENT when it had its time. */
enum cluster_standing core_standing(const struct core *core, int64_t node_id, int64_t segment_id,
                                    struct qn_epoch epoch);
/* "node 3 silent for 5.0 s" */
void core_silence_text(const struct core *core, int64_t node_id, char *ret_text, size_t text_bytes);
/* The node knows our term, durably: no command of an older coordinator can drop a copy that our
 * views name on it. One that cannot make it durable is waited for LIMIT_NODE_SILENT_MS. */
bool core_is_obeyed(const struct core *core, const struct cluster_node *node);
/* A node that may take copies: known, heard of, not shutting down. */
bool core_node_is_live(const struct core *core, int64_t node_id);

#endif
