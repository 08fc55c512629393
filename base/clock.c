/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/check.h"
#include <stddef.h>
#include <time.h>

static uint64_t read_us(clockid_t id)
{
    struct timespec now;

    CHECK(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t monotonic_now_us(void *self)
{
    (void)self;
    return read_us(CLOCK_MONOTONIC);
}

struct clock clock_monotonic(void)
{
    return (struct clock){.now_us = monotonic_now_us, .self = NULL};
}

uint64_t clock_thread_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

void clock_nap_us(uint64_t us)
{
    struct timespec nap = {.tv_sec = (time_t)(us / 1000000),
                           .tv_nsec = (long)(us % 1000000) * 1000};

    (void)nanosleep(&nap, NULL);
}

uint64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}
