/* SPDX-License-Identifier: Apache-2.0
 * What every command must pass: needs, term, expiry, size; and how a refusal is said. */
#include "tests/unit/agent_node_rig.h"

#include <stdlib.h>

static void event_term_durable(struct rig *rig, uint64_t term)
{
    struct node_event event = {
        .kind = NODE_EVENT_TERM_DURABLE, .now_ms = rig->now_ms, .term = term};

    node_step(rig->node, &event, rig->actions);
}

static void a_lower_term_is_refused_and_counted(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig.term = RIG_TERM - 1;
    rig_load(&rig, rig_segment(7, 1));
    rig_expect_refused(&rig, QN_STATUS_TERM_STALE, "term 4 is stale: 5 is known");
    assert_int_equal(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->command_refused.command_term, 4);
    assert_int_equal(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->command_refused.segment_id, 0);
    assert_int_equal(rig.actions->count, 1);
    assert_int_equal(node_counters(rig.node)->terms_refused, 1);
    assert_int_equal(node_counters(rig.node)->commands_refused, 1);
    assert_int_equal(node_copies_count(rig.node), 0);
    rig_close(&rig);
}

static void a_higher_term_is_made_durable_before_anything_is_done(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig.term = 9;
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig.actions->count, 1);
    assert_int_equal(rig.actions->items[0].kind, NODE_ACTION_PERSIST_TERM);
    assert_int_equal(rig.actions->items[0].term, 9);
    assert_int_equal(node_term(rig.node), RIG_TERM);
    assert_int_equal(node_copies_count(rig.node), 0);

    rig_load(&rig, rig_segment(7, 1)); /* again too early: still not durable */
    assert_int_equal(rig.actions->items[0].kind, NODE_ACTION_PERSIST_TERM);

    event_term_durable(&rig, 9);
    assert_int_equal(rig.actions->count, 0);
    assert_int_equal(node_term(rig.node), 9);
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 1);

    event_term_durable(&rig, 8);
    assert_int_equal(node_term(rig.node), 9);
    rig_close(&rig);
}

static void nothing_else_happens_in_the_step_that_persists_a_term(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    rig.now_ms += 5000; /* the ask is long overdue */
    rig.term = 9;
    rig_load(&rig, rig_segment(8, 2));
    assert_int_equal(rig.actions->count, 1);
    assert_int_equal(rig.actions->items[0].kind, NODE_ACTION_PERSIST_TERM);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LEAVING);
    rig_close(&rig);
}

static void a_term_jump_beyond_two_to_the_32_is_refused(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig.term = RIG_TERM + (UINT64_C(1) << 32) + 1;
    rig_load(&rig, rig_segment(7, 1));
    rig_expect_refused(&rig, QN_STATUS_TERM_STALE, "more than 2^32 ahead of 5");
    rig.term = UINT64_MAX;
    rig_load(&rig, rig_segment(7, 1));
    rig_expect_refused(&rig, QN_STATUS_TERM_STALE, "more than 2^32 ahead of 5");
    rig.term = RIG_TERM + (UINT64_C(1) << 32);
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig_did(&rig, NODE_ACTION_PERSIST_TERM), 1);
    assert_int_equal(node_counters(rig.node)->terms_refused, 2);
    rig_close(&rig);
}

static void a_command_without_a_term_is_invalid(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig.term = 0;
    rig_release(&rig, rig_forced(7, 1));
    rig_expect_refused(&rig, QN_STATUS_INVALID, "must carry its term");
    rig_close(&rig);
}

static void a_command_expires_with_the_boot_it_was_made_for(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig.not_after = (struct not_after){RIG_BOOT - 1, UINT64_MAX};
    rig_load(&rig, rig_segment(7, 1));
    rig_expect_refused(&rig, QN_STATUS_EXPIRED, "of boot 2: it is 1000 ms of boot 3");
    assert_int_equal(node_counters(rig.node)->expired, 1);
    assert_int_equal(node_copies_count(rig.node), 0);
    rig_close(&rig);
}

static void a_command_expires_by_the_receivers_uptime(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig.not_after = (struct not_after){RIG_BOOT, 1500};
    rig.now_ms = 1501;
    rig_load(&rig, rig_segment(7, 1));
    rig_expect_refused(&rig, QN_STATUS_EXPIRED, "not after 1500 ms of boot 3: it is 1501 ms");
    rig_release(&rig, rig_forced(7, 1));
    rig_expect_refused(&rig, QN_STATUS_EXPIRED, "not after 1500 ms");
    rig_close(&rig);

    rig_open(&rig, 1, 4096);
    rig.not_after = (struct not_after){RIG_BOOT, 1500};
    rig.now_ms = 1500;
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 1);
    rig_close(&rig);
}

static void two_hundred_and_fifty_six_segments_are_taken_and_one_more_refuses_all(void **state)
{
    static struct segment_load_info loads[257];
    static struct segment_release releases[257];
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 1 << 20);
    for (int i = 0; i < 257; i++) {
        loads[i] = rig_segment(i + 1, 1);
        releases[i] = rig_forced(i + 1, 1);
    }
    rig_loads(&rig, loads, 257);
    rig_expect_refused(&rig, QN_STATUS_INVALID,
                       "257 segments in one command, at most 256 (LIMIT_SEGMENTS_PER_COMMAND_MAX)");
    assert_int_equal(node_copies_count(rig.node), 0);
    rig_loads(&rig, loads, 256);
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 256);
    for (int i = 0; i < 256; i++)
        rig_event(&rig, NODE_EVENT_LOADED, i + 1);
    rig_releases(&rig, releases, 257);
    rig_expect_refused(&rig, QN_STATUS_INVALID, "257 segments");
    rig_releases(&rig, releases, 256);
    assert_int_equal(rig_said(&rig, MESSAGE_LEAVING), 256);
    rig_close(&rig);
}

static void a_refusal_goes_to_the_requester_too(void **state)
{
    const struct node_action *action;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig.term = 1;
    rig.reply_to = "inbox.9";
    rig_load(&rig, rig_segment(7, 1));
    action = rig_only(&rig, MESSAGE_COMMAND_REFUSED);
    assert_int_equal(action->subject, NODE_SUBJECT_EVENT);
    assert_string_equal(action->reply_to, "inbox.9");
    assert_int_equal(action->request_id, 77);
    rig.reply_to = NULL;
    rig_load(&rig, rig_segment(7, 1));
    assert_null(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->reply_to);
    rig_close(&rig);
}

static void a_command_that_needs_an_unknown_feature_does_nothing(void **state)
{
    static const uint32_t needs[] = {12};
    struct message message = {.kind = MESSAGE_LOAD_SEGMENTS, .term = 9, .boot = 1};
    struct segment_load_info segment = rig_segment(7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    message.needs = needs;
    message.needs_count = 1;
    message.load_segments.segments = &segment;
    message.load_segments.segments_count = 1;
    rig_message(&rig, &message);
    rig_expect_refused(&rig, QN_STATUS_UNSUPPORTED, "feature 12");
    assert_int_equal(rig.actions->count, 1); /* the term is not even persisted */

    message.kind = MESSAGE_COPY_STATUS_REQUEST;
    rig_message(&rig, &message);
    assert_int_equal(rig_said(&rig, MESSAGE_COPY_STATUS), 0);
    rig_expect_refused(&rig, QN_STATUS_UNSUPPORTED, "feature 12");
    rig_close(&rig);
}

static void a_report_is_sent_when_it_is_asked_for(void **state)
{
    struct message message = {.kind = MESSAGE_REPORT_REQUEST};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_message(&rig, &message); /* of any term, even none */
    assert_int_equal(rig.actions->count, 1);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);
    rig_close(&rig);
}

static void messages_that_are_not_for_the_judgement_do_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    for (int kind = MESSAGE_SEARCH_REQUEST; kind <= MESSAGE_COORD_ANSWER; kind++) {
        struct message message = {.kind = (enum message_kind)kind, .term = 99};

        rig_message(&rig, &message);
        assert_int_equal(rig.actions->count, 0);
    }
    rig_close(&rig);
}

static void an_epoch_of_a_later_term_than_its_command_is_refused(void **state)
{
    struct segment_load_info load = rig_segment(7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    load.epoch.term = RIG_TERM + 1;
    rig_load(&rig, load);
    rig_expect_failed(&rig, QN_STATUS_INVALID, "epoch 6.1 is of a later term than its command, 5");
    rig_serve(&rig, 7, 1);
    rig_load(&rig, load); /* nor is a copy adopted by it */
    rig_expect_failed(&rig, QN_STATUS_INVALID, "later term");
    assert_int_equal(node_find(rig.node, 7)->epoch.term, RIG_TERM);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_of_a_later_term_than_its_command_is_refused),
        cmocka_unit_test(a_lower_term_is_refused_and_counted),
        cmocka_unit_test(a_higher_term_is_made_durable_before_anything_is_done),
        cmocka_unit_test(nothing_else_happens_in_the_step_that_persists_a_term),
        cmocka_unit_test(a_term_jump_beyond_two_to_the_32_is_refused),
        cmocka_unit_test(a_command_without_a_term_is_invalid),
        cmocka_unit_test(a_command_expires_with_the_boot_it_was_made_for),
        cmocka_unit_test(a_command_expires_by_the_receivers_uptime),
        cmocka_unit_test(two_hundred_and_fifty_six_segments_are_taken_and_one_more_refuses_all),
        cmocka_unit_test(a_refusal_goes_to_the_requester_too),
        cmocka_unit_test(a_command_that_needs_an_unknown_feature_does_nothing),
        cmocka_unit_test(a_report_is_sent_when_it_is_asked_for),
        cmocka_unit_test(messages_that_are_not_for_the_judgement_do_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
