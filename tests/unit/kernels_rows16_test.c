/* SPDX-License-Identifier: Apache-2.0
 * Rows of halves: every kernel this machine can run gives the scalar oracle's bits, and the oracle
 * those of the same rows as floats. */
#include "tests/test.h"

#include "base/limits.h"
#include "base/prng.h"
#include "segstore/half.h"
#include "segstore/kernels/kernels.h"
#include <stdlib.h>
#include <string.h>

enum { KERNELS_MAX = 8, DIM_MAX = 130, FINITE = 0x7c00 };

/* Each row has memory of its own, so that a sanitizer sees who reads past its end. */
struct inputs {
    uint16_t *halves[LIMIT_BLOCK_ROWS]; /* begin at any multiple of 2 */
    float *floats[LIMIT_BLOCK_ROWS];
    float *query;
    void *memory[LIMIT_BLOCK_ROWS];
};

/* Any finite half: subnormal, zero of both signs, the largest. */
static uint16_t any_half(struct prng *prng)
{
    return (uint16_t)(prng_below(prng, FINITE) | prng_below(prng, 2) << 15);
}

static struct inputs inputs_make(size_t dim, float scale)
{
    struct inputs inputs;
    struct prng prng;

    prng_init(&prng, dim);
    inputs.query = malloc(dim * sizeof *inputs.query);
    assert_non_null(inputs.query);
    for (size_t d = 0; d < dim; d++)
        inputs.query[d] = scale * (float)prng_normal(&prng);
    for (size_t i = 0; i < LIMIT_BLOCK_ROWS; i++) {
        const size_t skipped = i % 8;
        inputs.memory[i] = malloc((skipped + dim) * sizeof(uint16_t));
        inputs.floats[i] = malloc(dim * sizeof(float));
        assert_true(inputs.memory[i] != NULL && inputs.floats[i] != NULL);
        inputs.halves[i] = (uint16_t *)inputs.memory[i] + skipped;
        for (size_t d = 0; d < dim; d++) {
            inputs.halves[i][d] = i % 2 == 0 ? any_half(&prng) : half_from_float(inputs.query[d]);
            if ((inputs.halves[i][d] & FINITE) == FINITE)
                inputs.halves[i][d] ^= 0x4000; /* another exponent */
            inputs.floats[i][d] = half_to_float(inputs.halves[i][d]);
        }
    }
    return inputs;
}

static void inputs_free(struct inputs *inputs)
{
    for (size_t i = 0; i < LIMIT_BLOCK_ROWS; i++) {
        free(inputs->memory[i]);
        free(inputs->floats[i]);
    }
    free(inputs->query);
}

static void compare(const struct inputs *inputs, size_t dim, size_t rows_count)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    float expected[2][LIMIT_BLOCK_ROWS], found[2][LIMIT_BLOCK_ROWS];
    struct kernel_rows rows = {.query = inputs->query, .dim = dim, .rows_count = rows_count};

    memcpy(rows.rows, inputs->floats, sizeof rows.rows);
    rows.ret_distances = expected[0];
    kernels_scalar.l2_rows(&rows);
    rows.ret_distances = expected[1];
    kernels_scalar.ip_rows(&rows);
    memcpy(rows.rows, inputs->halves, sizeof rows.rows);
    for (size_t i = 0; i < tables_count; i++) {
        rows.ret_distances = found[0];
        tables[i]->l2_rows16(&rows);
        rows.ret_distances = found[1];
        tables[i]->ip_rows16(&rows);
        for (size_t m = 0; m < 2; m++)
            assert_memory_equal(found[m], expected[m], rows_count * sizeof(float));
    }
}

static void kernels_agree_at_every_dim(void **state)
{
    (void)state;
    for (size_t dim = 1; dim <= DIM_MAX; dim++) {
        struct inputs inputs = inputs_make(dim, 1);
        for (size_t count = 1; count <= LIMIT_BLOCK_ROWS; count++)
            compare(&inputs, dim, count);
        inputs_free(&inputs);
    }
}

/* Of the range of floats, where distances become infinite, and of subnormals. */
static void kernels_agree_at_the_ends_of_the_range(void **state)
{
    (void)state;
    for (size_t dim = 1; dim <= 20; dim++)
        for (int i = 0; i < 2; i++) {
            struct inputs inputs = inputs_make(dim, i == 0 ? 0x1p124F : 0x1p-140F);
            compare(&inputs, dim, LIMIT_BLOCK_ROWS);
            inputs_free(&inputs);
        }
}

static void kernels_agree_on_what_a_half_is(void **state)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);

    (void)state;
    for (size_t first = 0; first < 2; first++)
        for (size_t count = 0; count < 70; count++) {
            uint16_t *halves = malloc((first + count) * sizeof *halves + 1);
            float *floats = malloc((count + 1) * sizeof *floats);
            assert_true(halves != NULL && floats != NULL);
            for (uint32_t base = 0; base < FINITE; base += 61) {
                for (size_t i = 0; i < count; i++)
                    halves[first + i] = (uint16_t)((base + i) % FINITE | (i % 2) << 15);
                for (size_t t = 0; t < tables_count; t++) {
                    memset(floats, 0x55, (count + 1) * sizeof *floats);
                    tables[t]->widen(halves + first, count, floats);
                    for (size_t i = 0; i < count; i++) {
                        float expected = half_to_float(halves[first + i]);
                        assert_memory_equal(&floats[i], &expected, sizeof expected);
                    }
                    assert_true(floats[count] == 0x1.aaaaaap+43F); /* untouched */
                }
            }
            free(halves);
            free(floats);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_at_every_dim),
        cmocka_unit_test(kernels_agree_at_the_ends_of_the_range),
        cmocka_unit_test(kernels_agree_on_what_a_half_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
