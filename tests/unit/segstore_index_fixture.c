/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/segstore_index_fixture.h"

#include "base/prng.h"
#include "segstore/format.h"
#include "segstore/rows.h"
#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

/* Rows around a few centres: what an index is for. */
static void fill_clustered(float *rows, uint64_t rows_count, uint32_t dim, uint64_t seed)
{
    enum { CENTRES = 40 };
    float *centres = malloc((size_t)CENTRES * dim * sizeof *centres);
    struct prng prng;

    assert_non_null(centres);
    prng_init(&prng, 1);
    for (size_t i = 0; i < (size_t)CENTRES * dim; i++)
        centres[i] = (float)prng_normal(&prng);
    prng_init(&prng, seed);
    for (uint64_t i = 0; i < rows_count; i++) {
        const float *centre = centres + prng_below(&prng, CENTRES) * dim;
        for (uint32_t d = 0; d < dim; d++)
            rows[i * dim + d] = centre[d] + 0.5F * (float)prng_normal(&prng);
    }
    free(centres);
}

static void prepare(enum qn_metric metric, uint32_t dim, float *rows, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(rows_prepare(metric, dim, rows + i * dim, NULL), QN_STATUS_OK);
}

struct pair pair_make(const struct segment_facts *facts, float *rows, uint32_t nq,
                      const struct index_options *options)
{
    const uint32_t dim = facts->dim;
    const uint64_t rows_count = facts->rows_count;
    struct pair pair = {.rows = rows, .nq = nq};
    struct qn_error error = {0};

    prepare(facts->metric, dim, rows, rows_count);
    pair.queries = malloc((size_t)nq * dim * sizeof(float));
    pair.ordered = malloc((rows_count + 1) * dim * sizeof(float));
    pair.blocks = calloc(format_blocks(rows_count) * LIMIT_BLOCK_ROWS, dim * sizeof(float));
    pair.keys = calloc(rows_count, sizeof(int64_t));
    pair.ordered_keys = calloc(rows_count, sizeof(int64_t));
    assert_true(pair.queries && pair.ordered && pair.blocks && pair.keys && pair.ordered_keys);
    fill_clustered(pair.queries, nq, dim, 77);
    prepare(facts->metric, dim, pair.queries, nq);
    for (uint64_t i = 0; i < rows_count; i++) {
        pair.keys[i] = pair.ordered_keys[i] = (int64_t)(i * 3);
        rows_to_block(rows + i * dim, dim, i % LIMIT_BLOCK_ROWS,
                      pair.blocks + i / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS * dim);
    }
    memcpy(pair.ordered, rows, rows_count * dim * sizeof(float));
    struct choice choice;
    struct index_input input = {.facts = *facts, .rows = pair.ordered, .keys = pair.ordered_keys};
    assert_int_equal(index_build(options, &input, &pair.built, &choice, &error), QN_STATUS_OK);
    for (uint64_t i = 0; i < rows_count; i++)
        assert_int_equal(pair.ordered_keys[i], pair.built.order[i] * INT64_C(3));
    pair.flat = (struct segment){.facts = *facts, .primary_keys = pair.keys, .blocks = pair.blocks};
    pair.indexed =
        (struct segment){.facts = *facts, .primary_keys = pair.ordered_keys, .rows = pair.ordered};
    assert_int_equal(index_open(pair.built.section, pair.built.section_bytes, facts,
                                &pair.indexed.index, &error),
                     QN_STATUS_OK);
    return pair;
}

void pair_free(struct pair *pair)
{
    section_built_done(&pair->built);
    free(pair->rows);
    free(pair->ordered);
    free(pair->blocks);
    free(pair->queries);
    free(pair->keys);
    free(pair->ordered_keys);
}

struct found pair_search(const struct pair *pair, const struct segment *segment,
                         struct search_options options)
{
    const uint32_t dim = segment->facts.dim, k = options.k;
    struct found found = {.topks = calloc(pair->nq, sizeof *found.topks),
                          .storage = malloc(pair->nq * topk_bytes(k))};
    void *tiles = malloc(search_queries_bytes(dim, pair->nq) + 1);
    void *scratch =
        aligned_alloc(64, (search_scratch_bytes(segment, &options, pair->nq) + 64) / 64 * 64);
    struct search_queries queries;

    assert_true(found.topks && found.storage && tiles && scratch);
    options.scratch = scratch;
    for (uint32_t i = 0; i < pair->nq; i++)
        topk_init(&found.topks[i], segment->facts.metric, k,
                  (unsigned char *)found.storage + i * topk_bytes(k));
    search_queries_init(&queries, dim, pair->nq, pair->queries, tiles);
    assert_int_equal(search_segment(segment, &queries, &options, found.topks), QN_STATUS_OK);
    for (uint32_t i = 0; i < pair->nq; i++)
        topk_sort(&found.topks[i]);
    free(tiles);
    free(scratch);
    return found;
}

void found_free(struct found *found)
{
    free(found->topks);
    free(found->storage);
}

void found_assert_same(const struct found *found, const struct found *expected, uint32_t nq)
{
    for (uint32_t i = 0; i < nq; i++) {
        assert_int_equal(found->topks[i].count, expected->topks[i].count);
        for (uint32_t j = 0; j < found->topks[i].count; j++) {
            const struct qn_hit *hit = &found->topks[i].hits[j];
            assert_int_equal(hit->primary_key, expected->topks[i].hits[j].primary_key);
            assert_memory_equal(&hit->distance, &expected->topks[i].hits[j].distance,
                                sizeof(float));
        }
    }
}

void pair_assert_same(const struct pair *pair, struct search_options options)
{
    struct found expected = pair_search(pair, &pair->flat, (struct search_options){.k = options.k});
    struct found found = pair_search(pair, &pair->indexed, options);

    found_assert_same(&found, &expected, pair->nq);
    found_free(&expected);
    found_free(&found);
}

void pair_assert_alone(const struct pair *pair, struct search_options options, uint32_t count)
{
    enum { BETWEEN = 73 };
    struct found expected = pair_search(pair, &pair->indexed, options);
    struct pair some = *pair;

    some.nq = count;
    for (uint32_t first = 0; first + count <= pair->nq; first += BETWEEN) {
        some.queries = pair->queries + (size_t)first * pair->indexed.facts.dim;
        struct found found = pair_search(&some, &some.indexed, options);
        found_assert_same(&found, &(struct found){.topks = expected.topks + first}, count);
        found_free(&found);
    }
    found_free(&expected);
}

float *pair_rows(uint64_t rows_count, uint32_t dim, uint64_t seed)
{
    float *rows = malloc((rows_count + 1) * dim * sizeof *rows);

    assert_non_null(rows);
    fill_clustered(rows, rows_count, dim, seed);
    return rows;
}
