/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/qnode-files-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int drop_folder(void **state)
{
    (void)state;
    (void)unlink(path_of("a"));
    return rmdir(folder); /* fails if a test left something behind */
}

static void what_was_written_is_read(void **state)
{
    struct files files = files_posix();
    struct qn_error error;
    char bytes[16] = {0};
    size_t size = 0;

    (void)state;
    assert_int_equal(files.ops->write_durable(files.self, path_of("a"), "first", 5, &error), 0);
    assert_int_equal(files.ops->write_durable(files.self, path_of("a"), "2nd", 3, &error), 0);
    assert_int_equal(files.ops->read_small(files.self, path_of("a"), bytes, 16, &size, &error), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "2nd", 3);
    assert_int_equal(files.ops->write_durable(files.self, path_of("a"), "", 0, &error), 0);
    assert_int_equal(files.ops->read_small(files.self, path_of("a"), bytes, 16, &size, &error), 0);
    assert_int_equal(size, 0);
}

static void errors_name_the_path(void **state)
{
    struct files files = files_posix();
    struct qn_error error;
    struct file file;
    char bytes[2];
    size_t size;

    (void)state;
    assert_int_equal(files.ops->open(files.self, path_of("none"), &file, &error),
                     QN_STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, path_of("none")));
    assert_int_equal(files.ops->read_small(files.self, path_of("none"), bytes, 2, &size, &error),
                     QN_STATUS_NOT_FOUND);
    assert_int_equal(files.ops->open(files.self, folder, &file, &error), QN_STATUS_IO);
    assert_non_null(strstr(error.text, folder));
    assert_int_equal(files.ops->write_durable(files.self, path_of("no/a"), "x", 1, &error),
                     QN_STATUS_IO);
    assert_non_null(strstr(error.text, "no/a"));
}

static void a_fifo_is_refused_at_once(void **state)
{
    struct files files = files_posix();
    struct qn_error error;
    struct file file;
    char bytes[2];
    size_t size;

    (void)state;
    assert_int_equal(mkfifo(path_of("a"), 0600), 0); /* nobody will ever write to it */
    assert_int_equal(files.ops->open(files.self, path_of("a"), &file, &error), QN_STATUS_IO);
    assert_non_null(strstr(error.text, "not a regular file"));
    assert_int_equal(files.ops->read_small(files.self, path_of("a"), bytes, 2, &size, &error),
                     QN_STATUS_IO);
    assert_int_equal(mkfifo(path_of("a.tmp"), 0600), 0);
    assert_int_equal(files.ops->write_durable(files.self, path_of("a"), "x", 1, &error),
                     QN_STATUS_IO);
    assert_int_equal(unlink(path_of("a.tmp")), 0);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    struct files files = files_posix();
    struct qn_error error;
    char bytes[4];
    size_t size = 77;

    (void)state;
    assert_int_equal(files.ops->write_durable(files.self, path_of("a"), "12345", 5, &error), 0);
    assert_int_equal(files.ops->read_small(files.self, path_of("a"), bytes, 4, &size, &error),
                     QN_STATUS_INVALID);
    assert_int_equal(size, 77);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    struct files files = files_posix();
    struct qn_error error;
    struct file file;
    char path[LIMIT_PATH_BYTES + 1];

    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(files.ops->open(files.self, path, &file, &error), QN_STATUS_IO);
    assert_non_null(strstr(error.text, "open: File name too long")); /* the reason is not cut off */
    assert_int_equal(files.ops->write_durable(files.self, path, "x", 1, &error), QN_STATUS_INVALID);
}

static void a_short_file_is_corrupt(void **state)
{
    struct files files = files_posix();
    struct qn_error error;
    struct file file;
    char bytes[8];

    (void)state;
    assert_int_equal(files.ops->write_durable(files.self, path_of("a"), "12345678", 8, &error), 0);
    assert_int_equal(files.ops->open(files.self, path_of("a"), &file, &error), 0);
    assert_int_equal(file.size_bytes, 8);
    assert_int_equal(files.ops->read_at(files.self, &file, 3, bytes, 5, &error), QN_STATUS_OK);
    assert_memory_equal(bytes, "45678", 5);
    assert_int_equal(files.ops->read_at(files.self, &file, 3, bytes, 6, &error), QN_STATUS_CORRUPT);
    assert_int_equal(files.ops->read_at(files.self, &file, 9, bytes, 1, &error), QN_STATUS_CORRUPT);
    files.ops->close(files.self, &file);
}

static bool is_resident(const unsigned char *memory, size_t bytes)
{
    static unsigned char pages[(8 << 20) / 4096];

    CHECK(bytes / 4096 <= sizeof pages);
    if (mincore((void *)(uintptr_t)memory, bytes, pages) != 0)
        return false;
    for (size_t i = 0; i < bytes / 4096; i++)
        if ((pages[i] & 1) == 0)
            return false;
    return true;
}

static void mapped_memory_is_zeroed_touched_and_aligned(void **state)
{
    static const size_t sizes[] = {4096, (2 << 20) - 4096, 2 << 20, (5 << 20) + 8192};
    struct files files = files_posix();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *memory = files.ops->map(files.self, sizes[i], 0);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (2 << 20), 0);
        assert_true(is_resident(memory, sizes[i]));
        for (size_t at = 0; at < sizes[i]; at++)
            if (memory[at] != 0)
                fail_msg("byte %zu is not zero", at);
        memset(memory, 1, sizes[i]);
        files.ops->unmap(files.self, memory, sizes[i]);
        assert_false(is_resident(memory, sizes[i]));
    }
}

static void what_cannot_be_mapped_is_null(void **state)
{
    struct files files = files_posix();

    (void)state;
    assert_null(files.ops->map(files.self, (size_t)1 << 62, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read),
        TEST(errors_name_the_path),
        TEST(a_fifo_is_refused_at_once),
        TEST(a_file_that_is_too_large_is_refused),
        TEST(a_path_that_is_too_long_is_refused),
        TEST(a_short_file_is_corrupt),
        TEST(mapped_memory_is_zeroed_touched_and_aligned),
        TEST(what_cannot_be_mapped_is_null),
    };

    return cmocka_run_group_tests_name("base_files", tests, NULL, NULL);
}
