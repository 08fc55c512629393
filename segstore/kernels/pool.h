/* SPDX-License-Identifier: Apache-2.0
 * pool_offer of kernels.h, but for two steps that instruction sets do by themselves. Searches
 * spend a fifth of their time here. What is offered at once is sorted and finds its places in the
 * pool as it is, then both are merged into the spare arrays: no place waits for what was just
 * moved. */
#ifndef SEGSTORE_KERNELS_POOL_H
#define SEGSTORE_KERNELS_POOL_H

#include "segstore/kernels/kernels.h"

enum {
    POOL_COUNTED_MAX = 256, /* of more the place is found by halves */
    POOL_STEP = 32,         /* merged at a time */
};

#define POOL_NONE INT64_MAX

/* How many of the distances, of a sorted pool, are less; it may look at KERNEL_POOL_PAD more: they
 * are INT32_MAX, or, in a full pool, rows that left it, not nearer than its last one. What is
 * farther than that does not come here (pool_offer_all). */
typedef uint32_t pool_count_below(const uint32_t *distances, uint32_t count, uint32_t distance);
/* It may read and write KERNEL_POOL_PAD more. */
typedef void pool_copy(uint32_t *to, const uint32_t *from, uint32_t count);

struct pool_steps {
    pool_count_below *count_below;
    pool_copy *copy;
};

/* By halves; without branches, which would be guessed wrong. */
static inline uint32_t pool_halve(const uint32_t *distances, uint32_t count, uint32_t distance)
{
    const uint32_t *at = distances;

    while (count > 1) {
        const uint32_t half = count / 2;
        at += half * (uint32_t)(at[half - 1] < distance);
        count -= half;
    }
    return (uint32_t)(at - distances) + (count == 1 && *at < distance);
}

/* Its place; false: it is there already. */
static inline __attribute__((always_inline)) bool pool_find(const struct kernel_pool *pool,
                                                            uint32_t distance, uint32_t row,
                                                            const struct pool_steps steps,
                                                            uint32_t *ret_at)
{
    uint32_t at = pool->count > POOL_COUNTED_MAX
                      ? pool_halve(pool->distances, pool->count, distance)
                      : steps.count_below(pool->distances, pool->count, distance);

    while (at < pool->count && pool->distances[at] == distance && pool->rows[at] >> 1 < row)
        at++;
    *ret_at = at;
    return at == pool->count || pool->distances[at] != distance || pool->rows[at] >> 1 != row;
}

/* How far a merge has come in the spare arrays, and in the pool. */
struct pool_cursor {
    uint32_t to, from;
};

static inline __attribute__((always_inline)) void pool_pass(const struct kernel_pool *pool,
                                                            struct pool_cursor *cursor,
                                                            uint32_t count,
                                                            const struct pool_steps steps)
{
    steps.copy(pool->spare_distances + cursor->to, pool->distances + cursor->from, count);
    steps.copy(pool->spare_rows + cursor->to, pool->rows + cursor->from, count);
    cursor->to += count;
    cursor->from += count;
}

/* sorted: distance << 32 | row, or none. Returns the least place that one took. */
static inline __attribute__((always_inline)) uint32_t pool_merge(struct kernel_pool *pool,
                                                                 const int64_t *sorted,
                                                                 size_t count,
                                                                 const struct pool_steps steps)
{
    uint32_t least = pool->capacity;
    struct pool_cursor cursor = {0, 0};

    for (size_t i = 0; i < count; i++) {
        const uint32_t distance = (uint32_t)(sorted[i] >> 32), row = (uint32_t)sorted[i];
        uint32_t place;
        if (sorted[i] == POOL_NONE || !pool_find(pool, distance, row, steps, &place))
            continue;
        if (cursor.to + (place - cursor.from) >= pool->capacity) /* so are those that follow */
            break;
        pool_pass(pool, &cursor, place - cursor.from, steps);
        pool->spare_distances[cursor.to] = distance;
        pool->spare_rows[cursor.to] = row << 1;
        least = cursor.to < least ? cursor.to : least;
        cursor.to++;
    }
    if (least == pool->capacity)
        return least;
    const uint32_t left = pool->count - cursor.from, room = pool->capacity - cursor.to;
    pool_pass(pool, &cursor, left < room ? left : room, steps);
    *pool = (struct kernel_pool){.distances = pool->spare_distances,
                                 .rows = pool->spare_rows,
                                 .spare_distances = pool->distances,
                                 .spare_rows = pool->rows,
                                 .capacity = pool->capacity,
                                 .count = cursor.to};
    return least;
}

/* Each goes where as many are less; of equal ones, which are the same row, one is left. */
static inline __attribute__((always_inline)) void pool_sort(const int64_t *keys, size_t count,
                                                            int64_t *ret_sorted)
{
    for (size_t i = 0; i < count; i++)
        ret_sorted[i] = POOL_NONE;
    for (size_t i = 0; i < count; i++) {
        int64_t less = 0;
        for (size_t j = 0; j < count; j++)
            less += keys[j] < keys[i];
        ret_sorted[less] = keys[i];
    }
}

/* Most rows are too far: they are sorted out first, without a branch for each. */
static inline __attribute__((always_inline)) uint32_t
pool_offer_all(const struct kernel_offer *offer, const struct pool_steps steps)
{
    struct kernel_pool *pool = offer->pool;
    uint32_t least = pool->capacity;

    for (size_t first = 0; first < offer->rows_count; first += POOL_STEP) {
        const size_t rest = offer->rows_count - first,
                     end = first + (rest < POOL_STEP ? rest : POOL_STEP);
        const uint32_t bound =
            pool->count == pool->capacity ? pool->distances[pool->capacity - 1] : UINT32_MAX;
        int64_t keys[POOL_STEP], sorted[POOL_STEP];
        size_t count = 0;
        for (size_t i = first; i < end; i++) {
            keys[count] = (int64_t)offer->distances[i] << 32 | offer->rows[i];
            count += offer->distances[i] <= bound;
        }
        if (count == 0)
            continue;
        pool_sort(keys, count, sorted);
        const uint32_t at = pool_merge(pool, sorted, count, steps);
        least = at < least ? at : least;
    }
    return least;
}

#endif
