/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/heap.h"

#include "tests/sim/world.h"
#include <stddef.h>
#include <string.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_reallocarray(void *memory, size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);

static struct process *inside; /* of the one world that lives */

struct process *heap_swap(struct process *process)
{
    struct process *outer = inside;

    inside = process;
    return outer;
}

void heap_restore(struct process **outer)
{
    inside = *outer;
}

static bool fails(void)
{
    struct process *process = inside;

    if (process == NULL || !process->is_alive)
        return false;
    struct world *world = process->world;
    if (world->options.heap_failed_per_million == 0 ||
        prng_below(&world->prng_heap, 1000000) >= world->options.heap_failed_per_million)
        return false;
    HEAP_OUTSIDE;
    world->stats.heap_failed++;
    trace_line(&world->trace, "  %s: an allocation failed", process->name);
    if (process->kind == PROCESS_AGENT)
        return true;
    process_kill_here(process);
    return false;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_realloc(memory, bytes);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t bytes)
{
    size_t total_bytes;

    if (__builtin_mul_overflow(count, bytes, &total_bytes) || fails())
        return NULL;
    return __real_realloc(memory, total_bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, bytes);
}

char *__wrap_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = fails() ? NULL : __real_malloc(bytes);

    return copy == NULL ? NULL : memcpy(copy, text, bytes);
}
