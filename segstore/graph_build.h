/* SPDX-License-Identifier: Apache-2.0
 * Builds a graph index: row after row finds its neighbours in the graph so far, and keeps links to
 * those that no other one of them stands before. */
#ifndef SEGSTORE_GRAPH_BUILD_H
#define SEGSTORE_GRAPH_BUILD_H

#include "segstore/graph_section.h"
#include "segstore/progress.h"

enum {
    GRAPH_DEGREE = 32,
    GRAPH_EF_CONSTRUCTION = 100,
    GRAPH_EF_CONSTRUCTION_MAX = 1024,
};

#define GRAPH_PROJECTED_OPEN UINT32_MAX /* index_build.h chooses by the rows */

struct graph_options {
    uint32_t degree;          /* 0: GRAPH_DEGREE */
    uint32_t ef_construction; /* 0: GRAPH_EF_CONSTRUCTION */
    uint32_t projected;       /* directions of a code; 0: all dimensions as they are */
    uint64_t seed;
    struct progress progress;
    unsigned threads; /* on one, the same rows and options give the same bytes */
};

struct graph_builder;

/* facts: metric, dim, rows_count (1 to 2^31). rows: prepared, in an order in which any part of them
 * stands for all; they stay until graph_builder_free. QN_STATUS_INVALID: a degree above
 * GRAPH_DEGREE_MAX, more than 1024 candidates, or more directions than dim. */
enum qn_status graph_builder_new(const struct graph_options *options,
                                 const struct segment_facts *facts, const float *rows,
                                 struct graph_builder **ret_builder, struct qn_error *error);
/* All rows before rows_count are in the graph afterwards. May be called again, for more. */
enum qn_status graph_builder_add(struct graph_builder *builder, uint64_t rows_count,
                                 struct qn_error *error);
/* The graph so far, in the order of rows. Its links are good until the next call. */
const struct graph_section *graph_builder_graph(const struct graph_builder *builder);
/* After all rows were added: the order in which rows lie near those that they are linked to, and
 * the sealed section (without calibrations) for that order. Free with section_built_done. */
enum qn_status graph_builder_finish(struct graph_builder *builder, struct section_built *ret_built,
                                    struct qn_error *error);
/* Takes NULL, returns NULL. */
struct graph_builder *graph_builder_free(struct graph_builder *builder);

#endif
