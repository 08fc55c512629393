/* SPDX-License-Identifier: Apache-2.0
 * Bounded ring of pointers, any number of producers and consumers (Vyukov's bounded queue). The
 * only place where threads meet. A push wakes one of those who sleep on the ring's
 * waiter, so they must be equals; a full ring refuses. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/waiter.h"
#include "qnode/types.h"

struct ring_slot;

struct ring {
    struct ring_slot *slots;
    uint64_t mask;
    struct waiter *waiter; /* the consumers', not owned; may be shared by several rings */
    _Alignas(64) _Atomic uint64_t head; /* next to push */
    _Alignas(64) _Atomic uint64_t tail; /* next to pop */
};

/* slots_count: a power of two. QN_STATUS_NO_MEMORY if it cannot be had. */
enum qn_status ring_init(struct ring *ring, uint64_t slots_count, struct waiter *waiter);
void ring_done(struct ring *ring);
/* False when full; item is not NULL. */
bool ring_push(struct ring *ring, void *item);
/* NULL when empty. */
void *ring_pop(struct ring *ring);
/* A hint: exact only when nobody else pushes or pops. */
uint64_t ring_count(struct ring *ring);

#endif
