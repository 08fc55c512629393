/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "tests/test.h"
#include <errno.h>
#include <string.h>

static void the_text_grows_outside_in(void **state)
{
    struct qn_error error;

    (void)state;
    assert_int_equal(error_errno(&error, ENOENT, "open %s", "/data/7.qseg"), QN_STATUS_IO);
    assert_int_equal(error_wrap(&error, "load segment %d", 7), QN_STATUS_IO);
    assert_string_equal(error.text, "load segment 7: open /data/7.qseg: No such file or directory");
    assert_int_equal(error.status, QN_STATUS_IO);
}

static void long_texts_are_cut(void **state)
{
    struct qn_error error;
    char long_text[600];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(error_set(&error, QN_STATUS_BUSY, "%s", long_text), QN_STATUS_BUSY);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_int_equal(error_wrap(&error, "outer"), QN_STATUS_BUSY);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_memory_equal(error.text, "outer: xxx", 10);
    assert_int_equal(error_wrap(&error, "%s", long_text), QN_STATUS_BUSY);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static void out_of_memory_keeps_its_name(void **state)
{
    struct qn_error error;

    (void)state;
    assert_int_equal(error_errno(&error, ENOMEM, "map"), QN_STATUS_NO_MEMORY);
}

static void errors_may_be_ignored(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, QN_STATUS_BUSY, "x"), QN_STATUS_BUSY);
    assert_int_equal(error_errno(NULL, EIO, "x"), QN_STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_grows_outside_in),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(out_of_memory_keeps_its_name),
        cmocka_unit_test(errors_may_be_ignored),
    };

    return cmocka_run_group_tests_name("base_error", tests, NULL, NULL);
}
