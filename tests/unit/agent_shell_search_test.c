/* SPDX-License-Identifier: Apache-2.0
 * The search path of an agent, from bus bytes to bus bytes. */
#include "base/check.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Segments 1..count with that many rows each, loaded. */
static void load_segments(struct world *world, struct world_segment **segments, size_t count,
                          const struct world_segment *like)
{
    for (size_t i = 0; i < count; i++) {
        segments[i] = world_make_segment(world, (int64_t)i + 1, (uint32_t)like->facts.rows_count,
                                         like->facts.dim, like->facts.metric);
        world_load_well(world, segments[i], i + 1);
    }
}

static void free_segments(struct world_segment **segments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        world_free_segment(segments[i]);
}

static const int64_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8};

/* One search over `count` equal segments; the answer must be the truth. Returns the parts. */
static uint32_t expect_exact(struct world_options options, size_t count, uint32_t rows,
                             struct world_search search)
{
    struct world *world = world_open(options);
    struct world_segment *segments[COUNT_OF(ids)];
    struct world_segment like = {
        .facts = {.rows_count = rows, .dim = search.dim, .metric = search.metric}};
    float *queries = world_make_rows(99, (size_t)search.nq * search.dim);

    load_segments(world, segments, count, &like);
    search.queries = queries;
    search.segment_ids = ids;
    search.segments_count = count;
    (void)world_search(world, &search);
    while (world_run_tasks(world) > 0)
        world_run(world);
    uint32_t parts = world_expect_truth(world, &search, segments, count);
    free(queries);
    free_segments(segments, count);
    world_close(world);
    return parts;
}

static void search_equals_brute_force(void **state)
{
    static const enum qn_metric metrics[] = {QN_METRIC_L2, QN_METRIC_IP, QN_METRIC_COSINE};
    static const enum world_executor executors[] = {WORLD_INLINE, WORLD_DEFERRED};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(metrics); i++)
        for (size_t j = 0; j < COUNT_OF(executors); j++)
            (void)expect_exact(
                (struct world_options){.executor = executors[j]}, 5, 333,
                (struct world_search){.k = 10, .nq = 3, .dim = 24, .metric = metrics[i]});
}

static void many_chunks_give_what_one_gives(void **state)
{
    (void)state;
    (void)expect_exact((struct world_options){.executor = WORLD_DEFERRED}, 8, 4000,
                       (struct world_search){.k = 50, .nq = 16, .dim = 32, .metric = QN_METRIC_L2});
}

static void extremes_of_shape_are_exact(void **state)
{
    (void)state;
    (void)expect_exact((struct world_options){0}, 2, 100,
                       (struct world_search){.k = 5, .nq = 2, .dim = 1, .metric = QN_METRIC_L2});
    (void)expect_exact((struct world_options){0}, 2, 40,
                       (struct world_search){.k = 5, .nq = 2, .dim = 4096, .metric = QN_METRIC_IP});
    (void)expect_exact((struct world_options){0}, 2, 1,
                       (struct world_search){.k = 5, .nq = 1, .dim = 8, .metric = QN_METRIC_L2});
    (void)expect_exact((struct world_options){0}, 2, 0,
                       (struct world_search){.k = 5, .nq = 2, .dim = 8, .metric = QN_METRIC_L2});
    (void)expect_exact(
        (struct world_options){0}, 3, 7, /* k beyond all rows */
        (struct world_search){.k = 16384, .nq = 4, .dim = 8, .metric = QN_METRIC_COSINE});
}

static void long_answers_come_in_parts_whole_lists_each(void **state)
{
    uint32_t parts;

    (void)state;
    parts =
        expect_exact((struct world_options){0}, 2, 4000,
                     (struct world_search){.k = 6000, .nq = 10, .dim = 4, .metric = QN_METRIC_L2});
    assert_true(parts >= 2);
    parts =
        expect_exact((struct world_options){.max_payload = 16 << 10}, 2, 4000,
                     (struct world_search){.k = 100, .nq = 100, .dim = 4, .metric = QN_METRIC_L2});
    assert_true(parts >= 8);
}

static void one_query_that_fits_no_message_is_refused(void **state)
{
    struct world *world = world_open((struct world_options){.max_payload = 16 << 10});
    struct world_segment *segment = world_make_segment(world, 1, 3000, 8, QN_METRIC_L2);
    struct world_search search = world_small_search(1);

    (void)state;
    world_load_well(world, segment, 1);
    search.k = 3000;
    assert_int_equal(world_answer_of(world, world_search(world, &search))->status,
                     QN_STATUS_UNSUPPORTED);
    world_free_segment(segment);
    world_close(world);
}

static void unknown_segments_are_refused_and_the_rest_is_searched(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = world_make_segment(world, 2, 20, 8, QN_METRIC_L2);
    struct world_search search = world_small_search(3);

    (void)state;
    world_load_well(world, segment, 17);
    const struct search_answer *answer = world_answer_of(world, world_search(world, &search));
    assert_int_equal(answer->status, QN_STATUS_OK);
    assert_false(world_covers(answer, 0));
    assert_true(world_covers(answer, 1));
    assert_int_equal(answer->epochs_count, 1);
    assert_int_equal(answer->epochs[0].version, 17);
    assert_int_equal(answer->refused_count, 2);
    assert_int_equal(answer->refused[0].index, 0);
    assert_int_equal(answer->refused[0].status, QN_STATUS_NOT_HERE);
    assert_int_equal(answer->hits_count, 3);
    world_free_segment(segment);
    world_close(world);
}

static void nothing_here_is_answered_at_once_with_refusals_only(void **state)
{
    struct world *world = world_open((struct world_options){.budget_bytes = 4096});
    struct world_search search = world_small_search(2);

    (void)state;
    const struct search_answer *answer = world_answer_of(world, world_search(world, &search));
    assert_int_equal(answer->status, QN_STATUS_OK);
    assert_int_equal(answer->refused_count, 2);
    assert_int_equal(answer->hits_count, 0);
    assert_int_equal(answer->covered_bytes, 1);
    world_close(world);
}

static void wrong_dim_and_metric_are_refused_with_both_values(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = world_make_segment(world, 1, 20, 16, QN_METRIC_L2);
    struct world_search search = world_small_search(1);
    float queries[16] = {1};

    (void)state;
    world_load_well(world, segment, 1);
    const struct search_answer *answer = world_answer_of(world, world_search(world, &search));
    assert_int_equal(answer->status, QN_STATUS_INVALID);
    assert_string_equal(answer->text, "segment 1: dim 16, asked 8");
    search.dim = 16;
    search.metric = QN_METRIC_IP;
    search.queries = queries;
    answer = world_answer_of(world, world_search(world, &search));
    assert_int_equal(answer->status, QN_STATUS_INVALID);
    assert_string_equal(answer->text, "segment 1: metric l2, asked ip");
    world_free_segment(segment);
    world_close(world);
}

static void a_zero_query_is_refused_for_cosine(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = world_make_segment(world, 1, 20, 8, QN_METRIC_COSINE);
    struct world_search search = world_small_search(1);
    float zeros[8] = {0};

    (void)state;
    world_load_well(world, segment, 1);
    search.metric = QN_METRIC_COSINE;
    search.queries = zeros;
    const struct search_answer *answer = world_answer_of(world, world_search(world, &search));
    assert_int_equal(answer->status, QN_STATUS_INVALID);
    assert_non_null(strstr(answer->text, "query 0"));
    world_free_segment(segment);
    world_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_equals_brute_force),
        cmocka_unit_test(many_chunks_give_what_one_gives),
        cmocka_unit_test(extremes_of_shape_are_exact),
        cmocka_unit_test(long_answers_come_in_parts_whole_lists_each),
        cmocka_unit_test(one_query_that_fits_no_message_is_refused),
        cmocka_unit_test(unknown_segments_are_refused_and_the_rest_is_searched),
        cmocka_unit_test(nothing_here_is_answered_at_once_with_refusals_only),
        cmocka_unit_test(wrong_dim_and_metric_are_refused_with_both_values),
        cmocka_unit_test(a_zero_query_is_refused_for_cosine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
