/* SPDX-License-Identifier: Apache-2.0
 * qseg build --index: a segment whose rows are in memory while its index is built. */
#ifndef SEGSTORE_QSEG_INDEX_H
#define SEGSTORE_QSEG_INDEX_H

#include "segstore/index_build.h"
#include "segstore/qseg.h"
#include "segstore/vectors.h"
#include "segstore/writer.h"

struct qseg_index {
    struct index_options options;
    struct vectors *vectors;
    const char *input; /* its path, for errors */
    uint64_t first_row;
    int64_t first_key; /* of the input's row 0 */
    uint32_t row_bits; /* 32; 16: rows are rounded to halves, and then the index is built */
};

/* facts: rows_count > 0, dim, metric, ids; complete afterwards. */
enum qn_status qseg_index_build(const struct qseg_index *index, struct segment_facts *facts,
                                struct writer_sink sink, struct choice *ret_choice,
                                struct qn_error *error);

#endif
