/* SPDX-License-Identifier: Apache-2.0
 * The walk of one world, breadth first: the first violation met has the shortest schedule. Two
 * situations are the same when their bytes are: images and letters by number, faults that are
 * left, grounds. Compared in full, not by hash: nothing is skipped by a collision. */
#ifndef TESTS_SIM_EXHAUSTIVE_WALK_H
#define TESTS_SIM_EXHAUSTIVE_WALK_H

#include "tests/sim/exhaustive/bench.h"

enum { WALK_LETTERS_MAX = 20 };

/* By what a copy goes: for each node 3 bits, the boot of the process whose yes counted, 0: none. */
struct grounds {
    uint16_t first, second; /* of the two asks; WALK_FORCED in first: by FORCE */
};

enum { WALK_FORCED = 1 << 15 };

struct situation {
    uint16_t images[EXHAUST_NODES_MAX];
    uint8_t losses, repeats, resends, restarts; /* that may still happen */
    struct grounds grounds[EXHAUST_NODES_MAX];
    uint16_t letters_count;
    uint16_t letters[WALK_LETTERS_MAX]; /* by number, sorted; the rest is 0 */
};

enum walk_way { WALK_COMES, WALK_IS_LOST, WALK_COMES_AGAIN };

/* How a situation was reached first. */
struct walk_link {
    uint32_t parent;
    uint16_t event; /* a letter's number or BENCH_EVENT_* */
    uint8_t node, way;
};

struct walk {
    const struct exhaust_world *world;
    bool for_good; /* judge only the unmapping of the very last copy */
    struct bench *bench;
    struct situation *situations;
    struct walk_link *links;
    size_t count, slots;
    uint32_t *index; /* hash set of numbers + 1 */
    size_t index_slots;
    size_t depth, transitions;
    size_t ends, moved_ends, lost_ends; /* moved: some copies went, some are left */
    size_t excused;                     /* steps after which none answers, by a kill or FORCE */
    size_t replays;                     /* schedules lived again */
    size_t limit;                       /* situations at most; more is a failure */
    const char *doubt;       /* what was broken is the walk, not a rule: there is no schedule */
    const char *violation;   /* the rule that is broken, or NULL */
    struct situation broken; /* the situation that breaks it */
    struct walk_link broken_by;
};

void walk_init(struct walk *walk, const struct exhaust_world *world, size_t limit);
void walk_done(struct walk *walk);
/* To the end, or to the first violation. */
void walk_run(struct walk *walk);

#endif
