/* SPDX-License-Identifier: Apache-2.0
 * How long to wait before the next attempt to reach a server, in ms. Pure. */
#ifndef CHANNEL_NATS_BACKOFF_H
#define CHANNEL_NATS_BACKOFF_H

#include <stdint.h>

enum { NATS_BACKOFF_FIRST_MS = 200, NATS_BACKOFF_MAX_MS = 2000 };

/* attempt: 1 for the first. random: any number, another each time. Doubles from FIRST to MAX; what
 * is waited is between half of that and the whole, so that clients that lost their server together
 * do not come back together. */
uint64_t nats_backoff_ms(unsigned attempt, uint64_t random);

#endif
