/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As after kill -9: what is durable is all that counts, and nothing that runs at exit has to work
 * without memory. */
void *grow_need(void *memory, size_t wanted_bytes)
{
    if (memory != NULL)
        return memory;
    (void)fprintf(stderr, "out of memory: %zu bytes wanted\n", wanted_bytes);
    _exit(GROW_EXIT_AGAIN);
}

void *grow_for_one(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = grow_need(reallocarray(items, wanted, item_bytes), wanted * item_bytes);
    *capacity = wanted;
    return grown;
}

void *grow_calloc(size_t count, size_t item_bytes)
{
    count = count == 0 ? 1 : count;
    return grow_need(calloc(count, item_bytes), count * item_bytes);
}

char *grow_strdup(const char *text)
{
    return grow_need(strdup(text), strlen(text) + 1);
}
