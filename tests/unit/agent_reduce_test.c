/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reduce.h"
#include "base/check.h"
#include "base/prng.h"
#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

enum { K = 10, NQ = 3 };

struct set {
    struct topk topks[NQ];
    void *storage[NQ];
};

static void set_init(struct set *set)
{
    for (int q = 0; q < NQ; q++) {
        set->storage[q] = malloc(topk_bytes(K));
        assert_non_null(set->storage[q]);
        topk_init(&set->topks[q], QN_METRIC_L2, K, set->storage[q]);
    }
}

static void set_done(struct set *set)
{
    for (int q = 0; q < NQ; q++)
        free(set->storage[q]);
}

static void merged_chunks_equal_one_chunk(void **state)
{
    struct set one, chunks[4];
    struct qn_hit expected[NQ * K], hits[NQ * K];
    uint32_t expected_counts[NQ], counts[NQ];
    struct prng prng;

    (void)state;
    prng_init(&prng, 1);
    set_init(&one);
    for (size_t c = 0; c < COUNT_OF(chunks); c++)
        set_init(&chunks[c]);
    for (int i = 0; i < 500; i++) {
        uint64_t q = prng_below(&prng, NQ);
        struct qn_hit hit = {(int64_t)prng_below(&prng, 100), (float)prng_below(&prng, 30)};
        topk_push(&one.topks[q], hit);
        topk_push(&chunks[prng_below(&prng, COUNT_OF(chunks))].topks[q], hit);
    }
    for (size_t c = 1; c < COUNT_OF(chunks); c++)
        reduce_merge(chunks[0].topks, chunks[c].topks, NQ);
    size_t count = reduce_collect(chunks[0].topks, NQ, counts, hits);
    assert_int_equal(count, reduce_collect(one.topks, NQ, expected_counts, expected));
    assert_memory_equal(counts, expected_counts, sizeof counts);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hits[i].primary_key, expected[i].primary_key);
        assert_true(hits[i].distance == expected[i].distance);
    }
    set_done(&one);
    for (size_t c = 0; c < COUNT_OF(chunks); c++)
        set_done(&chunks[c]);
}

static void check_parts(const uint32_t *counts, uint32_t nq, const struct reduce_room *room,
                        const struct reduce_part *parts, size_t parts_count)
{
    uint32_t query = 0;
    size_t hit = 0;

    for (size_t i = 0; i < parts_count; i++) {
        size_t bytes = room->envelope_bytes + (i == 0 ? room->head_bytes : 0), hits = 0;
        assert_int_equal(parts[i].first_query, query);
        assert_int_equal(parts[i].first_hit, hit);
        for (uint32_t q = 0; q < parts[i].queries_count; q++)
            hits += counts[query + q];
        assert_int_equal(parts[i].hits_count, hits);
        bytes += parts[i].queries_count * REDUCE_QUERY_BYTES + hits * REDUCE_HIT_BYTES;
        assert_true(bytes <= room->part_bytes);
        query += parts[i].queries_count;
        hit += hits;
    }
    assert_int_equal(query, nq);
}

static void parts_hold_every_query_once_and_fit(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 2);
    for (int round = 0; round < 200; round++) {
        uint32_t counts[64], nq = 1 + (uint32_t)prng_below(&prng, 64);
        struct reduce_part parts[65];
        struct reduce_room room = {.part_bytes = 3000, .envelope_bytes = 500, .head_bytes = 400};
        for (uint32_t q = 0; q < nq; q++)
            counts[q] = (uint32_t)prng_below(&prng, 100);
        size_t parts_count = reduce_parts(counts, nq, &room, parts);
        assert_true(parts_count >= 1 && parts_count <= nq + 1);
        check_parts(counts, nq, &room, parts, parts_count);
    }
}

static void what_fits_no_part_is_told(void **state)
{
    struct reduce_part parts[2];
    struct reduce_room room = {.part_bytes = 1000, .envelope_bytes = 500, .head_bytes = 0};
    uint32_t count = 42;

    (void)state;
    assert_int_equal(reduce_parts(&count, 1, &room, parts), 0);
    count = 41;
    assert_int_equal(reduce_parts(&count, 1, &room, parts), 1);
    room.head_bytes = 400; /* the head goes alone */
    assert_int_equal(reduce_parts(&count, 1, &room, parts), 2);
    assert_int_equal(parts[0].queries_count, 0);
    room.head_bytes = 501;
    assert_int_equal(reduce_parts(&count, 1, &room, parts), 0);
    room.head_bytes = 500;
    assert_int_equal(reduce_parts(&count, 0, &room, parts), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged_chunks_equal_one_chunk),
        cmocka_unit_test(parts_hold_every_query_once_and_fit),
        cmocka_unit_test(what_fits_no_part_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
