/* SPDX-License-Identifier: Apache-2.0
 * One search, step by step, in virtual time: refusals, losses, deadlines. */
#include "tests/unit/client_scene.h"

static void a_refusal_in_an_overlap_waits_for_the_other_copy(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    copy(&s, 1, 80, "");
    scene_start(&s);
    uint64_t b = asks(&s, 70, "1"), a = asks(&s, 80, "1");
    answers(&s, a, refuses(covers(0), 0, QN_STATUS_NOT_HERE, 0));
    nothing_to_do(&s);
    answers(&s, b, hit(covers(1), 11, 0.1f));
    ends_with(&s, QN_VERDICT_COMPLETE, "11");
    scene_done(&s);
}

static void refused_moved_asks_the_target_and_the_view(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    scene_start(&s);
    uint64_t a = asks(&s, 70, "1");
    at(&s, 3);
    answers(&s, a, refuses(covers(0), 0, QN_STATUS_MOVED, 90));
    uint64_t b = asks(&s, 90, "1"); /* a node that no view named */
    asks_the_view(&s);
    nothing_to_do(&s);
    answers(&s, b, hit(covers(1), 11, 0.1f));
    struct qn_search_result result = ends(&s, QN_VERDICT_COMPLETE);
    assert_int_equal(result.retried_count, 1);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void a_refused_answer_may_say_more_of_some_segments(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    copy(&s, 2, 70, "");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1 2");
    struct fake_answer *busy = refuses(covers(0), 1, QN_STATUS_MOVED, 80);
    busy->answer.status = QN_STATUS_BUSY;
    answers(&s, id, busy);
    (void)asks(&s, 80, "2");
    asks_the_view(&s);
    at(&s, 20);
    (void)asks(&s, 70, "1");
    nothing_to_do(&s);
    scene_done(&s);
}

static void not_here_waits_for_the_view_or_50_ms(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1");
    at(&s, 2);
    answers(&s, id, refuses(covers(0), 0, QN_STATUS_NOT_HERE, 0));
    asks_the_view(&s);
    nothing_to_do(&s);
    assert_int_equal(client_search_wake_ms(s.search), 52);
    at(&s, 52);
    id = asks(&s, 70, "1");
    nothing_to_do(&s);
    at(&s, 60);
    answers(&s, id, refuses(covers(0), 0, QN_STATUS_NOT_HERE, 0));
    asks_the_view(&s);
    uncopy(&s, 1);
    copy(&s, 1, 80, "");
    at(&s, 63);
    new_view(&s, 2, 1);
    id = asks(&s, 80, "1"); /* at once */
    answers(&s, id, covers(1));
    ends_with(&s, QN_VERDICT_COMPLETE, "");
    scene_done(&s);
}

static void a_busy_copy_is_asked_again_after_20_then_40_ms(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1");
    answers(&s, id, refuses(covers(0), 0, QN_STATUS_BUSY, 0));
    nothing_to_do(&s);
    at(&s, 19);
    nothing_to_do(&s);
    at(&s, 20);
    id = asks(&s, 70, "1");
    struct fake_answer *busy = covers(0);
    busy->answer.status = QN_STATUS_BUSY; /* the whole answer */
    answers(&s, id, busy);
    nothing_to_do(&s);
    assert_int_equal(client_search_wake_ms(s.search), 60);
    at(&s, 60);
    (void)asks(&s, 70, "1");
    scene_done(&s);
}

static void a_busy_copy_with_another_is_left_at_once(void **state)
{
    SCENE(s);
    s.request.copy_policy = QN_COPY_POLICY_ONE;
    copy(&s, 1, 70, "");
    copy(&s, 1, 80, "");
    scene_start(&s);
    uint64_t id = asks(&s, 80, "1");
    answers(&s, id, refuses(covers(0), 0, QN_STATUS_BUSY, 0));
    (void)asks(&s, 70, "1");
    nothing_to_do(&s);
    scene_done(&s);
}

static void a_silent_node_is_asked_again_and_then_falls_over(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "a");
    copy(&s, 1, 80, "b");
    copy(&s, 2, 70, "a");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1 2"); /* replica a has more of the segments */
    nothing_to_do(&s);
    assert_int_equal(client_search_wake_ms(s.search), 100);
    at(&s, 100);
    assert_int_equal(asks(&s, 70, "1 2"), id); /* the same request */
    nothing_to_do(&s);
    at(&s, 200);
    assert_int_equal(asks(&s, 70, "1 2"), id);
    uint64_t other = asks(&s, 80, "1");
    nothing_to_do(&s);
    at(&s, 210);
    answers(&s, other, hit(covers(1), 11, 0.1f));
    nothing_to_do(&s);
    at(&s, 220); /* slow, not dead: its answer still counts */
    answers(&s, id, hit(hit(covers(3), 11, 0.1f), 21, 0.2f));
    ends_with(&s, QN_VERDICT_COMPLETE, "11 21");
    scene_done(&s);
}

static void a_dead_node_falls_over_to_the_other_copy_at_once(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "a");
    copy(&s, 1, 80, "b");
    copy(&s, 2, 70, "a");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1 2");
    at(&s, 1);
    client_search_on_no_responders(s.search, id, 1);
    uint64_t other = asks(&s, 80, "1");
    asks_the_view(&s);
    nothing_to_do(&s);
    answers(&s, other, hit(covers(1), 11, 0.1f));
    nothing_to_do(&s);
    at(&s, 100);
    nothing_to_do(&s);
    at(&s, 101); /* it may have started again */
    id = asks(&s, 70, "2");
    answers(&s, id, hit(covers(1), 21, 0.2f));
    ends_with(&s, QN_VERDICT_COMPLETE, "11 21");
    scene_done(&s);
}

static void no_view_is_unknown(void **state)
{
    uint32_t asks_count = 0;

    SCENE(s);
    scene_start(&s);
    for (;;) {
        struct client_search_action action;
        while (client_search_next(s.search, &action) && action.kind == CLIENT_SEARCH_ASK_VIEW)
            asks_count++;
        if (action.kind == CLIENT_SEARCH_DONE && s.now_ms >= 1000)
            break;
        uint64_t wake_ms = client_search_wake_ms(s.search);
        assert_true(wake_ms >= s.now_ms + 50 || wake_ms == 1000);
        at(&s, wake_ms);
    }
    struct qn_search_result result;
    assert_int_equal(client_search_result(s.search, &result), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_UNKNOWN);
    assert_in_range(asks_count, 4, 8);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void a_view_that_comes_late_starts_the_search(void **state)
{
    SCENE(s);
    scene_start(&s);
    asks_the_view(&s);
    at(&s, 30);
    copy(&s, 1, 70, "");
    new_view(&s, 1, 1);
    uint64_t id = asks(&s, 70, "1");
    answers(&s, id, covers(1));
    ends_with(&s, QN_VERDICT_COMPLETE, "");
    scene_done(&s);
}

static void partial_names_the_missing_with_reason_and_node(void **state)
{
    SCENE(s);
    s.request.copy_policy = QN_COPY_POLICY_ONE;
    for (int64_t segment = 1; segment <= 4; segment++)
        copy(&s, segment, 70, "");
    (void)scene_item(&s, 5); /* no copy at all */
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1 2 3 4");
    asks_the_view(&s);
    at(&s, 990);
    struct client_search_action action;
    while (client_search_next(s.search, &action))
        ;
    struct fake_answer *fake = hit(covers(1), 11, 0.1f);
    refuses(refuses(fake, 1, QN_STATUS_NOT_HERE, 0), 2, QN_STATUS_UNSUPPORTED, 0);
    answers(&s, id, fake); /* 4: forgotten */
    at(&s, 1000);
    while (client_search_next(s.search, &action) && action.kind != CLIENT_SEARCH_DONE)
        ;
    struct qn_search_result result;
    assert_int_equal(client_search_result(s.search, &result), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_PARTIAL);
    assert_int_equal(result.missing_count, 4);
    const enum qn_status reasons[] = {QN_STATUS_NOT_HERE, QN_STATUS_UNSUPPORTED,
                                      QN_STATUS_INCOMPLETE, QN_STATUS_UNAVAILABLE};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(result.missing[i].segment_id, i + 2);
        assert_int_equal(result.missing[i].reason, reasons[i]);
        assert_int_equal(result.missing[i].node_id, i < 3 ? 70 : 0);
    }
    assert_int_equal(result.hit_counts[0], 1);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void what_nobody_can_answer_ends_before_the_deadline(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    scene_start(&s);
    uint64_t id = asks(&s, 70, "1");
    at(&s, 4);
    answers(&s, id, refuses(covers(0), 0, QN_STATUS_UNSUPPORTED, 0));
    ends_with(&s, QN_VERDICT_PARTIAL, "");
    scene_done(&s);
}

static void the_deadline_ends_it_and_agents_stop_before(void **state)
{
    struct client_search_action action;

    SCENE(s);
    copy(&s, 1, 70, "");
    scene_start(&s);
    assert_true(client_search_next(s.search, &action));
    assert_in_range(action.request.deadline_ms, 900, 999);
    at(&s, 100);
    assert_true(client_search_next(s.search, &action));
    assert_in_range(action.request.deadline_ms, 800, 899);
    at(&s, 999);
    while (client_search_next(s.search, &action))
        assert_int_equal(action.kind, CLIENT_SEARCH_SEND);
    assert_int_equal(client_search_wake_ms(s.search), 1000);
    at(&s, 1000);
    struct qn_search_result result = ends(&s, QN_VERDICT_PARTIAL);
    assert_int_equal(result.missing[0].reason, QN_STATUS_TIMEOUT);
    assert_int_equal(result.missing[0].node_id, 70);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void an_answer_that_does_not_fit_its_request_counts_as_invalid(void **state)
{
    for (int wrong = 0; wrong < 8; wrong++) {
        SCENE(s);
        copy(&s, 1, 70, "a");
        copy(&s, 1, 80, "b");
        copy(&s, 2, 70, "a");
        scene_start(&s);
        uint64_t id = asks(&s, 70, "1 2");
        struct fake_answer *fake = hit(hit(covers(3), 66, 0.1f), 67, 0.2f);
        fake->answer.covered_bytes += wrong == 0;
        fake->counts[0] += wrong == 1;
        fake->answer.hits_count += wrong == 2;
        fake->answer.hit_counts_count += wrong == 3;
        fake->answer.part += wrong == 4;
        fake->hits[1].distance -= wrong == 5 ? 1.0f : 0.0f;
        if (wrong == 6)
            refuses(fake, 2, QN_STATUS_BUSY, 0);
        if (wrong == 7)
            fake->covered[0] = 0;
        answers(&s, id, fake);
        id = asks(&s, 80, "1"); /* 2 has no other copy: it is missing */
        answers(&s, id, hit(covers(1), 11, 0.1f));
        struct qn_search_result result = ends(&s, QN_VERDICT_PARTIAL);
        assert_int_equal(result.hit_counts[0], 1);
        assert_int_equal(result.hits[0].primary_key, 11);
        assert_int_equal(result.missing[0].reason, QN_STATUS_INVALID);
        qn_search_result_done(&result);
        scene_done(&s);
    }
}

static void another_dimension_than_the_views_is_invalid(void **state)
{
    struct qn_search_result result;

    SCENE(s);
    s.view.dim = 3;
    copy(&s, 1, 70, "");
    scene_start(&s);
    assert_int_equal(client_search_result(s.search, &result), QN_STATUS_INVALID);
    scene_done(&s);
}

/* Runs on a bus where nobody listens, until it is over or `until_ms`. */
static void nobody_listens(struct scene *s, uint64_t until_ms)
{
    struct client_search_action action;

    for (;;) {
        while (client_search_next(s->search, &action)) {
            if (action.kind == CLIENT_SEARCH_DONE)
                return;
            if (action.kind == CLIENT_SEARCH_SEND)
                client_search_on_no_responders(s->search, action.request_id, s->now_ms);
        }
        uint64_t wake_ms = client_search_wake_ms(s->search);
        if (wake_ms > until_ms)
            return;
        s->now_ms = wake_ms > s->now_ms ? wake_ms : s->now_ms + 1;
        client_search_on_tick(s->search, s->now_ms);
    }
}

static void what_nobody_has_is_given_up_after_the_patience(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    (void)scene_item(&s, 2); /* no copy at all */
    s.request.patience_ms = 300;
    scene_start(&s);
    nobody_listens(&s, 5000);
    struct qn_search_result result;
    assert_in_range(s.now_ms, 300, 450);
    assert_int_equal(client_search_result(s.search, &result), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_PARTIAL);
    assert_int_equal(result.missing_count, 2);
    assert_int_equal(result.missing[0].reason, QN_STATUS_NO_RESPONDERS);
    assert_int_equal(result.missing[1].reason, QN_STATUS_UNAVAILABLE);
    qn_search_result_done(&result);
    scene_done(&s);
}

static void a_new_copy_renews_the_patience(void **state)
{
    SCENE(s);
    copy(&s, 1, 70, "");
    s.request.patience_ms = 300;
    scene_start(&s);
    nobody_listens(&s, 250);
    uncopy(&s, 1);
    copy(&s, 1, 80, "");
    new_view(&s, 2, 1);
    uint64_t id = asks(&s, 80, "1");
    at(&s, 345);
    answers(&s, id, covers(1));
    ends_with(&s, QN_VERDICT_COMPLETE, "");
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_has_is_given_up_after_the_patience),
        cmocka_unit_test(a_new_copy_renews_the_patience),
        cmocka_unit_test(a_refusal_in_an_overlap_waits_for_the_other_copy),
        cmocka_unit_test(refused_moved_asks_the_target_and_the_view),
        cmocka_unit_test(a_refused_answer_may_say_more_of_some_segments),
        cmocka_unit_test(not_here_waits_for_the_view_or_50_ms),
        cmocka_unit_test(a_busy_copy_is_asked_again_after_20_then_40_ms),
        cmocka_unit_test(a_busy_copy_with_another_is_left_at_once),
        cmocka_unit_test(a_silent_node_is_asked_again_and_then_falls_over),
        cmocka_unit_test(a_dead_node_falls_over_to_the_other_copy_at_once),
        cmocka_unit_test(no_view_is_unknown),
        cmocka_unit_test(a_view_that_comes_late_starts_the_search),
        cmocka_unit_test(partial_names_the_missing_with_reason_and_node),
        cmocka_unit_test(what_nobody_can_answer_ends_before_the_deadline),
        cmocka_unit_test(the_deadline_ends_it_and_agents_stop_before),
        cmocka_unit_test(an_answer_that_does_not_fit_its_request_counts_as_invalid),
        cmocka_unit_test(another_dimension_than_the_views_is_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
