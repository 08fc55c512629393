/* SPDX-License-Identifier: Apache-2.0
 * Two judgements that hold the same segment, and the letters between them, which come in the order
 * that somebody chooses. */
#ifndef TESTS_UNIT_AGENT_NODE_PAIR_H
#define TESTS_UNIT_AGENT_NODE_PAIR_H

#include "tests/unit/agent_node_rig.h"

enum {
    PAIR_SEGMENT = 7,
    PAIR_LETTERS_MAX = 48,
    PAIR_GRACE_MS = 300,
};

struct pair_letter {
    int to;        /* index of the node */
    bool internal; /* LOADED, DRAINED or UNMAPPED: never lost, never repeated */
    enum node_event_kind event;
    struct message message;
};

struct pair {
    struct node *nodes[2];
    uint64_t now_ms;
    struct pair_letter letters[PAIR_LETTERS_MAX];
    size_t letters_count;
    unsigned losses_left, repeats_left, waits_left;
};

/* What can become of letter i: choice PAIR_WAYS x i + way. PAIR_WAYS x letters_count: time passes.
 */
enum { PAIR_COMES, PAIR_IS_LOST, PAIR_COMES_TWICE, PAIR_WAYS };

/* Nodes 1 and 2, both SERVING; no losses, repeats or waits are left. */
void pair_open(struct pair *pair);
void pair_close(struct pair *pair);
/* As start was when it was opened; start itself was never touched since. */
void pair_restart(struct pair *pair, const struct pair *start);
/* The message's arrays must outlive the letter. */
void pair_post(struct pair *pair, int to, const struct message *message);
uint64_t pair_wake_ms(const struct pair *pair);
bool pair_may(const struct pair *pair, size_t choice);
void pair_take(struct pair *pair, size_t choice);

#endif
