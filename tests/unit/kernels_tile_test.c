/* SPDX-License-Identifier: Apache-2.0
 * Tiles of queries and what a sieve lets pass: every kernel this machine can run gives the scalar
 * oracle's bits. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/prng.h"
#include "segstore/kernels/kernels.h"
#include <math.h>
#include <stdalign.h>
#include <string.h>

enum { KERNELS_MAX = 8, DIM_MAX = 40, BLOCKS_MAX = 5 };

struct inputs {
    size_t dim, blocks_count;
    float queries[DIM_MAX * KERNEL_TILE_QUERIES];
    float blocks[BLOCKS_MAX * DIM_MAX * LIMIT_BLOCK_ROWS];
    float terms[BLOCKS_MAX * LIMIT_BLOCK_ROWS], bounds[KERNEL_TILE_QUERIES];
    bool has_terms;
};

struct tiled {
    alignas(64) float sums[BLOCKS_MAX * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS];
    uint16_t masks[BLOCKS_MAX * KERNEL_TILE_QUERIES];
    uint32_t passed;
};

static void fill(struct prng *prng, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)prng_normal(prng);
}

static void inputs_fill(struct inputs *inputs, uint64_t seed)
{
    struct prng prng;

    prng_init(&prng, seed);
    fill(&prng, inputs->queries, COUNT_OF(inputs->queries));
    fill(&prng, inputs->blocks, COUNT_OF(inputs->blocks));
    fill(&prng, inputs->terms, COUNT_OF(inputs->terms));
    fill(&prng, inputs->bounds, COUNT_OF(inputs->bounds));
}

/* In two pieces of the dimensions; the second tells which blocks pass. */
static void tile_with(const struct kernels *kernels, const struct inputs *inputs,
                      struct tiled *tiled)
{
    struct kernel_tile tile = {.queries = inputs->queries,
                               .blocks = inputs->blocks,
                               .block_floats = inputs->dim * LIMIT_BLOCK_ROWS,
                               .dims = inputs->dim / 2,
                               .blocks_count = inputs->blocks_count,
                               .is_first = true,
                               .sums = tiled->sums};

    memset(tiled, 0, sizeof *tiled);
    assert_int_equal(kernels->tile(&tile), 0);
    tile.queries += tile.dims * KERNEL_TILE_QUERIES;
    tile.blocks += tile.dims * LIMIT_BLOCK_ROWS;
    tile.dims = inputs->dim - tile.dims;
    tile.is_first = false;
    tile.terms = inputs->has_terms ? inputs->terms : NULL;
    tile.bounds = inputs->bounds;
    tiled->passed = kernels->tile(&tile);
    for (size_t block = 0; block < inputs->blocks_count; block++)
        kernels->sieve(&(struct kernel_sieve){
            .sums = tiled->sums + block * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS,
            .terms = inputs->has_terms ? inputs->terms + block * LIMIT_BLOCK_ROWS : NULL,
            .bounds = inputs->bounds,
            .ret_masks = tiled->masks + block * KERNEL_TILE_QUERIES,
        });
}

/* All tables alike, and the sieve lets rows of those blocks pass that the tile named. */
static void assert_tile_agrees(const struct inputs *inputs, struct tiled *ret_tiled)
{
    static struct tiled found;
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    uint32_t passed = 0;

    tile_with(&kernels_scalar, inputs, ret_tiled);
    for (size_t i = 0; i < COUNT_OF(ret_tiled->masks); i++)
        passed |= (uint32_t)(ret_tiled->masks[i] != 0) << i / KERNEL_TILE_QUERIES;
    assert_int_equal(ret_tiled->passed, passed);
    for (size_t i = 1; i < tables_count; i++) {
        tile_with(tables[i], inputs, &found);
        assert_memory_equal(&found, ret_tiled, sizeof found);
    }
}

static void kernels_agree_on_tiles_and_sieves(void **state)
{
    static struct inputs inputs;
    static struct tiled tiled;

    (void)state;
    for (inputs.dim = 1; inputs.dim <= DIM_MAX; inputs.dim++) {
        inputs_fill(&inputs, inputs.dim);
        inputs.blocks_count = 1 + inputs.dim % BLOCKS_MAX;
        inputs.has_terms = inputs.dim % 2 == 0;
        assert_tile_agrees(&inputs, &tiled);
    }
}

/* One row of one query reaches its bound; all others are below theirs. */
static void a_tile_names_the_only_block_with_a_row_that_may_enter(void **state)
{
    static struct inputs inputs = {.dim = 7, .blocks_count = BLOCKS_MAX};
    static struct tiled tiled;

    (void)state;
    for (size_t q = 0; q < KERNEL_TILE_QUERIES; q++) {
        inputs_fill(&inputs, q);
        for (size_t i = 0; i < KERNEL_TILE_QUERIES; i++)
            inputs.bounds[i] = INFINITY;
        assert_tile_agrees(&inputs, &tiled);
        assert_int_equal(tiled.passed, 0);
        size_t nearest = q * LIMIT_BLOCK_ROWS;
        for (size_t i = 0; i < COUNT_OF(tiled.sums); i++)
            if (i / LIMIT_BLOCK_ROWS % KERNEL_TILE_QUERIES == q &&
                tiled.sums[i] > tiled.sums[nearest])
                nearest = i;
        inputs.bounds[q] = tiled.sums[nearest];
        assert_tile_agrees(&inputs, &tiled);
        assert_int_equal(tiled.passed, 1 << nearest / LIMIT_BLOCK_ROWS / KERNEL_TILE_QUERIES);
        assert_int_equal(tiled.masks[nearest / LIMIT_BLOCK_ROWS], 1 << nearest % LIMIT_BLOCK_ROWS);
    }
}

static void a_tile_has_the_bits_of_ip(void **state)
{
    static struct inputs inputs = {.dim = 9, .blocks_count = 1};
    static struct tiled tiled;
    float query[9], distances[LIMIT_BLOCK_ROWS];

    (void)state;
    inputs_fill(&inputs, 3);
    tile_with(&kernels_scalar, &inputs, &tiled);
    for (size_t q = 0; q < KERNEL_TILE_QUERIES; q++) {
        for (size_t d = 0; d < inputs.dim; d++)
            query[d] = inputs.queries[d * KERNEL_TILE_QUERIES + q];
        kernels_scalar.ip(&(struct kernel_job){query, inputs.blocks, inputs.dim, 1, 1, distances});
        assert_memory_equal(tiled.sums + q * LIMIT_BLOCK_ROWS, distances, sizeof distances);
    }
}

/* The bound itself passes, and what is not a number. */
static void a_sieve_lets_nothing_pass_below_its_bound(void **state)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    alignas(64) float sums[KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS] = {0};
    float terms[LIMIT_BLOCK_ROWS] = {0}, bounds[KERNEL_TILE_QUERIES];
    uint16_t masks[KERNEL_TILE_QUERIES];

    (void)state;
    sums[7 * LIMIT_BLOCK_ROWS + 3] = NAN;
    for (size_t q = 0; q < KERNEL_TILE_QUERIES; q++)
        bounds[q] = q == 5 ? 0 : 0x1p-149f;
    for (size_t i = 0; i < tables_count; i++) {
        tables[i]->sieve(&(struct kernel_sieve){sums, terms, bounds, masks});
        for (size_t q = 0; q < KERNEL_TILE_QUERIES; q++)
            assert_int_equal(masks[q], q == 5 ? 0xffff : q == 7 ? 1 << 3 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_on_tiles_and_sieves),
        cmocka_unit_test(a_tile_names_the_only_block_with_a_row_that_may_enter),
        cmocka_unit_test(a_tile_has_the_bits_of_ip),
        cmocka_unit_test(a_sieve_lets_nothing_pass_below_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
