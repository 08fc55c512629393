/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/state.h"

#include "tests/test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct place {
    char folder[64], path[128];
};

struct kept {
    struct state_row rows[32];
    size_t count;
};

static int set_up(void **state)
{
    struct place *place = test_calloc(1, sizeof *place);

    (void)snprintf(place->folder, sizeof place->folder, "/tmp/qnode-state-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof place->path, "%s/state.db", place->folder);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"", "-wal", "-shm", "-journal"};
    struct place *place = *state;
    char path[160];

    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s%s", place->path, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->folder), 0);
    test_free(place);
    return 0;
}

static struct state open_ok(const struct place *place)
{
    struct state state;
    struct qn_error error = {0};

    if (state_sqlite_open(place->path, &state, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    return state;
}

static void keep(void *owner, const struct state_row *row)
{
    struct kept *kept = owner;

    assert_true(kept->count < 32);
    kept->rows[kept->count++] = *row;
}

static void load(const struct state *state, struct kept *ret_kept)
{
    struct qn_error error = {0};

    ret_kept->count = 0;
    if (state->ops->load(state->self, keep, ret_kept, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
}

static void commit(const struct state *state, const struct state_row *rows, size_t count)
{
    struct qn_error error = {0};

    if (state->ops->commit(state->self, rows, count, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
}

static const struct state_row samples[] = {
    {.kind = STATE_COUNTER, .counter = {"term", UINT64_MAX}},
    {.kind = STATE_COLLECTION,
     .collection = {.collection_id = -3,
                    .name = "words",
                    .folder = "/data/it's",
                    .metric = QN_METRIC_COSINE,
                    .dim = 100,
                    .readable_version = 7,
                    .ceasing = true}},
    {.kind = STATE_SEGMENT,
     .segment = {.segment_id = 11,
                 .collection_id = -3,
                 .partition_id = 2,
                 .state = QN_SEGMENT_SEALED,
                 .path = "/data/11.qseg",
                 .content_hash = {{1, 2, 3, 255}},
                 .mem_size = 4096,
                 .num_rows = 10,
                 .delete_generation = 5}},
    {.kind = STATE_COPY, .copy = {.segment_id = 11, .node_id = 2, .epoch = {3, 4}, .replica = "r"}},
    {.kind = STATE_MOVE,
     .move = {.move_id = 1,
              .segment_id = 11,
              .src_node_id = 1,
              .dst_node_id = 2,
              .src_epoch = {1, 2},
              .dst_epoch = {3, 4},
              .phase = 3,
              .reason = "why",
              .bytes = 5,
              .started_wall_ms = 6,
              .loaded_wall_ms = 7,
              .changed_wall_ms = 8,
              .finished_wall_ms = 9,
              .released_bytes = 10,
              .rss_before = 11,
              .rss_after = 12,
              .waited_ms = 13,
              .attempts = 14}},
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

static void every_column_survives_a_restart(void **test_state)
{
    struct kept *kept = test_malloc(sizeof *kept);
    struct state state = open_ok(*test_state);

    commit(&state, samples, SAMPLES);
    state.ops->close(state.self);
    state = open_ok(*test_state);
    load(&state, kept);
    assert_int_equal(kept->count, SAMPLES);
    for (size_t i = 0; i < SAMPLES; i++)
        assert_memory_equal(&kept->rows[i], &samples[i], sizeof samples[i]);
    state.ops->close(state.self);
    test_free(kept);
}

static void removed_rows_are_gone_and_replaced_rows_are_the_new_ones(void **test_state)
{
    struct kept *kept = test_malloc(sizeof *kept);
    struct state state = open_ok(*test_state);
    struct state_row rows[SAMPLES];

    commit(&state, samples, SAMPLES);
    memcpy(rows, samples, sizeof rows);
    for (size_t i = 1; i < SAMPLES; i++)
        rows[i].removed = true;
    rows[0].counter.value = 8;
    commit(&state, rows, SAMPLES);
    load(&state, kept);
    assert_int_equal(kept->count, 1);
    assert_int_equal(kept->rows[0].counter.value, 8);
    state.ops->close(state.self);
    test_free(kept);
}

static void a_second_opener_is_refused(void **test_state)
{
    struct state state = open_ok(*test_state), second;
    struct qn_error error = {0};
    struct place *place = *test_state;

    assert_int_equal(state_sqlite_open(place->path, &second, &error), QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "another coordinator holds it"));
    state.ops->close(state.self);
    state = open_ok(place);
    state.ops->close(state.self);
}

static void scribble(const struct place *place, off_t at, const char *text)
{
    int fd = open(place->path, O_RDWR | O_CREAT, 0600);

    assert_true(fd >= 0);
    for (int i = 0; i < 200; i++)
        assert_true(pwrite(fd, text, strlen(text), at + i * (off_t)strlen(text)) > 0);
    (void)close(fd);
}

static void a_file_that_is_no_database_is_refused_with_its_name(void **test_state)
{
    struct place *place = *test_state;
    struct state state;
    struct qn_error error = {0};

    scribble(place, 0, "hello, this is no database");
    assert_int_equal(state_sqlite_open(place->path, &state, &error), QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, place->path));
    assert_non_null(strstr(error.text, "not a coordinator's state"));
}

static void a_damaged_file_is_refused(void **test_state)
{
    struct place *place = *test_state;
    struct state state = open_ok(place);
    struct qn_error error = {0};

    commit(&state, samples, SAMPLES);
    state.ops->close(state.self);
    scribble(place, 4096, "all pages but the first are overwritten with this text");
    enum qn_status status = state_sqlite_open(place->path, &state, &error);
    assert_true(status == QN_STATUS_CORRUPT || status == QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, place->path));
}

static void a_folder_that_is_not_there_is_an_error_that_names_the_file(void **test_state)
{
    struct state state;
    struct qn_error error = {0};

    (void)test_state;
    assert_int_not_equal(state_sqlite_open("/nonexistent/state.db", &state, &error), QN_STATUS_OK);
    assert_non_null(strstr(error.text, "/nonexistent/state.db"));
}

/* No file may grow: the disk is full. */
static void a_commit_that_fails_changes_nothing(void **test_state)
{
    struct kept *kept = test_malloc(sizeof *kept);
    struct state state = open_ok(*test_state);
    struct rlimit limit, small;
    struct qn_error error = {0};

    commit(&state, samples, SAMPLES);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct state_row row = {.kind = STATE_COUNTER, .counter = {"version", 1}};
    enum qn_status status = state.ops->commit(state.self, &row, 1, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, QN_STATUS_IO);
    assert_non_null(strstr(error.text, "commit"));
    state.ops->close(state.self);
    state = open_ok(*test_state);
    load(&state, kept);
    assert_int_equal(kept->count, SAMPLES);
    state.ops->close(state.self);
    test_free(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_column_survives_a_restart),
        TEST(removed_rows_are_gone_and_replaced_rows_are_the_new_ones),
        TEST(a_second_opener_is_refused),
        TEST(a_file_that_is_no_database_is_refused_with_its_name),
        TEST(a_damaged_file_is_refused),
        TEST(a_folder_that_is_not_there_is_an_error_that_names_the_file),
        TEST(a_commit_that_fails_changes_nothing),
    };

    return cmocka_run_group_tests_name("coordinator sqlite", tests, NULL, NULL);
}
