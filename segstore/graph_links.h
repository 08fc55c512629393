/* SPDX-License-Identifier: Apache-2.0
 * The links of a graph that is being built. A row has room for half as many more than its degree,
 * so that few insertions must thin them out. Each row has a lock for those who write; who reads
 * takes links as they come: each is a row at any time. */
#ifndef SEGSTORE_GRAPH_LINKS_H
#define SEGSTORE_GRAPH_LINKS_H

#include "segstore/graph_build.h"
#include "segstore/graph_walk.h"
#include <stdatomic.h>

struct graph_links {
    const struct graph_section *graph; /* its codes; its shape's degree is the room of a row */
    uint32_t degree;
    uint32_t *links;              /* rows_count x room; what is not used is the row itself */
    _Atomic unsigned char *locks; /* rows_count */
};

/* A row and its distance, which orders them. */
typedef uint64_t graph_seen;

static inline graph_seen graph_seen_of(uint32_t distance, uint32_t row)
{
    return (graph_seen)distance << 32 | row;
}

static inline uint32_t graph_seen_row(graph_seen seen)
{
    return (uint32_t)seen;
}

static inline uint32_t graph_seen_distance(graph_seen seen)
{
    return (uint32_t)(seen >> 32);
}

/* Candidates for links: nearest first, each row once. */
struct graph_candidates {
    graph_seen seen[GRAPH_EF_CONSTRUCTION_MAX + GRAPH_ROOM_MAX];
    uint32_t count;
};

const uint8_t *graph_links_code(const struct graph_links *links, uint32_t row);
const uint32_t *graph_links_of(const struct graph_links *links, uint32_t row);
uint32_t graph_links_count(const struct graph_links *links, uint32_t row);
/* None yet. */
void graph_links_clear(struct graph_links *links, uint32_t row);
/* The row's links become at most degree of those it has and of candidates (which changes), and each
 * of them gets a link back. */
void graph_links_join(struct graph_links *links, uint32_t row, struct graph_candidates *candidates);
/* At most degree links, as a search reads them. */
void graph_links_thin_out(struct graph_links *links, uint32_t row);

#endif
