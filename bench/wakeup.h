/* SPDX-License-Identifier: Apache-2.0
 * What one wake-up of a thread costs: two threads wake each other in turn by base/waiter.h, as the
 * rings do; neither spins. They are put on two cores (where there are two): left alone, the
 * scheduler puts both on one for one run and on two for the next, and the price is 2 us or 20. */
#ifndef BENCH_WAKEUP_H
#define BENCH_WAKEUP_H

#include "base/histogram.h"
#include "qnode/types.h"

/* Adds `count` values in nanoseconds: half a turn there and back each. */
enum qn_status wakeup_measure(uint32_t count, struct histogram *wake_ns, struct qn_error *error);

#endif
