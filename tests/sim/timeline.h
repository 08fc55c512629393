/* SPDX-License-Identifier: Apache-2.0
 * Virtual time: a heap of what will happen, ordered by time and then by who asked first. */
#ifndef SIM_TIMELINE_H
#define SIM_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void timeline_fire(void *owner, uint64_t tag);

struct timeline_event;

struct timeline {
    uint64_t now_us;
    uint64_t order; /* events ever planned: the tie-breaker */
    struct timeline_event *heap;
    size_t count, capacity;
};

void timeline_init(struct timeline *timeline);
void timeline_done(struct timeline *timeline);
/* A time that has passed means now. There is no cancelling: fire() looks at its tag. */
void timeline_at(struct timeline *timeline, uint64_t at_us, timeline_fire *fire, void *owner,
                 uint64_t tag);
/* Fires the next event; false when there is none up to until_us (then it is until_us). */
bool timeline_step(struct timeline *timeline, uint64_t until_us);

#endif
