/* SPDX-License-Identifier: Apache-2.0
 * The principal directions of rows, by subspace iteration. */
#ifndef SEGSTORE_PRINCIPAL_H
#define SEGSTORE_PRINCIPAL_H

#include "qnode/types.h"

enum { PRINCIPAL_MAX = 4095 };

struct principal {
    const float *rows; /* rows_count x dim */
    size_t rows_count;
    uint32_t dim, count; /* directions: 1 to dim, at most PRINCIPAL_MAX */
    uint64_t seed;
    unsigned threads;
};

/* ret_blocks: ceil(count/16) zeroed blocks of dim x 16 floats: orthonormal directions, as rows of a
 * flat segment lie. They span where the rows lie around mean [dim], nearly; each is set up by the
 * same sums on any number of threads. */
enum qn_status principal_directions(const struct principal *principal, const float *mean,
                                    float *ret_blocks, struct qn_error *error);

#endif
