/* SPDX-License-Identifier: Apache-2.0
 * Copies that nobody wants: strays, of collections that we have, and orphans, of others. */
#include "tests/unit/coordinator_world.h"
#include <stdlib.h>
#include <string.h>

static bool node_1_is_empty(struct world *world)
{
    return node_copies_count(world->nodes[1].node) == 0;
}

static void load_onto(struct world *world, const struct manifest *manifest, int64_t node_id)
{
    world->manifest = manifest;
    world_request(world, &(struct coord_request){.verb = COORD_LOAD_COLLECTION,
                                                 .collection = "",
                                                 .folder = manifest->folder,
                                                 .dst_node_ids = &node_id,
                                                 .dst_node_ids_count = 1});
    world->manifest = NULL;
    assert_int_equal(world->answer_status, QN_STATUS_OK);
}

/* Node 1 holds segments 1, 2, 3 and is silent when their collection is released. */
static void leave_copies_behind(struct world *world)
{
    world_load(world, 3, 1);
    world->nodes[1].cut = true;
    world_run(world, LIMIT_NODE_SILENT_MS + 1200);
    world_ask(world, COORD_RELEASE_COLLECTION, "words");
    world_run(world, 1000);
}

static void lose_the_state(struct world *world)
{
    world_load(world, 2, 1);
    world_kill_coordinator(world);
    world->rows_count = 0;
    world->view = (struct world_view){0};
    world_start_coordinator(world);
    world_run(world, 3000);
}

/* ---- strays ---------------------------------------------------------------------------------- */

static void what_the_new_edition_lacks_goes_from_a_node_that_was_silent(void **state)
{
    struct world *world = *state;

    leave_copies_behind(world);
    world_load(world, 2, 2);
    world_run(world, WORLD_CEASED_WAIT_MS);
    world->nodes[1].cut = false;
    world_until(world, node_1_is_empty, 6000);
    assert_true(world_is_settled(world));
}

static void what_the_new_edition_lacks_stays_until_no_search_can_need_it(void **state)
{
    struct world *world = *state;

    leave_copies_behind(world);
    world->core->options.ceased_wait_ms = 60500;
    world_load(world, 2, 2);
    world->nodes[1].cut = false;
    world_run(world, 30000);
    assert_int_equal(world_copy(world, 1, 3), QN_COPY_SERVING);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_ABSENT);
    world_run(world, 35000);
    assert_int_equal(world_copy(world, 1, 3), QN_COPY_ABSENT);
}

/* A move after the backup, for instance: here nobody wants the copy, there it was the only one. */
static void an_older_state_brings_its_placement_back(void **state)
{
    struct world *world = *state;
    struct state_row *rows;
    size_t rows_count;

    world_load(world, 2, 1);
    rows_count = world->rows_count;
    rows = test_malloc(rows_count * sizeof *rows);
    memcpy(rows, world->rows, rows_count * sizeof *rows);
    world_balance(world, 1, 2, 1);
    world_until(world, world_is_settled, 5000);
    world_kill_coordinator(world);
    memcpy(world->rows, rows, rows_count * sizeof *rows);
    world->rows_count = rows_count;
    test_free(rows);
    world_start_coordinator(world);
    for (int i = 0; i < 1000; i++) {
        world_run(world, 10);
        assert_true(world_serves(world, 1));
    }
    assert_true(world_is_settled(world));
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    assert_int_equal(world_copy(world, 2, 1), QN_COPY_ABSENT);
}

static void a_segment_that_is_growing_now_goes_as_well(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(3);

    leave_copies_behind(world);
    manifest->segments[2].state = QN_SEGMENT_GROWING;
    load_onto(world, manifest, 2);
    (void)manifest_free(manifest);
    world->nodes[1].cut = false;
    world_until(world, node_1_is_empty, 10000);
    world_run(world, 2000);
    assert_false(world->core->unsettled);
    assert_int_equal(world->core->strays_due_ms, 0);
}

/* Else its new collection could never come to that node: CONFLICT. */
static void a_segment_that_is_another_collections_now_goes_as_well(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(3), other = *manifest;

    leave_copies_behind(world);
    world_load(world, 2, 2);
    other.collection_id = 9;
    other.name = (char[]){"other"};
    other.segments = manifest->segments + 2;
    other.segments_count = 1;
    load_onto(world, &other, 3);
    (void)manifest_free(manifest);
    world_run(world, 2000);
    world->nodes[1].cut = false;
    world_until(world, node_1_is_empty, 10000);
    assert_int_equal(world_copy(world, 3, 3), QN_COPY_SERVING);
    world_balance(world, 3, 1, 3);
    assert_int_equal(world->answer_status, QN_STATUS_OK);
    world_run(world, 5000);
    assert_string_equal(world_phase(world, 1), "done");
}

/* ---- orphans --------------------------------------------------------------------------------- */

static bool has_no_copies(struct world *world)
{
    return node_copies_count(world->nodes[1].node) == 0 &&
           world->core->catalog.collections.count == 0;
}

static void orphans_go_when_their_collection_is_released_by_its_id(void **state)
{
    struct world *world = *state;

    lose_the_state(world);
    world_ask(world, COORD_RELEASE_COLLECTION, "8");
    world_assert_answer(world, QN_STATUS_NOT_FOUND, "collection 8 is not loaded");
    world_ask(world, COORD_RELEASE_COLLECTION, "words");
    world_assert_answer(world, QN_STATUS_NOT_FOUND, "collection words is not loaded");
    world_ask(world, COORD_RELEASE_COLLECTION, "7");
    world_assert_answer(world, QN_STATUS_OK, "orphans-7 (7): 2 copies are released after 0.5 s");
    world_ask(world, COORD_RELEASE_COLLECTION, "7");
    world_assert_answer(world, QN_STATUS_OK, "orphans-7 (7): 2 copies are released after 0.5 s");
    assert_int_equal(world->view.published_count, 1);
    assert_int_equal(world->view.items_count, 0);
    world_run(world, WORLD_CEASED_WAIT_MS - 100);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    world_kill_coordinator(world); /* it goes on after a restart */
    world_start_coordinator(world);
    world_until(world, has_no_copies, 6000);
}

static void orphans_on_a_silent_node_are_waited_for(void **state)
{
    struct world *world = *state;

    lose_the_state(world);
    world->nodes[1].cut = true;
    world_run(world, LIMIT_NODE_SILENT_MS + 1200);
    world_ask(world, COORD_RELEASE_COLLECTION, "7");
    world_assert_answer(world, QN_STATUS_OK, "2 copies are released");
    world_run(world, 3000);
    assert_int_equal(world->core->catalog.collections.count, 1);
    world->nodes[1].cut = false;
    world_until(world, has_no_copies, 10000);
}

static void what_is_no_id_names_no_orphans(void **state)
{
    static const char *const texts[] = {"", "+7", " 7", "-7", "7x", "0", "99999999999999999999"};
    struct world *world = *state;

    lose_the_state(world);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        world_ask(world, COORD_RELEASE_COLLECTION, texts[i]);
        assert_int_equal(world->answer_status, QN_STATUS_NOT_FOUND);
    }
}

static void a_name_that_is_the_id_of_orphans_is_refused(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(3), other = *manifest;

    lose_the_state(world);
    other.collection_id = 9;
    other.name = (char[]){"7"};
    other.segments = manifest->segments + 2;
    other.segments_count = 1;
    load_onto(world, &other, 3);
    (void)manifest_free(manifest);
    world_ask(world, COORD_RELEASE_COLLECTION, "7");
    world_assert_answer(world, QN_STATUS_CONFLICT,
                        "7 is the name of collection 9, and the id of orphans");
    world_ask(world, COORD_RELEASE_COLLECTION, "9");
    assert_int_equal(world->answer_status, QN_STATUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_new_edition_lacks_goes_from_a_node_that_was_silent),
        TEST(what_the_new_edition_lacks_stays_until_no_search_can_need_it),
        TEST(an_older_state_brings_its_placement_back),
        TEST(a_segment_that_is_growing_now_goes_as_well),
        TEST(a_segment_that_is_another_collections_now_goes_as_well),
        TEST(orphans_go_when_their_collection_is_released_by_its_id),
        TEST(orphans_on_a_silent_node_are_waited_for),
        TEST(what_is_no_id_names_no_orphans),
        TEST(a_name_that_is_the_id_of_orphans_is_refused),
    };

    return cmocka_run_group_tests_name("coordinator strays", tests, NULL, NULL);
}
