/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/handoff.h"

#include "tests/unit/coordinator_stage.h"
#include <string.h>

/* ---- without trouble ------------------------------------------------------------------------- */

static void a_move_overlaps_then_releases_and_keeps_the_figures(void **state)
{
    struct world *world = *state;
    uint64_t readable_version = world->view.readable_version;

    world_balance(world, 1, 2, 1);
    assert_int_equal(world->answer_status, QN_STATUS_OK);
    assert_string_equal(world->answer_text, "moving 1 segment, 4.0 KiB from node 1 onto node 2");
    assert_string_equal(world_phase(world, 1), "loading");
    world_until(world, stage_is_overlap, 200);
    uint64_t overlap_ms = world->now_ms;
    world_run(world, 100);
    assert_true(world_view_has(world, 1, 1) && world_view_has(world, 1, 2));
    world_until(world, stage_is_releasing, 1000);
    assert_true(world->now_ms - overlap_ms >= WORLD_OVERLAP_MS);
    assert_false(world_view_has(world, 1, 1));
    assert_true(world_view_has(world, 1, 2));
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    assert_int_equal(world->change_infos, 1);
    world_until(world, stage_is_done, 1000);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_ABSENT);
    const struct state_move *row = &world_move(world, 1)->row;
    assert_int_equal(row->released_bytes, WORLD_SEGMENT_BYTES);
    assert_int_equal(row->rss_before, 2 * WORLD_SEGMENT_BYTES);
    assert_true(row->loaded_wall_ms > row->started_wall_ms);
    assert_true(row->changed_wall_ms > row->loaded_wall_ms);
    assert_true(row->finished_wall_ms > row->changed_wall_ms);
    assert_int_equal(world->view.readable_version, readable_version);
    stage_assert_settled(world);
}

static void moves_of_one_pair_share_a_change_info(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 0);
    world_until(world, world_is_settled, 5000);
    assert_int_equal(world->change_infos, 1);
    assert_int_equal(world->sent[MESSAGE_CHANGE_INFO], 1);
    assert_int_equal(world_copy(world, 2, 2), QN_COPY_SERVING);
}

static void a_segment_goes_round_and_comes_back(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 1);
    stage_assert_settled(world);
    world_balance(world, 2, 3, 1);
    stage_assert_settled(world);
    world_balance(world, 3, 1, 1);
    stage_assert_settled(world);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    assert_string_equal(world_phase(world, 3), "done");
}

/* ---- loads that fail ------------------------------------------------------------------------- */

static void a_load_that_fails_for_the_disk_is_tried_three_times_more(void **state)
{
    struct world *world = *state;

    world->nodes[2].load_status = QN_STATUS_IO;
    world_balance(world, 1, 2, 1);
    world_run(world, 500);
    assert_string_equal(world_phase(world, 1), "stalled");
    stage_assert_reason(world, "the disk says no");
    world_until(world, stage_is_failed, 6000);
    assert_int_equal(world->sent[MESSAGE_LOAD_SEGMENTS] > 4, true);
    stage_assert_reason(world, "node 2: IO");
    stage_assert_settled(world);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
}

static void a_load_that_fails_twice_goes_on(void **state)
{
    struct world *world = *state;

    world->nodes[2].load_status = QN_STATUS_IO;
    world->nodes[2].load_failures = 2;
    world_balance(world, 1, 2, 1);
    world_until(world, stage_is_done, 8000);
    assert_int_equal(world_move(world, 1)->row.attempts, 3);
    assert_string_equal(world_move(world, 1)->row.reason, "");
    stage_assert_settled(world);
}

static void a_corrupt_file_fails_the_move_at_once_and_the_source_serves_on(void **state)
{
    struct world *world = *state;

    world->nodes[2].load_status = QN_STATUS_CORRUPT;
    world_balance(world, 1, 2, 1);
    world_until(world, stage_is_failed, 500);
    stage_assert_reason(world, "CORRUPT");
    stage_assert_settled(world);
    assert_true(world_view_has(world, 1, 1));
}

static void an_epoch_that_is_stale_at_the_target_is_minted_anew(void **state)
{
    struct world *world = *state;

    /* The target held the segment once and released it at an epoch above the one it will be given:
     * another coordinator's doing, told by the version counter alone. */
    world_balance(world, 1, 2, 1);
    struct catalog_move *move = idmap_find(&world->core->catalog.moves, 1);
    struct load_failed stale = {.segment_id = 1,
                                .epoch = move->row.dst_epoch,
                                .status = QN_STATUS_EPOCH_STALE,
                                .text = "stale"};
    struct qn_epoch before = move->row.dst_epoch;
    struct message message = {.cluster = "test",
                              .sender = "node/2",
                              .boot = world->nodes[2].boot,
                              .term = 1,
                              .reply_to = "",
                              .kind = MESSAGE_LOAD_FAILED,
                              .load_failed = stale};
    world_deliver(world, &message);
    assert_true(qn_epoch_compare(move->row.dst_epoch, before) > 0);
    struct qn_epoch second = move->row.dst_epoch;
    world_deliver(world, &message); /* a repeat of the receipt changes nothing */
    assert_int_equal(qn_epoch_compare(move->row.dst_epoch, second), 0);
    world_until(world, stage_is_done, 5000);
    stage_assert_settled(world);
}

/* ---- a bus that loses ------------------------------------------------------------------------ */

static bool drops_receipts(struct world *world, int64_t to, const struct message *message)
{
    (void)world;
    (void)to;
    return message->kind >= MESSAGE_SEGMENT_LOADED && message->kind <= MESSAGE_LEAVING;
}

static void without_any_receipt_reports_suffice(void **state)
{
    struct world *world = *state;

    world->drops = drops_receipts;
    world_balance(world, 1, 2, 0);
    world_until(world, world_is_settled, 10000);
    assert_string_equal(world_phase(world, 1), "done");
}

static bool drops_first(struct world *world, int64_t to, const struct message *message)
{
    bool command = message->kind < MESSAGE_COPY_STATUS_REQUEST;

    (void)to;
    if (!command || world->drops_left == 0)
        return false;
    world->drops_left--;
    return true;
}

static void lost_commands_are_repeated_with_the_same_epoch(void **state)
{
    struct world *world = *state;

    world->drops = drops_first;
    for (unsigned lost = 1; lost <= 4; lost++) {
        uint64_t move_id = lost;
        int64_t src = lost % 2 == 1 ? 1 : 2;
        world->drops_left = lost;
        world_balance(world, src, 3 - src, 1);
        struct qn_epoch epoch = world_move(world, move_id)->row.dst_epoch;
        world_until(world, world_is_settled, 15000);
        assert_int_equal(qn_epoch_compare(world_move(world, move_id)->row.dst_epoch, epoch), 0);
        assert_int_equal(world->drops_left, 0);
    }
}

/* ---- what comes late ------------------------------------------------------------------------- */

static void tell_late(struct world *world, int64_t node_id, struct qn_epoch epoch)
{
    const struct catalog_segment *segment = catalog_segment(&world->core->catalog, 1);
    struct segment_load_info load = {.segment_id = 1,
                                     .collection_id = WORLD_COLLECTION,
                                     .replica = "",
                                     .path = segment->path,
                                     .content_hash = segment->content_hash,
                                     .mem_size = segment->mem_size,
                                     .num_rows = segment->num_rows,
                                     .epoch = epoch,
                                     .state = QN_SEGMENT_SEALED};
    struct message message = {.kind = MESSAGE_LOAD_SEGMENTS,
                              .load_segments = {.segments = &load, .segments_count = 1}};

    world_tell(world, node_id, &message);
    world_run(world, 60);
    assert_int_equal(world_copy(world, node_id, 1), QN_COPY_LOADING);
    world_run(world, 60);
}

static void a_late_load_at_the_old_source_is_released_again(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 1);
    world_until(world, world_is_settled, 5000);
    world_kill_node(world, 1); /* it forgets which epochs it released */
    world_start_node(world, 1);
    world_until(world, world_is_settled, 5000);
    tell_late(world, 1, world_move(world, 1)->row.src_epoch);
    stage_assert_settled(world);
    assert_int_equal(world_copy(world, 2, 1), QN_COPY_SERVING);
    assert_true(world->sent[MESSAGE_RELEASE_SEGMENTS] >= 1);
}

static void a_late_load_at_a_target_that_was_given_up_is_released(void **state)
{
    struct world *world = *state;

    world->nodes[2].load_status = QN_STATUS_CORRUPT;
    world_balance(world, 1, 2, 1);
    world_until(world, stage_is_failed, 500);
    world->nodes[2].load_status = QN_STATUS_OK;
    tell_late(world, 2, world_move(world, 1)->row.dst_epoch);
    stage_assert_settled(world);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
}

static void only_the_arrows_of_the_table_are_known(void **state)
{
    (void)state;
    assert_false(handoff_phase_is_known(0));
    assert_false(handoff_phase_is_known(6));
    assert_true(handoff_phase_is_known(HANDOFF_LOADING));
    assert_false(handoff_phase_is_final(HANDOFF_RELEASING));
    assert_true(handoff_phase_is_final(HANDOFF_DONE));
    assert_true(handoff_phase_is_final(HANDOFF_FAILED));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_move_overlaps_then_releases_and_keeps_the_figures),
        TEST(moves_of_one_pair_share_a_change_info),
        TEST(a_segment_goes_round_and_comes_back),
        TEST(a_load_that_fails_for_the_disk_is_tried_three_times_more),
        TEST(a_load_that_fails_twice_goes_on),
        TEST(a_corrupt_file_fails_the_move_at_once_and_the_source_serves_on),
        TEST(an_epoch_that_is_stale_at_the_target_is_minted_anew),
        TEST(without_any_receipt_reports_suffice),
        TEST(lost_commands_are_repeated_with_the_same_epoch),
        TEST(a_late_load_at_the_old_source_is_released_again),
        TEST(a_late_load_at_a_target_that_was_given_up_is_released),
        cmocka_unit_test(only_the_arrows_of_the_table_are_known),
    };

    return cmocka_run_group_tests_name("coordinator handoff", tests, NULL, NULL);
}
