/* SPDX-License-Identifier: Apache-2.0
 * A map from ids to items, in order of the ids: a sorted array. Ids mostly come rising, so an
 * insert is mostly an append. The items are the caller's. */
#ifndef COORDINATOR_IDMAP_H
#define COORDINATOR_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
    int64_t id;
    void *item;
};

struct idmap {
    struct idmap_entry *entries; /* by id, each once */
    size_t count, capacity;
};

/* NULL when it is not there. */
void *idmap_find(const struct idmap *map, int64_t id);
/* The id must not be there. */
void idmap_put(struct idmap *map, int64_t id, void *item);
/* The item that was there, or NULL. */
void *idmap_remove(struct idmap *map, int64_t id);
/* The array only. */
void idmap_done(struct idmap *map);

#endif
