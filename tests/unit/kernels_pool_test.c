/* SPDX-License-Identifier: Apache-2.0
 * What a walk keeps: by every kernel this machine can run, the nearest of all rows that were
 * offered, each once, in their order, with their marks. */
#include "tests/test.h"

#include "base/check.h"
#include "base/prng.h"
#include "segstore/kernels/kernels.h"
#include <stdlib.h>
#include <string.h>

enum { KERNELS_MAX = 8, OFFERED_MAX = 100, CAPACITY_MAX = 700 };

/* The pool as it should be: all that was offered, each row once, in order. */
struct model {
    uint64_t *all; /* distance << 32 | row << 1 | its mark */
    size_t count;
};

/* Its place; capacity if it is too far or there already. */
static uint32_t model_offer(struct model *model, uint32_t capacity, uint32_t distance, uint32_t row)
{
    const uint64_t key = (uint64_t)distance << 32 | (uint64_t)row << 1;
    size_t at = 0;

    while (at < model->count && model->all[at] >> 1 < key >> 1)
        at++;
    if (at == capacity || (at < model->count && model->all[at] >> 1 == key >> 1))
        return capacity;
    model->count += model->count < capacity;
    memmove(&model->all[at + 1], &model->all[at], (model->count - 1 - at) * sizeof key);
    model->all[at] = key;
    return (uint32_t)at;
}

static void assert_as_model(const struct kernel_pool *pool, const struct model *model)
{
    assert_int_equal(pool->count, model->count);
    for (uint32_t i = 0; i < pool->count; i++) {
        assert_int_equal(pool->distances[i], model->all[i] >> 32);
        assert_int_equal(pool->rows[i], (uint32_t)model->all[i]);
    }
}

/* spread: few distances, and many are equal; 0: the largest that there are, too. */
static void offer_many(const struct kernels *kernels, uint32_t capacity, uint32_t spread)
{
    const size_t bytes = (capacity + KERNEL_POOL_PAD) * sizeof(uint32_t);
    struct kernel_pool pool = {.distances = malloc(bytes),
                               .rows = calloc(1, bytes),
                               .spare_distances = malloc(bytes),
                               .spare_rows = calloc(1, bytes),
                               .capacity = capacity};
    struct model model = {.all = calloc(capacity + 1, sizeof *model.all)};
    struct prng prng;

    assert_true(pool.distances && pool.rows && model.all);
    assert_true(pool.spare_distances && pool.spare_rows);
    for (size_t i = 0; i < bytes / sizeof(uint32_t); i++)
        pool.distances[i] = pool.spare_distances[i] = INT32_MAX;
    prng_init(&prng, capacity + spread);
    for (int round = 0; round < 60; round++) {
        uint32_t distances[OFFERED_MAX], rows[OFFERED_MAX], least = capacity;
        const size_t count = prng_below(&prng, OFFERED_MAX + 1);
        for (size_t i = 0; i < count; i++) {
            rows[i] =
                (uint32_t)(round % 3 == 0 ? prng_below(&prng, INT32_MAX) : prng_below(&prng, 2000));
            distances[i] = spread > 0 ? rows[i] * UINT32_C(2654435761) % spread
                                      : (uint32_t)INT32_MAX - rows[i] % 2000;
            uint32_t at = model_offer(&model, capacity, distances[i], rows[i]);
            least = at < least ? at : least;
        }
        const struct kernel_offer offer = {
            .pool = &pool, .distances = distances, .rows = rows, .rows_count = count};
        assert_int_equal(kernels->pool_offer(&offer), least);
        assert_as_model(&pool, &model);
        if (pool.count > 0) {
            uint32_t marked = (uint32_t)prng_below(&prng, pool.count);
            pool.rows[marked] |= 1;
            model.all[marked] |= 1;
        }
    }
    free(pool.distances);
    free(pool.rows);
    free(pool.spare_distances);
    free(pool.spare_rows);
    free(model.all);
}

static void a_pool_keeps_the_nearest_each_once(void **state)
{
    static const uint32_t spreads[] = {0, 1, 7, 1000, 1 << 30};
    const struct kernels *tables[KERNELS_MAX];
    const size_t count = kernels_supported(tables, KERNELS_MAX);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < COUNT_OF(spreads); s++)
            for (uint32_t capacity = 1; capacity < CAPACITY_MAX; capacity += 1 + capacity / 8)
                offer_many(tables[i], capacity, spreads[s]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_keeps_the_nearest_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
