/* SPDX-License-Identifier: Apache-2.0
 * From rows to the section of an index: built, calibrated on rows that it did not know, sealed. */
#ifndef SEGSTORE_INDEX_BUILD_H
#define SEGSTORE_INDEX_BUILD_H

#include "segstore/choose.h"
#include "segstore/graph_build.h"
#include "segstore/index.h"
#include "segstore/ivf_build.h"

struct index_options {
    enum index_kind kind; /* INDEX_NONE: what suits the rows (not if choose_is_flat) */
    float recall;         /* that searches will want, if something is chosen */
    struct ivf_options ivf;
    struct graph_options graph;
    struct progress progress;
    uint64_t seed;
    unsigned threads;
};

/* A segment that is being made, in memory. */
struct index_input {
    struct segment_facts facts; /* metric, dim, rows_count: 1 to 2^31 */
    float *rows;                /* rows_count x dim, prepared */
    int64_t *keys;              /* rows_count, distinct */
};

/* Puts rows and keys into the order of the index; ret_built->order is that order. Free with
 * section_built_done. ret_choice: what was built. */
enum qn_status index_build(const struct index_options *options, struct index_input *input,
                           struct section_built *ret_built, struct choice *ret_choice,
                           struct qn_error *error);

#endif
