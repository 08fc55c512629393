/* SPDX-License-Identifier: Apache-2.0
 * What the answers of witnesses do to a release: what holds it, what does not count (C6). */
#include "tests/unit/agent_node_rig.h"

/* ---- what holds a release -------------------------------------------------------------------- */

static void expect_hold(struct copy_status (*spoil)(struct copy_status), uint64_t answer_term,
                        enum qn_status status, const char *text)
{
    struct copy_status answer;
    struct rig rig;

    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 3);
    rig_leaving(&rig, 7, 3);
    answer = rig_yes(&rig, 7, 2, 3);
    rig_answer(&rig, spoil != NULL ? spoil(answer) : answer, answer_term);
    rig_expect_held(&rig, status, text);
    assert_int_equal(rig_only(&rig, MESSAGE_RELEASE_HELD)->release_held.witness_node_id, 2);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);
    assert_int_equal(node_term(rig.node), RIG_TERM);
    rig_close(&rig);
}

static struct copy_status spoil_leaving(struct copy_status answer)
{
    answer.state = QN_COPY_LEAVING;
    return answer;
}

static struct copy_status spoil_absent(struct copy_status answer)
{
    answer.state = QN_COPY_ABSENT;
    return answer;
}

static struct copy_status spoil_content(struct copy_status answer)
{
    answer.content_hash.bytes[0]++;
    return answer;
}

static struct copy_status spoil_epoch(struct copy_status answer)
{
    answer.epoch = (struct qn_epoch){RIG_TERM, 2};
    return answer;
}

static struct copy_status spoil_replica(struct copy_status answer)
{
    answer.replica = "r2";
    return answer;
}

static void a_witness_that_is_not_serving_holds_the_release(void **state)
{
    (void)state;
    expect_hold(spoil_leaving, RIG_TERM, QN_STATUS_HELD, "node 2 answers leaving");
    expect_hold(spoil_absent, RIG_TERM, QN_STATUS_HELD, "node 2 answers absent");
}

static void a_lesser_witness_holds_the_release(void **state)
{
    (void)state;
    expect_hold(spoil_content, RIG_TERM, QN_STATUS_HELD, "node 2 has other content");
    expect_hold(spoil_epoch, RIG_TERM, QN_STATUS_HELD, "node 2 has epoch 5.2 < 5.3");
    expect_hold(spoil_replica, RIG_TERM, QN_STATUS_HELD, "node 2 is of another replica");
}

static void a_witness_that_knows_a_higher_term_holds_the_release(void **state)
{
    (void)state;
    expect_hold(NULL, 9, QN_STATUS_TERM_STALE, "node 2 knows term 9 > 5");
}

static void a_witness_with_fewer_deletes_than_the_copy_holds_the_release(void **state)
{
    struct segment_load_info segment = rig_segment(7, 1);
    struct copy_status answer;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    segment.delete_generation = 4;
    rig_load(&rig, segment);
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    rig_leaving(&rig, 7, 1); /* names no generation: its own counts */
    answer = rig_yes(&rig, 7, 2, 1);
    answer.delete_generation = 3;
    rig_answer(&rig, answer, RIG_TERM);
    rig_expect_held(&rig, QN_STATUS_HELD, "delete generation 3 < 4");
    rig_close(&rig);
}

static void a_held_release_is_forgotten_and_may_be_asked_anew(void **state)
{
    struct copy_status late;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    late = rig_yes(&rig, 7, 2, 1);
    rig_answer(&rig, spoil_leaving(late), RIG_TERM);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_answer(&rig, late, RIG_TERM);
    assert_int_equal(rig.actions->count, 0);
    rig_gone(&rig, 7, 1);
    rig_close(&rig);
}

/* ---- answers that do not count --------------------------------------------------------------- */

static void an_answer_counts_only_for_the_ask_that_is_open(void **state)
{
    struct copy_status yes, wrong;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    yes = rig_yes(&rig, 7, 2, 1);
    rig_tick(&rig, 3000); /* given up */
    rig_leaving(&rig, 7, 1);
    rig_answer(&rig, yes, RIG_TERM); /* late, of the ask before */
    wrong = rig_yes(&rig, 7, 2, 1);
    wrong.asker_boot = RIG_BOOT - 1; /* of our life before */
    rig_answer(&rig, wrong, RIG_TERM);
    wrong = rig_yes(&rig, 7, 3, 1); /* of a node that was not asked */
    rig_answer(&rig, wrong, RIG_TERM);
    wrong = rig_yes(&rig, 7, 2, 1);
    wrong.segment_id = 8; /* of a segment that was not asked about */
    rig_answer(&rig, wrong, RIG_TERM);
    wrong = rig_yes(&rig, 7, 2, 1);
    wrong.nonce = 0;
    rig_answer(&rig, wrong, RIG_TERM);
    rig_answer(&rig, spoil_leaving(yes), RIG_TERM); /* late noes do not count either */
    rig_tick(&rig, 4000);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LEAVING);
    assert_false(node_find(rig.node, 7)->release.confirmed);
    rig_close(&rig);
}

static void an_answer_to_the_first_ask_does_not_answer_the_second(void **state)
{
    struct copy_status first;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    first = rig_yes(&rig, 7, 2, 1);
    rig_answer(&rig, first, RIG_TERM);
    rig_tick(&rig, 1500);
    rig_answer(&rig, spoil_leaving(first), RIG_TERM); /* repeated by the bus, no ask is open */
    assert_int_equal(rig_state(&rig, 7), QN_COPY_DRAINING);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_answer(&rig, first, RIG_TERM);
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNMAP), 0);
    rig_close(&rig);
}

static void all_witnesses_must_answer(void **state)
{
    struct witness witnesses[] = {rig_witness(2, 8, 1), rig_witness(3, 9, 1)};
    struct segment_release release = rig_moved(7, 1, witnesses);
    struct copy_status yes;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    release.ground = GROUND_CEASED;
    release.witnesses_count = 2;
    rig_release(&rig, release);
    assert_int_equal(rig_said(&rig, MESSAGE_COPY_STATUS_REQUEST), 2);
    yes = rig_yes(&rig, 7, 2, 1);
    yes.segment_id = 8;
    yes.content_hash.bytes[0] = 99; /* a replacement has content, and a replica, of its own */
    yes.replica = "r2";
    rig_answer(&rig, yes, RIG_TERM);
    rig_tick(&rig, 1200); /* only the silent one is asked again */
    assert_int_equal(rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST)->node_id, 3);
    rig_tick(&rig, 1600);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LEAVING);
    yes.node_id = 3;
    yes.segment_id = 9;
    rig_answer(&rig, yes, RIG_TERM); /* the grace is over: it drains at once */
    assert_int_equal(rig_state(&rig, 7), QN_COPY_DRAINING);
    rig_close(&rig);
}

/* ---- the second ask -------------------------------------------------------------------------- */

static void a_witness_that_left_since_holds_the_release_after_the_drain(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_draining(&rig, 7, 1);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_answer(&rig, spoil_absent(rig_yes(&rig, 7, 2, 1)), RIG_TERM); /* it restarted, empty */
    rig_expect_held(&rig, QN_STATUS_HELD, "node 2 answers absent");
    assert_int_equal(rig.actions->items[0].kind, NODE_ACTION_UNDRAIN);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_gone(&rig, 7, 1);
    rig_close(&rig);
}

static void silence_after_the_drain_holds_the_release_too(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_draining(&rig, 7, 1);
    rig.now_ms = 1700;
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_tick(&rig, 3699);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_DRAINING);
    rig_tick(&rig, 3700);
    rig_expect_held(&rig, QN_STATUS_TIMEOUT, "node 2");
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNDRAIN), 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_witness_that_is_not_serving_holds_the_release),
        cmocka_unit_test(a_lesser_witness_holds_the_release),
        cmocka_unit_test(a_witness_that_knows_a_higher_term_holds_the_release),
        cmocka_unit_test(a_witness_with_fewer_deletes_than_the_copy_holds_the_release),
        cmocka_unit_test(a_held_release_is_forgotten_and_may_be_asked_anew),
        cmocka_unit_test(an_answer_counts_only_for_the_ask_that_is_open),
        cmocka_unit_test(an_answer_to_the_first_ask_does_not_answer_the_second),
        cmocka_unit_test(all_witnesses_must_answer),
        cmocka_unit_test(a_witness_that_left_since_holds_the_release_after_the_drain),
        cmocka_unit_test(silence_after_the_drain_holds_the_release_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
