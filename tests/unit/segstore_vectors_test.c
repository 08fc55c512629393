/* SPDX-License-Identifier: Apache-2.0
 * Vector files of every kind, good and bad. */
#include "tests/test.h"

#include "base/check.h"
#include "segstore/npy.h"
#include "segstore/vectors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int folder_open(void **state)
{
    char *folder = strdup("/tmp/segstore_vectors_XXXXXX");

    CHECK(folder != NULL && mkdtemp(folder) != NULL);
    *state = folder;
    return 0;
}

static int folder_close(void **state)
{
    CHECK(rmdir(*state) == 0);
    free(*state);
    return 0;
}

/* Reads all rows of a file with these bytes under this name. */
static enum qn_status read_bytes(const char *folder, const char *name, const void *bytes,
                                 size_t size, float *ret_rows, uint64_t *ret_rows_count,
                                 uint32_t *ret_dim, struct qn_error *error)
{
    char path[128];
    float *rows = NULL;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    enum qn_status status = vectors_read_all(path, &rows, ret_rows_count, ret_dim, error);
    if (status == QN_STATUS_OK)
        memcpy(ret_rows, rows, *ret_rows_count * *ret_dim * sizeof *rows);
    free(rows);
    assert_int_equal(unlink(path), 0);
    return status;
}

#define NPY(type, shape)                                                                           \
    "\x93NUMPY\x01\x00\x40\x00{'descr': '" type "', 'fortran_order': False, 'shape': " shape

struct good_file {
    const char *name;
    const char *bytes;
    size_t size;
    float rows[4];
};

#define GOOD(name, bytes, ...)                                                                     \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1,                                                            \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static void every_kind_is_read(void **state)
{
    static const struct good_file files[] = {
        GOOD("a.fbin", "\2\0\0\0\2\0\0\0\0\0\x80\x3f\0\0\0\xc0\0\0\0\0\0\0\xc0\x7f", 1, -2, 0, NAN),
        GOOD("a.u8bin", "\2\0\0\0\2\0\0\0\0\x7f\x80\xff", 0, 127, 128, 255),
        GOOD("a.i8bin", "\2\0\0\0\2\0\0\0\0\x7f\x80\xff", 0, 127, -128, -1),
        GOOD("a.f16bin", "\2\0\0\0\2\0\0\0\0\x3c\1\0\xff\xfb\0\x7c", 1, 0x1p-24f, -65504, INFINITY),
        GOOD("a.fvecs", "\2\0\0\0\0\0\x80\x3f\0\0\0\xc0\2\0\0\0\0\0\0\0\0\0\x80\xff", 1, -2, 0,
             -INFINITY),
        GOOD("a.ivecs", "\2\0\0\0\1\0\0\0\xff\xff\xff\xff\2\0\0\0\0\1\0\0\0\0\0\x80", 1, -1, 256,
             -0x1p31f),
        GOOD("a.bvecs", "\2\0\0\0\1\2\2\0\0\0\3\xff", 1, 2, 3, 255),
        GOOD("f4.npy",
             NPY("<f4", "(2, 2), } ") "   \n"
                                      "\0\0\x80\x3f\0\0\0\xc0\0\0\0\0\0\0\x80\x3f",
             1, -2, 0, 1),
        GOOD("f8.npy",
             NPY("<f8", "(2, 2), } ") "   \n"
                                      "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0"
                                      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x7f",
             1, -2, 0, INFINITY),
        GOOD("u1.npy", NPY("|u1", "(2, 2), } ") "   \n\1\2\3\xff", 1, 2, 3, 255),
        GOOD("i1.npy", NPY("|i1", "(2, 2), } ") "   \n\1\2\3\xff", 1, 2, 3, -1),
    };

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        float rows[4];
        uint64_t rows_count = 0;
        uint32_t dim = 0;
        struct qn_error error = {0};
        if (read_bytes(*state, files[i].name, files[i].bytes, files[i].size, rows, &rows_count,
                       &dim, &error) != QN_STATUS_OK)
            fail_msg("%s", error.text);
        assert_int_equal(rows_count, 2);
        assert_int_equal(dim, 2);
        for (int j = 0; j < 4; j++)
            if (rows[j] != files[i].rows[j] && !(isnan(rows[j]) && isnan(files[i].rows[j])))
                fail_msg("%s: value %d is %g", files[i].name, j, (double)rows[j]);
    }
}

static void bad_files_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t size;
        const char *words;
    } cases[] = {
        {"a.fbin", "\1\0\0\0\2\0\0", 7, "shorter than its 8-byte head"},
        {"a.fbin", "\1\0\0\0\2\0\0\0\0\0\0", 11, "1 rows of dim 2 need 16 bytes, the file has 11"},
        {"a.fbin", "\0\0\0\0\2\0\0\0\0", 9, "0 rows of dim 2 need 8 bytes, the file has 9"},
        {"a.fbin", "\0\0\0\0\0\0\0\0", 8, "dim 0"},
        {"a.fbin", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "dim 4294967295"},
        {"a.fbin", "\xff\xff\xff\xff\0\x80\0\0", 8, "4294967295 rows of dim 32768"},
        {"a.fvecs", "", 0, "no rows"},
        {"a.fvecs", "\0\0\0\0", 4, "dim 0"},
        {"a.bvecs", "\2\0\0\0\1\2\2\0\0\0\3", 11, "need 6 bytes, the file has 11"},
        {"a.bvecs", "\2\0\0\0\1\2\3\0\0\0\3\3", 12, "row 1: dim 3, the first has 2"},
        {"a.txt", "1 2", 3, "unknown extension"},
        {"fbin", "1 2", 3, "unknown extension"},
        {"a.npy", "\x93NUMPX\1\0\2\0{}", 12, "magic"},
        {"a.npy", "\x93NUMPY\4\0\2\0{}", 12, "npy version 4"},
        {"a.npy", "\x93NUMPY\1\0\xff\xff{}", 12, "npy head of 65535 bytes"},
        {"a.npy", "\x93NUMPY\2\0\xff\xff\xff\xff", 12, "npy head of 4294967295 bytes"},
        {"a.npy", "\x93NUMPY\1\0\2\0{}", 12, "without descr"},
        {"a.npy", NPY("<f2", "(2, 2), } ") "   \n", 74, "npy type '<f2'"},
        {"a.npy", NPY("<f4", "(2,), }   ") "   \n", 74, "two dimensions"},
        {"a.npy", NPY("<f4", "(2, 2, 2)}") "   \n", 74, "two dimensions"},
        {"a.npy", NPY("<f4", "(-2, 2), }") "   \n", 74, "two dimensions"},
        {"a.npy", NPY("<f4", "(2, 2), } ") "   \n", 74, "need 90 bytes, the file has 74"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        float rows[4];
        uint64_t rows_count = 0;
        uint32_t dim = 0;
        struct qn_error error = {0};
        enum qn_status status = read_bytes(*state, cases[i].name, cases[i].bytes, cases[i].size,
                                           rows, &rows_count, &dim, &error);
        if (status == QN_STATUS_OK || strstr(error.text, cases[i].words) == NULL)
            fail_msg("case %zu: status %d: %s", i, (int)status, error.text);
        assert_non_null(strstr(error.text, cases[i].name));
    }
}

static void fortran_order_is_refused(void **state)
{
    static const char head[] = "\x93NUMPY\x01\x00\x3f\x00{'descr': '<f4', 'fortran_order': True, "
                               "'shape': (2, 2), }           \n";
    struct npy npy;
    struct qn_error error = {0};

    (void)state;
    assert_int_equal(npy_parse((const unsigned char *)head, sizeof head - 1, &npy, &error),
                     QN_STATUS_UNSUPPORTED);
    assert_string_equal(error.text, "npy in Fortran order");
}

static void halves_are_exact(void **state)
{
    (void)state;
    assert_true(vectors_half_to_float(0x3555) == 0x1.554p-2f);
    assert_true(vectors_half_to_float(0x0400) == 0x1p-14f);
    assert_true(vectors_half_to_float(0x03ff) == 1023 * 0x1p-24f);
    assert_true(vectors_half_to_float(0x7bff) == 65504);
    assert_true(signbit(vectors_half_to_float(0x8000)));
    assert_true(vectors_half_to_float(0xfc00) == -INFINITY);
    assert_true(isnan(vectors_half_to_float(0x7e00)));
}

static void a_long_file_is_read_in_parts(void **state)
{
    enum { ROWS = 3000, DIM = 301 };
    float *rows = calloc((size_t)ROWS * DIM + 2, sizeof *rows);
    float *found = calloc((size_t)ROWS * DIM, sizeof *found);
    const uint32_t head[2] = {ROWS, DIM};
    uint64_t rows_count = 0;
    uint32_t dim = 0;

    assert_true(rows != NULL && found != NULL);
    memcpy(rows, head, sizeof head);
    for (size_t i = 0; i < (size_t)ROWS * DIM; i++)
        rows[i + 2] = (float)i;
    assert_int_equal(read_bytes(*state, "a.fbin", rows, 8 + sizeof(float) * ROWS * DIM, found,
                                &rows_count, &dim, NULL),
                     QN_STATUS_OK);
    assert_memory_equal(found, rows + 2, sizeof(float) * ROWS * DIM);
    free(rows);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(bad_files_are_refused_with_the_reason),
        cmocka_unit_test(fortran_order_is_refused),
        cmocka_unit_test(halves_are_exact),
        cmocka_unit_test(a_long_file_is_read_in_parts),
    };

    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
