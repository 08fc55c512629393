/* SPDX-License-Identifier: Apache-2.0
 * The coordinator dies after each single step of a move, with and without having sent what the step
 * asked for. */
#include "tests/unit/coordinator_world.h"
#include <string.h>

enum { STEPS_MAX = 200 };

struct course {
    bool before_send;
    bool target_restarts; /* in overlap */
    bool source_restarts; /* while releasing */
    bool receipts_lost;
};

static bool drops_receipts(struct world *world, int64_t to, const struct message *message)
{
    (void)world;
    (void)to;
    return message->kind == MESSAGE_SEGMENT_LOADED || message->kind == MESSAGE_SEGMENT_RELEASED;
}

static void disturb(struct world *world, const struct course *course, bool *done)
{
    const char *phase = world_phase(world, 1);
    int64_t node_id = course->target_restarts ? 2 : 1;
    const char *when = course->target_restarts ? "overlap" : "releasing";

    if (*done || (!course->target_restarts && !course->source_restarts) || strcmp(phase, when) != 0)
        return;
    *done = true;
    world_kill_node(world, node_id);
    world_start_node(world, node_id);
}

/* True if the coordinator was killed on the way. */
static bool run_course(const struct course *course, size_t kill_after)
{
    struct world *world = test_malloc(sizeof *world);
    bool disturbed = false;

    world_open(world);
    world_start(world);
    world_load(world, 2, 1);
    if (course->receipts_lost)
        world->drops = drops_receipts;
    world->kill_before_send = course->before_send;
    world->kill_at = world->steps + kill_after;
    world_balance(world, 1, 2, 0);
    for (int i = 0; i < 3000; i++) {
        world_run(world, 10);
        disturb(world, course, &disturbed);
        assert_true(world_serves(world, 1));
        assert_true(world_serves(world, 2));
        if (i % 100 == 99 && world_is_settled(world))
            break;
    }
    if (!world_is_settled(world))
        fail_msg("not settled when killed after step %zu", kill_after);
    assert_string_equal(world_phase(world, 1), "done");
    assert_string_equal(world_phase(world, 2), "done");
    bool killed = world->steps > world->kill_at;
    world_close(world);
    test_free(world);
    return killed;
}

static void run_all(const struct course *course)
{
    size_t kill_after = 0;

    while (run_course(course, kill_after))
        assert_true(++kill_after < STEPS_MAX);
    assert_true(kill_after >= 4);
}

static void a_move_survives_a_restart_after_every_step(void **state)
{
    (void)state;
    run_all(&(struct course){0});
}

static void a_move_survives_a_death_between_commit_and_sending(void **state)
{
    (void)state;
    run_all(&(struct course){.before_send = true});
}

static void a_move_survives_restarts_of_coordinator_and_target(void **state)
{
    (void)state;
    run_all(&(struct course){.target_restarts = true});
}

static void a_move_survives_restarts_of_coordinator_and_source(void **state)
{
    (void)state;
    run_all(&(struct course){.source_restarts = true, .before_send = true});
}

static void a_move_survives_restarts_without_receipts(void **state)
{
    (void)state;
    run_all(&(struct course){.receipts_lost = true});
}

static bool is_forgotten(struct world *world)
{
    return world->core != NULL && world->core->phase == CORE_ACTIVE &&
           world->core->catalog.collections.count == 0;
}

static void a_released_collection_goes_whatever_step_the_coordinator_dies_at(void **state)
{
    bool killed = true;

    (void)state;
    for (size_t n = 0; killed; n++) {
        struct world *world = test_malloc(sizeof *world);
        world_open(world);
        world_start(world);
        world_load(world, 2, 1);
        world->kill_at = world->steps + n;
        world_ask(world, COORD_RELEASE_COLLECTION, "words");
        world_until(world, is_forgotten, 20000);
        assert_int_equal(world_copy(world, 1, 1), QN_COPY_ABSENT);
        assert_int_equal(world_copy(world, 1, 2), QN_COPY_ABSENT);
        assert_int_equal(world->rows_count, 2); /* the counters */
        killed = world->steps > world->kill_at;
        world_close(world);
        test_free(world);
        assert_true(n < STEPS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_survives_a_restart_after_every_step),
        cmocka_unit_test(a_move_survives_a_death_between_commit_and_sending),
        cmocka_unit_test(a_move_survives_restarts_of_coordinator_and_target),
        cmocka_unit_test(a_move_survives_restarts_of_coordinator_and_source),
        cmocka_unit_test(a_move_survives_restarts_without_receipts),
        cmocka_unit_test(a_released_collection_goes_whatever_step_the_coordinator_dies_at),
    };

    return cmocka_run_group_tests_name("coordinator restart", tests, NULL, NULL);
}
