/* SPDX-License-Identifier: Apache-2.0
 * One search, step by step, in virtual time: what is asked, and what counts. */
#include "tests/unit/client_scene.h"

static void complete_when_all_nodes_have_answered(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    copy(&s, 2, 80, "");
    copy(&s, 3, 70, "");
    scene_start(&s);
    uint64_t b = asks(&s, 80, "2"), a = asks(&s, 70, "1 3");
    nothing_to_do(&s);
    at(&s, 5);
    answers(&s, a, hit(hit(covers(3), 11, 0.1f), 31, 0.3f));
    nothing_to_do(&s);
    at(&s, 6);
    answers(&s, b, hit(covers(1), 21, 0.2f));
    struct qn_search_result result = ends(&s, QN_VERDICT_COMPLETE);
    assert_int_equal(result.hit_counts[0], 3);
    assert_int_equal(result.hits[1].primary_key, 21);
    assert_int_equal(result.segments_count, 3);
    assert_int_equal(result.requests_count, 2);
    assert_int_equal(result.retried_count, 0);
    assert_false(result.overlap);
    assert_int_equal(result.took_us, 6000);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void part(struct scene *scene, uint64_t id, uint32_t index, uint8_t covered, uint32_t query)
{
    struct fake_answer *fake = hit(covers(covered), 100 + query, 1.0f);

    fake->answer.part = index;
    fake->answer.parts = 2;
    fake->answer.first_query = query;
    answers(scene, id, fake);
}

static void complete_only_when_all_parts_are_in(void **state)
{
    SCENE(s);
    s.request.nq = 2;
    copy(&s, 1, 70, "");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1");
    part(&s, id, 1, 1, 1);
    nothing_to_do(&s);
    part(&s, id, 1, 1, 1); /* repeated by the bus */
    nothing_to_do(&s);
    part(&s, id, 0, 1, 0);
    struct qn_search_result result = ends(&s, QN_VERDICT_COMPLETE);
    assert_int_equal(result.hits[0].primary_key, 100);
    assert_int_equal(result.hits[4].primary_key, 101);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void parts_of_two_answers_never_make_one(void **state)
{
    SCENE(s);
    s.request.nq = 2;
    copy(&s, 1, 70, "");
    copy(&s, 2, 70, "");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1 2");
    part(&s, id, 1, 1, 1); /* the first answer had segment 1 only */
    part(&s, id, 0, 3, 0); /* the answer to the repeat has both: part 1 is missing */
    nothing_to_do(&s);
    part(&s, id, 1, 3, 1);
    ends_with(&s, QN_VERDICT_COMPLETE, "100");
    scene_done(&s);
}

static void in_an_overlap_the_first_answer_counts(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    copy(&s, 1, 80, "");
    scene_start(&s);
    uint64_t b = asks(&s, 70, "1"), a = asks(&s, 80, "1");
    nothing_to_do(&s);
    answers(&s, a, hit(covers(1), 11, 0.1f));
    struct qn_search_result result = ends(&s, QN_VERDICT_COMPLETE);
    assert_true(result.overlap);
    assert_int_equal(result.retried_count, 0);
    qn_search_result_done(&result);
    answers(&s, b, hit(covers(1), 12, 0.1f)); /* too late to matter */
    nothing_to_do(&s);
    scene_done(&s);
}

static void in_an_overlap_policy_one_asks_one(void **state)
{
    SCENE(s);
    s.request.copy_policy = QN_COPY_POLICY_ONE;
    copy(&s, 1, 70, "");
    copy(&s, 1, 80, "");
    scene_start(&s);
    uint64_t id = asks(&s, 80, "1");
    nothing_to_do(&s);
    answers(&s, id, covers(1));
    ends_with(&s, QN_VERDICT_COMPLETE, "");
    scene_done(&s);
}

static void one_replica_is_preferred(void **state)
{
    SCENE(s);
    for (int64_t segment = 1; segment <= 4; segment++) {
        copy(&s, segment, 70 + segment % 2, "a");
        copy(&s, segment, 80 + segment % 2, "b");
    }
    scene_start(&s);
    struct client_search_action one, other;
    assert_true(client_search_next(s.search, &one));
    assert_true(client_search_next(s.search, &other));
    nothing_to_do(&s);
    assert_int_equal(one.node_id / 10, other.node_id / 10);
    assert_int_equal(one.request.segments_count, 2);
    struct qn_search_result result;
    at(&s, 1000);
    result = ends(&s, QN_VERDICT_PARTIAL);
    assert_false(result.overlap);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void readable_version_change_starts_again_and_mixes_nothing(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    copy(&s, 2, 80, "");
    scene_start(&s);
    uint64_t b = asks(&s, 80, "2"), a = asks(&s, 70, "1");
    answers(&s, a, hit(covers(1), 11, 0.1f));
    at(&s, 10);
    s.items[0].segment_id = 9; /* 1 was compacted into 9 */
    new_view(&s, 2, 2);
    uint64_t d = asks(&s, 80, "2"), c = asks(&s, 70, "9");
    nothing_to_do(&s);
    assert_true(c != a && d != b);
    answers(&s, b, hit(covers(1), 21, 0.2f)); /* late answer of the old request: ignored */
    answers(&s, c, hit(covers(1), 91, 0.9f));
    nothing_to_do(&s);
    answers(&s, d, hit(covers(1), 22, 0.3f));
    struct qn_search_result result = ends(&s, QN_VERDICT_COMPLETE);
    assert_int_equal(result.readable_version, 2);
    assert_int_equal(result.version.version, 2);
    assert_int_equal(result.hit_counts[0], 2);
    assert_int_equal(result.hits[0].primary_key, 22);
    assert_int_equal(result.hits[1].primary_key, 91);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void each_agent_is_told_how_well_to_search(void **state)
{
    struct client_search_action action;

    SCENE(s);
    s.request.recall = 0.5F;
    s.request.nprobe = 7;
    s.request.ef = 200;
    s.request.refine = 300;
    copy(&s, 1, 70, "");
    copy(&s, 2, 80, "");
    scene_start(&s);
    for (int i = 0; i < 2; i++) {
        assert_true(client_search_next(s.search, &action));
        assert_int_equal(action.kind, CLIENT_SEARCH_SEND);
        assert_true(action.request.recall == 0.5F);
        assert_int_equal(action.request.nprobe, 7);
        assert_int_equal(action.request.ef, 200);
        assert_int_equal(action.request.refine, 300);
        answers(&s, action.request_id, covers(1));
    }
    ends_with(&s, QN_VERDICT_COMPLETE, "");
    scene_done(&s);
}

static void an_older_view_is_ignored(void **state)
{
    SCENE(s);
    s.view.version.version = 7;
    copy(&s, 1, 70, "");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1");
    new_view(&s, 6, 9);
    nothing_to_do(&s);
    answers(&s, id, covers(1));
    ends_with(&s, QN_VERDICT_COMPLETE, "");
    scene_done(&s);
}

static void an_empty_view_is_complete(void **state)
{
    SCENE(s);
    s.search = client_search_new(&s.arena, &s.request, &s.view, FIRST_ID, 0);
    ends_with(&s, QN_VERDICT_COMPLETE, "");
    scene_done(&s);
}

static void only_the_wanted_partitions_are_searched(void **state)
{
    const int64_t partitions[] = {4};

    SCENE(s);
    copy(&s, 1, 70, "");
    copy(&s, 2, 70, "");
    s.items[1].partition_id = 4;
    s.request.partition_ids = partitions;
    s.request.partition_ids_count = 1;
    scene_start(&s);
    uint64_t id = asks(&s, 70, "2");
    answers(&s, id, covers(1));
    struct qn_search_result result = ends(&s, QN_VERDICT_COMPLETE);
    assert_int_equal(result.segments_count, 1);
    qn_search_result_done(&result);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_when_all_nodes_have_answered),
        cmocka_unit_test(complete_only_when_all_parts_are_in),
        cmocka_unit_test(parts_of_two_answers_never_make_one),
        cmocka_unit_test(in_an_overlap_the_first_answer_counts),
        cmocka_unit_test(in_an_overlap_policy_one_asks_one),
        cmocka_unit_test(one_replica_is_preferred),
        cmocka_unit_test(readable_version_change_starts_again_and_mixes_nothing),
        cmocka_unit_test(each_agent_is_told_how_well_to_search),
        cmocka_unit_test(an_older_view_is_ignored),
        cmocka_unit_test(an_empty_view_is_complete),
        cmocka_unit_test(only_the_wanted_partitions_are_searched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
