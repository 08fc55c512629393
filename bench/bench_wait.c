/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include "base/clock.h"
#include "base/waiter.h"
#include <signal.h>
#include <stdatomic.h>

/* A signal handler has no owner to ask: what it touches is the file's. */
static _Atomic bool interrupted;
static struct waiter waiter;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&interrupted, true);
    waiter_wake(&waiter);
}

void bench_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    waiter_init(&waiter);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

void bench_wait_ms(uint64_t ms)
{
    struct clock clock = clock_monotonic();
    uint64_t until_us = clock_now_us(&clock) + ms * 1000, now_us;

    while ((now_us = clock_now_us(&clock)) < until_us && !atomic_load(&interrupted)) {
        uint32_t ticket = waiter_prepare(&waiter);
        waiter_wait(&waiter, ticket, atomic_load(&interrupted) ? 0 : until_us - now_us);
    }
}

bool bench_is_interrupted(void)
{
    return atomic_load(&interrupted);
}
