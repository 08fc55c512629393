/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/idmap.h"

#include "base/check.h"
#include "coordinator/grow.h"
#include <stdlib.h>
#include <string.h>

/* Index of the first entry that is not below id. */
static size_t lower_bound(const struct idmap *map, int64_t id)
{
    size_t low = 0, high = map->count;

    if (high > 0 && map->entries[high - 1].id < id)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->entries[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *idmap_find(const struct idmap *map, int64_t id)
{
    size_t at = lower_bound(map, id);

    return at < map->count && map->entries[at].id == id ? map->entries[at].item : NULL;
}

void idmap_put(struct idmap *map, int64_t id, void *item)
{
    size_t at = lower_bound(map, id);

    CHECK(item != NULL && (at == map->count || map->entries[at].id != id));
    map->entries = grow_for_one(map->entries, map->count, &map->capacity, sizeof *map->entries);
    memmove(map->entries + at + 1, map->entries + at, (map->count - at) * sizeof *map->entries);
    map->entries[at] = (struct idmap_entry){.id = id, .item = item};
    map->count++;
}

void *idmap_remove(struct idmap *map, int64_t id)
{
    size_t at = lower_bound(map, id);

    if (at == map->count || map->entries[at].id != id)
        return NULL;
    void *item = map->entries[at].item;
    map->count--;
    memmove(map->entries + at, map->entries + at + 1, (map->count - at) * sizeof *map->entries);
    return item;
}

void idmap_done(struct idmap *map)
{
    free(map->entries);
    *map = (struct idmap){0};
}
