/* SPDX-License-Identifier: Apache-2.0
 * What the files of the judgement share. node.c takes events apart, node_load.c and node_release.c
 * are the two halves of a copy's life, node_ask.c is the asks of a release, node_change.c reads
 * releases out of commands, node_tables.c keeps the copies and the two bounded memories, node_say.c
 * writes actions, node_verify.c is for tests. */
#ifndef AGENT_NODE_INTERNAL_H
#define AGENT_NODE_INTERNAL_H

#include "agent/node.h"

#include <assert.h>
#include <stdarg.h>

enum {
    NODE_ASK_REPEAT_MS = 200,   /* an ask that is not answered is sent again, with its nonce */
    NODE_ASK_GIVE_UP_MS = 2000, /* after the first sending: the release is held */
    NODE_MEMORY_SLOTS = 4096,   /* of a bounded memory */
    NODE_SLOT_NONE = 0xffff,
};

/* Keys in the order in which they came, found by hash, the oldest forgotten first. The values stand
 * in the owner's array under the same slot. A key may stand more than once. */
struct node_memory {
    uint32_t next; /* slot that is written next */
    int64_t keys[NODE_MEMORY_SLOTS];
    bool live[NODE_MEMORY_SLOTS];
    uint16_t heads[NODE_MEMORY_SLOTS], links[NODE_MEMORY_SLOTS];
};

struct node {
    int64_t node_id;
    uint64_t boot, term, release_grace_ms;
    uint64_t now_ms; /* of the last step */
    uint64_t nonce;  /* of the last ask; unique within the boot */
    bool leaving;    /* SHUTDOWN was seen */
    struct ledger ledger;
    uint64_t copies_bytes; /* mem_size of all copies: the ledger without its scratch */
    struct node_counters counters;

    uint32_t copies_count, releasing_count, releasing_cursor;
    uint16_t order[LIMIT_SEGMENTS_PER_NODE_MAX];     /* slots by segment id; then the free ones */
    uint16_t releasing[LIMIT_SEGMENTS_PER_NODE_MAX]; /* slots LEAVING or DRAINING, not unmapping */
    struct node_copy copies[LIMIT_SEGMENTS_PER_NODE_MAX];

    struct qn_epoch floor;       /* loads up to this epoch are refused (C5) */
    struct node_memory released; /* by segment id; several epochs of one may stand */
    struct segment_released receipts[NODE_MEMORY_SLOTS];
    struct node_memory hints;
    int64_t hint_nodes[NODE_MEMORY_SLOTS];
};

static_assert((int)NODE_MEMORY_SLOTS == (int)LIMIT_RELEASED_EPOCHS, "one size for both memories");
static_assert((int)NODE_MEMORY_SLOTS == (int)LIMIT_MOVED_HINTS, "one size for both memories");
static_assert((int)NODE_SLOT_NONE >= (int)LIMIT_SEGMENTS_PER_NODE_MAX, "slots fit 16 bits");

/* One step under way. */
struct node_turn {
    struct node *node;
    const struct message *command; /* that is being answered, or NULL */
    struct node_actions *actions;
    bool changed; /* a copy came, went, moved or took an epoch: a report follows */
    bool report;  /* a report was asked for */
};

/* node_say.c */
uint32_t node_say_room(const struct node_turn *turn); /* actions that still fit */
struct node_action *node_say_action(struct node_turn *turn, enum node_action_kind kind,
                                    int64_t segment_id);
/* A receipt for all. */
struct node_action *node_say_event(struct node_turn *turn, enum message_kind kind);
/* A receipt for all that answers the command: its sender gets a copy. */
struct node_action *node_say_answer(struct node_turn *turn, enum message_kind kind);
/* The copy takes its command's trace; an action of a later step, which no command has, gives it on.
 */
void node_say_take_trace(const struct node_turn *turn, struct node_copy *copy);
void node_say_trace(struct node_action *action, const struct node_copy *copy);
/* Fills action->text; returns it. */
const char *node_say_text(struct node_action *action, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* CommandRefused with the epoch of the copy held, if any; segment 0: the whole command. Counted. */
void node_say_refused(struct node_turn *turn, int64_t segment_id, enum qn_status status,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* node_tables.c */
void node_tables_init(struct node *node);
struct node_copy *node_tables_find(struct node *node, int64_t segment_id);
/* NULL when all slots are taken; zeroed but for its segment id. */
struct node_copy *node_tables_add(struct node *node, int64_t segment_id);
void node_tables_remove(struct node *node, struct node_copy *copy);
void node_tables_releasing_add(struct node *node, const struct node_copy *copy);
void node_tables_releasing_remove(struct node *node, const struct node_copy *copy);
/* The receipt of that very epoch, or NULL. */
const struct segment_released *node_tables_receipt(const struct node *node, int64_t segment_id,
                                                   struct qn_epoch epoch);
/* The copy of this epoch was released, or is older than one that was, or than the floor. */
bool node_tables_epoch_is_over(const struct node *node, int64_t segment_id, struct qn_epoch epoch);
void node_tables_remember(struct node *node, const struct segment_released *receipt);
void node_tables_hint(struct node *node, int64_t segment_id, int64_t node_id);
void node_tables_unhint(struct node *node, int64_t segment_id);
bool node_tables_verify(const struct node *node);

/* node_load.c */
void node_load_command(struct node_turn *turn);
void node_load_done(struct node_turn *turn, const struct node_event *event);
void node_load_failed(struct node_turn *turn, const struct node_event *event);

/* node_change.c */
void node_change_release_command(struct node_turn *turn);
void node_change_info_command(struct node_turn *turn);

/* node_release.c. The request was checked by node_change.c; witnesses are copied. */
void node_release_begin(struct node_turn *turn, struct node_copy *copy,
                        const struct segment_release *request);
bool node_release_is_same(const struct node_copy *copy, const struct segment_release *request);
/* Back to SERVING with ReleaseHeld(EPOCH_STALE); not once it is unmapping. */
void node_release_call_off(struct node_turn *turn, struct node_copy *copy, struct qn_epoch newer);
/* Back to SERVING, the request forgotten; the caller gives the ReleaseHeld its text. */
struct node_action *node_release_hold(struct node_turn *turn, struct node_copy *copy,
                                      enum qn_status status, int64_t witness_node_id);
void node_release_drained(struct node_turn *turn, const struct node_event *event);
void node_release_unmap(struct node_turn *turn, struct node_copy *copy);
void node_release_unmapped(struct node_turn *turn, const struct node_event *event);
/* Epoch and hint remembered, receipt emitted, copy dropped; its bytes left the ledger before. */
void node_release_finish(struct node_turn *turn, struct node_copy *copy, uint64_t rss_before,
                         uint64_t rss_after);
/* Asks that are due, asks given up, graces that ended: as much as fits into this step. */
void node_release_pump(struct node_turn *turn);
uint64_t node_release_wake_ms(const struct node *node);

/* node_ask.c */
void node_ask_open(struct node *node, struct node_release *release); /* a new nonce, not yet sent */
void node_ask_send(struct node_turn *turn, struct node_copy *copy);  /* to those who are silent */
uint32_t node_ask_mask(const struct node_release *release);          /* one bit per witness */
void node_ask_answer(struct node_turn *turn, const struct message *message);

/* node.c: the only place where a state changes. */
void node_move(struct node_turn *turn, struct node_copy *copy, enum qn_copy_state next);
/* To ABSENT and out of the table. */
void node_drop(struct node_turn *turn, struct node_copy *copy);

#endif
