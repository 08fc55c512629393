/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/grow.h"

#include "base/check.h"
#include <stdlib.h>
#include <string.h>

void *grow_for_one(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = reallocarray(items, wanted, item_bytes);
    CHECK(grown != NULL);
    *capacity = wanted;
    return grown;
}

void *grow_calloc(size_t count, size_t item_bytes)
{
    void *items = calloc(count == 0 ? 1 : count, item_bytes);

    CHECK(items != NULL);
    return items;
}

char *grow_strdup(const char *text)
{
    char *copy = strdup(text);

    CHECK(copy != NULL);
    return copy;
}
