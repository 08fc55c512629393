/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/api.h"

#include "tests/unit/coordinator_world.h"
#include <stdlib.h>
#include <string.h>

static void load(struct world *world, struct manifest *manifest, int64_t node_id)
{
    world->manifest = manifest;
    world_request(world, &(struct coord_request){.verb = COORD_LOAD_COLLECTION,
                                                 .folder = "/data/words",
                                                 .dst_node_ids = node_id == 0 ? NULL : &node_id,
                                                 .dst_node_ids_count = node_id == 0 ? 0 : 1});
    world->manifest = NULL;
    (void)manifest_free(manifest);
}

/* ---- loading --------------------------------------------------------------------------------- */

static void a_collection_is_spread_over_all_nodes(void **state)
{
    struct world *world = *state;

    load(world, world_manifest(6), 0);
    assert_string_equal(world->answer_text,
                        "collection words (7): 6 segments, 24.0 KiB onto nodes 1, 2, 3");
    assert_int_equal(world->answer_collections, 1);
    world_until(world, world_is_settled, 2000);
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++)
        assert_int_equal(node_copies_count(world->nodes[node_id].node), 2);
}

static void loading_again_answers_with_the_state(void **state)
{
    struct world *world = *state;

    load(world, world_manifest(2), 1);
    world_run(world, 500);
    size_t commands = world->sent[MESSAGE_LOAD_SEGMENTS];
    load(world, world_manifest(2), 1);
    world_assert_answer(world, QN_STATUS_OK, "onto node 1; 2 of them serve");
    world_run(world, 2000);
    assert_int_equal(world->sent[MESSAGE_LOAD_SEGMENTS], commands);
    load(world, world_manifest(3), 1);
    world_assert_answer(world, QN_STATUS_CONFLICT, "its manifest has changed");
}

static void growing_segments_are_named_and_not_loaded(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(3);

    manifest->segments[1].state = QN_SEGMENT_GROWING;
    load(world, manifest, 1);
    world_assert_answer(world, QN_STATUS_OK, "2 segments");
    world_assert_answer(world, QN_STATUS_OK, "only sealed segments are: Growing 2");
    world_run(world, 500);
    assert_int_equal(world->view.items_count, 2);
    world_balance(world, 1, 2, 2);
    world_assert_answer(world, QN_STATUS_INVALID, "segment 2 is Growing");
    world_ask(world, COORD_LIST_COLLECTIONS, "");
    assert_int_equal(world->answer_segments, 2);
    assert_int_equal(world->answer_serving, 2);
}

/* It would be kept, and no list that names it could ever be sent. */
static void a_manifest_that_no_message_can_carry_is_refused(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(2);

    manifest->name[0] = '\n';
    load(world, manifest, 1);
    world_assert_answer(world, QN_STATUS_INVALID,
                        "collection 7: its name holds control characters");
    manifest = world_manifest(2);
    manifest->collection_id = 0;
    load(world, manifest, 1);
    world_assert_answer(world, QN_STATUS_INVALID, "collection_id 0: a positive number is wanted");
    assert_int_equal(world->core->catalog.collections.count, 0);
}

static void a_node_that_does_not_report_is_named(void **state)
{
    struct world *world = *state;

    load(world, world_manifest(2), 9);
    world_assert_answer(world, QN_STATUS_UNAVAILABLE, "node 9 does not report");
}

static void nodes_named_for_a_loaded_collection_must_report(void **state)
{
    struct world *world = *state;

    load(world, world_manifest(2), 1);
    world_until(world, world_is_settled, 2000);
    size_t commands = world->sent[MESSAGE_LOAD_SEGMENTS];
    load(world, world_manifest(2), 77);
    world_assert_answer(world, QN_STATUS_UNAVAILABLE, "node 77 does not report");
    world_kill_node(world, 3);
    world_run(world, LIMIT_NODE_SILENT_MS + 1500);
    load(world, world_manifest(2), 3);
    world_assert_answer(world, QN_STATUS_UNAVAILABLE, "node 3 does not report");
    load(world, world_manifest(2), 2);
    world_assert_answer(world, QN_STATUS_OK,
                        "onto node 1; 2 of them serve; the collection stays where it is");
    load(world, world_manifest(2), 0);
    world_assert_answer(world, QN_STATUS_OK, "onto node 1; 2 of them serve");
    assert_null(strstr(world->answer_text, "stays"));
    world_run(world, 2000);
    assert_int_equal(world->sent[MESSAGE_LOAD_SEGMENTS], commands);
    assert_true(world_view_has(world, 1, 1));
}

static void a_collection_that_fits_nowhere_is_refused_with_figures(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(1);

    manifest->segments[0].resident_bytes = WORLD_BUDGET_BYTES + 1;
    load(world, manifest, 0);
    world_assert_answer(world, QN_STATUS_OVER_BUDGET,
                        "segment 1 needs 262145 bytes; free: node 1 262144");
    assert_int_equal(world->core->catalog.collections.count, 0);
}

static void a_segment_id_of_another_collection_is_a_conflict(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(2);

    load(world, world_manifest(2), 1);
    manifest->collection_id = 8;
    free(manifest->name);
    manifest->name = strdup("other");
    manifest->segments[0].content_hash.bytes[0] ^= 1;
    load(world, manifest, 1);
    world_assert_answer(world, QN_STATUS_CONFLICT,
                        "segment 1 belongs to collection words (7), with other content");
}

static void digits_are_an_id_before_they_are_a_name(void **state)
{
    struct world *world = *state;
    struct manifest *manifest = world_manifest(1);

    load(world, world_manifest(2), 1);
    manifest->collection_id = 8;
    free(manifest->name);
    manifest->name = strdup("7");
    manifest->segments[0].segment_id = 3;
    load(world, manifest, 1);
    world_assert_answer(world, QN_STATUS_OK, "collection 7 (8)");
    const struct catalog *catalog = &world->core->catalog;
    assert_string_equal(catalog_collection_named(catalog, "7")->row.name, "words");
    assert_string_equal(catalog_collection_named(catalog, "8")->row.name, "7");
    assert_string_equal(catalog_collection_named(catalog, "words")->row.name, "words");
    assert_null(catalog_collection_named(catalog, "9"));
}

static void a_folder_that_cannot_be_read_says_why(void **state)
{
    struct world *world = *state;

    load(world, NULL, 1);
    world_assert_answer(world, QN_STATUS_NOT_FOUND, "no such folder");
}

static void a_node_that_was_full_is_tried_again(void **state)
{
    struct world *world = *state;

    world->nodes[1].load_status = QN_STATUS_NO_MEMORY;
    load(world, world_manifest(1), 1);
    world_run(world, 3000);
    assert_false(world_serves(world, 1));
    world->nodes[1].load_status = QN_STATUS_OK;
    world_until(world, world_is_settled, 12000);
}

static void a_node_that_returns_with_a_new_boot_is_loaded_again_with_the_same_epoch(void **state)
{
    struct world *world = *state;

    world_load(world, 2, 1);
    struct qn_epoch epoch = node_find(world->nodes[1].node, 1)->epoch;
    world_kill_node(world, 1);
    world_run(world, LIMIT_NODE_SILENT_MS + 1500);
    assert_int_equal(world->view.items[0].copies_count, 0);
    world_start_node(world, 1);
    world_until(world, world_is_settled, 3000);
    assert_int_equal(qn_epoch_compare(node_find(world->nodes[1].node, 1)->epoch, epoch), 0);
}

static void a_silent_node_is_listed_again_when_it_reports(void **state)
{
    struct world *world = *state;

    world_load(world, 1, 1);
    world->nodes[1].cut = true;
    world_run(world, LIMIT_NODE_SILENT_MS + 1500);
    assert_false(world_view_has(world, 1, 1));
    world->nodes[1].cut = false;
    world_run(world, 1500);
    assert_true(world_view_has(world, 1, 1));
}

static void an_unchanged_view_is_published_every_ten_seconds(void **state)
{
    struct world *world = *state;

    world_load(world, 1, 1);
    struct qn_epoch version = world->view.version;
    size_t published = world->view.published_count;
    world_run(world, 21000);
    assert_int_equal(world->view.published_count, published + 2);
    assert_int_equal(qn_epoch_compare(world->view.version, version), 0);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void orphans_are_listed_and_left_alone(void **state)
{
    struct world *world = *state;

    world_load(world, 2, 1);
    world_kill_coordinator(world);
    world->rows_count = 0; /* the state is lost */
    world->view = (struct world_view){0};
    world_start_coordinator(world);
    world_run(world, 3000);
    assert_int_equal(world_copy(world, 1, 1), QN_COPY_SERVING);
    world_ask(world, COORD_LIST_SEGMENTS, "");
    assert_int_equal(world->answer_status, QN_STATUS_OK);
    /* Loaded again, they are adopted where they are. */
    load(world, world_manifest(2), 0);
    world_assert_answer(world, QN_STATUS_OK, "2 segments, 8.0 KiB onto node 1");
    world_until(world, world_is_settled, 3000);
}

static void unknown_verbs_and_needs_are_unsupported(void **state)
{
    struct world *world = *state;

    world_ask(world, (enum coord_verb)99, "");
    assert_int_equal(world->answer_status, QN_STATUS_UNSUPPORTED);
}

static void no_more_than_1024_finished_moves_are_kept(void **state)
{
    struct world *world = *state;
    struct catalog catalog = {0};
    struct outbox outbox;
    struct state_collection collection = {.collection_id = 1};
    struct state_segment row = {.segment_id = 1, .collection_id = 1, .state = QN_SEGMENT_SEALED};

    (void)world;
    outbox_init(&outbox);
    struct catalog_segment *segment = catalog_add_segment(
        &catalog, catalog_add_collection(&catalog, &collection, &outbox), &row, &outbox);
    for (int i = 0; i < CATALOG_FINISHED_MOVES_MAX + 10; i++) {
        struct state_move move = {.segment_id = 1, .phase = 1};
        struct catalog_move *open = catalog_add_move(&catalog, segment, &move, &outbox);
        catalog_close_move(&catalog, open, &outbox);
    }
    assert_int_equal(catalog.moves.count, CATALOG_FINISHED_MOVES_MAX);
    assert_int_equal(catalog.moves.entries[0].id, 11);
    outbox_done(&outbox);
    catalog_done(&catalog);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_collection_is_spread_over_all_nodes),
        TEST(loading_again_answers_with_the_state),
        TEST(growing_segments_are_named_and_not_loaded),
        TEST(a_manifest_that_no_message_can_carry_is_refused),
        TEST(a_node_that_does_not_report_is_named),
        TEST(nodes_named_for_a_loaded_collection_must_report),
        TEST(a_collection_that_fits_nowhere_is_refused_with_figures),
        TEST(a_segment_id_of_another_collection_is_a_conflict),
        TEST(digits_are_an_id_before_they_are_a_name),
        TEST(a_folder_that_cannot_be_read_says_why),
        TEST(a_node_that_was_full_is_tried_again),
        TEST(a_node_that_returns_with_a_new_boot_is_loaded_again_with_the_same_epoch),
        TEST(a_silent_node_is_listed_again_when_it_reports),
        TEST(an_unchanged_view_is_published_every_ten_seconds),
        TEST(orphans_are_listed_and_left_alone),
        TEST(unknown_verbs_and_needs_are_unsupported),
        TEST(no_more_than_1024_finished_moves_are_kept),
    };

    return cmocka_run_group_tests_name("coordinator api", tests, NULL, NULL);
}
