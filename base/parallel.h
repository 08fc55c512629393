/* SPDX-License-Identifier: Apache-2.0
 * A loop on several threads, for tools that build: the caller waits and takes part. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stddef.h>

/* The cores this process may use, at least 1. */
unsigned parallel_cores(void);

/* run(owner, first, count) for all of 0..total, `step` at a time, each once, in no order. Threads
 * that cannot be started are done without. */
void parallel_for(unsigned threads, size_t total, size_t step,
                  void (*run)(void *owner, size_t first, size_t count), void *owner);

#endif
