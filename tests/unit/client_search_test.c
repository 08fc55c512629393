/* SPDX-License-Identifier: Apache-2.0
 * One search, step by step, in virtual time. */
#include "tests/test.h"

#include "channel/client_plan.h"
#include <stdio.h>
#include <string.h>

enum { FIRST_ID = 1000, ITEMS_MAX = 16, COPIES_MAX = 4 };

/* A view under construction, a search over it, and its clock. */
struct scene {
    struct arena arena;
    struct view_item items[ITEMS_MAX];
    struct view_copy copies[ITEMS_MAX][COPIES_MAX];
    struct collection_view view;
    struct qn_search_request request;
    float queries[4];
    struct client_search *search;
    uint64_t now_ms;
};

static void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    arena_init(&scene->arena, 4 << 20);
    scene->view = (struct collection_view){.collection_id = 5,
                                           .name = "c",
                                           .version = {1, 1},
                                           .readable_version = 1,
                                           .metric = QN_METRIC_L2,
                                           .dim = 2,
                                           .pages = 1,
                                           .items = scene->items};
    scene->request = (struct qn_search_request){.collection_id = 5,
                                                .queries = scene->queries,
                                                .nq = 1,
                                                .dim = 2,
                                                .k = 4,
                                                .deadline_ms = 1000};
}

static struct view_item *scene_item(struct scene *scene, int64_t segment_id)
{
    for (size_t i = 0; i < scene->view.items_count; i++)
        if (scene->items[i].segment_id == segment_id)
            return &scene->items[i];
    struct view_item *item = &scene->items[scene->view.items_count];
    item->segment_id = segment_id;
    item->copies = scene->copies[scene->view.items_count++];
    return item;
}

/* A copy of the segment on the node, in the view. */
static void copy(struct scene *scene, int64_t segment_id, int64_t node_id, const char *replica)
{
    struct view_item *item = scene_item(scene, segment_id);
    struct view_copy *copies = scene->copies[item - scene->items];

    copies[item->copies_count++] = (struct view_copy){.node_id = node_id, .replica = replica};
}

static void uncopy(struct scene *scene, int64_t segment_id)
{
    scene_item(scene, segment_id)->copies_count = 0;
}

static void scene_start(struct scene *scene)
{
    scene->search =
        client_search_new(&scene->arena, &scene->request,
                          scene->view.items_count == 0 ? NULL : &scene->view, FIRST_ID, 0);
    assert_non_null(scene->search);
}

static void scene_done(struct scene *scene)
{
    arena_done(&scene->arena);
}

static void at(struct scene *scene, uint64_t now_ms)
{
    scene->now_ms = now_ms;
    client_search_on_tick(scene->search, now_ms);
}

static void nothing_to_do(struct scene *scene)
{
    struct client_search_action action;

    assert_false(client_search_next(scene->search, &action));
}

static void asks_the_view(struct scene *scene)
{
    struct client_search_action action;

    assert_true(client_search_next(scene->search, &action));
    assert_int_equal(action.kind, CLIENT_SEARCH_ASK_VIEW);
}

/* The next request goes to the node and names these segments ("1 2"); returns its id. */
static uint64_t asks(struct scene *scene, int64_t node_id, const char *segments)
{
    struct client_search_action action;
    char text[128] = "";

    assert_true(client_search_next(scene->search, &action));
    assert_int_equal(action.kind, CLIENT_SEARCH_SEND);
    assert_int_equal(action.node_id, node_id);
    for (size_t i = 0; i < action.request.segments_count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i > 0 ? " " : "",
                       (int)action.request.segment_ids[i]);
    assert_string_equal(text, segments);
    return action.request_id;
}

/* An answer to request `id` that covers `covered` of `count` segments; one hit per covered bit is
 * (key, distance) = (10 * segment index + node digit, same). */
struct fake_answer {
    uint8_t covered[1];
    struct qn_hit hits[8];
    uint32_t counts[1];
    struct refusal refused[8];
    struct search_answer answer;
};

static struct fake_answer *covers(uint8_t covered)
{
    static struct fake_answer fake;

    fake = (struct fake_answer){.covered = {covered}, .counts = {0}};
    fake.answer = (struct search_answer){.text = "",
                                         .parts = 1,
                                         .covered = fake.covered,
                                         .covered_bytes = 1,
                                         .hit_counts = fake.counts,
                                         .hit_counts_count = 1,
                                         .hits = fake.hits,
                                         .refused = fake.refused};
    return &fake;
}

static struct fake_answer *hit(struct fake_answer *fake, int64_t key, float distance)
{
    fake->hits[fake->counts[0]++] = (struct qn_hit){.primary_key = key, .distance = distance};
    fake->answer.hits_count = fake->counts[0];
    return fake;
}

static struct fake_answer *refuses(struct fake_answer *fake, uint32_t index, enum qn_status status,
                                   int64_t moved_to)
{
    fake->refused[fake->answer.refused_count++] =
        (struct refusal){.index = index, .status = status, .moved_to = moved_to};
    return fake;
}

static void answers(struct scene *scene, uint64_t id, struct fake_answer *fake)
{
    client_search_on_answer(scene->search, id, &fake->answer, scene->now_ms);
}

static void new_view(struct scene *scene, uint64_t version, uint64_t readable_version)
{
    scene->view.version.version = version;
    scene->view.readable_version = readable_version;
    client_search_on_view(scene->search, &scene->view, scene->now_ms);
}

static struct qn_search_result ends(struct scene *scene, enum qn_verdict verdict)
{
    struct qn_search_result result;
    struct client_search_action action;

    assert_true(client_search_next(scene->search, &action));
    assert_int_equal(action.kind, CLIENT_SEARCH_DONE);
    assert_false(client_search_next(scene->search, &action));
    assert_int_equal(client_search_result(scene->search, &result), QN_STATUS_OK);
    assert_int_equal(result.verdict, verdict);
    return result;
}

static void ends_with(struct scene *scene, enum qn_verdict verdict, const char *keys)
{
    struct qn_search_result result = ends(scene, verdict);
    char text[128] = "";

    for (uint32_t i = 0; i < result.hit_counts[0]; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i > 0 ? " " : "",
                       (int)result.hits[i].primary_key);
    assert_string_equal(text, keys);
    qn_search_result_done(&result);
}

#define SCENE(name)                                                                                \
    struct scene name;                                                                             \
    (void)state;                                                                                   \
    scene_init(&name)

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_when_all_nodes_have_answered),
        cmocka_unit_test(complete_only_when_all_parts_are_in),
        cmocka_unit_test(parts_of_two_answers_never_make_one),
        cmocka_unit_test(in_an_overlap_the_first_answer_counts),
        cmocka_unit_test(in_an_overlap_policy_one_asks_one),
        cmocka_unit_test(a_refusal_in_an_overlap_waits_for_the_other_copy),
        cmocka_unit_test(one_replica_is_preferred),
        cmocka_unit_test(refused_moved_asks_the_target_and_the_view),
        cmocka_unit_test(not_here_waits_for_the_view_or_50_ms),
        cmocka_unit_test(a_busy_copy_is_asked_again_after_20_then_40_ms),
        cmocka_unit_test(a_busy_copy_with_another_is_left_at_once),
        cmocka_unit_test(a_silent_node_is_asked_again_and_then_falls_over),
        cmocka_unit_test(a_dead_node_falls_over_to_the_other_copy_at_once),
        cmocka_unit_test(readable_version_change_starts_again_and_mixes_nothing),
        cmocka_unit_test(an_older_view_is_ignored),
        cmocka_unit_test(an_empty_view_is_complete),
        cmocka_unit_test(only_the_wanted_partitions_are_searched),
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
