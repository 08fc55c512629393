/* SPDX-License-Identifier: Apache-2.0
 * Every kernel this machine can run gives the scalar oracle's bits. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/prng.h"
#include "segstore/kernels/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KERNELS_MAX = 8, QUERIES_MAX = 9, BLOCKS_MAX = 9, SLACK = 16 };

struct inputs {
    float *queries, *blocks, *expected, *found;
};

static struct inputs inputs_make(size_t dim, uint64_t seed)
{
    struct inputs inputs;
    size_t queries_count = QUERIES_MAX * dim + SLACK;
    size_t blocks_count = BLOCKS_MAX * dim * LIMIT_BLOCK_ROWS + SLACK;
    struct prng prng;

    prng_init(&prng, seed);
    inputs.queries = malloc(queries_count * sizeof(float));
    inputs.blocks = malloc(blocks_count * sizeof(float));
    inputs.expected = malloc(QUERIES_MAX * BLOCKS_MAX * LIMIT_BLOCK_ROWS * sizeof(float));
    inputs.found = malloc(QUERIES_MAX * BLOCKS_MAX * LIMIT_BLOCK_ROWS * sizeof(float));
    assert_true(inputs.queries && inputs.blocks && inputs.expected && inputs.found);
    for (size_t i = 0; i < queries_count; i++)
        inputs.queries[i] = (float)prng_normal(&prng);
    for (size_t i = 0; i < blocks_count; i++)
        inputs.blocks[i] = (float)prng_normal(&prng);
    return inputs;
}

static void inputs_free(struct inputs *inputs)
{
    free(inputs->queries);
    free(inputs->blocks);
    free(inputs->expected);
    free(inputs->found);
}

/* Both metrics of all tables against the scalar one. */
static void compare(const struct inputs *inputs, struct kernel_job job)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    size_t bytes = job.queries_count * job.blocks_count * LIMIT_BLOCK_ROWS * sizeof(float);

    for (size_t i = 1; i < tables_count; i++) {
        job.ret_distances = inputs->expected;
        kernels_scalar.l2(&job);
        job.ret_distances = inputs->found;
        tables[i]->l2(&job);
        assert_memory_equal(inputs->found, inputs->expected, bytes);
        job.ret_distances = inputs->expected;
        kernels_scalar.ip(&job);
        job.ret_distances = inputs->found;
        tables[i]->ip(&job);
        assert_memory_equal(inputs->found, inputs->expected, bytes);
    }
}

static void kernels_agree_at_every_dim_and_misalignment(void **state)
{
    (void)state;
    for (size_t dim = 1; dim <= 131; dim++) {
        size_t real_dim = dim == 131 ? 4096 : dim;
        struct inputs inputs = inputs_make(real_dim, dim);
        compare(&inputs, (struct kernel_job){.queries = inputs.queries + dim % SLACK,
                                             .blocks = inputs.blocks + dim * 7 % SLACK,
                                             .dim = real_dim,
                                             .queries_count = 1 + dim % 5,
                                             .blocks_count = 1 + dim % 7});
        inputs_free(&inputs);
    }
}

static void kernels_agree_at_every_shape_of_a_job(void **state)
{
    struct inputs inputs = inputs_make(13, 1);

    (void)state;
    for (size_t queries = 1; queries <= QUERIES_MAX; queries++)
        for (size_t blocks = 1; blocks <= BLOCKS_MAX; blocks++)
            compare(&inputs, (struct kernel_job){.queries = inputs.queries,
                                                 .blocks = inputs.blocks,
                                                 .dim = 13,
                                                 .queries_count = queries,
                                                 .blocks_count = blocks});
    inputs_free(&inputs);
}

static void kernels_agree_on_pairs(void **state)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    float expected[KERNEL_PAIRS * LIMIT_BLOCK_ROWS], found[KERNEL_PAIRS * LIMIT_BLOCK_ROWS];

    (void)state;
    for (size_t dim = 1; dim <= 40; dim++) {
        struct inputs inputs = inputs_make(dim, dim);
        struct kernel_pairs pairs = {.dim = dim, .ret_distances = expected};
        for (size_t i = 0; i < KERNEL_PAIRS; i++) {
            pairs.queries[i] = inputs.queries + (3 - i) * dim;
            pairs.blocks[i] = inputs.blocks + 2 * i * dim * LIMIT_BLOCK_ROWS;
        }
        kernels_scalar.l2_pairs(&pairs);
        pairs.ret_distances = found;
        for (size_t i = 1; i < tables_count; i++) {
            tables[i]->l2_pairs(&pairs);
            assert_memory_equal(found, expected, sizeof found);
        }
        inputs_free(&inputs);
    }
}

static void kernels_agree_on_rows(void **state)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    float expected[2][LIMIT_BLOCK_ROWS], found[2][LIMIT_BLOCK_ROWS];

    (void)state;
    for (size_t dim = 1; dim <= 70; dim++) {
        struct inputs inputs = inputs_make(dim, dim);
        struct kernel_rows rows = {
            .query = inputs.queries, .dim = dim, .rows_count = LIMIT_BLOCK_ROWS};
        for (size_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
            rows.rows[i] = inputs.blocks + i * 7 % LIMIT_BLOCK_ROWS * dim + 1;
        for (size_t i = 0; i < tables_count; i++) {
            rows.ret_distances = i == 0 ? expected[0] : found[0];
            tables[i]->l2_rows(&rows);
            rows.ret_distances = i == 0 ? expected[1] : found[1];
            tables[i]->ip_rows(&rows);
            if (i > 0)
                assert_memory_equal(found, expected, sizeof found);
        }
        inputs_free(&inputs);
    }
}

static void kernels_agree_on_points(void **state)
{
    enum { DIMS_MAX = 288, ROWS = 13 };
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    static uint8_t codes[ROWS * DIMS_MAX];
    uint8_t query[DIMS_MAX];
    uint32_t rows[ROWS], distances[KERNELS_MAX][ROWS];
    struct prng prng;

    (void)state;
    prng_init(&prng, 6);
    for (size_t dims = 32; dims <= DIMS_MAX; dims += 32)
        for (size_t count = 0; count <= ROWS; count++) {
            const bool is_far = count == 5; /* the largest sums */
            for (size_t i = 0; i < sizeof codes; i++)
                codes[i] = is_far ? 127 : (uint8_t)prng_below(&prng, 128);
            for (size_t d = 0; d < dims; d++)
                query[d] = is_far ? 0 : (uint8_t)prng_below(&prng, 128);
            memset(distances, 0, sizeof distances);
            for (size_t i = 0; i < count; i++)
                rows[i] = (uint32_t)(i * 5 % ROWS);
            for (size_t i = 0; i < tables_count; i++) {
                tables[i]->points(&(struct kernel_points){.codes = codes,
                                                          .query = query,
                                                          .dims = dims,
                                                          .rows = rows,
                                                          .rows_count = count,
                                                          .ret_distances = distances[i]});
                assert_memory_equal(distances[i], distances[0], sizeof *distances);
            }
            if (is_far)
                assert_int_equal(distances[0][4], dims * 127 * 127);
        }
}

/* By hand: one row, two dimensions. */
/* fmaf in FORMAT.md's order, and not product and sum rounded apart. */
static void the_oracle_rounds_once(void **state)
{
    float query[2] = {1 + 0x1p-12f, 1}, block[2 * LIMIT_BLOCK_ROWS] = {0};
    float distances[LIMIT_BLOCK_ROWS];

    (void)state;
    block[0] = 1 + 0x1p-12f;           /* row 0, dimension 0: the product needs 25 bits */
    block[LIMIT_BLOCK_ROWS] = -0x1p0f; /* row 0, dimension 1 */
    kernels_scalar.ip(&(struct kernel_job){query, block, 2, 1, 1, distances});
    assert_true(distances[0] == fmaf(1, -1, fmaf(query[0], block[0], 0)));
    block[0] = -1;
    block[LIMIT_BLOCK_ROWS] = 1 + 0x1p-12f;
    query[0] = 1;
    query[1] = 1 + 0x1p-12f;
    kernels_scalar.ip(&(struct kernel_job){query, block, 2, 1, 1, distances});
    assert_true(distances[0] == 0x1p-11f + 0x1p-24f);
}

static void finite_prefix_finds_the_first_bad_value(void **state)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    float values[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        values[i] = i % 2 == 0 ? 3.4e38f : -1e-45f;
    for (size_t t = 0; t < tables_count; t++) {
        for (size_t count = 0; count <= COUNT_OF(values); count++)
            assert_int_equal(tables[t]->finite_prefix(values, count), count);
        for (size_t at = 0; at < COUNT_OF(values); at++) {
            float kept = values[at];
            values[at] = bad[at % COUNT_OF(bad)];
            size_t prefix = tables[t]->finite_prefix(values, COUNT_OF(values));
            assert_true(prefix <= at && prefix + 64 > at);
            values[at] = kept;
        }
    }
}

static void kernels_are_chosen_by_name_or_environment(void **state)
{
    struct qn_error error = {0};

    (void)state;
    assert_int_equal(kernels_choose("scalar", &error), QN_STATUS_OK);
    assert_ptr_equal(kernels_current(), &kernels_scalar);
    assert_int_equal(kernels_choose("sse9", &error), QN_STATUS_CONFIG);
    assert_string_equal(error.text, "kernels sse9: unknown, there are scalar, avx2, avx512");
    assert_ptr_equal(kernels_current(), &kernels_scalar);
    assert_int_equal(setenv("QNODE_KERNELS", "nonsense", 1), 0);
    assert_int_equal(kernels_choose(NULL, &error), QN_STATUS_CONFIG);
    assert_int_equal(unsetenv("QNODE_KERNELS"), 0);
    assert_int_equal(kernels_choose(NULL, &error), QN_STATUS_OK);
    const struct kernels *tables[KERNELS_MAX];
    assert_ptr_equal(kernels_current(), tables[kernels_supported(tables, KERNELS_MAX) - 1]);
}

static void kernels_the_machine_lacks_are_named_as_such(void **state)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    bool has_avx512 = strcmp(tables[tables_count - 1]->name, "avx512") == 0;
    struct qn_error error = {0};

    (void)state;
    if (has_avx512) {
        assert_int_equal(kernels_choose("avx512", &error), QN_STATUS_OK);
        return;
    }
    assert_int_equal(kernels_choose("avx512", &error), QN_STATUS_CONFIG);
    assert_string_equal(error.text, "kernels avx512: this machine cannot run them");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_at_every_dim_and_misalignment),
        cmocka_unit_test(kernels_agree_at_every_shape_of_a_job),
        cmocka_unit_test(kernels_agree_on_pairs),
        cmocka_unit_test(kernels_agree_on_rows),
        cmocka_unit_test(kernels_agree_on_points),
        cmocka_unit_test(the_oracle_rounds_once),
        cmocka_unit_test(finite_prefix_finds_the_first_bad_value),
        cmocka_unit_test(kernels_are_chosen_by_name_or_environment),
        cmocka_unit_test(kernels_the_machine_lacks_are_named_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
