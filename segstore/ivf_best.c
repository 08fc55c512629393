/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/ivf_best.h"

#include "base/limits.h"
#include <math.h>
#include <string.h>

enum { STEP_ROWS = IVF_STEP_BLOCKS * LIMIT_BLOCK_ROWS, MASKS_AT_ONCE = 4 };

/* Cut when it is three times too many, or when there is no bound yet. */
static uint32_t cut_at(const struct ivf_best *best)
{
    return best->bound == -INFINITY ? best->keep : 3 * best->keep;
}

uint64_t ivf_best_capacity(uint32_t keep)
{
    return UINT64_C(3) * keep + STEP_ROWS;
}

void ivf_best_init(struct ivf_best *best, uint32_t keep, uint64_t *items)
{
    *best = (struct ivf_best){.items = items, .keep = keep, .bound = -INFINITY};
}

/* The first of the next masks that are not all empty, some at a time. */
static uint64_t skip_empty(const struct ivf_estimates *estimates, uint64_t b)
{
    uint64_t masks;

    for (; b + MASKS_AT_ONCE <= estimates->blocks_count; b += MASKS_AT_ONCE) {
        memcpy(&masks, estimates->masks + b, sizeof masks);
        if (masks != 0)
            break;
    }
    return b;
}

void ivf_best_take(struct ivf_best *best, const struct ivf_estimates *estimates)
{
    uint32_t count = best->count;

    for (uint64_t b = 0; b < estimates->blocks_count; b++) {
        if (b % MASKS_AT_ONCE == 0)
            b = skip_empty(estimates, b);
        if (b == estimates->blocks_count)
            break;
        const uint64_t first = b * LIMIT_BLOCK_ROWS;
        unsigned mask = estimates->masks[b];
        if (mask == 0)
            continue;
        if (estimates->rows_left < first + LIMIT_BLOCK_ROWS)
            mask &= (1U << (estimates->rows_left - first)) - 1;
        for (; mask != 0; mask &= mask - 1) {
            uint64_t row = first + (unsigned)__builtin_ctz(mask);
            best->items[count++] =
                ivf_best_item(estimates->estimates[row], (uint32_t)(estimates->first_number + row));
        }
    }
    best->count = count;
    if (count > cut_at(best))
        ivf_best_cut(best);
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : c > high ? high : c;
}

/* Those above the pivot come first; how many. Without a branch that depends on an item. */
static uint32_t part(uint64_t *items, uint32_t count, uint64_t pivot)
{
    uint32_t above = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t item = items[i];
        items[i] = items[above];
        items[above] = item;
        above += item > pivot;
    }
    return above;
}

/* Quickselect (Hoare): the pivot is among the rest, so each turn ends with fewer. */
static void select_best(uint64_t *items, uint32_t count, uint32_t keep)
{
    while (keep > 0 && keep < count) {
        uint64_t pivot = middle_of(items[0], items[count / 2], items[count - 1]);
        uint32_t above = part(items, count, pivot);
        if (above > keep) {
            count = above;
            continue;
        }
        for (uint32_t i = above; i < count; i++) /* the pivot itself is the best of the rest */
            if (items[i] == pivot) {
                items[i] = items[above];
                items[above] = pivot;
                break;
            }
        above++;
        if (above >= keep)
            return;
        items += above;
        count -= above;
        keep -= above;
    }
}

static uint64_t worst_of(const uint64_t *items, uint32_t count)
{
    uint64_t worst = UINT64_MAX;

    for (uint32_t i = 0; i < count; i++)
        worst = items[i] < worst ? items[i] : worst;
    return worst;
}

void ivf_best_cut(struct ivf_best *best)
{
    if (best->count < best->keep || best->keep == 0)
        return;
    select_best(best->items, best->count, best->keep);
    best->count = best->keep;
    best->bound = ivf_best_estimate(worst_of(best->items, best->count));
}

float ivf_best_nth(struct ivf_best *best, uint32_t n, float none)
{
    n = n < best->count ? n : best->count;
    select_best(best->items, best->count, n);
    return n > 0 ? ivf_best_estimate(worst_of(best->items, n)) : none;
}

void ivf_best_sort(struct ivf_best *best)
{
    for (uint32_t i = 1; i < best->count; i++) {
        uint64_t moved = best->items[i];
        uint32_t at = i;
        for (; at > 0 && best->items[at - 1] < moved; at--)
            best->items[at] = best->items[at - 1];
        best->items[at] = moved;
    }
}
