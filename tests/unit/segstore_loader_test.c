/* SPDX-License-Identifier: Apache-2.0
 * Loads that work, loads that fail at every call, loads that are cancelled. */
#include "tests/test.h"

#include "base/check.h"
#include "base/error.h"
#include "base/waiter.h"
#include "segstore/writer.h"
#include "tests/unit/segstore_fixture.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void a_loaded_segment_is_what_was_written(void **state)
{
    struct segment_facts facts = fixture_facts(35, 3, QN_METRIC_L2);
    float rows[35 * 3];
    int64_t keys[35];
    struct prng prng;

    (void)state;
    prng_init(&prng, 1);
    fixture_fill(&prng, rows, COUNT_OF(rows));
    for (int i = 0; i < 35; i++)
        keys[i] = 1000 - i;
    struct segment *segment = fixture_segment(&facts, keys, rows);
    assert_int_equal(segment->facts.segment_id, 7);
    assert_int_equal(segment->facts.rows_count, 35);
    assert_int_equal(segment_pins_count(segment), 0);
    assert_int_equal((uintptr_t)segment->blocks % 4096, 0);
    assert_memory_equal(segment->primary_keys, keys, sizeof keys);
    for (int i = 0; i < 48; i++)
        for (int d = 0; d < 3; d++)
            assert_true(segment->blocks[i / 16 * 48 + d * 16 + i % 16] ==
                        (i < 35 ? rows[i * 3 + d] : 0));
    segment_free(segment);
}

static void a_segment_without_rows_maps_nothing(void **state)
{
    struct segment_facts facts = fixture_facts(0, 3, QN_METRIC_COSINE);
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};

    (void)state;
    fixture_build_random(&file, &facts, 1);
    assert_int_equal(file.size, 4096);
    assert_int_equal(facts.resident_bytes, 0);
    struct segment *segment = fixture_load(&port, &facts, NULL);
    assert_non_null(segment);
    assert_null(segment->memory);
    assert_int_equal(port.mapped_bytes_max, 0);
    segment_free(segment);
    fixture_file_free(&file);
}

static void the_mapping_is_resident_bytes_long(void **state)
{
    struct segment_facts facts = fixture_facts(1000, 17, QN_METRIC_L2);
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};

    (void)state;
    fixture_build_random(&file, &facts, 1);
    struct segment *segment = fixture_load(&port, &facts, NULL);
    assert_non_null(segment);
    assert_int_equal(port.mapped_bytes, facts.resident_bytes);
    assert_int_equal(port.mapped_bytes_max, facts.resident_bytes);
    segment_free(segment);
    assert_int_equal(port.mapped_bytes, 0);
    fixture_file_free(&file);
}

/* Call 0 opens, 1 reads the header, 2 maps, 3 and on read pieces. */
static void every_failing_call_is_a_clear_error_and_leaks_nothing(void **state)
{
    struct segment_facts facts = fixture_facts(60000, 9, QN_METRIC_L2); /* 1 + 3 pieces */
    struct fixture_file file;
    int fail_at = 0;

    (void)state;
    fixture_build_random(&file, &facts, 1);
    for (;; fail_at++) {
        struct fixture_port port = {.file = &file, .fail_at = fail_at, .fail_status = QN_STATUS_IO};
        struct qn_error error = {0};
        struct segment *segment = fixture_load(&port, &facts, &error);
        assert_int_equal(port.open_count, 0);
        if (segment != NULL) {
            segment_free(segment);
            assert_int_equal(port.mapped_bytes, 0);
            break;
        }
        static const char *const words[] = {
            "memory.qseg: open failed as told",
            "memory.qseg: section header: read failed as told",
            "memory.qseg: map 2646016 bytes on NUMA node 0: out of memory",
            "memory.qseg: section primary_keys: read failed as told",
            "memory.qseg: section vectors: read failed as told",
        };
        assert_string_equal(error.text, words[fail_at < 4 ? fail_at : 4]);
        assert_int_equal(error.status, fail_at == 2 ? QN_STATUS_NO_MEMORY : QN_STATUS_IO);
        assert_int_equal(port.mapped_bytes, 0);
    }
    assert_int_equal(fail_at, 7);
    fixture_file_free(&file);
}

static void a_file_that_is_not_the_expected_one_is_a_conflict(void **state)
{
    struct segment_facts facts = fixture_facts(100, 3, QN_METRIC_L2);
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};
    struct qn_error error = {0};

    (void)state;
    fixture_build_random(&file, &facts, 1);
    for (int i = 0; i < 9; i++) {
        struct segment_facts expected = facts;
        expected.segment_id += i == 0;
        expected.collection_id += i == 1;
        expected.partition_id += i == 2;
        expected.rows_count += i == 3;
        expected.resident_bytes += i == 4 ? 4096 : 0;
        expected.dim += i == 5;
        expected.metric = i == 6 ? QN_METRIC_IP : expected.metric;
        expected.content_hash.bytes[15] ^= i == 7;
        expected.delete_generation += i == 8;
        assert_null(fixture_load(&port, &expected, &error));
        assert_int_equal(error.status, QN_STATUS_CONFLICT);
        assert_true(strncmp(error.text, "memory.qseg: section header: ", 29) == 0);
        assert_int_equal(port.mapped_bytes_max, 0);
    }
    facts.dim = 0;
    facts.metric = QN_METRIC_UNSPECIFIED;
    struct segment *segment = fixture_load(&port, &facts, NULL);
    assert_non_null(segment);
    assert_int_equal(segment->facts.dim, 3);
    segment_free(segment);
    fixture_file_free(&file);
}

/* An executor that keeps tasks until they are run by hand. */
struct manual {
    struct task *tasks[8];
    unsigned count, capacity;
};

static bool manual_submit(void *self, enum executor_lane lane, unsigned numa_node,
                          struct task *task)
{
    struct manual *manual = self;

    (void)numa_node;
    CHECK(lane == EXECUTOR_LANE_LOAD);
    if (manual->count == manual->capacity)
        return false;
    manual->tasks[manual->count++] = task;
    return true;
}

static bool manual_is_idle(void *self, enum executor_lane lane, unsigned numa_node)
{
    (void)self, (void)lane, (void)numa_node;
    return false;
}

static unsigned manual_concurrency(void *self, enum executor_lane lane)
{
    (void)self, (void)lane;
    return 8;
}

static const struct executor_ops manual_ops = {manual_submit, manual_is_idle, manual_concurrency};

struct outcome {
    struct waiter waiter;
    struct segment *segment;
    struct qn_error error;
    _Atomic int calls_count;
};

static void on_done(void *owner, struct load *load, struct segment *segment,
                    const struct qn_error *error)
{
    struct outcome *outcome = owner;

    assert_non_null(load);
    outcome->segment = segment;
    outcome->error = *error;
    (void)atomic_fetch_add(&outcome->calls_count, 1);
    waiter_wake(&outcome->waiter);
}

static void a_full_lane_refuses_the_load(void **state)
{
    struct manual manual = {.capacity = 0};
    struct fixture_port port = {.fail_at = -1};
    struct outcome outcome = {0};
    struct load_options options = {
        .path = "memory.qseg",
        .files = fixture_files(&port),
        .executor = {.ops = &manual_ops, .self = &manual},
    };
    struct qn_error error = {0};

    (void)state;
    assert_null(load_start(&options, on_done, &outcome, &error));
    assert_int_equal(error.status, QN_STATUS_BUSY);
    assert_int_equal(outcome.calls_count, 0);
}

static void a_lane_with_one_place_still_loads(void **state)
{
    struct segment_facts facts = fixture_facts(60000, 9, QN_METRIC_L2);
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};
    struct manual manual = {.capacity = 1};
    struct outcome outcome = {0};
    struct load_options options = {
        .path = "memory.qseg",
        .expected = facts,
        .files = fixture_files(&port),
        .executor = {.ops = &manual_ops, .self = &manual},
    };

    (void)state;
    fixture_build_random(&file, &facts, 1);
    options.expected = facts;
    struct load *load = load_start(&options, on_done, &outcome, NULL);
    assert_non_null(load);
    assert_int_equal(load_progress_bytes(load), 0);
    manual.tasks[0]->run(manual.tasks[0]);
    assert_int_equal(outcome.calls_count, 1);
    assert_non_null(outcome.segment);
    segment_free(outcome.segment);
    fixture_file_free(&file);
}

static void a_cancelled_load_reports_once_and_touches_nothing(void **state)
{
    struct fixture_port port = {.fail_at = -1};
    struct manual manual = {.capacity = 8};
    struct outcome outcome = {0};
    struct load_options options = {
        .path = "memory.qseg",
        .files = fixture_files(&port),
        .executor = {.ops = &manual_ops, .self = &manual},
    };

    (void)state;
    struct load *load = load_start(&options, on_done, &outcome, NULL);
    assert_non_null(load);
    load_cancel(load);
    manual.tasks[0]->run(manual.tasks[0]);
    assert_int_equal(outcome.calls_count, 1);
    assert_null(outcome.segment);
    assert_int_equal(outcome.error.status, QN_STATUS_CANCELLED);
    assert_int_equal(port.calls_count, 0);
    assert_int_equal(port.open_count, 0);
}

/* The helpers stand in the lane behind other loads. */
static void a_load_is_done_before_its_helpers_begin(void **state)
{
    struct segment_facts facts = fixture_facts(60000, 9, QN_METRIC_L2);
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};
    struct manual manual = {.capacity = 8};
    struct outcome outcome = {0};
    struct load_options options = {
        .path = "memory.qseg",
        .files = fixture_files(&port),
        .executor = {.ops = &manual_ops, .self = &manual},
    };

    (void)state;
    fixture_build_random(&file, &facts, 1);
    options.expected = facts;
    assert_non_null(load_start(&options, on_done, &outcome, NULL));
    manual.tasks[0]->run(manual.tasks[0]);
    assert_int_equal(manual.count, 4);
    assert_int_equal(outcome.calls_count, 1);
    assert_int_equal(outcome.error.status, QN_STATUS_OK);
    assert_int_equal(port.open_count, 0);
    segment_free(outcome.segment);
    for (unsigned i = 1; i < manual.count; i++)
        manual.tasks[i]->run(manual.tasks[i]);
    assert_int_equal(outcome.calls_count, 1);
    assert_int_equal(port.mapped_bytes, 0);
    fixture_file_free(&file);
}

static int has_outcome(void *owner)
{
    struct outcome *outcome = owner;

    return atomic_load(&outcome->calls_count) > 0;
}

/* The host's files and memory, four threads, a segment of a few MiB. */
static void threads_load_a_file_together(void **state)
{
    static const struct executor_threads_options threads_options = {
        .numa_nodes = 1, .workers_per_numa_node = 1, .loaders = 4};
    struct segment_facts facts = fixture_facts(50000, 33, QN_METRIC_IP);
    struct executor_threads *threads = NULL;
    float *rows = malloc((size_t)50000 * 33 * sizeof *rows);
    int64_t *keys = calloc(50000, sizeof *keys);
    char folder[] = "/tmp/segstore_loader_XXXXXX", path[64];
    struct outcome outcome = {0};
    struct prng prng;

    (void)state;
    assert_true(rows != NULL && keys != NULL && mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/a.qseg", folder);
    prng_init(&prng, 1);
    fixture_fill(&prng, rows, (size_t)50000 * 33);
    assert_int_equal(writer_save_file(path, &facts, keys, rows, NULL), QN_STATUS_OK);
    assert_int_equal(executor_threads_open(&threads_options, &threads, NULL), QN_STATUS_OK);
    waiter_init(&outcome.waiter);
    struct load_options options = {
        .path = path,
        .expected = facts,
        .files = files_posix(),
        .executor = executor_threads_port(threads),
    };
    assert_non_null(load_start(&options, on_done, &outcome, NULL));
    (void)waiter_wait_until(&outcome.waiter, has_outcome, &outcome, WAITER_FOREVER);
    executor_threads_close(threads);
    assert_int_equal(outcome.calls_count, 1);
    assert_int_equal(outcome.error.status, QN_STATUS_OK);
    assert_int_equal((uintptr_t)outcome.segment->memory % (2 << 20), 0);
    for (size_t i = 0; i < 50000; i += 997)
        assert_true(outcome.segment->blocks[i / 16 * 16 * 33 + i % 16] == rows[i * 33]);
    segment_free(outcome.segment);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    free(rows);
    free(keys);
}

static void rows_the_metric_refuses_are_named_by_the_writer(void **state)
{
    struct segment_facts facts = fixture_facts(3, 2, QN_METRIC_COSINE);
    const int64_t keys[3] = {1, 2, 3};
    float rows[6] = {1, 2, 0, 0, 5, 6};
    char folder[] = "/tmp/segstore_loader_XXXXXX", path[64];
    struct qn_error error = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a.qseg", folder);
    assert_int_equal(writer_save_file(path, &facts, keys, rows, &error), QN_STATUS_CORRUPT);
    assert_string_equal(error.text, "row 1: all values are zero, cosine has no meaning");
    rows[5] = -1.0f / 0.0f;
    facts.metric = QN_METRIC_L2;
    assert_int_equal(writer_save_file(path, &facts, keys, rows, &error), QN_STATUS_CORRUPT);
    assert_string_equal(error.text, "row 2: value 1 is infinite");
    assert_int_equal(rmdir(folder), 0); /* nothing was left in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_segment_is_what_was_written),
        cmocka_unit_test(a_segment_without_rows_maps_nothing),
        cmocka_unit_test(the_mapping_is_resident_bytes_long),
        cmocka_unit_test(every_failing_call_is_a_clear_error_and_leaks_nothing),
        cmocka_unit_test(a_file_that_is_not_the_expected_one_is_a_conflict),
        cmocka_unit_test(a_full_lane_refuses_the_load),
        cmocka_unit_test(a_lane_with_one_place_still_loads),
        cmocka_unit_test(a_cancelled_load_reports_once_and_touches_nothing),
        cmocka_unit_test(a_load_is_done_before_its_helpers_begin),
        cmocka_unit_test(threads_load_a_file_together),
        cmocka_unit_test(rows_the_metric_refuses_are_named_by_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
