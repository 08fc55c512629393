/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/client_scene.h"

#include <stdio.h>
#include <string.h>

void scene_init(struct scene *scene)
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

struct view_item *scene_item(struct scene *scene, int64_t segment_id)
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
void copy(struct scene *scene, int64_t segment_id, int64_t node_id, const char *replica)
{
    struct view_item *item = scene_item(scene, segment_id);
    struct view_copy *copies = scene->copies[item - scene->items];

    copies[item->copies_count++] = (struct view_copy){.node_id = node_id, .replica = replica};
}

void uncopy(struct scene *scene, int64_t segment_id)
{
    scene_item(scene, segment_id)->copies_count = 0;
}

void scene_start(struct scene *scene)
{
    scene->search =
        client_search_new(&scene->arena, &scene->request,
                          scene->view.items_count == 0 ? NULL : &scene->view, FIRST_ID, 0);
    assert_non_null(scene->search);
}

void scene_done(struct scene *scene)
{
    arena_done(&scene->arena);
}

void at(struct scene *scene, uint64_t now_ms)
{
    scene->now_ms = now_ms;
    client_search_on_tick(scene->search, now_ms);
}

void nothing_to_do(struct scene *scene)
{
    struct client_search_action action;

    assert_false(client_search_next(scene->search, &action));
}

void asks_the_view(struct scene *scene)
{
    struct client_search_action action;

    assert_true(client_search_next(scene->search, &action));
    assert_int_equal(action.kind, CLIENT_SEARCH_ASK_VIEW);
}

/* The next request goes to the node and names these segments ("1 2"); returns its id. */
uint64_t asks(struct scene *scene, int64_t node_id, const char *segments)
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

struct fake_answer *covers(uint8_t covered)
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

struct fake_answer *hit(struct fake_answer *fake, int64_t key, float distance)
{
    fake->hits[fake->counts[0]++] = (struct qn_hit){.primary_key = key, .distance = distance};
    fake->answer.hits_count = fake->counts[0];
    return fake;
}

struct fake_answer *refuses(struct fake_answer *fake, uint32_t index, enum qn_status status,
                            int64_t moved_to)
{
    fake->refused[fake->answer.refused_count++] =
        (struct refusal){.index = index, .status = status, .moved_to = moved_to};
    return fake;
}

void answers(struct scene *scene, uint64_t id, struct fake_answer *fake)
{
    client_search_on_answer(scene->search, id, &fake->answer, scene->now_ms);
}

void new_view(struct scene *scene, uint64_t version, uint64_t readable_version)
{
    scene->view.version.version = version;
    scene->view.readable_version = readable_version;
    client_search_on_view(scene->search, &scene->view, scene->now_ms);
}

struct qn_search_result ends(struct scene *scene, enum qn_verdict verdict)
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

void ends_with(struct scene *scene, enum qn_verdict verdict, const char *keys)
{
    struct qn_search_result result = ends(scene, verdict);
    char text[128] = "";

    for (uint32_t i = 0; i < result.hit_counts[0]; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i > 0 ? " " : "",
                       (int)result.hits[i].primary_key);
    assert_string_equal(text, keys);
    qn_search_result_done(&result);
}
