/* SPDX-License-Identifier: Apache-2.0
 * How a vector becomes the code of a graph: as it is or along the principal directions of the rows,
 * with one dimension more where something has to be made up for (graph_space_row), each dimension
 * in equal steps around its centre. */
#ifndef SEGSTORE_GRAPH_SPACE_H
#define SEGSTORE_GRAPH_SPACE_H

#include "segstore/graph_section.h"

/* Floats that graph_space_query and graph_space_row write: a block more than a code has. */
size_t graph_space_floats(const struct graph_section *graph);
/* vector: dim, prepared. */
void graph_space_query(const struct graph_section *graph, const float *vector, float *ret_space);
/* The same for a tile of queries at once (search_queries.tiles): first the products, a multiple of
 * 64 bytes, then each query's vector from them. */
size_t graph_space_tile_floats(const struct graph_section *graph);
void graph_space_tile(const struct graph_section *graph, const float *tile, float *ret_products);
void graph_space_of_tile(const struct graph_section *graph, const float *products, uint32_t query,
                         float *ret_space);
void graph_space_encode(const struct graph_section *graph, const float *space, uint8_t *ret_code);

/* What the build of a section needs beside it. */
struct graph_space {
    struct graph_section *graph;
    float *mean;     /* dim: of the rows */
    float *own_mean; /* graph_space_floats: the same as graph_space_query says it */
};

struct graph_space_training {
    const float *rows; /* rows_count x dim, at least one */
    uint64_t rows_count;
    unsigned threads;
    uint64_t seed;
};

/* Sets directions (zeroed), centres, step and ip_norm of the section. The same rows and seed give
 * the same bytes on any number of threads. Free with graph_space_done. */
enum qn_status graph_space_train(const struct graph_space_training *training,
                                 struct graph_section *graph, struct graph_space *ret_space,
                                 struct qn_error *error);
/* The last dimension of a row: for ip what is missing to the longest row, so that the nearest row
 * has the largest product with a query (Bachrach et al., RecSys 2014); for l2 the length of what
 * the directions do not tell of, as it is on average a part of each distance. */
void graph_space_row(const struct graph_space *space, const float *vector, float *ret_values);
void graph_space_done(struct graph_space *space);

#endif
