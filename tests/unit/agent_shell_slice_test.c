/* SPDX-License-Identifier: Apache-2.0
 * The many queries of one search on one segment, shared by workers that have nothing else to do. */
#include "segstore/index_build.h"
#include "segstore/writer.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, DIM = 16, ROWS = 2000, K = 3, NQ_MAX = 300 };
enum { SEARCHES = 48, INDEXED_DIM = 32, INDEXED_ROWS = 20000 };

struct scene {
    struct world *world;
    struct world_segment *segments[2];
    float *queries;
    struct world_search search;
};

static const int64_t ids[] = {1, 2};

static void scene_open(struct scene *scene, struct world_options options)
{
    *scene = (struct scene){.world = world_open(options)};
    for (size_t i = 0; i < 2; i++) {
        scene->segments[i] = world_make_segment(scene->world, ids[i], ROWS, DIM, QN_METRIC_L2);
        world_load_well(scene->world, scene->segments[i], i + 1);
    }
    scene->queries = world_make_rows(17, (size_t)NQ_MAX * DIM);
}

static void scene_close(struct scene *scene)
{
    for (size_t i = 0; i < 2; i++)
        world_free_segment(scene->segments[i]);
    free(scene->queries);
    world_close(scene->world);
}

/* Its request id. */
static uint64_t ask(struct scene *scene, uint32_t nq, size_t segments_count, uint32_t deadline_ms)
{
    scene->search = (struct world_search){.k = K,
                                          .nq = nq,
                                          .dim = DIM,
                                          .deadline_ms = deadline_ms,
                                          .metric = QN_METRIC_L2,
                                          .queries = scene->queries,
                                          .segment_ids = ids,
                                          .segments_count = segments_count};
    return world_search(scene->world, &scene->search);
}

/* Asks on an idle agent; the number of tasks that it took. */
static unsigned tasks_of(struct scene *scene, uint32_t nq, size_t segments_count)
{
    (void)ask(scene, nq, segments_count, 1000);
    unsigned tasks = world_run_tasks(scene->world);
    world_run(scene->world);
    world_expect_truth(scene->world, &scene->search, scene->segments, segments_count);
    return tasks;
}

static void workers_without_work_share_the_queries(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED});
    assert_int_equal(tasks_of(&scene, 1, 1), 1);
    assert_int_equal(tasks_of(&scene, 95, 1), 1); /* two would read the rows twice */
    assert_int_equal(tasks_of(&scene, 96, 1), 2);
    assert_int_equal(tasks_of(&scene, 97, 1), 2);
    assert_int_equal(tasks_of(&scene, 160, 1), 3);
    assert_int_equal(tasks_of(&scene, NQ_MAX, 1), WORKERS);
    assert_int_equal(tasks_of(&scene, NQ_MAX, 2), 2); /* one segment each */
    scene_close(&scene);
}

static void a_worker_at_work_is_not_counted_on(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED});
    for (unsigned i = 0; i < WORKERS - 2; i++)
        (void)ask(&scene, 20, 2, 1000);
    unsigned before = scene.world->tasks_count;
    (void)ask(&scene, NQ_MAX, 1, 1000);
    assert_int_equal(scene.world->tasks_count - before, 2);
    (void)ask(&scene, NQ_MAX, 1, 1000);
    assert_int_equal(scene.world->tasks_count - before, 3);
    (void)world_run_tasks(scene.world);
    world_run(scene.world);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(world_take(scene.world, MESSAGE_SEARCH_ANSWER)->search_answer.status,
                         QN_STATUS_OK);
    scene_close(&scene);
}

/* The clock moves at each look: slice after slice, until the deadline is over. What is not covered
 * by all of them is told to nobody. */
static void a_deadline_between_slices_leaves_no_hit(void **state)
{
    unsigned cut = 0, whole = 0;

    (void)state;
    for (uint64_t step_us = 500; step_us < 20000; step_us += 1500) {
        struct scene scene;
        scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED});
        scene.world->clock_step_us = step_us;
        uint64_t id = ask(&scene, NQ_MAX, 1, 40);
        (void)world_run_tasks(scene.world);
        world_run(scene.world);
        scene.world->clock_step_us = 0;
        const struct message *message = world_take(scene.world, MESSAGE_SEARCH_ANSWER);
        assert_int_equal(message->request_id, id);
        if (message->search_answer.status == QN_STATUS_OK) {
            assert_int_equal(message->search_answer.epochs_count, 1);
            whole++;
        } else {
            assert_int_equal(message->search_answer.status, QN_STATUS_TIMEOUT);
            assert_int_equal(message->search_answer.epochs_count, 0);
            assert_int_equal(message->search_answer.hits_count, 0);
            cut++;
        }
        scene_close(&scene);
    }
    assert_true(cut > 0 && whole > 0);
}

/* The file of the segment written again, with an index. */
static void add_index(struct world_segment *segment)
{
    const struct index_options options = {.kind = INDEX_IVF, .ivf = {.code_bits = 8}, .threads = 1};
    struct index_input input = {
        .facts = segment->facts, .rows = segment->rows, .keys = segment->primary_keys};
    struct section_built built;
    struct choice choice;
    struct writer_file *file;
    struct writer *writer;

    assert_int_equal(index_build(&options, &input, &built, &choice, NULL), QN_STATUS_OK);
    const struct writer_index section = {
        .bytes = built.section, .size = built.section_bytes, .row_bits = 32};
    assert_int_equal(writer_file_open(segment->path, &file, NULL), QN_STATUS_OK);
    assert_int_equal(
        writer_open_indexed(&segment->facts, section, writer_file_sink(file), &writer, NULL),
        QN_STATUS_OK);
    assert_int_equal(writer_append(writer, segment->primary_keys, segment->rows,
                                   segment->facts.rows_count, NULL),
                     QN_STATUS_OK);
    assert_int_equal(writer_finish(writer, &segment->facts, NULL), QN_STATUS_OK);
    assert_int_equal(writer_file_commit(file, NULL), QN_STATUS_OK);
    writer_free(writer);
    writer_file_free(file);
    section_built_done(&built);
}

/* Searches of one, two and three queries, from the first on, one after the other. */
static uint64_t ask_some(struct world *world, const float *queries, uint32_t number)
{
    static const int64_t id = 9;
    const struct world_search search = {.k = K,
                                        .nq = 1 + number % 3,
                                        .dim = INDEXED_DIM,
                                        .deadline_ms = 60000,
                                        .metric = QN_METRIC_L2,
                                        .queries = queries + (size_t)number * 3 * INDEXED_DIM,
                                        .segment_ids = &id,
                                        .segments_count = 1};

    return world_search(world, &search);
}

/* Slices end where they like: a search may lie in two of them. */
static void searches_that_share_slices_find_what_each_finds(void **state)
{
    struct world *world = world_open((struct world_options){.executor = WORLD_DEFERRED});
    struct world_segment *segment =
        world_make_segment(world, 9, INDEXED_ROWS, INDEXED_DIM, QN_METRIC_L2);
    float *queries = world_make_rows(18, (size_t)SEARCHES * 3 * INDEXED_DIM);
    struct qn_hit wanted[SEARCHES][3 * K];
    uint64_t ids_asked[SEARCHES];
    const struct message *message;
    unsigned tasks = 0, answers = 0, run;

    (void)state;
    add_index(segment);
    world_load_well(world, segment, 1);
    for (uint32_t i = 0; i < SEARCHES; i++) {
        ids_asked[i] = ask_some(world, queries, i);
        assert_int_equal(world_run_tasks(world), 1);
        world_run(world);
        const struct search_answer *alone = world_answer_of(world, ids_asked[i]);
        assert_int_equal(alone->hits_count, (1 + i % 3) * K);
        memcpy(wanted[i], alone->hits, alone->hits_count * sizeof *alone->hits);
    }
    for (uint32_t i = 0; i < SEARCHES; i++)
        ids_asked[i] = ask_some(world, queries, i);
    while ((run = world_run_tasks(world)) > 0) {
        tasks += run;
        world_run(world);
    }
    while ((message = world_take(world, MESSAGE_SEARCH_ANSWER)) != NULL) {
        const struct search_answer *answer = &message->search_answer;
        uint32_t i = (uint32_t)(message->request_id - ids_asked[0]);
        assert_int_equal(answer->hits_count, (1 + i % 3) * K);
        for (size_t hit = 0; hit < answer->hits_count; hit++) {
            assert_int_equal(answer->hits[hit].primary_key, wanted[i][hit].primary_key);
            assert_true(answer->hits[hit].distance == wanted[i][hit].distance);
        }
        answers++;
    }
    assert_int_equal(answers, SEARCHES);
    assert_true(tasks > 12); /* six alone, and the others in six batches if none was in slices */
    free(queries);
    world_free_segment(segment);
    world_close(world);
}

/* Those that were taken do the work of the others. */
static void a_lane_that_takes_some_is_enough(void **state)
{
    enum { TAKEN = 2 };
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_DEFERRED});
    scene.world->tasks_count = WORLD_TASKS_MAX - TAKEN; /* as if others lay there */
    (void)ask(&scene, NQ_MAX, 1, 1000);
    assert_int_equal(scene.world->tasks_count, WORLD_TASKS_MAX);
    memmove(scene.world->tasks, scene.world->tasks + WORLD_TASKS_MAX - TAKEN,
            TAKEN * sizeof *scene.world->tasks);
    scene.world->tasks_count = TAKEN;
    assert_int_equal(world_run_tasks(scene.world), TAKEN);
    world_run(scene.world);
    world_expect_truth(scene.world, &scene.search, scene.segments, 1);
    scene_close(&scene);
}

static void a_lane_that_takes_nothing_is_busy(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_FULL});
    const struct search_answer *answer = world_answer_of(scene.world, ask(&scene, NQ_MAX, 1, 1000));
    assert_int_equal(answer->status, QN_STATUS_BUSY);
    assert_int_equal(answer->hits_count, 0);
    scene_close(&scene);
}

static void threads_find_what_one_finds(void **state)
{
    struct qn_hit hits[NQ_MAX * K];
    uint32_t counts[NQ_MAX];
    struct scene scene;

    (void)state;
    scene_open(&scene, (struct world_options){.executor = WORLD_THREADS});
    for (uint32_t nq = 90; nq <= NQ_MAX; nq += 35) {
        (void)ask(&scene, nq, 1, 60000);
        const struct search_answer *answer =
            &world_await(scene.world, MESSAGE_SEARCH_ANSWER)->search_answer;
        world_truth(&scene.search, scene.segments, 1, hits, counts);
        assert_int_equal(answer->hits_count, nq * K);
        for (uint32_t i = 0; i < nq * K; i++) {
            assert_int_equal(answer->hits[i].primary_key, hits[i].primary_key);
            assert_memory_equal(&answer->hits[i].distance, &hits[i].distance, sizeof(float));
        }
    }
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_without_work_share_the_queries),
        cmocka_unit_test(a_worker_at_work_is_not_counted_on),
        cmocka_unit_test(a_deadline_between_slices_leaves_no_hit),
        cmocka_unit_test(searches_that_share_slices_find_what_each_finds),
        cmocka_unit_test(a_lane_that_takes_some_is_enough),
        cmocka_unit_test(a_lane_that_takes_nothing_is_busy),
        cmocka_unit_test(threads_find_what_one_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
