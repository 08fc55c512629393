/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/vectors.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "segstore/bytes.h"
#include "segstore/half.h"
#include "segstore/npy.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { BUFFER_BYTES = 1 << 20, BIN_HEADER_BYTES = 8 };

static const uint64_t rows_max = UINT64_C(1) << 40;

static const struct {
    const char *extension;
    enum vectors_element element;
    bool has_row_dims;
} kinds[] = {
    {".fbin", VECTORS_F32, false},   {".u8bin", VECTORS_U8, false}, {".i8bin", VECTORS_I8, false},
    {".f16bin", VECTORS_F16, false}, {".fvecs", VECTORS_F32, true}, {".ivecs", VECTORS_I32, true},
    {".bvecs", VECTORS_U8, true},
};

static size_t element_bytes(enum vectors_element element)
{
    static const size_t bytes[] = {
        [VECTORS_F32] = 4, [VECTORS_F64] = 8, [VECTORS_F16] = 2,
        [VECTORS_I32] = 4, [VECTORS_U8] = 1,  [VECTORS_I8] = 1,
    };

    return bytes[element];
}

static float value_at(const unsigned char *row, enum vectors_element element, size_t index)
{
    uint32_t word;
    uint64_t long_word;
    float single;
    double wide;

    switch (element) {
    case VECTORS_F32:
        word = bytes_get_u32(row + 4 * index);
        memcpy(&single, &word, sizeof single);
        return single;
    case VECTORS_F64:
        long_word = bytes_get_u64(row + 8 * index);
        memcpy(&wide, &long_word, sizeof wide);
        return (float)wide;
    case VECTORS_F16:
        return half_to_float((uint16_t)(row[2 * index] | row[2 * index + 1] << 8));
    case VECTORS_I32:
        return (float)(int32_t)bytes_get_u32(row + 4 * index);
    case VECTORS_U8:
        return row[index];
    case VECTORS_I8:
        return (int8_t)row[index];
    }
    return NAN;
}

static enum qn_status read_exactly(struct vectors *vectors, uint64_t offset, void *ret_bytes,
                                   size_t bytes, struct qn_error *error)
{
    return vectors->files.ops->read_at(vectors->files.self, &vectors->file, offset, ret_bytes,
                                       bytes, error);
}

/* .fbin and its kin: u32 rows, u32 dim. */
static enum qn_status read_bin_shape(struct vectors *vectors, struct qn_error *error)
{
    unsigned char head[BIN_HEADER_BYTES];

    if (vectors->file.size_bytes < sizeof head)
        return error_set(error, QN_STATUS_CORRUPT, "shorter than its 8-byte head");
    enum qn_status status = read_exactly(vectors, 0, head, sizeof head, error);
    if (status != QN_STATUS_OK)
        return status;
    vectors->rows_count = bytes_get_u32(head);
    vectors->dim = bytes_get_u32(head + 4);
    vectors->data_offset = sizeof head;
    return QN_STATUS_OK;
}

/* .fvecs and its kin: the first row's dim; rows follow from the file's length. */
static enum qn_status read_vecs_shape(struct vectors *vectors, struct qn_error *error)
{
    unsigned char head[4];

    if (vectors->file.size_bytes < sizeof head)
        return error_set(error, QN_STATUS_CORRUPT, "no rows, so the dim is unknown");
    enum qn_status status = read_exactly(vectors, 0, head, sizeof head, error);
    if (status != QN_STATUS_OK)
        return status;
    vectors->dim = bytes_get_u32(head);
    if (vectors->dim < 1 || vectors->dim > LIMIT_DIM_MAX)
        return QN_STATUS_OK; /* refused by check_shape */
    size_t row_bytes = 4 + vectors->dim * element_bytes(vectors->element);
    vectors->rows_count = vectors->file.size_bytes / row_bytes;
    return QN_STATUS_OK;
}

static enum qn_status read_npy_shape(struct vectors *vectors, struct qn_error *error)
{
    unsigned char head[NPY_HEAD_BYTES_MAX];
    size_t head_bytes =
        vectors->file.size_bytes < sizeof head ? vectors->file.size_bytes : sizeof head;
    struct npy npy;
    enum qn_status status = read_exactly(vectors, 0, head, head_bytes, error);

    if (status == QN_STATUS_OK)
        status = npy_parse(head, head_bytes, &npy, error);
    if (status != QN_STATUS_OK)
        return status;
    vectors->element = npy.element;
    vectors->rows_count = npy.rows_count;
    vectors->dim = npy.dim;
    vectors->data_offset = npy.data_offset;
    return QN_STATUS_OK;
}

static enum qn_status check_shape(struct vectors *vectors, struct qn_error *error)
{
    if (vectors->dim < 1 || vectors->dim > LIMIT_DIM_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "dim %" PRIu32 ", 1 to %d is allowed",
                         vectors->dim, LIMIT_DIM_MAX);
    if (vectors->rows_count > rows_max)
        return error_set(error, QN_STATUS_CORRUPT, "%" PRIu64 " rows are too many",
                         vectors->rows_count);
    vectors->row_bytes = vectors->dim * element_bytes(vectors->element) +
                         (vectors->has_row_dims ? sizeof(uint32_t) : 0);
    uint64_t needed = vectors->data_offset + vectors->rows_count * vectors->row_bytes;
    if (needed != vectors->file.size_bytes)
        return error_set(error, QN_STATUS_CORRUPT,
                         "%" PRIu64 " rows of dim %" PRIu32 " need %" PRIu64
                         " bytes, the file has %" PRIu64,
                         vectors->rows_count, vectors->dim, needed, vectors->file.size_bytes);
    vectors->buffer = malloc(BUFFER_BYTES);
    if (vectors->buffer == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    return QN_STATUS_OK;
}

static enum qn_status read_shape(struct vectors *vectors, struct qn_error *error)
{
    const char *extension = strrchr(vectors->path, '.');

    if (extension != NULL && strcmp(extension, ".npy") == 0)
        return read_npy_shape(vectors, error);
    for (size_t i = 0; extension != NULL && i < COUNT_OF(kinds); i++) {
        if (strcmp(extension, kinds[i].extension) != 0)
            continue;
        vectors->element = kinds[i].element;
        vectors->has_row_dims = kinds[i].has_row_dims;
        return vectors->has_row_dims ? read_vecs_shape(vectors, error)
                                     : read_bin_shape(vectors, error);
    }
    return error_set(error, QN_STATUS_INVALID,
                     "unknown extension; .fbin .u8bin .i8bin .f16bin .fvecs .ivecs .bvecs .npy");
}

enum qn_status vectors_open(const char *path, struct vectors *ret_vectors, struct qn_error *error)
{
    struct vectors vectors = {.path = path, .files = files_posix()};
    struct qn_error reason = {0};
    enum qn_status status = vectors.files.ops->open(vectors.files.self, path, &vectors.file, error);

    if (status != QN_STATUS_OK)
        return status;
    status = read_shape(&vectors, &reason);
    if (status == QN_STATUS_OK)
        status = check_shape(&vectors, &reason);
    if (status != QN_STATUS_OK) {
        vectors_close(&vectors);
        return error_set(error, status, "%s: %s", path, reason.text);
    }
    *ret_vectors = vectors;
    return QN_STATUS_OK;
}

void vectors_close(struct vectors *vectors)
{
    free(vectors->buffer);
    vectors->files.ops->close(vectors->files.self, &vectors->file);
}

static enum qn_status convert_row(const struct vectors *vectors, const unsigned char *bytes,
                                  uint64_t row, float *ret_row, struct qn_error *error)
{
    if (vectors->has_row_dims) {
        if (bytes_get_u32(bytes) != vectors->dim)
            return error_set(error, QN_STATUS_CORRUPT,
                             "%s: row %" PRIu64 ": dim %" PRIu32 ", the first has %" PRIu32,
                             vectors->path, row, bytes_get_u32(bytes), vectors->dim);
        bytes += sizeof(uint32_t);
    }
    for (size_t i = 0; i < vectors->dim; i++)
        ret_row[i] = value_at(bytes, vectors->element, i);
    return QN_STATUS_OK;
}

enum qn_status vectors_read(struct vectors *vectors, uint64_t first, size_t count, float *ret_rows,
                            struct qn_error *error)
{
    CHECK(first <= vectors->rows_count && count <= vectors->rows_count - first);
    while (count > 0) {
        size_t part = BUFFER_BYTES / vectors->row_bytes;
        struct qn_error reason = {0};
        part = part < count ? part : count;
        enum qn_status status =
            read_exactly(vectors, vectors->data_offset + first * vectors->row_bytes,
                         vectors->buffer, part * vectors->row_bytes, &reason);
        if (status != QN_STATUS_OK)
            return error_set(error, status, "%s: %s", vectors->path, reason.text);
        for (size_t i = 0; status == QN_STATUS_OK && i < part; i++)
            status = convert_row(vectors, vectors->buffer + i * vectors->row_bytes, first + i,
                                 ret_rows + i * vectors->dim, error);
        if (status != QN_STATUS_OK)
            return status;
        ret_rows += part * vectors->dim;
        first += part;
        count -= part;
    }
    return QN_STATUS_OK;
}

enum qn_status vectors_read_all(const char *path, float **ret_rows, uint64_t *ret_rows_count,
                                uint32_t *ret_dim, struct qn_error *error)
{
    struct vectors vectors;
    enum qn_status status = vectors_open(path, &vectors, error);

    if (status != QN_STATUS_OK)
        return status;
    size_t floats_count = vectors.rows_count * vectors.dim;
    float *rows = malloc((floats_count > 0 ? floats_count : 1) * sizeof *rows);
    if (rows == NULL)
        status = error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory", path);
    else
        status = vectors_read(&vectors, 0, vectors.rows_count, rows, error);
    vectors_close(&vectors);
    if (status != QN_STATUS_OK) {
        free(rows);
        return status;
    }
    *ret_rows = rows;
    *ret_rows_count = vectors.rows_count;
    *ret_dim = vectors.dim;
    return QN_STATUS_OK;
}
