/* SPDX-License-Identifier: Apache-2.0
 * Builds an inverted-file index: k-means lists, and in each list the rows' residuals as codes. */
#ifndef SEGSTORE_IVF_BUILD_H
#define SEGSTORE_IVF_BUILD_H

#include "segstore/index.h"

struct ivf_options {
    uint32_t nlist;     /* 0: by the number of rows */
    uint32_t code_bits; /* 4 or 8 */
    uint64_t seed;
    unsigned threads;
};

/* What a build gives; free with ivf_built_done. */
struct ivf_built {
    uint32_t *order; /* row_count: the input's row that comes first, second, ... */
    void *section;   /* section_bytes, sealed, without calibrations */
    uint64_t section_bytes;
};

/* rows: prepared (rows_prepare), rows_count x dim, at most 2^32 - 1. The same rows and options give
 * the same bytes on any number of threads. */
enum qn_status ivf_build(const struct ivf_options *options, enum qn_metric metric, uint32_t dim,
                         const float *rows, uint64_t rows_count, struct ivf_built *ret_built,
                         struct qn_error *error);
void ivf_built_done(struct ivf_built *built);

#endif
