/* SPDX-License-Identifier: Apache-2.0
 * Loads: admission, repeats, newer epochs, ends (C5, P2). */
#include "tests/unit/agent_node_rig.h"

static void a_load_reserves_reads_and_serves(void **state)
{
    const struct node_action *action;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LOADING);
    assert_int_equal(node_ledger(rig.node)->reserved_bytes, 512);
    assert_int_equal(rig.actions->items[0].kind, NODE_ACTION_LOAD);
    assert_string_equal(rig.actions->items[0].load.path, "/data/s.qseg");
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);

    rig.now_ms = 1250;
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    assert_int_equal(node_ledger(rig.node)->used_bytes, 512);
    assert_int_equal(node_ledger(rig.node)->reserved_bytes, 0);
    action = rig_only(&rig, MESSAGE_SEGMENT_LOADED);
    assert_int_equal(action->subject, NODE_SUBJECT_EVENT);
    assert_int_equal(action->segment_loaded.bytes, 512);
    assert_int_equal(action->segment_loaded.took_ms, 250);
    assert_false(action->segment_loaded.adopted);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);
    rig_close(&rig);
}

static void only_sealed_segments_are_loaded(void **state)
{
    struct segment_load_info growing = rig_segment(7, 1), unspecified = rig_segment(7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    growing.state = QN_SEGMENT_GROWING;
    unspecified.state = QN_SEGMENT_UNSPECIFIED;
    rig_load(&rig, growing);
    rig_expect_failed(&rig, QN_STATUS_INVALID,
                      "segment 7 is Growing: only sealed segments can be loaded");
    rig_load(&rig, unspecified);
    rig_expect_failed(&rig, QN_STATUS_INVALID, "segment 7 is Unspecified");
    assert_int_equal(node_copies_count(rig.node), 0);
    rig_close(&rig);
}

static void a_load_over_the_budget_is_refused_with_the_figures(void **state)
{
    struct segment_load_info big = rig_segment(8, 1);
    const struct node_action *action;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    big.mem_size = 4000;
    rig_load(&rig, big);
    rig_event(&rig, NODE_EVENT_LOADED, 8);
    rig.reply_to = "inbox.9";
    rig_load(&rig, rig_segment(7, 1));
    rig_expect_failed(&rig, QN_STATUS_OVER_BUDGET,
                      "segment 7 needs 512 bytes, 96 free of 4096 (4000 used, 0 reserved)");
    action = rig_only(&rig, MESSAGE_LOAD_FAILED);
    assert_int_equal(action->load_failed.need_bytes, 512);
    assert_int_equal(action->load_failed.free_bytes, 96);
    assert_string_equal(action->reply_to, "inbox.9");
    assert_int_equal(node_counters(rig.node)->loads_refused, 1);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 0);
    rig_close(&rig);
}

static void a_budget_of_4_kib_takes_eight_of_512_and_frees_a_place_by_a_failure(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    for (int i = 1; i <= 8; i++)
        rig_load(&rig, rig_segment(i, 1));
    assert_int_equal(ledger_free_bytes(node_ledger(rig.node)), 0);
    rig_load(&rig, rig_segment(9, 1));
    rig_expect_failed(&rig, QN_STATUS_OVER_BUDGET, "0 free of 4096 (0 used, 4096 reserved)");
    rig_fail(&rig, 3, QN_STATUS_CORRUPT, "/data/3.qseg: vectors: checksum");
    rig_load(&rig, rig_segment(9, 1));
    assert_int_equal(rig_state(&rig, 9), QN_COPY_LOADING);
    rig_close(&rig);
}

static void search_scratch_is_reserved_in_the_same_ledger(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    assert_true(node_reserve_scratch(rig.node, 4000));
    assert_false(node_reserve_scratch(rig.node, 97));
    rig_load(&rig, rig_segment(7, 1));
    rig_expect_failed(&rig, QN_STATUS_OVER_BUDGET, "96 free of 4096 (4000 used");
    node_release_scratch(rig.node, 4000);
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LOADING);
    rig_close(&rig);
}

static void a_segment_without_rows_or_bytes_is_served_like_any_other(void **state)
{
    struct segment_load_info empty = rig_segment(7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 0);
    empty.mem_size = 0;
    empty.num_rows = 0;
    rig_load(&rig, empty);
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_gone(&rig, 7, 1);
    rig_close(&rig);
}

static void a_repeated_load_is_one_load(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_load(&rig, rig_segment(7, 1));
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig.actions->count, 0);
    rig.now_ms = 1300;
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    rig.reply_to = "inbox.9";
    rig_load(&rig, rig_segment(7, 1));
    assert_int_equal(rig.actions->count, 1);
    assert_string_equal(rig_only(&rig, MESSAGE_SEGMENT_LOADED)->reply_to, "inbox.9");
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_LOADED)->segment_loaded.took_ms, 300);
    assert_false(rig_only(&rig, MESSAGE_SEGMENT_LOADED)->segment_loaded.adopted);
    assert_int_equal(node_ledger(rig.node)->used_bytes, 512);
    rig_close(&rig);
}

static void a_segment_named_twice_in_one_command_is_one_load(void **state)
{
    struct segment_load_info twice[] = {rig_segment(7, 1), rig_segment(7, 1)};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_loads(&rig, twice, 2);
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 1);
    assert_int_equal(node_ledger(rig.node)->reserved_bytes, 512);
    rig_close(&rig);
}

static void other_content_under_the_same_id_is_a_conflict(void **state)
{
    struct segment_load_info other = rig_segment(7, 9);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    other.content_hash.bytes[5] = 1;
    rig_load(&rig, other);
    rig_expect_failed(&rig, QN_STATUS_CONFLICT, "segment 7 is here with other content");
    assert_int_equal(node_find(rig.node, 7)->epoch.version, 1);

    other = rig_segment(7, 9);
    other.partition_id++;
    rig_load(&rig, other);
    rig_expect_failed(&rig, QN_STATUS_CONFLICT, "collection or partition");

    other = rig_segment(7, 9);
    other.delete_generation = 2;
    rig_load(&rig, other);
    rig_expect_failed(&rig, QN_STATUS_CONFLICT, "at delete generation 0, not 2");
    rig_close(&rig);
}

static void a_newer_epoch_adopts_a_serving_copy(void **state)
{
    struct segment_load_info newer = rig_segment(7, 4);
    const struct node_action *action;
    uint64_t digest;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    digest = node_copies_digest(rig.node);
    newer.replica = "r2";
    rig.reply_to = "inbox.9";
    rig_load(&rig, newer);
    action = rig_only(&rig, MESSAGE_SEGMENT_LOADED);
    assert_true(action->segment_loaded.adopted);
    assert_int_equal(action->segment_loaded.epoch.version, 4);
    assert_string_equal(action->reply_to, "inbox.9");
    assert_string_equal(node_find(rig.node, 7)->replica, "r2");
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 0);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);
    assert_int_not_equal(node_copies_digest(rig.node), digest);

    rig_load(&rig, rig_segment(7, 1));
    rig_expect_refused(&rig, QN_STATUS_EPOCH_STALE, "is here with epoch 5.4: 5.1 is older");
    assert_int_equal(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->command_refused.epoch.version, 4);
    rig_close(&rig);
}

static void a_newer_epoch_is_taken_by_a_loading_copy(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_load(&rig, rig_segment(7, 1));
    rig_load(&rig, rig_segment(7, 4));
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 0);
    assert_int_equal(rig_said(&rig, MESSAGE_SEGMENT_LOADED), 0);
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_LOADED)->segment_loaded.epoch.version, 4);
    rig_close(&rig);
}

static void a_newer_load_calls_a_leaving_copy_back(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_leaving(&rig, 7, 1);
    rig_load(&rig, rig_segment(7, 1)); /* a late repeat of the old load means nothing */
    assert_int_equal(rig.actions->count, 0);
    rig.reply_to = "inbox.9";
    rig_load(&rig, rig_segment(7, 4));
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_expect_held(&rig, QN_STATUS_EPOCH_STALE, "a newer load, epoch 5.4");
    assert_int_equal(rig_only(&rig, MESSAGE_RELEASE_HELD)->release_held.epoch.version, 1);
    assert_string_equal(rig_only(&rig, MESSAGE_RELEASE_HELD)->reply_to, "inbox.9");
    assert_true(rig_only(&rig, MESSAGE_SEGMENT_LOADED)->segment_loaded.adopted);
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNDRAIN), 0);
    assert_int_equal(node_wake_ms(rig.node), UINT64_MAX);
    rig_close(&rig);
}

static void a_newer_load_calls_a_draining_copy_back_and_undrains_it(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_draining(&rig, 7, 1);
    rig_load(&rig, rig_segment(7, 4));
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    assert_int_equal(rig.actions->items[0].kind, NODE_ACTION_UNDRAIN);
    assert_int_equal(rig_said(&rig, MESSAGE_RELEASE_HELD), 1);
    assert_int_equal(rig_said(&rig, MESSAGE_SEGMENT_LOADED), 1);
    rig_event(&rig, NODE_EVENT_DRAINED, 7); /* it crossed the undrain */
    assert_int_equal(rig.actions->count, 0);
    rig_close(&rig);
}

static void a_newer_load_of_an_unmapping_copy_is_told_to_come_again(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_draining(&rig, 7, 1);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 1), RIG_TERM);
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNMAP), 1);
    rig_load(&rig, rig_segment(7, 4));
    rig_expect_refused(&rig, QN_STATUS_BUSY, "ask again");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_DRAINING);
    rig_event(&rig, NODE_EVENT_UNMAPPED, 7);
    rig_load(&rig, rig_segment(7, 4));
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 1);
    rig_close(&rig);
}

static void a_failed_load_gives_its_bytes_back_and_may_be_tried_again(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_load(&rig, rig_segment(7, 1));
    rig_fail(&rig, 7, QN_STATUS_CORRUPT, "load segment 7: /data/s.qseg: vectors: checksum");
    rig_expect_failed(&rig, QN_STATUS_CORRUPT, "/data/s.qseg: vectors: checksum");
    assert_int_equal(rig_only(&rig, MESSAGE_LOAD_FAILED)->load_failed.epoch.version, 1);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_ABSENT);
    assert_int_equal(ledger_free_bytes(node_ledger(rig.node)), 4096);
    rig_serve(&rig, 7, 1);
    rig_close(&rig);
}

static void a_load_that_is_released_is_cancelled_and_its_bytes_come_back_at_its_end(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_load(&rig, rig_segment(7, 1));
    rig_release(&rig, rig_forced(7, 1));
    assert_int_equal(rig_did(&rig, NODE_ACTION_CANCEL_LOAD), 1);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LOADING);
    rig_release(&rig, rig_forced(7, 1));
    assert_int_equal(rig.actions->count, 0);
    rig_load(&rig, rig_segment(7, 4));
    rig_expect_refused(&rig, QN_STATUS_BUSY, "ask again");

    rig.now_ms = 1040;
    rig_fail(&rig, 7, QN_STATUS_CANCELLED, "cancelled");
    assert_int_equal(rig_said(&rig, MESSAGE_LOAD_FAILED), 0);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.bytes, 512);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.waited_ms, 40);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.ground,
                     GROUND_FORCE);
    assert_int_equal(ledger_free_bytes(node_ledger(rig.node)), 4096);
    rig_load(&rig, rig_segment(7, 1)); /* a late repeat of what was released */
    rig_expect_failed(&rig, QN_STATUS_EPOCH_STALE, "epoch 5.1 was released");
    rig_close(&rig);
}

static void a_node_that_shuts_down_begins_no_load(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig_event(&rig, NODE_EVENT_SHUTDOWN, 0);
    rig_load(&rig, rig_segment(8, 2));
    rig_expect_failed(&rig, QN_STATUS_UNAVAILABLE, "segment 8: this node shuts down");
    assert_int_equal(rig_did(&rig, NODE_ACTION_LOAD), 0);
    rig_load(&rig, rig_segment(7, 1)); /* what is here is still said to be here */
    assert_int_equal(rig_said(&rig, MESSAGE_SEGMENT_LOADED), 1);
    rig_close(&rig);
}

static void a_cancel_that_comes_too_late_unmaps_what_was_loaded(void **state)
{
    struct witness witness = rig_witness(2, 7, 1);
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_load(&rig, rig_segment(7, 1));
    rig_release(&rig, rig_moved(7, 1, &witness));
    assert_int_equal(rig_said(&rig, MESSAGE_COPY_STATUS_REQUEST), 0); /* nobody could miss it */
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    assert_int_equal(rig_did(&rig, NODE_ACTION_UNMAP), 1);
    assert_int_equal(rig_said(&rig, MESSAGE_SEGMENT_LOADED), 0);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LOADING);
    assert_int_equal(node_ledger(rig.node)->used_bytes, 512);
    rig_event(&rig, NODE_EVENT_UNMAPPED, 7);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.moved_to, 2);
    assert_int_equal(node_ledger(rig.node)->used_bytes, 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_reserves_reads_and_serves),
        cmocka_unit_test(only_sealed_segments_are_loaded),
        cmocka_unit_test(a_load_over_the_budget_is_refused_with_the_figures),
        cmocka_unit_test(a_budget_of_4_kib_takes_eight_of_512_and_frees_a_place_by_a_failure),
        cmocka_unit_test(search_scratch_is_reserved_in_the_same_ledger),
        cmocka_unit_test(a_segment_without_rows_or_bytes_is_served_like_any_other),
        cmocka_unit_test(a_repeated_load_is_one_load),
        cmocka_unit_test(a_segment_named_twice_in_one_command_is_one_load),
        cmocka_unit_test(other_content_under_the_same_id_is_a_conflict),
        cmocka_unit_test(a_newer_epoch_adopts_a_serving_copy),
        cmocka_unit_test(a_newer_epoch_is_taken_by_a_loading_copy),
        cmocka_unit_test(a_newer_load_calls_a_leaving_copy_back),
        cmocka_unit_test(a_newer_load_calls_a_draining_copy_back_and_undrains_it),
        cmocka_unit_test(a_newer_load_of_an_unmapping_copy_is_told_to_come_again),
        cmocka_unit_test(a_failed_load_gives_its_bytes_back_and_may_be_tried_again),
        cmocka_unit_test(a_load_that_is_released_is_cancelled_and_its_bytes_come_back_at_its_end),
        cmocka_unit_test(a_node_that_shuts_down_begins_no_load),
        cmocka_unit_test(a_cancel_that_comes_too_late_unmaps_what_was_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
