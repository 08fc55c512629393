/* SPDX-License-Identifier: Apache-2.0
 * Commands, receipts, reports, asks. */
#include "base/check.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world_segment *make(struct world *world, int64_t segment_id, uint32_t rows)
{
    return world_make_segment(world, segment_id, rows, 8, QN_METRIC_L2);
}

/* The last report of all that were heard. */
static const struct node_report *last_report(struct world *world)
{
    const struct message *message, *last = NULL;

    while ((message = world_take(world, MESSAGE_NODE_REPORT)) != NULL)
        last = message;
    assert_non_null(last);
    return &last->node_report;
}

static void a_load_reports_and_a_release_gives_a_receipt(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = make(world, 1, 1000);

    (void)state;
    world_load_well(world, segment, 1);
    world_advance(world, 60);
    const struct node_report *report = last_report(world);
    assert_true(report->has_copies);
    assert_int_equal(report->copies_in_page, 1);
    assert_int_equal(report->copies[0].segment.copy_state, QN_COPY_SERVING);
    assert_int_equal(report->copies[0].loaded_bytes, segment->facts.resident_bytes);
    assert_int_equal(report->memory.ledger_bytes, segment->facts.resident_bytes);
    assert_int_equal(report->memory.anon_bytes, segment->facts.resident_bytes);
    assert_int_equal(report->memory.available_bytes, 123456);

    world_release(world, 1, 1);
    assert_non_null(world_take(world, MESSAGE_LEAVING));
    world_advance(world, 499);
    assert_null(world_take(world, MESSAGE_SEGMENT_RELEASED));
    world_advance(world, 2);
    const struct message *message = world_take(world, MESSAGE_SEGMENT_RELEASED);
    assert_non_null(message);
    assert_int_equal(message->segment_released.bytes, segment->facts.resident_bytes);
    assert_int_equal(message->segment_released.rss_before, segment->facts.resident_bytes);
    assert_int_equal(message->segment_released.rss_after, 0);
    world_advance(world, 60);
    report = last_report(world);
    assert_int_equal(report->copies_count, 0);
    assert_int_equal(report->memory.ledger_bytes, 0);
    world_free_segment(segment);
    world_close(world);
}

/* All figures of the host cost a dozen files: for reports, not twice for each unmapping. */
static void an_unmapping_reads_anon_alone(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = make(world, 1, 1000);
    unsigned reports = 0;

    (void)state;
    world_load_well(world, segment, 1);
    world_release(world, 1, 1);
    world_advance(world, 501);
    const struct message *message = world_take(world, MESSAGE_SEGMENT_RELEASED);
    assert_non_null(message);
    assert_int_equal(message->segment_released.rss_before, segment->facts.resident_bytes);
    while (world_take(world, MESSAGE_NODE_REPORT) != NULL)
        reports++;
    assert_int_equal(world->memory_reads, reports);
    world_free_segment(segment);
    world_close(world);
}

static void the_first_report_comes_at_once_and_then_one_each_second(void **state)
{
    struct world *world = world_open((struct world_options){0});
    unsigned count = 0;
    uint64_t number = 0;
    const struct message *message;

    (void)state;
    world_run(world);
    message = world_take(world, MESSAGE_NODE_REPORT);
    assert_non_null(message);
    assert_true(message->node_report.has_copies);
    assert_int_equal(message->node_report.report_number, 1);
    assert_int_equal(message->boot, 1);
    assert_true(message->node_report.kernels[0] != '\0');
    world_advance(world, 10000);
    while ((message = world_take(world, MESSAGE_NODE_REPORT)) != NULL) {
        assert_false(message->node_report.has_copies);
        assert_true(message->node_report.report_number > number);
        number = message->node_report.report_number;
        count++;
    }
    assert_int_equal(count, 10);
    world_close(world);
}

static void a_report_is_given_when_asked_and_lists_are_spaced(void **state)
{
    struct world *world = world_open((struct world_options){0});
    unsigned lists = 0;
    const struct message *message;

    (void)state;
    world_advance(world, 100);
    while (world_take(world, MESSAGE_NODE_REPORT) != NULL)
        ;
    for (int i = 0; i < 50; i++) {
        world_send(world, "control", (struct message){.kind = MESSAGE_REPORT_REQUEST});
        world_advance(world, 4);
    }
    while ((message = world_take(world, MESSAGE_NODE_REPORT)) != NULL)
        lists += message->node_report.has_copies;
    assert_in_range(lists, 4, 5);
    world_close(world);
}

static void long_lists_come_in_pages_of_one_number(void **state)
{
    enum { COPIES = 1030 };
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = make(world, 1, 1);
    unsigned copies = 0;

    (void)state;
    for (int i = 1; i <= COPIES; i++) {
        if (i > 1) {
            world_free_segment(segment);
            segment = make(world, i, 1);
        }
        world_load_well(world, segment, (uint64_t)i);
    }
    world_advance(world, 100);
    const struct message *message, *first = NULL;
    while ((message = world_take(world, MESSAGE_NODE_REPORT)) != NULL) {
        if (message->node_report.copies_count != COPIES || !message->node_report.has_copies)
            continue;
        first = first == NULL ? message : first;
        assert_int_equal(message->node_report.report_number, first->node_report.report_number);
        assert_int_equal(message->node_report.pages, 2);
        copies += (unsigned)message->node_report.copies_in_page;
    }
    assert_int_equal(copies, COPIES);
    world_free_segment(segment);
    world_close(world);
}

static void a_budget_of_one_page_refuses_with_need_and_free(void **state)
{
    struct world *world = world_open((struct world_options){.budget_bytes = 4096});
    struct world_segment *segment = make(world, 1, 1), *empty = make(world, 2, 0);

    (void)state;
    world_load(world, segment, 1);
    const struct message *message = world_take(world, MESSAGE_LOAD_FAILED);
    assert_non_null(message);
    assert_int_equal(message->load_failed.status, QN_STATUS_OVER_BUDGET);
    assert_int_equal(message->load_failed.need_bytes, segment->facts.resident_bytes);
    assert_int_equal(message->load_failed.free_bytes, 4096);
    world_load_well(world, empty, 2);
    world_free_segment(segment);
    world_free_segment(empty);
    world_close(world);
}

static void flip_byte(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_not_equal(fputc(byte ^ 1, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static void a_damaged_file_fails_in_the_loaders_words_while_it_serves(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *good = make(world, 1, 100), *bad = make(world, 2, 100);
    const float query[8] = {1};
    const int64_t ids[] = {1, 2};
    struct world_search search = {.k = 5,
                                  .nq = 1,
                                  .dim = 8,
                                  .metric = QN_METRIC_L2,
                                  .queries = query,
                                  .segment_ids = ids,
                                  .segments_count = 1};

    (void)state;
    world_load_well(world, good, 1);
    flip_byte(bad->path, 4096 + 4096 + 100);
    world_load(world, bad, 2);
    const struct message *message = world_take(world, MESSAGE_LOAD_FAILED);
    assert_non_null(message);
    assert_int_equal(message->load_failed.status, QN_STATUS_CORRUPT);
    assert_non_null(strstr(message->load_failed.text, "2.qseg"));
    assert_non_null(strstr(message->load_failed.text, "section"));
    (void)world_search(world, &search);
    assert_int_equal(world_expect_truth(world, &search, &good, 1), 1);
    search.segments_count = 2;
    (void)world_search(world, &search);
    message = world_take(world, MESSAGE_SEARCH_ANSWER);
    assert_int_equal(message->search_answer.refused[0].status, QN_STATUS_NOT_HERE);

    (void)remove(bad->path);
    world_load(world, bad, 3);
    message = world_take(world, MESSAGE_LOAD_FAILED);
    assert_non_null(message); /* the receipt for the first went to the event subject only */
    assert_int_equal(message->load_failed.status, QN_STATUS_NOT_FOUND);
    world_free_segment(good);
    world_free_segment(bad);
    world_close(world);
}

/* ---- asks and leaving ------------------------------------------------------------------------ */

static enum qn_copy_state asked_state(struct world *world, int64_t segment_id)
{
    world_send(world, "ask",
               (struct message){.kind = MESSAGE_COPY_STATUS_REQUEST,
                                .sender = "node/9",
                                .boot = 4,
                                .reply_to = "qnode." WORLD_CLUSTER ".agent.9.ask",
                                .copy_status_request = {9, segment_id, 77}});
    world_run(world);
    const struct message *message = world_take(world, MESSAGE_COPY_STATUS);
    assert_non_null(message);
    assert_int_equal(message->copy_status.nonce, 77);
    assert_int_equal(message->copy_status.asker_boot, 4);
    return message->copy_status.state;
}

static void a_leaving_node_answers_leaving_and_still_searches(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = make(world, 1, 100);
    const float query[8] = {1};
    const int64_t ids[] = {1};
    struct world_search search = {.k = 5,
                                  .nq = 1,
                                  .dim = 8,
                                  .metric = QN_METRIC_L2,
                                  .queries = query,
                                  .segment_ids = ids,
                                  .segments_count = 1};

    (void)state;
    world_load_well(world, segment, 1);
    assert_int_equal(asked_state(world, 1), QN_COPY_SERVING);
    assert_int_equal(asked_state(world, 2), QN_COPY_ABSENT);
    agent_leave(world->agent);
    world_run(world);
    assert_true(last_report(world)->leaving);
    assert_int_equal(asked_state(world, 1), QN_COPY_LEAVING);
    (void)world_search(world, &search);
    assert_int_equal(world_expect_truth(world, &search, &segment, 1), 1);
    world_free_segment(segment);
    world_close(world);
}

/* A MOVED release whose witness says SERVING once and then no more: held after the drain. */
static void a_drained_copy_that_is_held_serves_again(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = make(world, 1, 100);
    const float query[8] = {1};
    const int64_t ids[] = {1};
    struct world_search search = {.k = 5,
                                  .nq = 1,
                                  .dim = 8,
                                  .metric = QN_METRIC_L2,
                                  .queries = query,
                                  .segment_ids = ids,
                                  .segments_count = 1};

    (void)state;
    world_load_well(world, segment, 1);
    for (int round = 0; round < 2; round++) {
        struct witness witness = {.node_id = 9,
                                  .segment_id = 1,
                                  .epoch = {WORLD_TERM, 2},
                                  .has_content_hash = true,
                                  .content_hash = segment->facts.content_hash};
        struct segment_release release = {.segment_id = 1,
                                          .epoch = {WORLD_TERM, 1},
                                          .ground = GROUND_MOVED,
                                          .witnesses = &witness,
                                          .witnesses_count = 1};
        unsigned asks = 0;
        world_send(
            world, "control",
            (struct message){.kind = MESSAGE_RELEASE_SEGMENTS,
                             .release_segments = {.segments = &release, .segments_count = 1}});
        for (int i = 0; i < 100 && asks < 2; i++) {
            world_advance(world, 10);
            const struct message *ask = world_take(world, MESSAGE_COPY_STATUS_REQUEST);
            if (ask == NULL)
                continue;
            asks++;
            world_send(world, "ask",
                       (struct message){
                           .kind = MESSAGE_COPY_STATUS,
                           .sender = "node/9",
                           .copy_status = {.node_id = 9,
                                           .segment_id = 1,
                                           .nonce = ask->copy_status_request.nonce,
                                           .asker_boot = ask->boot,
                                           .state = asks == 1 ? QN_COPY_SERVING : QN_COPY_LEAVING,
                                           .epoch = {WORLD_TERM, 2},
                                           .content_hash = segment->facts.content_hash,
                                           .replica = "a"}});
            world_run(world);
        }
        assert_int_equal(asks, 2);
        assert_non_null(world_take(world, MESSAGE_RELEASE_HELD));
        (void)world_search(world, &search);
        assert_int_equal(world_expect_truth(world, &search, &segment, 1), 1);
    }
    world_release(world, 1, 1);
    world_advance(world, 600);
    assert_non_null(world_take(world, MESSAGE_SEGMENT_RELEASED));
    world_free_segment(segment);
    world_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_reports_and_a_release_gives_a_receipt),
        cmocka_unit_test(an_unmapping_reads_anon_alone),
        cmocka_unit_test(the_first_report_comes_at_once_and_then_one_each_second),
        cmocka_unit_test(a_report_is_given_when_asked_and_lists_are_spaced),
        cmocka_unit_test(long_lists_come_in_pages_of_one_number),
        cmocka_unit_test(a_budget_of_one_page_refuses_with_need_and_free),
        cmocka_unit_test(a_damaged_file_fails_in_the_loaders_words_while_it_serves),
        cmocka_unit_test(a_leaving_node_answers_leaving_and_still_searches),
        cmocka_unit_test(a_drained_copy_that_is_held_serves_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
