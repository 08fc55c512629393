/* SPDX-License-Identifier: Apache-2.0
 * The best-first walk through a graph, on codes: for searches and for the build. One walk is made
 * of steps in two halves, so that several walks may take turns while the memory of each is on its
 * way. */
#ifndef SEGSTORE_GRAPH_WALK_H
#define SEGSTORE_GRAPH_WALK_H

#include "segstore/graph_section.h"
#include "segstore/kernels/kernels.h"

struct graph_walk {
    const struct graph_section *graph;
    const uint8_t *query; /* code_dims, 32-byte aligned */
    struct kernel_pool pool;
    uint32_t ef;           /* the nearest so many are followed; at most the pool's capacity */
    uint32_t next;         /* of the pool: the row to follow */
    uint16_t *visited;     /* a cache of rows that were met; forgetting one costs time only */
    uint32_t visited_bits; /* log2 of its length */
    uint32_t found[GRAPH_ROOM_MAX + 1]; /* of the half step under way */
    uint32_t found_count;
    bool is_over;
};

/* Memory of a walk, 64-byte aligned. */
size_t graph_walk_bytes(const struct graph_section *graph, uint32_t capacity);
void graph_walk_init(struct graph_walk *walk, const struct graph_section *graph, uint32_t ef,
                     uint32_t capacity, void *memory);
/* From the first entries_count rows on. query: stays while the walk is under way. */
void graph_walk_begin(struct graph_walk *walk, const uint8_t *query, uint32_t entries_count);
/* Follows the links of a row, and asks for the memory of their codes; false: the walk is over. */
bool graph_walk_look(struct graph_walk *walk);
/* Compares them, chooses the row to follow next, and asks for the memory of its links. */
void graph_walk_take(struct graph_walk *walk);

/* Of the pool, at < pool.count: the nearest is at 0. */
static inline uint32_t graph_walk_row(const struct graph_walk *walk, uint32_t at)
{
    return walk->pool.rows[at] >> 1;
}

#endif
