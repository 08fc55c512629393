/* SPDX-License-Identifier: Apache-2.0
 * A subscriber for tests: counts, keeps the first words of what came, waits. */
#ifndef TESTS_CONTRACT_COLLECTOR_H
#define TESTS_CONTRACT_COLLECTOR_H

#include "channel/transport.h"
#include <pthread.h>

enum { COLLECTOR_MESSAGES_MAX = 1 << 17, COLLECTOR_SUBJECT_BYTES = 64 };

struct collected {
    uint64_t word; /* the first 8 bytes, 0 if there are fewer */
    size_t size;
    bool no_responders;
    char subject[COLLECTOR_SUBJECT_BYTES];
};

struct collector {
    pthread_mutex_t lock;
    size_t count;
    uint64_t pause_us;     /* of each message */
    struct collected *all; /* COLLECTOR_MESSAGES_MAX */
};

void collector_init(struct collector *collector);
void collector_done(struct collector *collector);
/* The bus_handler; owner: the collector. */
void collector_take(void *owner, struct bus_message *message);
size_t collector_count(struct collector *collector);
/* False if fewer came within 20 s. */
bool collector_wait(struct collector *collector, size_t count);

#endif
