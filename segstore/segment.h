/* SPDX-License-Identifier: Apache-2.0
 * A sealed segment in memory: one mapping, immutable, with pins. The mapping's length is the file's
 * resident_bytes to the byte. */
#ifndef SEGSTORE_SEGMENT_H
#define SEGSTORE_SEGMENT_H

#include "base/files.h"
#include "segstore/facts.h"
#include "segstore/index.h"

struct segment {
    struct segment_facts facts;
    const int64_t *primary_keys; /* rows_count */
    /* One of the three: ceil(rows/16) blocks of dim x 16 floats, the tail zero; or, with an index,
     * rows_count x dim, as floats or as halves. The others are NULL; all are if there are no rows.
     */
    const float *blocks;
    const float *rows;
    const uint16_t *rows16;
    struct index index;    /* kind INDEX_NONE: none */
    unsigned char *memory; /* facts.resident_bytes, NULL when that is 0 (no rows) */
    unsigned numa_node;
    struct files files; /* gives the memory back */

    /* Pins in the low bits; the top bit says that it drains. */
    _Atomic uint64_t pins;
    void (*on_drained)(void *owner, struct segment *segment);
    void *on_drained_owner;
};

/* Node thread only, and never after segment_drain. */
void segment_pin(struct segment *segment);
/* Any thread. The last unpin of a draining segment calls on_drained, once, on that thread. */
void segment_unpin(struct segment *segment);
/* Node thread. No pin may follow. Calls on_drained at once if there is no reader. A drained segment
 * may be un-drained (release held, C6) with segment_undrain. Callback and owner are the same
 * at each drain of one segment. */
void segment_drain(struct segment *segment, void (*on_drained)(void *, struct segment *),
                   void *owner);
/* Node thread. True: the last reader had left, so on_drained was called or is on its way, and the
 * segment may neither be drained again nor freed before it arrived. False: it never will be. */
bool segment_undrain(struct segment *segment);
uint64_t segment_pins_count(const struct segment *segment);
/* Unmaps and frees; no pin may be left. Takes NULL, returns NULL. */
struct segment *segment_free(struct segment *segment);

#endif
