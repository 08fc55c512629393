/* SPDX-License-Identifier: Apache-2.0
 * What can be on its way to a node: a command, an ask, an answer, or news from its own process. A
 * letter is a few bytes without padding, so that equal letters are equal bytes; the message that
 * the judgement reads is built from it when it comes. */
#ifndef TESTS_SIM_EXHAUSTIVE_LETTERS_H
#define TESTS_SIM_EXHAUSTIVE_LETTERS_H

#include "agent/node.h"
#include "tests/sim/exhaustive/worlds.h"

enum letter_kind {
    LETTER_COMMAND,
    LETTER_ASK,
    LETTER_ANSWER,
    LETTER_NEWS, /* kinds from here on are of the process: never lost or repeated, gone with it */
    LETTER_LOADED = LETTER_NEWS,
    LETTER_DRAINED,
    LETTER_UNMAPPED,
};

enum { LETTER_NONCE_VOID = 0xff }; /* of an ask that is closed: see bench.h */

struct letter {
    uint8_t kind, to, from; /* nodes by index */
    uint8_t command;        /* of the world */
    uint8_t term;
    uint8_t from_boot, asker_boot, nonce;          /* ask, answer */
    uint8_t copy_state, epoch_term, epoch_version; /* answer */
};

/* A message and what it points to. */
struct letter_message {
    struct message message;
    struct segment_load_info load;
    struct segment_release release;
    struct witness witnesses[EXHAUST_WITNESSES_MAX];
};

struct letter letter_command(const struct exhaust_world *world, unsigned command);
/* What the action puts on its way; false: nothing that the model follows. */
bool letter_from_action(const struct node_action *action, unsigned from, uint64_t boot,
                        uint64_t term, struct letter *ret_letter);
enum node_event_kind letter_event(const struct letter *letter);
void letter_open(const struct letter *letter, const struct exhaust_world *world,
                 struct letter_message *ret_opened);
/* "node 2's ask, nonce 1, comes to node 1" without the verb's end: who, what, whither. */
void letter_describe(const struct letter *letter, const struct exhaust_world *world,
                     char ret_text[64]);

#endif
