/* SPDX-License-Identifier: Apache-2.0
 * A bus that takes short messages: the world checks the size of all that is sent, and that the
 * pages of one view are always as many. */
#include "tests/unit/coordinator_world.h"

enum { SEGMENTS = 40, NARROW_BYTES = 1000 };

static bool is_loaded(struct world *world)
{
    size_t listed_count = 0;

    for (size_t i = 0; i < world->view.items_count; i++)
        listed_count += world->view.items[i].copies_count > 0;
    return listed_count == SEGMENTS;
}

static void what_is_sent_fits_the_bus(void **state)
{
    struct world *world = *state;

    world->payload_max = NARROW_BYTES;
    world_load(world, SEGMENTS, 1);
    world_until(world, is_loaded, 20000);
    assert_true(world->view.pages > 1);
    assert_true(world->sent[MESSAGE_LOAD_SEGMENTS] > 3);
    world_ask(world, COORD_LIST_SEGMENTS, "");
    assert_true(world->answer_pages > 3);
    for (enum coord_verb verb = COORD_GET_VIEW; verb <= COORD_LIST_MOVES; verb++) {
        world_ask(world, verb, "7");
        world_assert_answer(world, QN_STATUS_OK, "");
    }
}

static void a_hand_off_says_as_much_at_once_as_the_bus_takes(void **state)
{
    struct world *world = *state;
    size_t change_infos = world->change_infos;

    world->payload_max = NARROW_BYTES;
    world_load(world, SEGMENTS, 1);
    world_until(world, is_loaded, 20000);
    world_balance(world, 1, 2, 0);
    world_run(world, 20000);
    for (int64_t id = 1; id <= SEGMENTS; id++)
        assert_true(world_view_has(world, id, 2) && !world_view_has(world, id, 1));
    assert_true(world->change_infos > change_infos + 3);
    world_ask(world, COORD_LIST_MOVES, "");
    assert_true(world->answer_pages > 3);
}

/* Else pages that were cut in two ways would join. */
static void another_limit_is_another_version(void **state)
{
    struct world *world = *state;

    world_load(world, SEGMENTS, 1);
    world_until(world, is_loaded, 20000);
    assert_int_equal(world->view.pages, 1);
    struct qn_epoch version = world->view.version;
    world->payload_max = NARROW_BYTES;
    world_ask(world, COORD_GET_VIEW, "7");
    assert_true(qn_epoch_compare(world->view.version, version) > 0);
    assert_true(world->view.pages > 1);
    assert_int_equal(world->view.items_count, SEGMENTS);
    assert_int_equal(world->answer_pages, world->view.pages);
    version = world->view.version;
    world->payload_max = 0;
    world_run(world, 1000);
    assert_true(qn_epoch_compare(world->view.version, version) > 0);
    assert_int_equal(world->view.pages, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_sent_fits_the_bus),
        TEST(a_hand_off_says_as_much_at_once_as_the_bus_takes),
        TEST(another_limit_is_another_version),
    };

    return cmocka_run_group_tests_name("coordinator_page", tests, NULL, NULL);
}
