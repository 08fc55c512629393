/* SPDX-License-Identifier: Apache-2.0
 * Vector files as data sets come (FORMAT.md section 4), read by rows as float32. */
#ifndef SEGSTORE_VECTORS_H
#define SEGSTORE_VECTORS_H

#include "base/files.h"

enum vectors_element {
    VECTORS_F32,
    VECTORS_F64,
    VECTORS_F16,
    VECTORS_I32,
    VECTORS_U8,
    VECTORS_I8,
};

struct vectors {
    const char *path; /* the caller's */
    struct files files;
    struct file file;
    enum vectors_element element;
    bool has_row_dims; /* .fvecs and its kin: u32 dim before each row */
    uint64_t rows_count;
    uint32_t dim;
    uint64_t data_offset;
    size_t row_bytes;
    unsigned char *buffer;
};

/* Errors begin with the path. */
enum qn_status vectors_open(const char *path, struct vectors *ret_vectors, struct qn_error *error);
void vectors_close(struct vectors *vectors);
/* ret_rows: count x dim; first + count <= rows_count. Values are as they are, NaN too. */
enum qn_status vectors_read(struct vectors *vectors, uint64_t first, size_t count, float *ret_rows,
                            struct qn_error *error);
/* All rows in one array, to be freed: for queries. */
enum qn_status vectors_read_all(const char *path, float **ret_rows, uint64_t *ret_rows_count,
                                uint32_t *ret_dim, struct qn_error *error);

#endif
