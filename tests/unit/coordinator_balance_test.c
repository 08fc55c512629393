/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/coordinator_world.h"
#include <stdio.h>
#include <string.h>

/* ---- load balance ---------------------------------------------------------------------------- */

static void each_refusal_has_its_reason(void **state)
{
    struct world *world = *state;
    const int64_t wrong[] = {1, 9}, ids[] = {1, 99};

    world_load(world, 2, 1);
    world_request(world, &(struct coord_request){.verb = COORD_LOAD_BALANCE,
                                                 .src_node_id = 1,
                                                 .dst_node_ids = wrong,
                                                 .dst_node_ids_count = 2});
    world_assert_answer(world, QN_STATUS_INVALID, "node 1 is source and target\nnode 9 is unknown");
    world_request(world, &(struct coord_request){.verb = COORD_LOAD_BALANCE,
                                                 .src_node_id = 2,
                                                 .dst_node_ids = (const int64_t[]){3},
                                                 .dst_node_ids_count = 1,
                                                 .segment_ids = ids,
                                                 .segment_ids_count = 2});
    world_assert_answer(world, QN_STATUS_NOT_HERE,
                        "segment 1 is not on node 2\nsegment 99 is unknown");
    world_kill_node(world, 3);
    world_run(world, LIMIT_NODE_SILENT_MS + 1200);
    world_balance(world, 1, 3, 1);
    world_assert_answer(world, QN_STATUS_UNAVAILABLE, "node 3 is silent");
    world_balance(world, 3, 1, 1);
    world_assert_answer(world, QN_STATUS_UNAVAILABLE, "node 3 is silent");
    assert_int_equal(world->core->catalog.moves.count, 0);
}

static void a_target_without_room_is_refused_with_figures(void **state)
{
    struct world *world = *state;

    world_kill_node(world, 2);
    world->nodes[2].budget_bytes = WORLD_SEGMENT_BYTES;
    world_start_node(world, 2);
    world_run(world, 500);
    world_load(world, 2, 1);
    world_balance(world, 1, 2, 0);
    world_assert_answer(world, QN_STATUS_OVER_BUDGET, "segment 2 needs 4096 bytes; free: node 2 0");
    assert_int_equal(world->core->catalog.moves.count, 0);
}

static void a_repeat_answers_the_same_and_moves_nothing_twice(void **state)
{
    struct world *world = *state;
    char first[sizeof world->answer_text];

    world_load(world, 2, 1);
    world_balance(world, 1, 2, 0);
    (void)snprintf(first, sizeof first, "%s", world->answer_text);
    assert_int_equal(world->answer_moves, 2);
    world_balance(world, 1, 2, 0); /* another request for the same */
    assert_string_equal(world->answer_text, first);
    assert_int_equal(world->answer_moves, 2);
    world_until(world, world_is_settled, 5000);
    world->request_id -= 2; /* the first request again, long after */
    world_balance(world, 1, 2, 0);
    assert_string_equal(world->answer_text, first);
    assert_int_equal(world->answer_status, QN_STATUS_OK);
    assert_int_equal(world->core->catalog.moves.count, 2);
}

static void a_segment_that_moves_elsewhere_is_refused(void **state)
{
    struct world *world = *state;

    world_load(world, 2, 1);
    world_balance(world, 1, 2, 1);
    world_balance(world, 1, 3, 1);
    world_assert_answer(world, QN_STATUS_BUSY, "segment 1 is already moving from node 1 to node 2");
}

static void a_node_is_emptied_onto_several(void **state)
{
    struct world *world = *state;
    const int64_t targets[] = {2, 3};

    world_load(world, 6, 1);
    world_request(world, &(struct coord_request){.verb = COORD_LOAD_BALANCE,
                                                 .src_node_id = 1,
                                                 .dst_node_ids = targets,
                                                 .dst_node_ids_count = 2});
    world_assert_answer(world, QN_STATUS_OK,
                        "moving 6 segments, 24.0 KiB from node 1 onto nodes 2, 3");
    world_until(world, world_is_settled, 5000);
    assert_int_equal(node_copies_count(world->nodes[1].node), 0);
    assert_int_equal(node_copies_count(world->nodes[2].node), 3);
}

/* ---- release --------------------------------------------------------------------------------- */

static bool is_forgotten(struct world *world)
{
    return world->core->catalog.collections.count == 0;
}

static void a_released_collection_leaves_the_view_first_and_its_copies_later(void **state)
{
    struct world *world = *state;

    world_load(world, 2, 1);
    uint64_t readable_version = world->view.readable_version;
    world_ask(world, COORD_RELEASE_COLLECTION, "words");
    world_assert_answer(world, QN_STATUS_OK, "2 segments are released after 0.5 s");
    assert_int_equal(world->view.items_count, 0);
    assert_int_equal(world->view.readable_version, readable_version + 1);
    world_run(world, WORLD_CEASED_WAIT_MS - 100);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    world_until(world, is_forgotten, 6000);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_ABSENT);
    world_ask(world, COORD_GET_VIEW, "words");
    world_assert_answer(world, QN_STATUS_NOT_FOUND, "collection words is not loaded");
    assert_int_equal(world->core->catalog.segments.count, 0);
    world_load(world, 2, 2);
}

static void releasing_stops_moves(void **state)
{
    struct world *world = *state;

    world_load(world, 2, 1);
    world_balance(world, 1, 2, 0);
    world_run(world, 200);
    world_ask(world, COORD_RELEASE_COLLECTION, "7");
    world_until(world, is_forgotten, 6000);
    assert_string_equal(world_phase(world, 1), "failed");
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_ABSENT);
    assert_int_equal(world_copy(world, 2, 1), QN_COPY_ABSENT);
}

static bool node_1_is_empty(struct world *world)
{
    return node_copies_count(world->nodes[1].node) == 0;
}

static void a_collection_waits_for_a_silent_holder_unless_it_is_loaded_anew(void **state)
{
    struct world *world = *state;

    world_load(world, 2, 1);
    world->nodes[1].cut = true;
    world_run(world, LIMIT_NODE_SILENT_MS + 1200);
    world_ask(world, COORD_RELEASE_COLLECTION, "words");
    world_run(world, 6000);
    assert_false(is_forgotten(world));
    world_load(world, 2, 2);
    assert_true(world_view_has(world, 1, 2));
    /* Back with what it held of the old edition: nobody wants that any more. */
    world->nodes[1].cut = false;
    world_until(world, node_1_is_empty, 6000);
    assert_true(world_view_has(world, 1, 2));
    world_run(world, 2000);
    assert_true(world_serves(world, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_refusal_has_its_reason),
        TEST(a_target_without_room_is_refused_with_figures),
        TEST(a_repeat_answers_the_same_and_moves_nothing_twice),
        TEST(a_segment_that_moves_elsewhere_is_refused),
        TEST(a_node_is_emptied_onto_several),
        TEST(a_released_collection_leaves_the_view_first_and_its_copies_later),
        TEST(releasing_stops_moves),
        TEST(a_collection_waits_for_a_silent_holder_unless_it_is_loaded_anew),
    };

    return cmocka_run_group_tests_name("coordinator balance", tests, NULL, NULL);
}
