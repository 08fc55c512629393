/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/check.h"
#include "segstore/manifest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int folder_open(void **state)
{
    char *folder = strdup("/tmp/segstore_manifest_XXXXXX");

    CHECK(folder != NULL && mkdtemp(folder) != NULL);
    *state = folder;
    return 0;
}

static int folder_close(void **state)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%s/collection.json", (char *)*state);
    (void)unlink(path);
    CHECK(rmdir(*state) == 0);
    free(*state);
    return 0;
}

static void write_text(const char *folder, const char *text, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%s/collection.json", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void what_is_written_is_read(void **state)
{
    char *folder = *state;
    char paths[2][64];
    struct manifest_segment segments[2] = {
        {.segment_id = INT64_MIN,
         .partition_id = -4,
         .state = QN_SEGMENT_SEALED,
         .path = paths[0],
         .rows_count = 100,
         .resident_bytes = 8192,
         .delete_generation = 3,
         .content_hash = {{1, 2, 3, 0xff}}},
        {.segment_id = INT64_MAX, .state = QN_SEGMENT_GROWING, .path = paths[1]},
    };
    struct manifest written = {.collection_id = 5,
                               .name = (char *)"two \"words\" \xc3\xa4",
                               .folder = folder,
                               .metric = QN_METRIC_COSINE,
                               .dim = 32768,
                               .readable_version = 9,
                               .segments = segments,
                               .segments_count = 2};
    struct manifest *read = NULL;

    (void)snprintf(paths[0], sizeof paths[0], "%s/a.qseg", folder);
    (void)snprintf(paths[1], sizeof paths[1], "%s/b.qseg", folder);
    assert_int_equal(manifest_write(&written, NULL), QN_STATUS_OK);
    assert_int_equal(manifest_read(folder, &read, NULL), QN_STATUS_OK);
    assert_int_equal(read->collection_id, 5);
    assert_string_equal(read->name, written.name);
    assert_string_equal(read->folder, folder);
    assert_int_equal(read->metric, QN_METRIC_COSINE);
    assert_int_equal(read->dim, 32768);
    assert_int_equal(read->readable_version, 9);
    assert_int_equal(read->segments_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read->segments[i].segment_id, segments[i].segment_id);
        assert_int_equal(read->segments[i].partition_id, segments[i].partition_id);
        assert_int_equal(read->segments[i].state, segments[i].state);
        assert_string_equal(read->segments[i].path, paths[i]);
        assert_int_equal(read->segments[i].rows_count, segments[i].rows_count);
        assert_int_equal(read->segments[i].resident_bytes, segments[i].resident_bytes);
        assert_int_equal(read->segments[i].delete_generation, segments[i].delete_generation);
        assert_true(qn_hash_equal(&read->segments[i].content_hash, &segments[i].content_hash));
    }
    manifest_free(read);
    assert_null(manifest_free(NULL));
}

static void a_segment_outside_the_folder_is_not_written(void **state)
{
    const char *const paths[] = {"/elsewhere/a.qseg", NULL, "a.qseg"};
    struct qn_error error = {0};

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct manifest_segment segment = {.path = (char *)(uintptr_t)paths[i]};
        struct manifest manifest = {.name = (char *)"x",
                                    .folder = *state,
                                    .metric = QN_METRIC_L2,
                                    .dim = 1,
                                    .segments = &segment,
                                    .segments_count = 1};
        assert_int_equal(manifest_write(&manifest, &error), QN_STATUS_INVALID);
        assert_non_null(strstr(error.text, "segments[0]: not in the folder"));
    }
}

static const char good[] =
    "{\"format\":\"qnode-collection\",\"format_version\":1,\"collection_id\":7,\"name\":\"n\","
    "\"metric\":\"l2\",\"dim\":4,\"readable_version\":1,\"later\":true,\"segments\":["
    "{\"segment_id\":1,\"partition_id\":0,\"state\":\"Sealed\",\"file\":\"a.qseg\",\"rows\":10,"
    "\"resident_bytes\":8192,\"content_hash\":\"00112233445566778899aabbccddeeff\","
    "\"delete_generation\":0},"
    "{\"segment_id\":2,\"partition_id\":0,\"state\":\"Growing\",\"file\":\"b.qseg\",\"rows\":0,"
    "\"resident_bytes\":0,\"content_hash\":\"00112233445566778899aabbccddeeff\","
    "\"delete_generation\":0}]}";

/* The good text with the first `from` replaced by `to`. */
static void write_edited(const char *folder, const char *from, const char *to)
{
    char text[2048];
    const char *at = strstr(good, from);

    assert_non_null(at);
    int length =
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    assert_true(length > 0 && (size_t)length < sizeof text);
    write_text(folder, text, (size_t)length);
}

static void a_bad_member_is_refused_by_name(void **state)
{
    static const struct {
        const char *from, *to;
        enum qn_status status;
        const char *words;
    } cases[] = {
        {"qnode-collection", "other", QN_STATUS_CORRUPT, "format: \"other\""},
        {"\"format_version\":1", "\"format_version\":2", QN_STATUS_UNSUPPORTED, "format_version"},
        {"\"collection_id\":7,", "", QN_STATUS_CORRUPT, "\"collection_id\" is missing"},
        {"\"collection_id\":7", "\"collection_id\":\"7\"", QN_STATUS_CORRUPT, "not an integer"},
        {"\"name\":\"n\"", "\"name\":\"\"", QN_STATUS_CORRUPT, "name: "},
        {"\"name\":\"n\"", "\"name\":null", QN_STATUS_CORRUPT, "\"name\" is not a string"},
        {"\"l2\"", "\"L7\"", QN_STATUS_CORRUPT, "metric: \"L7\""},
        {"\"dim\":4", "\"dim\":0", QN_STATUS_CORRUPT, "dim: 0"},
        {"\"dim\":4", "\"dim\":32769", QN_STATUS_CORRUPT, "dim: 32769"},
        {"\"dim\":4", "\"dim\":4294967300", QN_STATUS_CORRUPT, "dim: 4294967300"},
        {"\"readable_version\":1", "\"readable_version\":-1", QN_STATUS_CORRUPT,
         "readable_version: -1"},
        {"\"segments\":[", "\"segments\":[3,", QN_STATUS_CORRUPT, "segments[0]: "},
        {"\"segment_id\":2", "\"segment_id\":1", QN_STATUS_CORRUPT, "segment_id 1 stands twice"},
        {"\"segment_id\":2", "\"segment_id\":2.5", QN_STATUS_CORRUPT, "segments[1]: "},
        {"\"Growing\"", "\"Flying\"", QN_STATUS_CORRUPT, "segments[1]: state: \"Flying\""},
        {"\"Growing\"", "\"\"", QN_STATUS_CORRUPT, "segments[1]: state: "},
        {"b.qseg", "../b.qseg", QN_STATUS_CORRUPT, "segments[1]: file: \"../b.qseg\""},
        {"b.qseg", "..", QN_STATUS_CORRUPT, "segments[1]: file: "},
        {"b.qseg", "", QN_STATUS_CORRUPT, "segments[1]: file: "},
        {"\"rows\":10", "\"rows\":-10", QN_STATUS_CORRUPT, "segments[0]: rows: -10"},
        {"\"resident_bytes\":8192", "\"resident_bytes\":8193", QN_STATUS_CORRUPT,
         "segments[0]: resident_bytes: 8193"},
        {"eeff", "eef", QN_STATUS_CORRUPT, "segments[0]: content_hash: "},
        {"eeff", "eefg", QN_STATUS_CORRUPT, "segments[0]: content_hash: "},
        {"]}", "]", QN_STATUS_CORRUPT, "JSON line 1"},
        {"\"dim\":4", "\"dim\":4,\"dim\":4", QN_STATUS_CORRUPT, "JSON"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct manifest *manifest = NULL;
        struct qn_error error = {0};
        write_edited(*state, cases[i].from, cases[i].to);
        enum qn_status status = manifest_read(*state, &manifest, &error);
        if (status != cases[i].status || strstr(error.text, cases[i].words) == NULL)
            fail_msg("case %zu: status %d: %s", i, (int)status, error.text);
        assert_non_null(strstr(error.text, "/collection.json: "));
        assert_null(manifest);
    }
    write_edited(*state, "{", "{");
    struct manifest *manifest = NULL;
    assert_int_equal(manifest_read(*state, &manifest, NULL), QN_STATUS_OK);
    manifest_free(manifest);
}

static void a_text_cut_anywhere_is_refused(void **state)
{
    for (size_t size = 0; size < strlen(good); size++) {
        struct manifest *manifest = NULL;
        struct qn_error error = {0};
        write_text(*state, good, size);
        assert_int_equal(manifest_read(*state, &manifest, &error), QN_STATUS_CORRUPT);
        assert_non_null(strstr(error.text, "/collection.json: "));
    }
}

static void a_missing_manifest_is_not_found(void **state)
{
    struct manifest *manifest = NULL;
    struct qn_error error = {0};

    (void)state;
    assert_int_equal(manifest_read("/nowhere", &manifest, &error), QN_STATUS_NOT_FOUND);
    assert_string_equal(error.text, "/nowhere/collection.json: no such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_segment_outside_the_folder_is_not_written),
        cmocka_unit_test(a_bad_member_is_refused_by_name),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
        cmocka_unit_test(a_missing_manifest_is_not_found),
    };

    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
