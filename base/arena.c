/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/check.h"
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 16 << 10, ALIGNMENT = 16 };

struct arena_chunk {
    alignas(ALIGNMENT) struct arena_chunk *next;
    size_t capacity_bytes, used_bytes;
    alignas(ALIGNMENT) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t cap_bytes)
{
    *arena = (struct arena){.cap_bytes = cap_bytes};
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t wanted_bytes)
{
    size_t capacity_bytes = wanted_bytes > CHUNK_BYTES ? wanted_bytes : CHUNK_BYTES;

    if (capacity_bytes > arena->cap_bytes - arena->taken_bytes)
        capacity_bytes = wanted_bytes;
    if (capacity_bytes > arena->cap_bytes - arena->taken_bytes)
        return NULL;
    struct arena_chunk *chunk = malloc(sizeof *chunk + capacity_bytes);
    if (chunk == NULL)
        return NULL;
    chunk->next = arena->chunks;
    chunk->capacity_bytes = capacity_bytes;
    chunk->used_bytes = 0;
    arena->chunks = chunk;
    arena->taken_bytes += capacity_bytes;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    if (bytes > arena->cap_bytes)
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->capacity_bytes - chunk->used_bytes < bytes) {
        chunk = add_chunk(arena, bytes);
        if (chunk == NULL)
            return NULL;
    }
    void *result = chunk->bytes + chunk->used_bytes;
    chunk->used_bytes += bytes;
    return result;
}

void *arena_calloc(struct arena *arena, size_t count, size_t bytes)
{
    size_t total_bytes;

    if (__builtin_mul_overflow(count, bytes, &total_bytes))
        return NULL;
    void *result = arena_alloc(arena, total_bytes);
    return result == NULL ? NULL : memset(result, 0, total_bytes);
}

char *arena_strndup(struct arena *arena, const char *text, size_t bytes)
{
    char *copy = arena_alloc(arena, bytes + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

void arena_reset(struct arena *arena)
{
    while (arena->chunks != NULL && arena->chunks->next != NULL) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        arena->taken_bytes -= chunk->capacity_bytes;
        free(chunk);
    }
    if (arena->chunks != NULL)
        arena->chunks->used_bytes = 0;
}

void arena_done(struct arena *arena)
{
    arena_reset(arena);
    free(arena->chunks);
    *arena = (struct arena){.cap_bytes = arena->cap_bytes};
}
