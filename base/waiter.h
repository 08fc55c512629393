/* SPDX-License-Identifier: Apache-2.0
 * The one way to wait: an event count on a futex. A consumer of several rings has one waiter, which
 * all of its rings share. Pattern of the consumer:
 *
 *     uint32_t ticket = waiter_prepare(w);       // from here on a wake is not lost
 *     if (something is there) { waiter_cancel(w); take it; }
 *     else waiter_wait(w, ticket, timeout_us);
 *
 * A producer makes its item visible and then calls waiter_wake: one atomic load unless somebody
 * said that it sleeps. */
#ifndef BASE_WAITER_H
#define BASE_WAITER_H

#include <stdint.h>

struct waiter {
    _Alignas(64) _Atomic uint32_t sequence;
    _Atomic uint32_t sleepers;
    _Atomic uint32_t spin_credit; /* spinning has paid lately: see waiter_wait_until */
};

#define WAITER_FOREVER UINT64_MAX

void waiter_init(struct waiter *waiter);
uint32_t waiter_prepare(struct waiter *waiter);
void waiter_cancel(struct waiter *waiter);
/* Returns when woken, when timeout_us are over, or for no reason; the caller looks again. */
void waiter_wait(struct waiter *waiter, uint32_t ticket, uint64_t timeout_us);
void waiter_wake(struct waiter *waiter);
/* For one more item that any of the sleepers can take. */
void waiter_wake_one(struct waiter *waiter);

/* Calls ready(owner) until it is true or the clock passes deadline_us: spins at most 50 us, then
 * sleeps. Returns what ready said last. It spins only while that pays: when the last waits were all
 * longer, spinning gains nothing and takes a core from whoever is to wake us (10 us of a round trip
 * on two cores), so it sleeps at once until waits are short again. */
int waiter_wait_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                      uint64_t deadline_us);
/* The same without spinning: the core is wanted by others. */
int waiter_sleep_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                       uint64_t deadline_us);

#endif
