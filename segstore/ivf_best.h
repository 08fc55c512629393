/* SPDX-License-Identifier: Apache-2.0
 * The best of many estimates: of lists, or of rows. Which they are does not depend on the order in
 * which they came: equal estimates are told apart by their numbers, the smaller is the better. */
#ifndef SEGSTORE_IVF_BEST_H
#define SEGSTORE_IVF_BEST_H

#include <stdint.h>
#include <string.h>

enum { IVF_STEP_BLOCKS = 32 }; /* of codes that are compared before any is taken */

/* Storage is the caller's: ivf_best_capacity(keep) items. */
struct ivf_best {
    uint64_t *items; /* private until ivf_best_cut: ivf_best_estimate, ivf_best_number */
    uint32_t count, keep;
    float bound; /* what an estimate must not be below to count */
};

/* Estimates of 16 rows a block, the first of them first_number; of rows_left rows, what lies past
 * them is not looked at. masks: 16 rows each, those that are not below the bound. */
struct ivf_estimates {
    const float *estimates;
    const uint16_t *masks;
    uint64_t first_number, rows_left;
    uint64_t blocks_count; /* at most IVF_STEP_BLOCKS */
};

uint64_t ivf_best_capacity(uint32_t keep);
void ivf_best_init(struct ivf_best *best, uint32_t keep, uint64_t *items);
void ivf_best_take(struct ivf_best *best, const struct ivf_estimates *estimates);
/* Leaves the best, at most keep of them, in no order; the bound is the worst of them. */
void ivf_best_cut(struct ivf_best *best);
/* Best first; for few. */
void ivf_best_sort(struct ivf_best *best);
/* The n-th best estimate, from 1; the worst if there are fewer; `none` if there is none. */
float ivf_best_nth(struct ivf_best *best, uint32_t n, float none);

/* An item is one integer, so that all are different and the larger is the better: the estimate's
 * bits, made to rise with it, over the number's complement. What is not a number has its place in
 * that order, too. */
static inline uint64_t ivf_best_item(float estimate, uint32_t number)
{
    uint32_t bits;

    memcpy(&bits, &estimate, sizeof bits);
    bits ^= (uint32_t) - (int32_t)(bits >> 31) | UINT32_C(1) << 31;
    return (uint64_t)bits << 32 | ~number;
}

static inline float ivf_best_estimate(uint64_t item)
{
    uint32_t bits = (uint32_t)(item >> 32);
    float estimate;

    bits ^= ((bits >> 31) - 1) | UINT32_C(1) << 31;
    memcpy(&estimate, &bits, sizeof estimate);
    return estimate;
}

static inline uint32_t ivf_best_number(uint64_t item)
{
    return ~(uint32_t)item;
}

#endif
