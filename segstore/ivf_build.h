/* SPDX-License-Identifier: Apache-2.0
 * Builds an inverted-file index: k-means lists, and in each list the rows' residuals as codes. */
#ifndef SEGSTORE_IVF_BUILD_H
#define SEGSTORE_IVF_BUILD_H

#include "segstore/progress.h"
#include "segstore/section.h"

struct ivf_options {
    uint32_t nlist;     /* 0: by the number of rows */
    uint32_t code_bits; /* 4 or 8 */
    uint64_t seed;
    unsigned threads;
    struct progress progress;
};

/* Free with section_built_done. facts: metric, dim, rows_count (at most 2^32 - 1). rows: prepared
 * (rows_prepare). The same rows and options give the same bytes on any number of threads. */
enum qn_status ivf_build(const struct ivf_options *options, const struct segment_facts *facts,
                         const float *rows, struct section_built *ret_built,
                         struct qn_error *error);

#endif
