/* SPDX-License-Identifier: Apache-2.0
 * Estimates by codes: every kernel this machine can run gives the scalar oracle's bits. */
#include "tests/test.h"

#include "base/limits.h"
#include "base/prng.h"
#include "segstore/kernels/kernels.h"
#include <stdalign.h>
#include <string.h>

enum { KERNELS_MAX = 8, TILE_BLOCKS = 5 };

struct coded {
    float estimates[KERNEL_CODE_QUERIES][TILE_BLOCKS * LIMIT_BLOCK_ROWS];
    uint16_t masks[KERNEL_CODE_QUERIES][TILE_BLOCKS];
};

enum { CODE_DIMS_MAX = 136 };

/* The codes are as large as can be at 16 and 64 dims, with both signs at 24 and 128. */
struct code_inputs {
    uint8_t bytes[TILE_BLOCKS * CODE_DIMS_MAX * LIMIT_BLOCK_ROWS];
    alignas(4) int8_t queries[KERNEL_CODE_QUERIES][CODE_DIMS_MAX];
    float factors[TILE_BLOCKS * LIMIT_BLOCK_ROWS + 5];
};

static void fill_codes(struct code_inputs *inputs, struct prng *prng, size_t dims)
{
    const bool is_most = dims == 16 || dims == 64, is_either = dims == 24 || dims == 128;

    for (size_t i = 0; i < sizeof inputs->bytes; i++)
        inputs->bytes[i] = is_most || is_either ? 255 : (uint8_t)prng_next(prng);
    for (size_t i = 0; i < TILE_BLOCKS * LIMIT_BLOCK_ROWS + 5; i++)
        inputs->factors[i] = (float)prng_normal(prng);
    for (size_t q = 0; q < KERNEL_CODE_QUERIES; q++)
        for (size_t d = 0; d < dims; d++) {
            int any = (int)prng_below(prng, 255) - 127;
            inputs->queries[q][d] = (int8_t)(is_most      ? -127
                                             : !is_either ? any
                                             : q % 2 == 0 ? 127
                                                          : -127);
        }
}

static void run_codes(void (*codes)(const struct kernel_codes *codes), struct kernel_codes *job,
                      const struct code_inputs *inputs, struct coded *ret_coded)
{
    struct kernel_code_query queries[KERNEL_CODE_QUERIES];

    memset(ret_coded, 0, sizeof *ret_coded);
    for (size_t q = 0; q < job->queries_count; q++)
        queries[q] = (struct kernel_code_query){.codes = inputs->queries[q],
                                                .centre = (int32_t)q * 77 - 100,
                                                .base = 0.25f * (float)q,
                                                .scale = 0x1p-7f,
                                                .bound = 1 - (float)q,
                                                .ret_estimates = ret_coded->estimates[q],
                                                .ret_masks = ret_coded->masks[q]};
    job->queries = queries;
    codes(job);
}

static void kernels_agree_on_codes(void **state)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    static struct code_inputs code_inputs;
    static struct coded expected, found;
    struct prng prng;

    (void)state;
    prng_init(&prng, 5);
    for (size_t dims = 8; dims <= CODE_DIMS_MAX; dims += 8) {

        fill_codes(&code_inputs, &prng, dims);
        for (size_t i = 0; i < 2 * KERNEL_CODE_QUERIES; i++) {
            struct kernel_codes job = {.codes = code_inputs.bytes,
                                       .scales = code_inputs.factors,
                                       .terms = i % 3 == 0 ? NULL : code_inputs.factors + 5,
                                       .dims = dims,
                                       .blocks_count = 1 + dims / 8 % TILE_BLOCKS,
                                       .queries_count = 1 + i / 2};
            for (size_t t = 0; t < tables_count; t++) {
                run_codes(i % 2 == 0 ? tables[t]->codes4 : tables[t]->codes8, &job, &code_inputs,
                          t == 0 ? &expected : &found);
                if (t > 0)
                    assert_memory_equal(&found, &expected, sizeof found);
            }
        }
    }
}

static void an_estimate_is_what_it_is_defined_as(void **state)
{
    alignas(4) int8_t query[8] = {3, -2};
    uint8_t bytes[64] = {7, 0xf5};
    float scales[LIMIT_BLOCK_ROWS] = {0.5f}, terms[LIMIT_BLOCK_ROWS] = {4};
    float estimates[LIMIT_BLOCK_ROWS];
    uint16_t masks[1];
    struct kernel_code_query asked = {query, 1, 100, 2, 110, estimates, masks};

    (void)state;
    kernels_scalar.codes4(&(struct kernel_codes){bytes, scales, terms, 8, 1, 1, &asked});
    assert_true(estimates[0] == 100 + 4 + 0.5f * 2 * (3 * 7 - 2 * 5 - 1)); /* 114 */
    assert_true(estimates[1] == 100 + 0);
    assert_int_equal(masks[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_on_codes),
        cmocka_unit_test(an_estimate_is_what_it_is_defined_as),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
