/* SPDX-License-Identifier: Apache-2.0
 * The clock of one process: virtual time since it started. */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "base/clock.h"

struct process;

struct clock sim_clock_of(struct process *process);

#endif
