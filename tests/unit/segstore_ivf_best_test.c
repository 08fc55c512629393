/* SPDX-License-Identifier: Apache-2.0
 * The best of many estimates are the same in whatever order they come. */
#include "tests/test.h"

#include "base/check.h"
#include "base/prng.h"
#include "segstore/ivf_best.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3000, KEEP_MAX = 700 };

static void items_rise_with_estimates(void **state)
{
    static const float rising[] = {-INFINITY, -3, -1e-40F, -0.0F, 0.0F, 1e-40F, 1, 2e38F, INFINITY};

    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(rising); i++) {
        const uint64_t item = ivf_best_item(rising[i], i);
        const float estimate = ivf_best_estimate(item);
        assert_memory_equal(&estimate, &rising[i], sizeof estimate);
        assert_int_equal(ivf_best_number(item), i);
        if (i > 0)
            assert_true(item > ivf_best_item(rising[i - 1], 0));
    }
    assert_true(ivf_best_item(1, 7) > ivf_best_item(1, 8)); /* the smaller number is the better */
}

/* Steps of blocks, from either end; masks by the bound, as kernels make them. */
static void offer(struct ivf_best *best, const float *estimates, uint32_t rows_count, bool is_back)
{
    const uint32_t steps = (rows_count + 511) / 512;
    uint16_t masks[IVF_STEP_BLOCKS];

    for (uint32_t i = 0; i < steps; i++) {
        const uint32_t first = (is_back ? steps - 1 - i : i) * 512;
        const uint32_t rest = rows_count - first, rows = rest < 512 ? rest : 512;
        const struct ivf_estimates step = {.estimates = estimates + first,
                                           .masks = masks,
                                           .first_number = first,
                                           .rows_left = rows,
                                           .blocks_count = (rows + 15) / 16};
        for (uint32_t b = 0; b < step.blocks_count; b++) {
            masks[b] = 0;
            for (uint32_t r = 0; r < 16; r++)
                masks[b] |= (uint16_t)(!(step.estimates[b * 16 + r] < best->bound) << r);
        }
        ivf_best_take(best, &step);
        assert_true(best->count <= ivf_best_capacity(best->keep));
    }
    ivf_best_cut(best);
}

static int by_fall(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

static void assert_best(const struct ivf_best *best, const uint64_t *all, uint32_t rows_count)
{
    const uint32_t count = rows_count < best->keep ? rows_count : best->keep;

    assert_int_equal(best->count, count);
    qsort(best->items, count, sizeof *best->items, by_fall);
    assert_memory_equal(best->items, all, count * sizeof *all);
}

static void the_best_stay_in_any_order(void **state)
{
    static const uint32_t keeps[] = {1, 2, 40, 511, KEEP_MAX};
    static const uint32_t counts[] = {0, 1, 17, 512, 1111, ROWS};
    static float estimates[ROWS + 16];
    static uint64_t all[ROWS], items[3 * KEEP_MAX + 512];
    struct ivf_best best;
    struct prng prng;

    (void)state;
    prng_init(&prng, 3);
    for (size_t i = 0; i < 2 * COUNT_OF(keeps) * COUNT_OF(counts); i++) {
        const uint32_t rows_count = counts[i / 2 % COUNT_OF(counts)];
        const uint32_t keep = keeps[i / 2 / COUNT_OF(counts)];
        for (uint32_t r = 0; r < ROWS; r++) /* many are equal, some are no number */
            estimates[r] = prng_below(&prng, 500) == 0 ? NAN : (float)prng_below(&prng, 900) - 450;
        for (uint32_t r = 0; r < rows_count; r++)
            all[r] = ivf_best_item(estimates[r], r);
        qsort(all, rows_count, sizeof *all, by_fall);
        ivf_best_init(&best, keep, items);
        offer(&best, estimates, rows_count, i % 2 == 1);
        if (rows_count >= 17) {
            const float third = ivf_best_estimate(all[keep < 3 ? keep - 1 : 2]);
            const float found = ivf_best_nth(&best, 3, 1);
            assert_memory_equal(&found, &third, sizeof found);
        }
        assert_best(&best, all, rows_count);
    }
    ivf_best_init(&best, 4, items);
    assert_true(ivf_best_nth(&best, 3, 1) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_rise_with_estimates),
        cmocka_unit_test(the_best_stay_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
