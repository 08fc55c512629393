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

/* facts: metric, dim, rows_count (at most 2^32 - 1). rows: prepared (rows_prepare). The same rows
 * and options give the same bytes on any number of threads. */
enum qn_status ivf_build(const struct ivf_options *options, const struct segment_facts *facts,
                         const float *rows, struct ivf_built *ret_built, struct qn_error *error);
/* Rows that the lists were not trained on: about 600, so that they may stand for queries. */
bool ivf_is_held_out(uint64_t seed, uint64_t rows_count, uint64_t row);
void ivf_built_done(struct ivf_built *built);

#endif
