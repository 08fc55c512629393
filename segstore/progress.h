/* SPDX-License-Identifier: Apache-2.0
 * How far long work is, told to whom it may concern. */
#ifndef SEGSTORE_PROGRESS_H
#define SEGSTORE_PROGRESS_H

#include <stdint.h>

/* tell may be NULL: nobody asks. what: "links"; a new one begins a new phase. One thread at a time.
 */
struct progress {
    void (*tell)(void *owner, const char *what, uint64_t done, uint64_t total);
    void *owner;
};

static inline void progress_tell(const struct progress *progress, const char *what, uint64_t done,
                                 uint64_t total)
{
    if (progress->tell != 0)
        progress->tell(progress->owner, what, done, total);
}

#endif
