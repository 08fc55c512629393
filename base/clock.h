/* SPDX-License-Identifier: Apache-2.0
 * The clock port: monotonic time since the process (or the simulated node) started. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* now_us: microseconds, never runs backwards, any thread. */
struct clock {
    uint64_t (*now_us)(void *self);
    void *self;
};

struct clock clock_monotonic(void);

static inline uint64_t clock_now_us(const struct clock *clock)
{
    return clock->now_us(clock->self);
}

static inline uint64_t clock_now_ms(const struct clock *clock)
{
    return clock->now_us(clock->self) / 1000;
}

/* What the calling thread has used: for measurements on a machine that others share. */
uint64_t clock_thread_cpu_us(void);

/* For tools that look again later, connecting and closing; never on the path of a search. */
void clock_nap_us(uint64_t us);

/* Milliseconds since 1970, for people only: no rule depends on it. */
uint64_t clock_wall_ms(void);

#endif
