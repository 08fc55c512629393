/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/fanout.h"

#include "channel/subject.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct fanout_reader {
    char pattern[LIMIT_SUBJECT_BYTES];
    struct fanout_handler handler;
    struct fanout_reader *next;
};

bool fanout_add(struct fanout *fanout, const char *pattern, struct fanout_handler handler)
{
    struct fanout_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return false;
    memcpy(reader->pattern, pattern, strlen(pattern) + 1);
    reader->handler = handler;
    reader->next = atomic_load(&fanout->first);
    atomic_store(&fanout->first, reader);
    return true;
}

size_t fanout_deliver(struct fanout *fanout, const char *subject, const void *bytes, size_t size)
{
    const struct bus_message original = {.subject = subject, .bytes = bytes, .size = size};
    size_t count = 0;

    for (struct fanout_reader *at = atomic_load(&fanout->first); at != NULL; at = at->next) {
        if (!subject_matches(at->pattern, subject))
            continue;
        struct bus_message *message = bus_message_copy(&original);
        if (message == NULL)
            continue; /* lost, as it may be (C1) */
        at->handler.on_message(at->handler.owner, message);
        count++;
    }
    return count;
}

void fanout_done(struct fanout *fanout)
{
    struct fanout_reader *reader = atomic_exchange(&fanout->first, NULL);

    while (reader != NULL) {
        struct fanout_reader *next = reader->next;
        free(reader);
        reader = next;
    }
}
