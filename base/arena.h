/* SPDX-License-Identifier: Apache-2.0
 * Bump allocator with a cap: what one message may cost. Chunks come from malloc; a NULL answer
 * means that the cap (or the host) is exhausted. Not thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first; kept over a reset: the first chunk only */
    size_t cap_bytes;
    size_t taken_bytes; /* sum of the chunks, <= cap_bytes */
};

void arena_init(struct arena *arena, size_t cap_bytes);
/* 16-byte aligned, not zeroed. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_calloc(struct arena *arena, size_t count, size_t bytes);
/* A copy with a terminating zero. */
char *arena_strndup(struct arena *arena, const char *text, size_t bytes);
void arena_reset(struct arena *arena);
void arena_done(struct arena *arena);

#endif
