/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/collector.h"

#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_US = 1000, LOOKS_MAX = 20000 };

void collector_init(struct collector *collector)
{
    *collector = (struct collector){.count = 0};
    CHECK(pthread_mutex_init(&collector->lock, NULL) == 0);
    collector->all = calloc(COLLECTOR_MESSAGES_MAX, sizeof *collector->all);
    CHECK(collector->all != NULL);
}

void collector_done(struct collector *collector)
{
    (void)pthread_mutex_destroy(&collector->lock);
    free(collector->all);
}

void collector_take(void *owner, struct bus_message *message)
{
    struct collector *collector = owner;
    struct collected taken = {
        .size = message->size,
        .no_responders = message->no_responders,
    };

    (void)snprintf(taken.subject, sizeof taken.subject, "%s", message->subject);
    if (message->size >= sizeof taken.word)
        memcpy(&taken.word, message->bytes, sizeof taken.word);
    message->release(message);
    if (collector->pause_us > 0)
        (void)usleep((useconds_t)collector->pause_us);
    (void)pthread_mutex_lock(&collector->lock);
    if (collector->count < COLLECTOR_MESSAGES_MAX)
        collector->all[collector->count++] = taken;
    (void)pthread_mutex_unlock(&collector->lock);
}

size_t collector_count(struct collector *collector)
{
    (void)pthread_mutex_lock(&collector->lock);
    size_t count = collector->count;
    (void)pthread_mutex_unlock(&collector->lock);
    return count;
}

bool collector_wait(struct collector *collector, size_t count)
{
    for (int i = 0; i < LOOKS_MAX && collector_count(collector) < count; i++)
        (void)usleep(LOOK_US);
    return collector_count(collector) >= count;
}
