/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/clock.h"

#include "tests/sim/world.h"

static uint64_t now_us(void *self)
{
    return process_clock_us(self);
}

struct clock sim_clock_of(struct process *process)
{
    return (struct clock){.now_us = now_us, .self = process};
}
