/* SPDX-License-Identifier: Apache-2.0
 * Searches when something is short: time, memory, a queue, the segment itself. */
#include "base/check.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
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

/* The clock moves at each look, so the deadline passes while the second of three is scanned. */
static void a_deadline_covers_whole_segments_only(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segments[3];
    struct world_segment like = {.facts = {.rows_count = 20000, .dim = 64, .metric = QN_METRIC_L2}};
    float *queries = world_make_rows(5, 16 * 64);
    struct world_search search = {.k = 10,
                                  .nq = 16,
                                  .dim = 64,
                                  .metric = QN_METRIC_L2,
                                  .queries = queries,
                                  .segment_ids = ids,
                                  .segments_count = 3,
                                  .deadline_ms = 10};

    (void)state;
    load_segments(world, segments, 3, &like);
    bool partly = false;
    for (uint64_t step_us = 1; step_us < 8000; step_us = step_us * 3 / 2 + 1) {
        world->clock_step_us = step_us;
        (void)world_search(world, &search);
        world->clock_step_us = 0;
        const struct message *message = world_take(world, MESSAGE_SEARCH_ANSWER);
        assert_non_null(message);
        const struct search_answer *answer = &message->search_answer;
        size_t covered = answer->epochs_count;
        struct qn_hit hits[16 * 10];
        uint32_t counts[16];
        partly |= covered == 1 || covered == 2;
        if (covered == 0) {
            assert_int_equal(answer->status, QN_STATUS_TIMEOUT);
            assert_int_equal(answer->hits_count, 0);
            continue;
        }
        assert_int_equal(answer->status, QN_STATUS_OK);
        assert_int_equal(answer->refused_count, 3 - covered);
        for (size_t i = covered; i < 3; i++)
            assert_int_equal(answer->refused[i - covered].status, QN_STATUS_TIMEOUT);
        world_truth(&search, segments, covered, hits, counts);
        assert_memory_equal(answer->hit_counts, counts, sizeof counts);
        for (size_t i = 0; i < answer->hits_count; i++) {
            assert_int_equal(answer->hits[i].primary_key, hits[i].primary_key);
            assert_true(answer->hits[i].distance == hits[i].distance);
        }
    }
    assert_true(partly);
    free(queries);
    free_segments(segments, 3);
    world_close(world);
}

static void scratch_that_does_not_fit_is_busy_but_never_for_all(void **state)
{
    struct world *world =
        world_open((struct world_options){.executor = WORLD_DEFERRED, .budget_bytes = 8192});
    struct world_segment *segment = world_make_segment(world, 1, 10, 8, QN_METRIC_L2);
    struct world_search search = world_small_search(1);

    (void)state;
    assert_int_equal(segment->facts.resident_bytes, 8192);
    world_load_well(world, segment, 1);
    uint64_t first = world_search(world, &search);
    uint64_t second = world_search(world, &search);
    assert_int_equal(world_answer_of(world, second)->status, QN_STATUS_BUSY);
    assert_int_equal(world_run_tasks(world), 1);
    world_run(world);
    const struct search_answer *answer = world_answer_of(world, first);
    assert_int_equal(answer->status, QN_STATUS_OK);
    assert_int_equal(answer->hits_count, 3);
    world_free_segment(segment);
    world_close(world);
}

static void scratch_comes_back_to_the_ledger(void **state)
{
    struct world *world = world_open((struct world_options){.executor = WORLD_DEFERRED});
    struct world_segment *segment = world_make_segment(world, 1, 500, 8, QN_METRIC_L2);
    struct world_search search = world_small_search(1);

    (void)state;
    world_load_well(world, segment, 1);
    (void)world_search(world, &search);
    while (world_take(world, MESSAGE_NODE_REPORT) != NULL)
        ;
    world_advance(world, 1100);
    const struct message *report = world_take(world, MESSAGE_NODE_REPORT);
    assert_true(report->node_report.memory.ledger_bytes > segment->facts.resident_bytes);
    (void)world_run_tasks(world);
    world_advance(world, 1100);
    report = world_take(world, MESSAGE_NODE_REPORT);
    assert_int_equal(report->node_report.memory.ledger_bytes, segment->facts.resident_bytes);
    assert_int_equal(report->node_report.searches_total, 1);
    world_free_segment(segment);
    world_close(world);
}

static void a_full_lane_is_busy(void **state)
{
    struct world *world = world_open((struct world_options){.executor = WORLD_FULL});
    struct world_segment *segment = world_make_segment(world, 1, 10, 8, QN_METRIC_L2);
    struct world_search search = world_small_search(1);

    (void)state;
    world_load_well(world, segment, 1);
    const struct search_answer *answer = world_answer_of(world, world_search(world, &search));
    assert_int_equal(answer->status, QN_STATUS_BUSY);
    assert_int_equal(answer->refused_count, 1);
    assert_int_equal(answer->refused[0].status, QN_STATUS_BUSY);
    world_release(world, 1, 1);
    world_advance(world, 1000);
    assert_non_null(world_take(world, MESSAGE_SEGMENT_RELEASED));
    world_free_segment(segment);
    world_close(world);
}

/* That many requests, each its own, without letting the agent run. */
static void flood(struct world *world, unsigned count)
{
    struct world_search search = world_small_search(1);
    uint8_t bytes[512];

    for (unsigned i = 0; i < count; i++)
        world_send_bytes(world, "search", bytes,
                         world_encode_search(&search, i + 1, bytes, sizeof bytes));
}

static void a_half_full_inbox_sheds_and_a_full_one_counts(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = world_make_segment(world, 1, 10, 8, QN_METRIC_L2);
    const unsigned extra = 100;
    unsigned busy = 0, searched = 0;
    const struct message *message;

    (void)state;
    world_load_well(world, segment, 1);
    flood(world, LIMIT_INBOX_SLOTS + extra);
    world_run(world);
    while ((message = world_take(world, MESSAGE_SEARCH_ANSWER)) != NULL) {
        busy += message->search_answer.status == QN_STATUS_BUSY;
        searched += message->search_answer.status == QN_STATUS_OK;
    }
    assert_int_equal(busy, LIMIT_INBOX_SLOTS / 2);
    assert_int_equal(searched, LIMIT_INBOX_SLOTS / 2);
    world_advance(world, 1000);
    uint64_t dropped = 0;
    while ((message = world_take(world, MESSAGE_NODE_REPORT)) != NULL)
        dropped = message->node_report.dropped_total;
    assert_int_equal(dropped, extra);
    world_free_segment(segment);
    world_close(world);
}

static void control_is_not_starved_by_searches(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = world_make_segment(world, 1, 10, 8, QN_METRIC_L2);
    struct world_segment *second = world_make_segment(world, 2, 10, 8, QN_METRIC_L2);
    unsigned before = 0;

    (void)state;
    world_load_well(world, segment, 1);
    flood(world, 1000);
    world_load(world, second, 2);
    for (struct world_heard *heard = world->first; heard != NULL; heard = heard->next) {
        if (heard->message.kind == MESSAGE_SEGMENT_LOADED &&
            heard->message.segment_loaded.segment_id == 2)
            break;
        before += heard->message.kind == MESSAGE_SEARCH_ANSWER;
    }
    assert_true(before <= 32);
    world_free_segment(segment);
    world_free_segment(second);
    world_close(world);
}

static void a_search_holds_its_segment_through_a_release(void **state)
{
    struct world *world = world_open((struct world_options){.executor = WORLD_DEFERRED});
    struct world_segment *segment = world_make_segment(world, 1, 500, 8, QN_METRIC_L2);
    struct world_search search = world_small_search(1);

    (void)state;
    world_load_well(world, segment, 1);
    uint64_t request_id = world_search(world, &search);
    world_release(world, 1, 1);
    world_advance(world, 2000);
    assert_null(world_take(world, MESSAGE_SEGMENT_RELEASED));
    uint64_t late = world_search(world, &search); /* draining: no new search */
    const struct search_answer *answer = world_answer_of(world, late);
    assert_int_equal(answer->refused[0].status, QN_STATUS_NOT_HERE);
    assert_int_equal(world_run_tasks(world), 1);
    world_run(world);
    answer = world_answer_of(world, request_id);
    assert_true(world_covers(answer, 0));
    assert_int_equal(answer->hits_count, 3);
    world_advance(world, 100);
    const struct message *receipt = world_take(world, MESSAGE_SEGMENT_RELEASED);
    assert_non_null(receipt);
    assert_int_equal(receipt->segment_released.bytes, segment->facts.resident_bytes);
    world_free_segment(segment);
    world_close(world);
}

/* The answer of the first is for the repeat too; once it is out, a repeat is searched again. */
static void a_repeat_of_a_search_under_way_is_not_searched_twice(void **state)
{
    struct world *world = world_open((struct world_options){.executor = WORLD_DEFERRED});
    struct world_segment like = {.facts = {.rows_count = 100, .dim = 8, .metric = QN_METRIC_L2}};
    struct world_segment *segment;
    struct world_search search = world_small_search(1);
    uint8_t bytes[1024];

    (void)state;
    load_segments(world, &segment, 1, &like);
    size_t size = world_encode_search(&search, 77, bytes, sizeof bytes);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            world_send_bytes(world, "search", bytes, size);
        world_run(world);
        (void)world_run_tasks(world);
        world_run(world);
        (void)world_answer_of(world, 77);
        assert_null(world_take(world, MESSAGE_SEARCH_ANSWER));
    }
    free_segments(&segment, 1);
    world_close(world);
}

/* Envelope readable, body not: who asked hears why. */
static void a_search_that_does_not_decode_is_answered_invalid(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_search search = world_small_search(1);
    uint8_t bytes[1024];

    (void)state;
    size_t size = world_encode_search(&search, 78, bytes, sizeof bytes);
    float not_a_number = __builtin_nanf("");
    uint8_t *query = memmem(bytes, size, world_query, sizeof world_query);
    assert_non_null(query);
    memcpy(query, &not_a_number, sizeof not_a_number);
    world_send_bytes(world, "search", bytes, size);
    world_run(world);
    const struct search_answer *answer = world_answer_of(world, 78);
    assert_int_equal(answer->status, QN_STATUS_INVALID);
    assert_non_null(strstr(answer->text, "queries"));
    world_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_of_a_search_under_way_is_not_searched_twice),
        cmocka_unit_test(a_search_that_does_not_decode_is_answered_invalid),
        cmocka_unit_test(a_deadline_covers_whole_segments_only),
        cmocka_unit_test(scratch_that_does_not_fit_is_busy_but_never_for_all),
        cmocka_unit_test(scratch_comes_back_to_the_ledger),
        cmocka_unit_test(a_full_lane_is_busy),
        cmocka_unit_test(a_half_full_inbox_sheds_and_a_full_one_counts),
        cmocka_unit_test(control_is_not_starved_by_searches),
        cmocka_unit_test(a_search_holds_its_segment_through_a_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
