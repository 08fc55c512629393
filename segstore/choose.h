/* SPDX-License-Identifier: Apache-2.0
 * Which index suits rows, judged on a sample of them: qseg build --index auto, and what a graph's
 * codes tell of if nobody says. */
#ifndef SEGSTORE_CHOOSE_H
#define SEGSTORE_CHOOSE_H

#include "segstore/index.h"

struct choose_input {
    enum qn_metric metric;
    uint32_t dim;
    const float *rows; /* rows_count x dim, prepared */
    uint64_t rows_count;
    float recall; /* that searches will want */
    uint64_t seed;
    unsigned threads;
};

struct choice {
    enum index_kind kind;
    uint32_t projected;   /* of a graph (graph_section.h) */
    double intrinsic_dim; /* 0: not measured */
};

/* So few rows that no index is faster. */
bool choose_is_flat(uint64_t rows_count, uint32_t dim);
/* kind: INDEX_NONE if any may be chosen, INDEX_GRAPH if it must be one. The same rows, recall and
 * seed give the same choice. */
enum qn_status choose_index(const struct choose_input *input, enum index_kind kind,
                            struct choice *ret_choice, struct qn_error *error);

#endif
