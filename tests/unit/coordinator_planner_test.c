/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/planner.h"

#include "base/prng.h"
#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

enum { NODES = 12, SEGMENTS = 60 };

struct scene {
    struct planner_node nodes[NODES];
    struct planner_segment segments[SEGMENTS];
    size_t nodes_count, segments_count;
    struct text text;
};

static const struct planner_options lowest_share = {.rule = PLANNER_LOWEST_SHARE};
static const struct planner_options most_free = {.rule = PLANNER_MOST_FREE};

static void add_node(struct scene *scene, int64_t id, uint64_t budget, uint64_t used)
{
    scene->nodes[scene->nodes_count++] =
        (struct planner_node){.node_id = id, .budget_bytes = budget, .used_bytes = used};
}

static void add_segment(struct scene *scene, int64_t id, uint64_t bytes)
{
    scene->segments[scene->segments_count++] =
        (struct planner_segment){.segment_id = id, .state = QN_SEGMENT_SEALED, .bytes = bytes};
}

static enum qn_status place(struct scene *scene, const struct planner_options *options)
{
    const struct planner_input input = {scene->nodes, scene->nodes_count, scene->segments,
                                        scene->segments_count};

    return planner_place(&input, options, &scene->text);
}

static int64_t node_of(const struct scene *scene, int64_t segment_id)
{
    for (size_t i = 0; i < scene->segments_count; i++)
        if (scene->segments[i].segment_id == segment_id)
            return scene->segments[i].node_id;
    return 0;
}

static void the_largest_goes_first_and_shares_stay_even(void **state)
{
    struct scene scene = {0};

    (void)state;
    add_node(&scene, 1, 100, 0);
    add_node(&scene, 2, 200, 0);
    add_segment(&scene, 1, 10);
    add_segment(&scene, 2, 60);
    add_segment(&scene, 3, 40);
    assert_int_equal(place(&scene, &lowest_share), QN_STATUS_OK);
    assert_int_equal(node_of(&scene, 2), 1); /* equal shares: the smaller id */
    assert_int_equal(node_of(&scene, 3), 2);
    assert_int_equal(node_of(&scene, 1), 2); /* 20 % against 60 % */
}

static void a_full_node_is_passed_over(void **state)
{
    struct scene scene = {0};

    (void)state;
    add_node(&scene, 1, 100, 10);
    add_node(&scene, 2, 1000, 900);
    add_segment(&scene, 1, 95);
    assert_int_equal(place(&scene, &lowest_share), QN_STATUS_OK);
    assert_int_equal(node_of(&scene, 1), 2);
}

static void a_move_goes_where_most_is_free(void **state)
{
    struct scene scene = {0};

    (void)state;
    add_node(&scene, 1, 100, 0);
    add_node(&scene, 2, 1000, 800);
    add_segment(&scene, 1, 50);
    assert_int_equal(place(&scene, &most_free), QN_STATUS_OK);
    assert_int_equal(node_of(&scene, 1), 2);
}

static void a_refusal_names_the_segment_its_need_and_what_is_free(void **state)
{
    struct scene scene = {0};

    (void)state;
    add_node(&scene, 2, 100, 40);
    add_node(&scene, 1, 100, 110);
    add_segment(&scene, 5, 61);
    assert_int_equal(place(&scene, &lowest_share), QN_STATUS_OVER_BUDGET);
    assert_string_equal(scene.text.bytes, "segment 5 needs 61 bytes; free: node 1 0, node 2 60");
}

static void a_growing_segment_is_refused_by_name(void **state)
{
    struct scene scene = {0};

    (void)state;
    add_node(&scene, 1, 100, 0);
    add_segment(&scene, 5, 1);
    scene.segments[0].state = QN_SEGMENT_GROWING;
    assert_int_equal(place(&scene, &lowest_share), QN_STATUS_INVALID);
    assert_non_null(strstr(scene.text.bytes, "segment 5 is Growing"));
}

static void a_node_takes_no_more_segments_than_it_can_hold(void **state)
{
    struct scene scene = {0};

    (void)state;
    add_node(&scene, 1, 100, 0);
    add_node(&scene, 2, 100, 90);
    scene.nodes[0].segments_count = 4096;
    add_segment(&scene, 5, 1);
    assert_int_equal(place(&scene, &lowest_share), QN_STATUS_OK);
    assert_int_equal(node_of(&scene, 5), 2);
}

static void fill_randomly(struct scene *scene, struct prng *prng)
{
    size_t nodes = 1 + prng_below(prng, NODES), segments = 1 + prng_below(prng, SEGMENTS);

    *scene = (struct scene){0};
    for (size_t i = 0; i < nodes; i++)
        add_node(scene, (int64_t)(i + 1), prng_below(prng, 1000), prng_below(prng, 300));
    for (size_t i = 0; i < segments; i++)
        add_segment(scene, (int64_t)(i + 1), 1 + prng_below(prng, 100));
}

/* Bytes add up, no node is overfilled, and what is refused fits nowhere. */
static void check_plan(const struct scene *before, const struct scene *after, enum qn_status status)
{
    for (size_t i = 0; i < after->nodes_count; i++) {
        uint64_t used = before->nodes[i].used_bytes;
        for (size_t j = 0; j < after->segments_count; j++)
            used += after->segments[j].node_id == after->nodes[i].node_id ? after->segments[j].bytes
                                                                          : 0;
        assert_int_equal(used, after->nodes[i].used_bytes);
        assert_true(used == before->nodes[i].used_bytes || used <= after->nodes[i].budget_bytes);
    }
    for (size_t j = 0; j < after->segments_count && status == QN_STATUS_OK; j++)
        assert_int_not_equal(after->segments[j].node_id, 0);
}

static void check_refusal(const struct scene *after)
{
    size_t first = 0;

    while (after->segments[first].node_id != 0)
        first++;
    assert_true(first < after->segments_count);
    for (size_t i = 0; i < after->nodes_count; i++) {
        const struct planner_node *node = &after->nodes[i];
        uint64_t room =
            node->used_bytes < node->budget_bytes ? node->budget_bytes - node->used_bytes : 0;
        assert_true(room < after->segments[first].bytes);
    }
}

static void random_plans_hold_the_rules(void **state)
{
    struct prng prng;
    size_t refused = 0;

    (void)state;
    prng_init(&prng, 11);
    for (int round = 0; round < 2000; round++) {
        struct scene before, after, again;
        const struct planner_options *options = round % 2 == 0 ? &lowest_share : &most_free;
        fill_randomly(&before, &prng);
        after = again = before;
        enum qn_status status = place(&after, options);
        check_plan(&before, &after, status);
        if (status != QN_STATUS_OK) {
            refused++;
            check_refusal(&after);
        }
        assert_int_equal(place(&again, options), status);
        assert_memory_equal(&again.segments, &after.segments, sizeof after.segments);
    }
    assert_true(refused > 100 && refused < 1900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_goes_first_and_shares_stay_even),
        cmocka_unit_test(a_full_node_is_passed_over),
        cmocka_unit_test(a_move_goes_where_most_is_free),
        cmocka_unit_test(a_refusal_names_the_segment_its_need_and_what_is_free),
        cmocka_unit_test(a_growing_segment_is_refused_by_name),
        cmocka_unit_test(a_node_takes_no_more_segments_than_it_can_hold),
        cmocka_unit_test(random_plans_hold_the_rules),
    };

    return cmocka_run_group_tests_name("coordinator planner", tests, NULL, NULL);
}
