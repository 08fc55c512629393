/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/coordinator_stage.h"
#include <string.h>

/* ---- targets that die ------------------------------------------------------------------------ */

static void a_target_that_dies_while_loading_stalls_the_move_until_it_is_back(void **state)
{
    struct world *world = *state;

    world->nodes[2].load_ms = 100000;
    world_balance(world, 1, 2, 1);
    world_run(world, 300);
    world_kill_node(world, 2);
    world_until(world, stage_is_stalled, LIMIT_NODE_SILENT_MS + 1000);
    stage_assert_reason(world, "node 2 silent for 5.");
    stage_assert_reason(world, "while loading");
    assert_int_equal(world_move(world, 1)->row.attempts, 2);
    struct qn_epoch epoch = world_move(world, 1)->row.dst_epoch;
    world->nodes[2].load_ms = 50;
    world_start_node(world, 2);
    world_until(world, stage_is_done, 5000);
    assert_int_equal(qn_epoch_compare(world_move(world, 1)->row.dst_epoch, epoch), 0);
    stage_assert_settled(world);
}

static void a_target_that_restarts_while_loading_is_told_again(void **state)
{
    struct world *world = *state;

    world->nodes[2].load_ms = 100000;
    world_balance(world, 1, 2, 1);
    world_run(world, 300);
    world_kill_node(world, 2);
    world->nodes[2].load_ms = 300;
    world_start_node(world, 2);
    world_until(world, stage_is_stalled, 1000);
    stage_assert_reason(world, "node 2 restarted while loading");
    world_until(world, stage_is_done, 5000);
    stage_assert_settled(world);
}

static void a_target_that_dies_in_overlap_takes_the_move_back(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 1);
    world_until(world, stage_is_overlap, 500);
    world_kill_node(world, 2);
    world->nodes[2].load_ms = 500;
    world_start_node(world, 2);
    world_until(world, stage_is_stalled, 1000);
    world_run(world, 200);
    assert_false(world_view_has(world, 1, 2));
    assert_true(world_view_has(world, 1, 1));
    world_until(world, stage_is_done, 5000);
    stage_assert_settled(world);
}

static void a_target_that_dies_in_releasing_brings_the_source_back(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 1);
    world->mute = true; /* the source is not asked yet */
    world_run(world, 60);
    world->mute = false;
    world_until(world, stage_is_overlap, 1500);
    world->nodes[2].deaf = true; /* the witness answers no ask */
    world_until(world, stage_is_releasing, 1000);
    world_kill_node(world, 2);
    world_until(world, stage_is_stalled, 3000); /* long before it counts as silent */
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    world_run(world, 200);
    assert_true(world_view_has(world, 1, 1));
    stage_assert_reason(world, "held by node 1");
    world_run(world, LIMIT_NODE_SILENT_MS + 1000);
    assert_true(stage_is_stalled(world));
    assert_true(world_view_has(world, 1, 1));
    stage_assert_reason(world, "node 2 silent");
    world->nodes[2].deaf = false;
    world_start_node(world, 2);
    world_until(world, stage_is_done, 6000);
    stage_assert_settled(world);
}

static void a_held_release_is_asked_anew(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 1);
    world_until(world, stage_is_overlap, 500);
    world->nodes[2].deaf = true;
    world_until(world, stage_is_releasing, 1000);
    world_until(world, stage_is_stalled, 3000);
    stage_assert_reason(world, "held by node 1");
    world_run(world, 200);
    assert_true(world_view_has(world, 1, 1));
    world_until(world, stage_is_releasing,
                3000); /* the target was heard of, the source is asked anew */
    world_until(world, stage_is_stalled, 3000);
    assert_true(world_move(world, 1)->row.attempts > 2);
    world->nodes[2].deaf = false;
    world_until(world, stage_is_done, 5000);
    assert_string_equal(world_move(world, 1)->row.reason, "");
    stage_assert_settled(world);
}

static void moves_that_go_back_together_publish_one_view(void **state)
{
    struct world *world = *state;
    enum { COUNT = 40 };

    world_request(world,
                  &(struct coord_request){.verb = COORD_RELEASE_COLLECTION, .collection = "words"});
    world_run(world, 6000);
    world_load(world, COUNT, 1);
    world_balance(world, 1, 2, 0);
    world_until(world, stage_is_overlap, 1500);
    world->nodes[1].cut = true; /* the source is not asked yet */
    world_until(world, stage_is_releasing, 2000);
    world_kill_node(world, 2);
    world_run(world, LIMIT_NODE_SILENT_MS - 2500);
    world_kill_coordinator(world);
    world_start_coordinator(world);
    world_run(world, LIMIT_NODE_SILENT_MS + 2000);
    size_t published = world->view.published_count;
    world->nodes[1].cut = false;
    world_until(world, stage_is_stalled, 3000);
    world_run(world, 500);
    for (int64_t segment_id = 1; segment_id <= COUNT; segment_id++)
        assert_true(world_view_has(world, segment_id, 1));
    assert_true(world->view.published_count <= published + 3);
    world_start_node(world, 2);
    world_until(world, world_is_settled, 10000);
}

/* ---- sources that die ------------------------------------------------------------------------ */

static void a_source_that_is_silent_keeps_the_move_releasing(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 1);
    world_until(world, stage_is_overlap, 500);
    world->nodes[1].cut = true;
    world_until(world, stage_is_releasing, 2000);
    world_run(world, LIMIT_NODE_SILENT_MS + 1000);
    assert_true(stage_is_releasing(world));
    stage_assert_reason(world, "node 1 silent");
    world->nodes[1].cut = false;
    world_until(world, stage_is_done, 5000);
    stage_assert_settled(world);
}

static void a_source_that_restarts_in_releasing_ends_the_move(void **state)
{
    struct world *world = *state;

    world_balance(world, 1, 2, 1);
    world_until(world, stage_is_overlap, 500);
    world->nodes[1].cut = true;
    world_until(world, stage_is_releasing, 2000);
    world->nodes[1].cut = false;
    world_kill_node(world, 1);
    world_start_node(world, 1);
    world_until(world, stage_is_done, 3000);
    stage_assert_settled(world);
}

static void a_source_that_restarts_while_loading_is_loaded_again(void **state)
{
    struct world *world = *state;

    world->nodes[2].load_ms = 1500;
    world_balance(world, 1, 2, 1);
    world_run(world, 100);
    world_kill_node(world, 1);
    world_start_node(world, 1);
    world_run(world, 600);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    world_until(world, stage_is_done, 5000);
    stage_assert_settled(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_target_that_dies_while_loading_stalls_the_move_until_it_is_back),
        TEST(a_target_that_restarts_while_loading_is_told_again),
        TEST(a_target_that_dies_in_overlap_takes_the_move_back),
        TEST(a_target_that_dies_in_releasing_brings_the_source_back),
        TEST(a_held_release_is_asked_anew),
        TEST(moves_that_go_back_together_publish_one_view),
        TEST(a_source_that_is_silent_keeps_the_move_releasing),
        TEST(a_source_that_restarts_in_releasing_ends_the_move),
        TEST(a_source_that_restarts_while_loading_is_loaded_again),
    };

    return cmocka_run_group_tests_name("coordinator deaths", tests, NULL, NULL);
}
