/* SPDX-License-Identifier: Apache-2.0
 * The subscriptions of a transport whose bus knows no wildcards: each message goes to all that
 * match. Subscriptions are only added, so that the thread that delivers needs no lock. */
#ifndef CHANNEL_FANOUT_H
#define CHANNEL_FANOUT_H

#include "channel/transport.h"

struct fanout_reader;

struct fanout {
    struct fanout_reader *_Atomic first;
};

struct fanout_handler {
    bus_handler *on_message;
    void *owner;
};

/* Any thread, one at a time. pattern must be valid. False: no memory. */
bool fanout_add(struct fanout *fanout, const char *pattern, struct fanout_handler handler);
/* One thread. Each that matches gets a copy of its own; the count of those that did. */
size_t fanout_deliver(struct fanout *fanout, const char *subject, const void *bytes, size_t size);
/* When nobody delivers any more. */
void fanout_done(struct fanout *fanout);

#endif
