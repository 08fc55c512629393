/* SPDX-License-Identifier: Apache-2.0
 * What the tests of indexes share: the same rows as an indexed segment and as a flat one. */
#ifndef TESTS_UNIT_SEGSTORE_INDEX_FIXTURE_H
#define TESTS_UNIT_SEGSTORE_INDEX_FIXTURE_H

#include "segstore/index_build.h"
#include "segstore/search.h"

struct pair {
    struct segment indexed, flat;
    struct section_built built;
    float *rows, *ordered, *blocks, *queries;
    int64_t *keys, *ordered_keys;
    uint32_t nq;
};

/* Rows around a few centres: what an index is for. To be freed. */
float *pair_rows(uint64_t rows_count, uint32_t dim, uint64_t seed);
/* rows: taken, unprepared; facts: metric, dim, rows_count. Keys are 3 x the row's number. */
struct pair pair_make(const struct segment_facts *facts, float *rows, uint32_t nq,
                      const struct index_options *options);
void pair_free(struct pair *pair);

struct found {
    struct topk *topks;
    void *storage;
};

/* All queries in one of the pair's segments. */
struct found pair_search(const struct pair *pair, const struct segment *segment,
                         struct search_options options);
void found_free(struct found *found);
/* The same hits in the same order, to the bit. */
void found_assert_same(const struct found *found, const struct found *expected, uint32_t nq);
/* The index finds what an exact search finds. */
void pair_assert_same(const struct pair *pair, struct search_options options);
/* So many queries at a time find in the index what all find together. */
void pair_assert_alone(const struct pair *pair, struct search_options options, uint32_t count);

#endif
