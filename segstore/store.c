/* SPDX-License-Identifier: Apache-2.0
 * Open addressing, linear probing; a removal moves later entries back, so there are no tombstones
 * and a lookup ends at the first free slot. At most half full. */
#include "segstore/store.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/thread.h"
#include <stdlib.h>

enum { SLOTS_COUNT = 2 * LIMIT_SEGMENTS_PER_NODE_MAX };

_Static_assert((SLOTS_COUNT & (SLOTS_COUNT - 1)) == 0, "slots are masked");

struct store {
    size_t count;
    uint64_t resident_bytes;
    struct segment *slots[SLOTS_COUNT];
};

/* Fibonacci hashing: ids are often consecutive or share their low bits. */
static size_t home_of(int64_t segment_id)
{
    return (size_t)(((uint64_t)segment_id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) &
           (SLOTS_COUNT - 1);
}

/* The slot of the id, or the free slot where it would go. */
static size_t slot_of(const struct store *store, int64_t segment_id)
{
    size_t slot = home_of(segment_id);

    while (store->slots[slot] != NULL && store->slots[slot]->facts.segment_id != segment_id)
        slot = (slot + 1) & (SLOTS_COUNT - 1);
    return slot;
}

struct store *store_new(void)
{
    return calloc(1, sizeof(struct store));
}

struct store *store_free(struct store *store)
{
    if (store == NULL)
        return NULL;
    for (size_t slot = 0; slot < SLOTS_COUNT; slot++)
        segment_free(store->slots[slot]);
    free(store);
    return NULL;
}

bool store_insert(struct store *store, struct segment *segment)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    if (store->count == LIMIT_SEGMENTS_PER_NODE_MAX)
        return false;
    size_t slot = slot_of(store, segment->facts.segment_id);
    CHECK(store->slots[slot] == NULL);
    store->slots[slot] = segment;
    store->count++;
    store->resident_bytes += segment->facts.resident_bytes;
    return true;
}

struct segment *store_find(const struct store *store, int64_t segment_id)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    return store->slots[slot_of(store, segment_id)];
}

struct segment *store_remove(struct store *store, int64_t segment_id)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    size_t hole = slot_of(store, segment_id);
    struct segment *segment = store->slots[hole];

    if (segment == NULL)
        return NULL;
    store->slots[hole] = NULL;
    store->count--;
    store->resident_bytes -= segment->facts.resident_bytes;
    for (size_t next = (hole + 1) & (SLOTS_COUNT - 1); store->slots[next] != NULL;
         next = (next + 1) & (SLOTS_COUNT - 1)) {
        size_t home = home_of(store->slots[next]->facts.segment_id);
        /* It may move into the hole unless its home lies cyclically after the hole. */
        if (((next - home) & (SLOTS_COUNT - 1)) < ((next - hole) & (SLOTS_COUNT - 1)))
            continue;
        store->slots[hole] = store->slots[next];
        store->slots[next] = NULL;
        hole = next;
    }
    return segment;
}

size_t store_count(const struct store *store)
{
    return store->count;
}

uint64_t store_resident_bytes(const struct store *store)
{
    return store->resident_bytes;
}

struct segment *store_next(const struct store *store, size_t *cursor)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    while (*cursor < SLOTS_COUNT) {
        struct segment *segment = store->slots[(*cursor)++];
        if (segment != NULL)
            return segment;
    }
    return NULL;
}
