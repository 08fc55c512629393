/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/clock.h"

#include "tests/sim/world.h"

static uint64_t since_start_us(void *self)
{
    const struct process *process = self;

    return process->world->timeline.now_us - process->started_us;
}

struct clock sim_clock_of(struct process *process)
{
    return (struct clock){.now_us = since_start_us, .self = process};
}
