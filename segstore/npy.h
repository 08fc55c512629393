/* SPDX-License-Identifier: Apache-2.0
 * The head of a .npy file (NumPy Enhancement Proposal 1): two dimensions, C order, four types. */
#ifndef SEGSTORE_NPY_H
#define SEGSTORE_NPY_H

#include "segstore/vectors.h"

enum { NPY_HEAD_BYTES_MAX = 4096 };

struct npy {
    enum vectors_element element;
    uint64_t rows_count;
    uint32_t dim;
    uint64_t data_offset;
};

/* bytes: the file's first NPY_HEAD_BYTES_MAX, or all of it. Takes anything. */
enum qn_status npy_parse(const unsigned char *bytes, size_t size, struct npy *ret_npy,
                         struct qn_error *error);

#endif
