/* SPDX-License-Identifier: Apache-2.0 */
#include "base/waiter.h"

#include "base/clock.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_US = 50,
    SPIN_WORTH_US = 80,  /* a sleep that was over so soon, its wake-up included, was worth a spin */
    SPIN_CREDIT_MAX = 8, /* so many long waits in a row end the spinning; a short one begins it */
};

void waiter_init(struct waiter *waiter)
{
    atomic_init(&waiter->sequence, 0);
    atomic_init(&waiter->sleepers, 0);
    atomic_init(&waiter->spin_credit, SPIN_CREDIT_MAX);
}

uint32_t waiter_prepare(struct waiter *waiter)
{
    (void)atomic_fetch_add(&waiter->sleepers, 1);
    return atomic_load(&waiter->sequence);
}

void waiter_cancel(struct waiter *waiter)
{
    (void)atomic_fetch_sub(&waiter->sleepers, 1);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_us)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
                               .tv_nsec = (long)(timeout_us % 1000000) * 1000};

    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                  timeout_us == WAITER_FOREVER ? NULL : &timeout, NULL, 0);
}

void waiter_wait(struct waiter *waiter, uint32_t ticket, uint64_t timeout_us)
{
    if (atomic_load(&waiter->sequence) == ticket && timeout_us > 0)
        futex_wait(&waiter->sequence, ticket, timeout_us);
    waiter_cancel(waiter);
}

static void wake(struct waiter *waiter, int most)
{
    /* Read-modify-write rather than fence and load: TSan understands it. */
    if (atomic_fetch_add(&waiter->sleepers, 0) == 0)
        return;
    (void)atomic_fetch_add(&waiter->sequence, 1);
    (void)syscall(SYS_futex, &waiter->sequence, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
}

void waiter_wake(struct waiter *waiter)
{
    wake(waiter, INT_MAX);
}

void waiter_wake_one(struct waiter *waiter)
{
    wake(waiter, 1);
}

/* A hint that several consumers may write: lost updates do no harm. */
static void note_wait(struct waiter *waiter, uint64_t waited_us)
{
    uint32_t credit = atomic_load_explicit(&waiter->spin_credit, memory_order_relaxed);
    uint32_t next = waited_us < SPIN_WORTH_US ? SPIN_CREDIT_MAX : credit > 0 ? credit - 1 : 0;

    if (next != credit)
        atomic_store_explicit(&waiter->spin_credit, next, memory_order_relaxed);
}

static int wait_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                      uint64_t deadline_us, uint64_t spin_us)
{
    struct clock clock = clock_monotonic();
    uint64_t began_us = clock_now_us(&clock), now_us = began_us;

    for (;;) {
        if (ready(owner)) {
            note_wait(waiter, now_us - began_us);
            return 1;
        }
        now_us = clock_now_us(&clock);
        if (now_us >= deadline_us)
            return ready(owner);
        if (now_us < began_us + spin_us)
            continue;
        uint32_t ticket = waiter_prepare(waiter);
        if (ready(owner)) {
            waiter_cancel(waiter);
            return 1;
        }
        waiter_wait(waiter, ticket,
                    deadline_us == WAITER_FOREVER ? WAITER_FOREVER : deadline_us - now_us);
        now_us = clock_now_us(&clock);
    }
}

int waiter_wait_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                      uint64_t deadline_us)
{
    bool spins = atomic_load_explicit(&waiter->spin_credit, memory_order_relaxed) > 0;

    return wait_until(waiter, ready, owner, deadline_us, spins ? SPIN_US : 0);
}

int waiter_sleep_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                       uint64_t deadline_us)
{
    return wait_until(waiter, ready, owner, deadline_us, 0);
}
