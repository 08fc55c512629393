/* SPDX-License-Identifier: Apache-2.0
 * The small worlds that are walked to their end: who holds the segment, what is on its way from the
 * start, and how many faults may happen. Everything on its way may come at any time, in any order;
 * so a command "told later" is one that comes late. */
#ifndef TESTS_SIM_EXHAUSTIVE_WORLDS_H
#define TESTS_SIM_EXHAUSTIVE_WORLDS_H

#include "channel/message.h"

enum {
    EXHAUST_NODES_MAX = 3,
    EXHAUST_WITNESSES_MAX = 2,
    EXHAUST_COMMANDS_MAX = 8,
    EXHAUST_SEGMENT = 7,
    EXHAUST_TERM = 5,       /* that every node knows at the start */
    EXHAUST_GRACE_MS = 150, /* below the repeat of an ask: over or not, nothing between */
};

enum exhaust_verb { EXHAUST_RELEASE, EXHAUST_FORCE, EXHAUST_LOAD };

struct exhaust_command {
    enum exhaust_verb verb;
    uint8_t to;   /* node id, 1 .. */
    uint8_t term; /* 0: EXHAUST_TERM */
    struct qn_epoch epoch;
    uint8_t witnesses[EXHAUST_WITNESSES_MAX]; /* node ids, 0: none */
    struct qn_epoch witness_epoch;
    bool orphan;   /* FORCE of a copy that nobody may rely on: no excuse for a loss */
    uint8_t times; /* on its way from the start; 0: once */
};

struct exhaust_world {
    const char *name, *about;
    unsigned nodes; /* each SERVING 5.1 at the start, in boot 1 */
    struct exhaust_command commands[EXHAUST_COMMANDS_MAX];
    unsigned commands_count;
    uint8_t losses, repeats; /* letters of the bus that are lost, that come and come again */
    uint8_t resends;         /* asks that a node repeats because it waited 200 ms */
    uint8_t restarts;        /* kill -9, then a new process that holds nothing */
};

size_t exhaust_worlds_count(void);
const struct exhaust_world *exhaust_world_at(size_t index);
/* The one segment: 512 bytes, replica "r1". */
struct segment_load_info exhaust_segment(struct qn_epoch epoch);

#endif
