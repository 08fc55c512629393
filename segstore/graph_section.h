/* SPDX-License-Identifier: Apache-2.0
 * The arrays of a graph index (FORMAT.md section 5): links, 7-bit codes, and how a vector becomes a
 * code. Distances between codes are squared distances of integers; for ip a dimension is added that
 * makes the order of distances that of products (ip_norm). */
#ifndef SEGSTORE_GRAPH_SECTION_H
#define SEGSTORE_GRAPH_SECTION_H

#include "segstore/section.h"

enum {
    GRAPH_DEGREE_MAX = 256,
    GRAPH_ROOM_MAX = GRAPH_DEGREE_MAX + GRAPH_DEGREE_MAX / 2, /* for links, while it is built */
    GRAPH_CODE_TOP = 127,   /* codes are 0 to it, so that SIMD may square differences of bytes */
    GRAPH_CODE_MIDDLE = 64, /* the code of a dimension's centre */
    GRAPH_CODE_DIMS = 32,   /* codes are padded to a multiple of so many */
    GRAPH_ENTRIES_MAX = 4096,
};

#define GRAPH_ROWS_MAX (UINT64_C(1) << 31) /* a walk has 31 bits for a row's number */

/* Sizes and places of the arrays follow from it. */
struct graph_shape {
    uint64_t rows_count;
    uint32_t dim;
    enum qn_metric metric;
    uint32_t degree;    /* links of a row */
    uint32_t projected; /* directions that a code tells of; 0: the dimensions as they are */
    uint32_t entries;   /* the first rows: where a search begins */
};

struct graph_section {
    struct graph_shape shape;
    uint32_t code_dims;      /* bytes of a code */
    float step;              /* between two codes */
    float ip_norm;           /* ip: no row is longer; else 0 */
    const uint32_t *links;   /* rows_count x degree; what is not used is the row itself */
    const uint8_t *codes;    /* rows_count x code_dims */
    const float *directions; /* ceil(projected/16) blocks of dim x 16, orthonormal */
    const float *centres;    /* code_dims */
};

/* Dimensions of a code before it is padded: all, with one more for ip; or those that are projected,
 * and one more. */
uint32_t graph_space_dims(const struct graph_shape *shape);
uint64_t graph_section_bytes(const struct graph_shape *shape);
/* As ivf_section_lay. */
void graph_section_lay(const struct graph_shape *shape, void *memory,
                       struct graph_section *ret_graph);
void graph_section_seal(const struct graph_section *graph, uint8_t *header);
/* Errors as index_open's. bytes >= SECTION_HEADER_BYTES. */
enum qn_status graph_section_open(const void *memory, uint64_t bytes,
                                  const struct segment_facts *facts,
                                  struct graph_section *ret_graph, struct qn_error *error);

#endif
