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

struct input {
    const char *name;
    const void *bytes;
    size_t size;
};

struct output {
    float *rows;
    uint64_t rows_count;
    uint32_t dim;
};

/* Reads all rows of a file with these bytes under this name; free() the rows. */
static enum qn_status read_input(const char *folder, struct input input, struct output *ret_output,
                                 struct qn_error *error)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, input.name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(input.bytes, 1, input.size, file), input.size);
    assert_int_equal(fclose(file), 0);
    enum qn_status status =
        vectors_read_all(path, &ret_output->rows, &ret_output->rows_count, &ret_output->dim, error);
    assert_int_equal(unlink(path), 0);
    return status;
}

#define NPY(type, shape)                                                                           \
    "\x93NUMPY\x01\x00\x40\x00{'descr': '" type "', 'fortran_order': False, 'shape': " shape

struct good_file {
    struct input input;
    float rows[4];
};

#define INPUT(name, bytes)                                                                         \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1                                                             \
    }

static bool same_value(float a, float b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void every_kind_is_read(void **state)
{
    static const struct good_file files[] = {
        {INPUT("a.fbin", "\2\0\0\0\2\0\0\0\0\0\x80\x3f\0\0\0\xc0\0\0\0\0\0\0\xc0\x7f"),
         {1, -2, 0, NAN}},
        {INPUT("a.u8bin", "\2\0\0\0\2\0\0\0\0\x7f\x80\xff"), {0, 127, 128, 255}},
        {INPUT("a.i8bin", "\2\0\0\0\2\0\0\0\0\x7f\x80\xff"), {0, 127, -128, -1}},
        {INPUT("a.f16bin", "\2\0\0\0\2\0\0\0\0\x3c\1\0\xff\xfb\0\x7c"),
         {1, 0x1p-24f, -65504, INFINITY}},
        {INPUT("a.fvecs", "\2\0\0\0\0\0\x80\x3f\0\0\0\xc0\2\0\0\0\0\0\0\0\0\0\x80\xff"),
         {1, -2, 0, -INFINITY}},
        {INPUT("a.ivecs", "\2\0\0\0\1\0\0\0\xff\xff\xff\xff\2\0\0\0\0\1\0\0\0\0\0\x80"),
         {1, -1, 256, -0x1p31f}},
        {INPUT("a.bvecs", "\2\0\0\0\1\2\2\0\0\0\3\xff"), {1, 2, 3, 255}},
        {INPUT("f4.npy", NPY("<f4", "(2, 2), } ") "   \n"
                                                  "\0\0\x80\x3f\0\0\0\xc0\0\0\0\0\0\0\x80\x3f"),
         {1, -2, 0, 1}},
        {INPUT("f8.npy", NPY("<f8", "(2, 2), } ") "   \n"
                                                  "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0"
                                                  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x7f"),
         {1, -2, 0, INFINITY}},
        {INPUT("u1.npy", NPY("|u1", "(2, 2), } ") "   \n\1\2\3\xff"), {1, 2, 3, 255}},
        {INPUT("i1.npy", NPY("|i1", "(2, 2), } ") "   \n\1\2\3\xff"), {1, 2, 3, -1}},
    };

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct output output = {0};
        struct qn_error error = {0};
        if (read_input(*state, files[i].input, &output, &error) != QN_STATUS_OK)
            fail_msg("%s", error.text);
        assert_int_equal(output.rows_count, 2);
        assert_int_equal(output.dim, 2);
        for (int j = 0; j < 4; j++)
            if (!same_value(output.rows[j], files[i].rows[j]))
                fail_msg("%s: value %d is %g", files[i].input.name, j, (double)output.rows[j]);
        free(output.rows);
    }
}

static void bad_files_are_refused_with_the_reason(void **state)
{
    static const struct {
        struct input input;
        const char *words;
    } cases[] = {
        {{"a.fbin", "\1\0\0\0\2\0\0", 7}, "shorter than its 8-byte head"},
        {{"a.fbin", "\1\0\0\0\2\0\0\0\0\0\0", 11},
         "1 rows of dim 2 need 16 bytes, the file has 11"},
        {{"a.fbin", "\0\0\0\0\2\0\0\0\0", 9}, "0 rows of dim 2 need 8 bytes, the file has 9"},
        {{"a.fbin", "\0\0\0\0\0\0\0\0", 8}, "dim 0"},
        {{"a.fbin", "\xff\xff\xff\xff\xff\xff\xff\xff", 8}, "dim 4294967295"},
        {{"a.fbin", "\xff\xff\xff\xff\0\x80\0\0", 8}, "4294967295 rows of dim 32768"},
        {{"a.fvecs", "", 0}, "no rows"},
        {{"a.fvecs", "\0\0\0\0", 4}, "dim 0"},
        {{"a.bvecs", "\2\0\0\0\1\2\2\0\0\0\3", 11}, "need 6 bytes, the file has 11"},
        {{"a.bvecs", "\2\0\0\0\1\2\3\0\0\0\3\3", 12}, "row 1: dim 3, the first has 2"},
        {{"a.txt", "1 2", 3}, "unknown extension"},
        {{"fbin", "1 2", 3}, "unknown extension"},
        {{"a.npy", "\x93NUMPX\1\0\2\0{}", 12}, "magic"},
        {{"a.npy", "\x93NUMPY\4\0\2\0{}", 12}, "npy version 4"},
        {{"a.npy", "\x93NUMPY\1\0\xff\xff{}", 12}, "npy head of 65535 bytes"},
        {{"a.npy", "\x93NUMPY\2\0\xff\xff\xff\xff", 12}, "npy head of 4294967295 bytes"},
        {{"a.npy", "\x93NUMPY\1\0\2\0{}", 12}, "without descr"},
        {{"a.npy", NPY("<f2", "(2, 2), } ") "   \n", 74}, "npy type '<f2'"},
        {{"a.npy", NPY("<f4", "(2,), }   ") "   \n", 74}, "two dimensions"},
        {{"a.npy", NPY("<f4", "(2, 2, 2)}") "   \n", 74}, "two dimensions"},
        {{"a.npy", NPY("<f4", "(-2, 2), }") "   \n", 74}, "two dimensions"},
        {{"a.npy", NPY("<f4", "(2, 2), } ") "   \n", 74}, "need 90 bytes, the file has 74"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct output output = {0};
        struct qn_error error = {0};
        enum qn_status status = read_input(*state, cases[i].input, &output, &error);
        if (status == QN_STATUS_OK || strstr(error.text, cases[i].words) == NULL)
            fail_msg("case %zu: status %d: %s", i, (int)status, error.text);
        assert_non_null(strstr(error.text, cases[i].input.name));
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

static void a_long_file_is_read_in_parts(void **state)
{
    enum { ROWS = 3000, DIM = 301 };
    const size_t rows_bytes = sizeof(float) * ROWS * DIM;
    const uint32_t head[2] = {ROWS, DIM};
    float *bytes = malloc(sizeof head + rows_bytes);
    struct output output = {0};

    assert_non_null(bytes);
    memcpy(bytes, head, sizeof head);
    for (size_t i = 0; i < (size_t)ROWS * DIM; i++)
        bytes[i + 2] = (float)i;
    struct input input = {"a.fbin", bytes, sizeof head + rows_bytes};
    assert_int_equal(read_input(*state, input, &output, NULL), QN_STATUS_OK);
    assert_memory_equal(output.rows, bytes + 2, rows_bytes);
    free(bytes);
    free(output.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(bad_files_are_refused_with_the_reason),
        cmocka_unit_test(fortran_order_is_refused),
        cmocka_unit_test(a_long_file_is_read_in_parts),
    };

    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
