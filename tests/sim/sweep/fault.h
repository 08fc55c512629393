/* SPDX-License-Identifier: Apache-2.0
 * Fails the n-th call of a class, and counts what is held. The calls are caught by the linker
 * (--wrap, tests/unit/sim.cmake), so production code has no hook; the ports that the stage gives it
 * ask fault_strikes themselves.
 *
 * A call is counted only while the fault is armed and code of the party that it is meant for runs:
 * whoever calls production code says so with fault_enter, and ports and handlers that lead out of
 * it enter whom they lead to. */
#ifndef SWEEP_FAULT_H
#define SWEEP_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* One line per class: name in the table. */
enum fault_class {
    FAULT_MALLOC,    /* malloc, calloc, realloc, reallocarray, aligned_alloc, strdup, asprintf */
    FAULT_MAP,       /* mmap, and madvise that brings the pages */
    FAULT_OPEN,      /* open */
    FAULT_READ,      /* pread */
    FAULT_WRITE,     /* write, fsync, rename: a durable write in pieces */
    FAULT_PUBLISH,   /* the transport port */
    FAULT_SUBSCRIBE, /* the transport port */
    FAULT_COMMIT,    /* the coordinator's state port */
    FAULT_CLASSES,
};

/* Whose code runs. One node is the one that fails; the other counts as nobody. */
enum fault_party {
    FAULT_PARTY_NOBODY,
    FAULT_PARTY_AGENT,
    FAULT_PARTY_CLIENT,
    FAULT_PARTY_COORDINATOR,
};

const char *fault_class_name(enum fault_class class);

struct fault_plan {
    enum fault_class class;
    enum fault_party party;
    uint64_t at;    /* this call fails, from 1 */
    bool is_sticky; /* and all after it */
};

/* Sets the counters to 0 and arms. */
void fault_arm(const struct fault_plan *plan);
const struct fault_plan *fault_planned(void);
/* Nothing fails any more; the counters stay. */
void fault_disarm(void);
/* Calls that failed since fault_arm. */
uint64_t fault_fired_count(void);
/* Calls seen since fault_arm, the one that strikes included. */
uint64_t fault_calls_count(void);
/* True: this call fails. */
bool fault_strikes(enum fault_class class);

/* From now on code of this party runs; returns who ran before, for the way back. */
enum fault_party fault_enter(enum fault_party party);

/* What our objects hold: blocks of the heap, mapped bytes, open files. */
struct fault_held {
    int64_t blocks_count, mapped_bytes, files_count;
};

struct fault_held fault_held(void);

/* Lines at warning or error since fault_arm; nothing is printed. */
uint64_t fault_warnings_count(void);

#endif
