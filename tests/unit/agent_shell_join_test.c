/* SPDX-License-Identifier: Apache-2.0
 * Searches that wait for the same segments are searched together, and each is answered for itself.
 */
#include "base/check.h"
#include "base/executor.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
#include <stdlib.h>
#include <string.h>

enum { PLACES = 6, DIM = 16, K = 5, MANY = 48 }; /* places: of the deferred executor's 4 workers */

static const int64_t ids[] = {1, 2};

struct scene {
    struct world *world;
    struct world_segment *segments[2];
    float *queries;
    struct world_search searches[MANY];
    uint64_t request_ids[MANY];
    const struct search_answer *answers[MANY];
    unsigned count;
};

static void scene_open(struct scene *scene, struct world_options options, uint32_t rows)
{
    *scene = (struct scene){.world = world_open(options)};
    for (size_t i = 0; i < 2; i++) {
        scene->segments[i] = world_make_segment(scene->world, ids[i], rows, DIM, QN_METRIC_L2);
        world_load_well(scene->world, scene->segments[i], i + 1);
    }
    scene->queries = world_make_rows(31, MANY * DIM);
}

static void scene_close(struct scene *scene)
{
    for (size_t i = 0; i < 2; i++)
        world_free_segment(scene->segments[i]);
    free(scene->queries);
    world_close(scene->world);
}

/* One search with its own query over both segments. */
static unsigned ask(struct scene *scene, struct world_search like)
{
    unsigned number = scene->count++;
    struct world_search *search = &scene->searches[number];

    *search = like;
    search->k = like.k == 0 ? K : like.k;
    search->nq = like.nq == 0 ? 1 : like.nq;
    search->dim = DIM;
    search->metric = QN_METRIC_L2;
    search->queries = scene->queries + (size_t)number * DIM;
    search->segment_ids = ids;
    search->segments_count = like.segments_count == 0 ? 2 : like.segments_count;
    scene->request_ids[number] = world_search(scene->world, search);
    return number;
}

static void ask_many(struct scene *scene, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)ask(scene, (struct world_search){0});
}

/* In whatever order they come: exactly one for each search. */
static void take_answers(struct scene *scene)
{
    const struct message *message;

    while ((message = world_take(scene->world, MESSAGE_SEARCH_ANSWER)) != NULL)
        for (unsigned i = 0; i < scene->count; i++)
            if (scene->request_ids[i] == message->request_id) {
                assert_null(scene->answers[i]);
                scene->answers[i] = &message->search_answer;
            }
    for (unsigned i = 0; i < scene->count; i++)
        assert_non_null(scene->answers[i]);
}

/* Runs what the executor has until nothing is left, and takes the answers; the number of tasks. */
static unsigned run_all(struct scene *scene)
{
    unsigned total = 0, tasks;

    while ((tasks = world_run_tasks(scene->world)) > 0) {
        total += tasks;
        world_run(scene->world);
    }
    take_answers(scene);
    return total;
}

static void expect_hits(const struct qn_hit *found, const struct qn_hit *wanted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(found[i].primary_key, wanted[i].primary_key);
        assert_memory_equal(&found[i].distance, &wanted[i].distance, sizeof found[i].distance);
    }
}

static void expect_truth(struct scene *scene, unsigned number)
{
    const struct world_search *search = &scene->searches[number];
    const struct search_answer *answer = scene->answers[number];
    struct qn_hit hits[16 * K];
    uint32_t counts[16];
    size_t at = 0;

    world_truth(search, scene->segments, search->segments_count, hits, counts);
    assert_int_equal(answer->status, QN_STATUS_OK);
    assert_int_equal(answer->epochs_count, search->segments_count);
    assert_int_equal(answer->hit_counts_count, search->nq);
    for (uint32_t q = 0; q < search->nq; q++) {
        assert_int_equal(answer->hit_counts[q], counts[q]);
        expect_hits(answer->hits + at, hits + (size_t)q * search->k, counts[q]);
        at += counts[q];
    }
}

static void expect_truths(struct scene *scene, unsigned first)
{
    for (unsigned i = first; i < scene->count; i++)
        expect_truth(scene, i);
}

static void what_waits_is_searched_together_and_answered_each(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED}, 300);
    ask_many(&scene, PLACES);
    assert_int_equal(scene.world->tasks_count, PLACES); /* with places free, each goes at once */
    ask_many(&scene, 24);
    assert_int_equal(scene.world->tasks_count, PLACES);
    assert_int_equal(world_run_tasks(scene.world), PLACES);
    world_run(scene.world);
    assert_int_equal(scene.world->tasks_count, PLACES); /* of four each */
    assert_int_equal(run_all(&scene), PLACES);
    expect_truths(&scene, 0);
    scene_close(&scene);
}

static void with_more_than_one_query_each_has_its_own(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED}, 300);
    ask_many(&scene, PLACES);
    for (uint32_t i = 0; i < 12; i++)
        (void)ask(&scene, (struct world_search){.nq = 1 + i % 3});
    assert_true(run_all(&scene) < PLACES + 12);
    expect_truths(&scene, 0);
    scene_close(&scene);
}

static void what_differs_is_searched_apart(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED}, 300);
    ask_many(&scene, PLACES);
    for (int i = 0; i < 4; i++) {
        (void)ask(&scene, (struct world_search){.k = 3});
        (void)ask(&scene, (struct world_search){.k = 4});
        (void)ask(&scene, (struct world_search){.segments_count = 1});
    }
    assert_int_equal(world_run_tasks(scene.world), PLACES);
    world_run(scene.world);
    assert_int_equal(scene.world->tasks_count, PLACES); /* two of each kind at a time */
    (void)run_all(&scene);
    expect_truths(&scene, 0);
    scene_close(&scene);
}

static void a_deadline_ends_its_own_search_alone(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED}, 300);
    ask_many(&scene, PLACES);
    for (uint32_t i = 0; i < 12; i++)
        (void)ask(&scene, (struct world_search){.deadline_ms = i % 2 == 0 ? 10 : 1000});
    scene.world->now_us += 20000;
    (void)run_all(&scene);
    for (unsigned i = PLACES; i < scene.count; i++) {
        if (scene.searches[i].deadline_ms == 1000) {
            expect_truth(&scene, i);
            continue;
        }
        const struct search_answer *answer = scene.answers[i];
        assert_int_equal(answer->status, QN_STATUS_TIMEOUT);
        assert_int_equal(answer->hits_count, 0);
        assert_int_equal(answer->refused_count, 2);
    }
    scene_close(&scene);
}

/* The clock moves at each look: the deadline of every second search passes somewhere on the way.
 * Whatever is covered is exact, and the others are not touched by it. */
static void a_deadline_within_a_long_segment_leaves_the_others_whole(void **state)
{
    unsigned cut = 0, whole = 0;

    (void)state;
    for (uint64_t step_us = 100; step_us < 4000; step_us *= 4) {
        struct scene scene;
        scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED}, 70000);
        ask_many(&scene, PLACES);
        for (uint32_t i = 0; i < 24; i++)
            (void)ask(&scene, (struct world_search){.deadline_ms = i % 2 == 0 ? 20 : 60000});
        scene.world->clock_step_us = step_us;
        (void)run_all(&scene);
        scene.world->clock_step_us = 0;
        for (unsigned i = PLACES; i < scene.count; i++) {
            if (scene.searches[i].deadline_ms == 60000) {
                expect_truth(&scene, i);
                continue;
            }
            const struct search_answer *answer = scene.answers[i];
            struct qn_hit hits[K];
            uint32_t counts[1];
            bool is_first = answer->epochs_count == 1 && world_covers(answer, 0);
            cut += answer->epochs_count < 2;
            whole += answer->epochs_count == 2;
            if (answer->epochs_count == 0)
                continue;
            world_truth(&scene.searches[i],
                        scene.segments + (is_first ? 0 : 2 - answer->epochs_count),
                        answer->epochs_count, hits, counts);
            expect_hits(answer->hits, hits, counts[0]);
        }
        scene_close(&scene);
    }
    assert_true(cut > 0 && whole > 0);
}

/* The ledger has room for one at a time. */
static void what_does_not_fit_together_goes_one_by_one(void **state)
{
    struct scene scene;
    unsigned busy = 0, searched = 0;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED, .budget_bytes = 262144},
               300);
    for (unsigned i = 0; i < PLACES + 24; i++)
        (void)ask(&scene, (struct world_search){0});
    (void)run_all(&scene);
    for (unsigned i = 0; i < scene.count; i++) {
        busy += scene.answers[i]->status == QN_STATUS_BUSY;
        searched += scene.answers[i]->status == QN_STATUS_OK;
    }
    assert_int_equal(busy + searched, scene.count);
    assert_true(searched > 0);
    unsigned next = ask(&scene, (struct world_search){0}); /* all of the ledger came back */
    memset(scene.answers, 0, sizeof scene.answers);
    scene.request_ids[0] = scene.request_ids[next];
    scene.searches[0] = scene.searches[next];
    scene.count = 1;
    (void)run_all(&scene);
    expect_truth(&scene, 0);
    scene_close(&scene);
}

static void what_waits_when_the_agent_ends_is_let_go(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED}, 300);
    ask_many(&scene, PLACES + 10);
    assert_int_equal(world_run_tasks(scene.world), PLACES);
    scene_close(&scene); /* its events not taken, ten searches never begun: sanitizers look */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_searched_together_and_answered_each),
        cmocka_unit_test(with_more_than_one_query_each_has_its_own),
        cmocka_unit_test(what_differs_is_searched_apart),
        cmocka_unit_test(a_deadline_ends_its_own_search_alone),
        cmocka_unit_test(a_deadline_within_a_long_segment_leaves_the_others_whole),
        cmocka_unit_test(what_does_not_fit_together_goes_one_by_one),
        cmocka_unit_test(what_waits_when_the_agent_ends_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
