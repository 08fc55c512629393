/* SPDX-License-Identifier: Apache-2.0
 * The heap's own figures (jemalloc). */
#ifndef AGENT_HEAP_H
#define AGENT_HEAP_H

#include <stdint.h>

struct heap_truth {
    uint64_t allocated_bytes, resident_bytes, retained_bytes;
};

/* Zeros when the allocator keeps no statistics (sanitizers replace it). */
void heap_read(struct heap_truth *ret_truth);

#endif
