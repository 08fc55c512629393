/* SPDX-License-Identifier: Apache-2.0
 * A heap with the worst hit at its root, and beside it a hash table from primary key to heap place,
 * so that distinctness is kept at every push: a second hit with a known key replaces the first if
 * it is better and is dropped if not. Deduplicating at the end instead would be wrong, since k
 * copies of one key could push k-1 true neighbours out. The heap is never larger than k, so the
 * root is a tight bound from the k-th distinct key on, and a push that passes it costs O(log k)
 * however large k is.
 *
 * Storage, in this order: hits[k], places[k] (the slot of each heap entry, so that an entry that
 * moves can tell its slot), slots[2^n >= 2k] (heap index + 1, 0 is free; linear probing, removals
 * move later entries back). */
#include "segstore/topk.h"

#include "base/check.h"
#include "base/limits.h"
#include <math.h>
#include <string.h>

static uint32_t slots_count(uint32_t k)
{
    return k < 2 ? 4 : UINT32_C(1) << (32 - __builtin_clz(2 * k - 1));
}

static uint32_t *places_of(const struct topk *topk)
{
    return (uint32_t *)(void *)(topk->hits + topk->k);
}

static uint32_t *slots_of(const struct topk *topk)
{
    return places_of(topk) + topk->k;
}

size_t topk_bytes(uint32_t k)
{
    size_t bytes = k * (sizeof(struct qn_hit) + sizeof(uint32_t));

    return (bytes + slots_count(k) * sizeof(uint32_t) + 7) & ~(size_t)7;
}

void topk_init(struct topk *topk, enum qn_metric metric, uint32_t k, void *storage)
{
    CHECK(k >= 1 && k <= LIMIT_K_MAX);
    CHECK((uintptr_t)storage % 8 == 0);
    *topk = (struct topk){.metric = metric, .k = k, .hits = storage};
    memset(slots_of(topk), 0, slots_count(k) * sizeof(uint32_t));
}

float topk_bound(const struct topk *topk)
{
    if (topk->count == topk->k)
        return topk->hits[0].distance;
    return topk->metric == QN_METRIC_L2 ? INFINITY : -INFINITY;
}

bool topk_wants(const struct topk *topk, float distance)
{
    float bound = topk_bound(topk);

    return topk->metric == QN_METRIC_L2 ? distance <= bound : distance >= bound;
}

static uint32_t home_of(int64_t primary_key, uint32_t mask)
{
    return (uint32_t)(((uint64_t)primary_key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;
}

/* The slot that holds the key, or the free slot where it would go. */
static uint32_t find_slot(const struct topk *topk, int64_t primary_key)
{
    const uint32_t *slots = slots_of(topk);
    uint32_t mask = slots_count(topk->k) - 1;
    uint32_t slot = home_of(primary_key, mask);

    while (slots[slot] != 0 && topk->hits[slots[slot] - 1].primary_key != primary_key)
        slot = (slot + 1) & mask;
    return slot;
}

static void free_slot(struct topk *topk, uint32_t hole)
{
    uint32_t *slots = slots_of(topk);
    uint32_t mask = slots_count(topk->k) - 1;

    slots[hole] = 0;
    for (uint32_t next = (hole + 1) & mask; slots[next] != 0; next = (next + 1) & mask) {
        uint32_t entry = slots[next] - 1;
        uint32_t home = home_of(topk->hits[entry].primary_key, mask);
        if (((next - home) & mask) < ((next - hole) & mask))
            continue;
        slots[hole] = slots[next];
        slots[next] = 0;
        places_of(topk)[entry] = hole;
        hole = next;
    }
}

static void put(struct topk *topk, uint32_t index, struct qn_hit hit, uint32_t slot)
{
    topk->hits[index] = hit;
    places_of(topk)[index] = slot;
    slots_of(topk)[slot] = index + 1;
}

/* The hit belongs at index or above; entries that are better move down. */
static void sift_up(struct topk *topk, uint32_t index, struct qn_hit hit, uint32_t slot)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!qn_hit_before(topk->metric, &topk->hits[parent], &hit))
            break;
        put(topk, index, topk->hits[parent], places_of(topk)[parent]);
        index = parent;
    }
    put(topk, index, hit, slot);
}

/* The worse of the children of index among the first `count`, or count if there is none. */
static uint32_t worse_child(const struct topk *topk, uint32_t index, uint32_t count)
{
    uint32_t child = 2 * index + 1;

    if (child >= count)
        return count;
    if (child + 1 < count &&
        qn_hit_before(topk->metric, &topk->hits[child], &topk->hits[child + 1]))
        child++;
    return child;
}

/* The hit belongs at index or below; entries that are worse move up. */
static void sift_down(struct topk *topk, uint32_t index, struct qn_hit hit, uint32_t slot)
{
    for (;;) {
        uint32_t child = worse_child(topk, index, topk->count);
        if (child == topk->count || !qn_hit_before(topk->metric, &hit, &topk->hits[child]))
            break;
        put(topk, index, topk->hits[child], places_of(topk)[child]);
        index = child;
    }
    put(topk, index, hit, slot);
}

void topk_push(struct topk *topk, struct qn_hit hit)
{
    CHECK(!isnan(hit.distance));
    if (topk->count == topk->k && !qn_hit_before(topk->metric, &hit, &topk->hits[0]))
        return;
    uint32_t slot = find_slot(topk, hit.primary_key);
    uint32_t entry = slots_of(topk)[slot];
    if (entry != 0) {
        if (qn_hit_before(topk->metric, &hit, &topk->hits[entry - 1]))
            sift_down(topk, entry - 1, hit, slot);
        return;
    }
    if (topk->count < topk->k) {
        sift_up(topk, topk->count++, hit, slot);
        return;
    }
    free_slot(topk, places_of(topk)[0]);
    slot = find_slot(topk, hit.primary_key); /* the removal may have moved the free slot */
    sift_down(topk, 0, hit, slot);
}

void topk_sort(struct topk *topk)
{
    /* Heap sort: the worst goes to the end, again and again. The table is not needed any more. */
    for (uint32_t rest = topk->count; rest > 1; rest--) {
        struct qn_hit hit = topk->hits[rest - 1];
        uint32_t index = 0, child;
        topk->hits[rest - 1] = topk->hits[0];
        while ((child = worse_child(topk, index, rest - 1)) < rest - 1 &&
               qn_hit_before(topk->metric, &hit, &topk->hits[child])) {
            topk->hits[index] = topk->hits[child];
            index = child;
        }
        topk->hits[index] = hit;
    }
}
