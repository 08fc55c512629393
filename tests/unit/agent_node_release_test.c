/* SPDX-License-Identifier: Apache-2.0
 * One release in virtual time: ask, grace, drain, ask again, unmap, receipt; and all that can hold
 * it (C6, C7). */
#include "tests/unit/agent_node_rig.h"

#include <string.h>

static void a_release_asks_waits_drains_asks_again_and_unmaps(void **state)
{
    const struct node_action *ask;
    uint64_t first_nonce;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);

    rig_leaving(&rig, 7, 1); /* at 1000 */
    assert_int_equal(rig_only(&rig, MESSAGE_LEAVING)->leaving.epoch.version, 1);
    ask = rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST);
    assert_int_equal(ask->subject, NODE_SUBJECT_ASK);
    assert_int_equal(ask->node_id, 2);
    assert_int_equal(ask->copy_status_request.node_id, 1);
    assert_int_equal(ask->copy_status_request.segment_id, 7);
    first_nonce = ask->copy_status_request.nonce;
    assert_int_not_equal(first_nonce, 0);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);
    assert_int_equal(node_wake_ms(rig.node), 1200);

    rig.now_ms = 1010;
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    assert_int_equal(rig.actions->count, 0);
    assert_int_equal(node_wake_ms(rig.node), 1500);

    rig_tick(&rig, 1499);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LEAVING);
    rig_tick(&rig, 1500);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_DRAINING);
    assert_int_equal(rig_did(&rig, NODE_ACTION_DRAIN), 1);
    assert_int_equal(node_wake_ms(rig.node), UINT64_MAX);

    rig.now_ms = 1700;
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    ask = rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST);
    assert_int_not_equal(ask->copy_status_request.nonce, first_nonce);
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNMAP), 0);

    rig.now_ms = 1720;
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNMAP), 1);
    assert_int_equal(node_ledger(rig.node)->used_bytes, 512); /* until it is really gone */
    rig_close(&rig);
}

static void the_receipt_says_what_came_back_and_where_the_segment_went(void **state)
{
    struct node_event unmapped = {
        .kind = NODE_EVENT_UNMAPPED, .segment_id = 7, .rss_before = 9000, .rss_after = 8488};
    const struct segment_released *receipt;
    int64_t moved_to = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1); /* at 1000 */
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    assert_false(node_moved_to(rig.node, 7, &moved_to));
    rig_tick(&rig, 1500);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_DRAINING);
    assert_true(node_moved_to(rig.node, 7, &moved_to)); /* it takes no new search: say where */
    assert_int_equal(moved_to, 2);
    rig.now_ms = 1720;
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    unmapped.now_ms = 1800;
    node_step(rig.node, &unmapped, rig.actions);
    receipt = &rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released;
    assert_int_equal(receipt->bytes, 512);
    assert_int_equal(receipt->rss_before, 9000);
    assert_int_equal(receipt->rss_after, 8488);
    assert_int_equal(receipt->waited_ms, 720);
    assert_int_equal(receipt->ground, GROUND_MOVED);
    assert_int_equal(receipt->moved_to, 2);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);
    assert_int_equal(ledger_free_bytes(node_ledger(rig.node)), 4096);
    assert_true(node_moved_to(rig.node, 7, &moved_to));
    assert_int_equal(moved_to, 2);
    rig_close(&rig);
}

static void a_repeated_release_is_one_release_and_its_receipt_is_repeated(void **state)
{
    struct witness witness = rig_witness(2, 7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    rig_release(&rig, rig_moved(7, 1, &witness));
    assert_int_equal(rig.actions->count, 0);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    rig_tick(&rig, 1500);
    rig_release(&rig, rig_moved(7, 1, &witness));
    assert_int_equal(rig.actions->count, 0);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    rig_release(&rig, rig_moved(7, 1, &witness));
    assert_int_equal(rig.actions->count, 0);
    rig_event(&rig, NODE_EVENT_UNMAPPED, 7);

    rig.now_ms = 90000;
    rig.reply_to = "inbox.9";
    rig_release(&rig, rig_moved(7, 1, &witness));
    assert_int_equal(rig.actions->count, 1);
    assert_string_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->reply_to, "inbox.9");
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.waited_ms, 500);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.moved_to, 2);
    rig_close(&rig);
}

static void what_a_command_causes_later_carries_its_trace(void **state)
{
    static const char load[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    static const char move[] = "00-11111111111111111111111111111111-2222222222222222-00";
    struct witness witness = rig_witness(2, 7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 1 << 20);
    rig.traceparent = load;
    rig_load(&rig, rig_segment(7, 1));
    rig.traceparent = NULL;
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    assert_string_equal(rig_only(&rig, MESSAGE_SEGMENT_LOADED)->traceparent, load);
    rig.traceparent = move;
    rig_release(&rig, rig_moved(7, 1, &witness));
    assert_string_equal(rig_only(&rig, MESSAGE_LEAVING)->traceparent, move);
    assert_string_equal(rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST)->traceparent, move);
    rig.traceparent = NULL;
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    rig_tick(&rig, 1500);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    assert_string_equal(rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST)->traceparent, move);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    rig_event(&rig, NODE_EVENT_UNMAPPED, 7);
    assert_string_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->traceparent, move);
    /* Another copy in its place knows nothing of it. */
    rig_serve(&rig, 7, 2);
    assert_string_equal(rig_only(&rig, MESSAGE_SEGMENT_LOADED)->traceparent, "");
    rig_close(&rig);
}

static void another_release_of_a_copy_that_is_leaving_must_wait(void **state)
{
    struct witness other = rig_witness(3, 7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    rig_release(&rig, rig_moved(7, 1, &other));
    rig_expect_refused(&rig, QN_STATUS_BUSY, "leaving on another ground");
    rig_release(&rig, rig_forced(7, 1));
    rig_expect_refused(&rig, QN_STATUS_BUSY, "leaving on another ground");
    assert_int_equal(node_find(rig.node, 7)->release.witnesses[0].node_id, 2);
    rig_close(&rig);
}

static void an_ask_is_repeated_with_its_nonce_and_given_up_after_two_seconds(void **state)
{
    uint64_t nonce;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    nonce = rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST)->copy_status_request.nonce;
    for (uint64_t ms = 1200; ms < 3000; ms += 200) {
        assert_int_equal(node_wake_ms(rig.node), ms);
        rig_tick(&rig, ms - 1);
        assert_int_equal(rig.actions->count, 0);
        rig_tick(&rig, ms);
        assert_int_equal(rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST)->copy_status_request.nonce,
                         nonce);
    }
    rig_tick(&rig, 3000);
    rig_expect_held(&rig, QN_STATUS_TIMEOUT, "node 2 did not answer within 2000 ms");
    assert_int_equal(rig_only(&rig, MESSAGE_RELEASE_HELD)->release_held.witness_node_id, 2);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    assert_int_equal(node_wake_ms(rig.node), UINT64_MAX);
    assert_int_equal(node_counters(rig.node)->releases_held, 1);
    rig_close(&rig);
}

static void a_lost_ask_only_delays(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    rig_tick(&rig, 1200);
    rig_tick(&rig, 1400);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    rig_tick(&rig, 1500);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_DRAINING);
    rig_close(&rig);
}

/* ---- grounds --------------------------------------------------------------------------------- */

static void force_asks_nobody_but_keeps_the_grace_and_the_drain(void **state)
{
    int64_t moved_to;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_release(&rig, rig_forced(7, 1));
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LEAVING);
    assert_int_equal(rig_said(&rig, MESSAGE_COPY_STATUS_REQUEST), 0);
    assert_string_equal(rig_only(&rig, MESSAGE_LEAVING)->text, "forced by ann"); /* the journal */
    assert_int_equal(node_wake_ms(rig.node), 1500);
    rig_tick(&rig, 1500);
    assert_int_equal(rig_did(&rig, NODE_ACTION_DRAIN), 1);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNMAP), 1);
    rig_event(&rig, NODE_EVENT_UNMAPPED, 7);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.ground,
                     GROUND_FORCE);
    assert_false(node_moved_to(rig.node, 7, &moved_to));
    rig_close(&rig);
}

static void expect_invalid(struct segment_release release, const char *text)
{
    struct rig rig;

    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_release(&rig, release);
    rig_expect_refused(&rig, QN_STATUS_INVALID, text);
    assert_int_equal(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->command_refused.segment_id, 7);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void a_release_without_a_sound_ground_is_refused(void **state)
{
    struct witness witnesses[LIMIT_WITNESSES_MAX + 1];
    struct witness self = rig_witness(1, 7, 1), other = rig_witness(2, 8, 1);
    struct segment_release release = rig_moved(7, 1, &other);

    (void)state;
    for (size_t i = 0; i <= LIMIT_WITNESSES_MAX; i++)
        witnesses[i] = rig_witness((int64_t)i + 2, 8, 1);
    expect_invalid(release, "a witness is of another segment");
    expect_invalid(rig_moved(7, 1, &self), "its own witness");
    release.ground = GROUND_UNSPECIFIED;
    expect_invalid(release, "no ground is named");
    release.ground = (enum ground)9;
    expect_invalid(release, "no ground is named");
    release.ground = GROUND_FORCE;
    release.operator_name = "ann";
    expect_invalid(release, "witnesses are named");
    release = rig_moved(7, 1, NULL);
    release.witnesses_count = 0;
    expect_invalid(release, "moved, but no witness");
    release = rig_forced(7, 1);
    release.operator_name = "";
    expect_invalid(release, "no operator is named");
    release = rig_moved(7, 1, witnesses);
    release.ground = GROUND_CEASED;
    release.witnesses_count = LIMIT_WITNESSES_MAX + 1;
    expect_invalid(release, "more witnesses than 8");
}

static void only_the_very_copy_that_was_named_is_released(void **state)
{
    struct witness witness = rig_witness(2, 7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 3);
    rig_release(&rig, rig_moved(7, 2, &witness));
    rig_expect_refused(&rig, QN_STATUS_EPOCH_STALE,
                       "is here with epoch 5.3: the release names the older 5.2");
    assert_int_equal(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->command_refused.epoch.version, 3);
    rig_release(&rig, rig_moved(7, 4, &witness));
    rig_expect_refused(&rig, QN_STATUS_CONFLICT, "the newer 5.4");
    rig_release(&rig, rig_moved(8, 4, &witness));
    assert_int_equal(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->command_refused.segment_id, 8);
    witness.segment_id = 8;
    rig_release(&rig, rig_moved(8, 4, &witness));
    rig_expect_refused(&rig, QN_STATUS_NOT_HERE, "segment 8 is not here");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void a_witness_named_with_other_content_is_a_conflict(void **state)
{
    struct witness witness = rig_witness(2, 7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    witness.has_content_hash = true;
    rig_release(&rig, rig_moved(7, 1, &witness));
    rig_expect_refused(&rig, QN_STATUS_CONFLICT, "other content");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_asks_waits_drains_asks_again_and_unmaps),
        cmocka_unit_test(the_receipt_says_what_came_back_and_where_the_segment_went),
        cmocka_unit_test(a_repeated_release_is_one_release_and_its_receipt_is_repeated),
        cmocka_unit_test(what_a_command_causes_later_carries_its_trace),
        cmocka_unit_test(another_release_of_a_copy_that_is_leaving_must_wait),
        cmocka_unit_test(an_ask_is_repeated_with_its_nonce_and_given_up_after_two_seconds),
        cmocka_unit_test(a_lost_ask_only_delays),
        cmocka_unit_test(force_asks_nobody_but_keeps_the_grace_and_the_drain),
        cmocka_unit_test(a_release_without_a_sound_ground_is_refused),
        cmocka_unit_test(only_the_very_copy_that_was_named_is_released),
        cmocka_unit_test(a_witness_named_with_other_content_is_a_conflict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
