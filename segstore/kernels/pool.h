/* SPDX-License-Identifier: Apache-2.0
 * pool_offer of kernels.h, but for two steps that instruction sets do by themselves: counting what
 * comes before a distance, and making room. Searches spend a third of their time here. */
#ifndef SEGSTORE_KERNELS_POOL_H
#define SEGSTORE_KERNELS_POOL_H

#include "segstore/kernels/kernels.h"

enum {
    POOL_COUNTED_MAX = 256, /* of more the place is found by halves */
    POOL_STEP = 64,         /* sorted out at a time */
};

/* How many of the distances, of a sorted pool, are less; it may read KERNEL_POOL_PAD more, and
 * count such of them as are less. */
typedef uint32_t pool_count_below(const uint32_t *distances, uint32_t count, uint32_t distance);
/* values[1..count] become values[0..count-1]; it may read and write KERNEL_POOL_PAD more. */
typedef void pool_make_room(uint32_t *values, uint32_t count);

struct pool_steps {
    pool_count_below *count_below;
    pool_make_room *make_room;
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

/* Its place; capacity if it has none. */
static inline __attribute__((always_inline)) uint32_t pool_insert(struct kernel_pool *pool,
                                                                  uint32_t distance, uint32_t row,
                                                                  const struct pool_steps steps)
{
    uint32_t at = pool->count > POOL_COUNTED_MAX
                      ? pool_halve(pool->distances, pool->count, distance)
                      : steps.count_below(pool->distances, pool->count, distance);

    while (at < pool->count && pool->distances[at] == distance && pool->rows[at] >> 1 < row)
        at++;
    if (at >= pool->capacity || /* what left the pool counts, too */
        (at < pool->count && pool->distances[at] == distance && pool->rows[at] >> 1 == row))
        return pool->capacity;
    steps.make_room(pool->distances + at, pool->count - at);
    steps.make_room(pool->rows + at, pool->count - at);
    pool->distances[at] = distance;
    pool->rows[at] = row << 1;
    pool->count += pool->count < pool->capacity;
    return at;
}

/* Most rows are too far: they are sorted out first, without a branch for each. */
static inline __attribute__((always_inline)) uint32_t
pool_offer_all(const struct kernel_offer *offer, const struct pool_steps steps)
{
    struct kernel_pool *pool = offer->pool;
    uint32_t least = pool->capacity;

    for (size_t first = 0; first < offer->rows_count; first += POOL_STEP) {
        const size_t rest = offer->rows_count - first, count = rest < POOL_STEP ? rest : POOL_STEP;
        const uint32_t bound =
            pool->count == pool->capacity ? pool->distances[pool->capacity - 1] : UINT32_MAX;
        size_t near[POOL_STEP + 1], near_count = 0;
        for (size_t i = first; i < first + count; i++) {
            near[near_count] = i;
            near_count += offer->distances[i] <= bound;
        }
        for (size_t i = 0; i < near_count; i++) {
            uint32_t at = pool_insert(pool, offer->distances[near[i]], offer->rows[near[i]], steps);
            least = at < least ? at : least;
        }
    }
    return least;
}

#endif
