/* SPDX-License-Identifier: Apache-2.0
 * Which index suits rows, judged on a sample of them: qseg build --index auto, and what a graph's
 * codes tell of if nobody says. */
#ifndef SEGSTORE_CHOOSE_H
#define SEGSTORE_CHOOSE_H

#include "segstore/index.h"

enum { CHOOSE_ROWS = 20000 };

struct choose_input {
    enum qn_metric metric;
    uint32_t dim;
    uint64_t rows_count; /* of the segment */
    const float *sample; /* sample_count x dim of its rows, evenly spaced, prepared */
    size_t sample_count; /* CHOOSE_ROWS are enough */
    float recall;        /* that searches will want */
    uint64_t seed;
    unsigned threads;
};

struct choice {
    enum index_kind kind; /* INDEX_NONE: flat */
    uint32_t projected;   /* of a graph */
    double intrinsic_dim; /* of the sample; 0: not measured */
};

/* So small that it is flat; no sample is needed. */
bool choose_is_flat(uint64_t rows_count, uint32_t dim);
/* Not for one that choose_is_flat. kind: INDEX_NONE if any may be chosen, INDEX_GRAPH if it must be
 * one. The same sample, recall and seed give the same choice. */
enum qn_status choose_index(const struct choose_input *input, enum index_kind kind,
                            struct choice *ret_choice, struct qn_error *error);

#endif
