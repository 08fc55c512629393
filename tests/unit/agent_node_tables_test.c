/* SPDX-License-Identifier: Apache-2.0
 * What is bounded: remembered epochs and hints, copies, actions of a step; and the digest. */
#include "tests/unit/agent_node_rig.h"

/* Loaded, released while loading, cancelled: the shortest way into the released table. */
static void come_and_go(struct rig *rig, int64_t segment_id, uint64_t version)
{
    struct witness witness = rig_witness(2, segment_id, version);

    rig_load(rig, rig_segment(segment_id, version));
    rig_release(rig, rig_moved(segment_id, version, &witness));
    rig_fail(rig, segment_id, QN_STATUS_CANCELLED, "cancelled");
    assert_int_equal(rig_said(rig, MESSAGE_SEGMENT_RELEASED), 1);
}

static void forgetting_a_released_epoch_raises_the_floor(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    for (int i = 1; i <= LIMIT_RELEASED_EPOCHS; i++)
        come_and_go(&rig, i, (uint64_t)i);
    rig_release(&rig, rig_forced(1, 1));
    assert_int_equal(rig_said(&rig, MESSAGE_SEGMENT_RELEASED), 1); /* the oldest is still known */

    come_and_go(&rig, 5000, 5000);
    rig_release(&rig, rig_forced(1, 1));
    rig_expect_refused(&rig, QN_STATUS_NOT_HERE, "segment 1 is not here");
    rig_release(&rig, rig_forced(2, 2));
    assert_int_equal(rig_said(&rig, MESSAGE_SEGMENT_RELEASED), 1);

    rig_load(&rig, rig_segment(1, 1)); /* forgotten, but below the floor */
    rig_expect_failed(&rig, QN_STATUS_EPOCH_STALE, "older than what is remembered");
    rig_load(&rig, rig_segment(9999, 1));
    rig_expect_failed(&rig, QN_STATUS_EPOCH_STALE, "older than what is remembered");
    rig_load(&rig, rig_segment(9999, 2));
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 1);
    rig_close(&rig);
}

static void an_epoch_older_than_a_released_one_of_its_segment_is_over(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 3);
    rig_load(&rig, rig_segment(7, 6)); /* adopted: 5.3 lives on as 5.6 */
    rig_gone(&rig, 7, 6);
    rig_load(&rig, rig_segment(7, 3)); /* a late repeat of the first command */
    rig_expect_failed(&rig, QN_STATUS_EPOCH_STALE, "epoch 5.3 was released or is older");
    rig_load(&rig, rig_segment(7, 6));
    rig_expect_failed(&rig, QN_STATUS_EPOCH_STALE, "epoch 5.6 was released or is older");
    rig_serve(&rig, 7, 7);
    rig_close(&rig);
}

static void two_released_epochs_of_a_segment_are_both_remembered(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    come_and_go(&rig, 7, 3);
    come_and_go(&rig, 7, 6);
    rig_release(&rig, rig_forced(7, 3));
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.epoch.version, 3);
    rig_release(&rig, rig_forced(7, 6));
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.epoch.version, 6);
    rig_release(&rig, rig_forced(7, 4));
    rig_expect_refused(&rig, QN_STATUS_NOT_HERE, "not here");
    rig_close(&rig);
}

static void the_oldest_hint_is_forgotten_and_a_load_removes_its_own(void **state)
{
    int64_t moved_to = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    for (int i = 1; i <= LIMIT_MOVED_HINTS; i++)
        come_and_go(&rig, i, (uint64_t)i);
    assert_true(node_moved_to(rig.node, 1, &moved_to));
    assert_int_equal(moved_to, 2);
    come_and_go(&rig, 5000, 5000);
    assert_false(node_moved_to(rig.node, 1, &moved_to));
    assert_true(node_moved_to(rig.node, 2, &moved_to));

    rig_load(&rig, rig_segment(2, 6000));
    assert_true(node_moved_to(rig.node, 2, &moved_to)); /* it serves nobody yet */
    rig_event(&rig, NODE_EVENT_LOADED, 2);
    assert_false(node_moved_to(rig.node, 2, &moved_to));
    rig_gone(&rig, 2, 6000);
    assert_true(node_moved_to(rig.node, 2, &moved_to));
    rig_close(&rig);
}

static void the_table_of_copies_has_an_end(void **state)
{
    struct segment_load_info segment;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    for (int i = LIMIT_SEGMENTS_PER_NODE_MAX; i > 0; i--) {
        segment = rig_segment(i, 1);
        segment.mem_size = 0;
        rig_load(&rig, segment);
    }
    segment = rig_segment(LIMIT_SEGMENTS_PER_NODE_MAX + 1, 1);
    segment.mem_size = 0;
    rig_load(&rig, segment);
    rig_expect_failed(&rig, QN_STATUS_BUSY, "this node holds 4096 segments, its most");
    for (int i = 0; i < LIMIT_SEGMENTS_PER_NODE_MAX; i++)
        assert_int_equal(node_copy_at(rig.node, (size_t)i)->segment_id, i + 1);
    rig_fail(&rig, 2000, QN_STATUS_IO, NULL);
    assert_null(node_find(rig.node, 2000));
    rig_load(&rig, segment);
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 1);
    rig_close(&rig);
}

static void the_digest_tells_lists_states_and_epochs_apart_but_not_their_history(void **state)
{
    uint64_t empty, loading, serving, adopted;
    struct rig rig, other;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_open(&other, 2, 4096);
    empty = node_copies_digest(rig.node);
    rig_load(&rig, rig_segment(7, 1));
    loading = node_copies_digest(rig.node);
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    serving = node_copies_digest(rig.node);
    rig_load(&rig, rig_segment(7, 2));
    adopted = node_copies_digest(rig.node);
    assert_int_not_equal(empty, loading);
    assert_int_not_equal(loading, serving);
    assert_int_not_equal(serving, adopted);
    rig_serve(&rig, 3, 1);
    rig_serve(&other, 3, 1);
    rig_serve(&other, 7, 2);
    assert_int_equal(node_copies_digest(rig.node), node_copies_digest(other.node));
    rig_gone(&rig, 3, 1);
    assert_int_equal(node_copies_digest(rig.node), adopted);
    rig_close(&rig);
    rig_close(&other);
}

/* 256 copies ceased with 8 witnesses each need 2048 asks: more than one step may say. */
static void work_that_does_not_fit_a_step_is_done_in_the_next_ones(void **state)
{
    static struct segment_load_info loads[256];
    static struct segment_release releases[256];
    static unsigned asked[257];
    struct witness witnesses[LIMIT_WITNESSES_MAX];
    size_t steps = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 1 << 20);
    for (int i = 0; i < LIMIT_WITNESSES_MAX; i++)
        witnesses[i] = rig_witness(2 + i, 9000, 1);
    for (int i = 0; i < 256; i++) {
        loads[i] = rig_segment(i + 1, 1);
        releases[i] = rig_moved(i + 1, 1, witnesses);
        releases[i].ground = GROUND_CEASED;
        releases[i].witnesses_count = LIMIT_WITNESSES_MAX;
    }
    rig_loads(&rig, loads, 256);
    for (int i = 0; i < 256; i++)
        rig_event(&rig, NODE_EVENT_LOADED, i + 1);
    rig_releases(&rig, releases, 256);
    assert_int_equal(rig_said(&rig, MESSAGE_LEAVING), 256);
    for (;; rig_tick(&rig, 1000), steps++) {
        assert_in_range(rig.actions->count, 0, LIMIT_ACTIONS_PER_STEP);
        for (uint32_t i = 0; i < rig.actions->count; i++)
            if (rig.actions->items[i].message_kind == MESSAGE_COPY_STATUS_REQUEST)
                asked[rig.actions->items[i].segment_id]++;
        if (node_wake_ms(rig.node) > 1000)
            break;
    }
    assert_int_equal(steps, 2);
    assert_int_equal(node_wake_ms(rig.node), 1200);
    for (int i = 1; i <= 256; i++)
        assert_int_equal(asked[i], LIMIT_WITNESSES_MAX);

    /* All give up at the same time, and none is forgotten. */
    rig_tick(&rig, 3000);
    for (steps = 0; node_wake_ms(rig.node) <= 3000; steps++)
        rig_tick(&rig, 3000);
    for (int i = 1; i <= 256; i++)
        assert_int_equal(rig_state(&rig, i), QN_COPY_SERVING);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forgetting_a_released_epoch_raises_the_floor),
        cmocka_unit_test(an_epoch_older_than_a_released_one_of_its_segment_is_over),
        cmocka_unit_test(two_released_epochs_of_a_segment_are_both_remembered),
        cmocka_unit_test(the_oldest_hint_is_forgotten_and_a_load_removes_its_own),
        cmocka_unit_test(the_table_of_copies_has_an_end),
        cmocka_unit_test(the_digest_tells_lists_states_and_epochs_apart_but_not_their_history),
        cmocka_unit_test(work_that_does_not_fit_a_step_is_done_in_the_next_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
