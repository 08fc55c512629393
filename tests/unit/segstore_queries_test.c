/* SPDX-License-Identifier: Apache-2.0
 * Deadlines, and what queries must be like. */
#include "tests/test.h"

#include "segstore/kernels/kernels.h"
#include "segstore/search.h"
#include "tests/unit/segstore_fixture.h"
#include <math.h>
#include <stdlib.h>

enum { NQ = 6 };

static bool stop_now(void *owner)
{
    int *calls_left = owner;

    return (*calls_left)-- <= 0;
}

static void a_passed_deadline_ends_the_search(void **state)
{
    struct segment_facts facts = fixture_facts(20000, 128, QN_METRIC_L2);
    float *rows = calloc((size_t)20000 * 128, sizeof *rows);
    struct segment *segment = fixture_segment(&facts, NULL, rows);
    int calls_left = 0;
    struct search_options options = {.k = 5, .stop = stop_now, .stop_owner = &calls_left};
    uint64_t storage[NQ][64];
    struct topk topks[NQ];
    struct search_queries queries;

    assert_int_equal(search_queries_bytes(128, NQ), 0);
    search_queries_init(&queries, 128, NQ, rows, NULL);
    assert_true(topk_bytes(5) <= sizeof storage[0]);
    for (int i = 0; i < NQ; i++)
        topk_init(&topks[i], QN_METRIC_L2, 5, storage[i]);
    (void)state;

    assert_int_equal(kernels_choose(NULL, NULL), QN_STATUS_OK);
    assert_int_equal(search_segment(segment, &queries, &options, topks), QN_STATUS_TIMEOUT);
    assert_int_equal(topks[0].count, 0); /* asked before the first block */
    calls_left = 2;
    assert_int_equal(search_segment(segment, &queries, &options, topks), QN_STATUS_TIMEOUT);
    calls_left = 1 << 20;
    assert_int_equal(search_segment(segment, &queries, &options, topks), QN_STATUS_OK);
    /* 6 x 20000 x 128 multiply-adds are at least 3 times 4 Mi. */
    assert_true(calls_left < (1 << 20) - 3);
    segment_free(segment);
    free(rows);
}

static void bad_queries_are_refused_by_number(void **state)
{
    float queries[3 * 2] = {1, 2, 3, NAN, 0, 0};
    struct qn_error error = {0};

    (void)state;
    assert_int_equal(search_prepare_queries(QN_METRIC_L2, 2, 3, queries, &error),
                     QN_STATUS_INVALID);
    assert_string_equal(error.text, "query 1: value 1 is NaN");
    queries[3] = -INFINITY;
    assert_int_equal(search_prepare_queries(QN_METRIC_IP, 2, 3, queries, &error),
                     QN_STATUS_INVALID);
    assert_string_equal(error.text, "query 1: value 1 is infinite");
    queries[3] = 4;
    assert_int_equal(search_prepare_queries(QN_METRIC_L2, 2, 3, queries, &error), QN_STATUS_OK);
    assert_int_equal(search_prepare_queries(QN_METRIC_COSINE, 2, 3, queries, &error),
                     QN_STATUS_INVALID);
    assert_string_equal(error.text, "query 2: all values are zero, cosine has no meaning");
}

static void tiny_and_huge_queries_normalise_to_length_one(void **state)
{
    float queries[2 * 2] = {1e-45f, 0, 3e38f, -3e38f};

    (void)state;
    assert_int_equal(search_prepare_queries(QN_METRIC_COSINE, 2, 2, queries, NULL), QN_STATUS_OK);
    assert_true(queries[0] == 1 && queries[1] == 0);
    assert_true(queries[2] == -queries[3] && fabsf(queries[2] - 0.70710678f) < 1e-7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passed_deadline_ends_the_search),
        cmocka_unit_test(bad_queries_are_refused_by_number),
        cmocka_unit_test(tiny_and_huge_queries_normalise_to_length_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
