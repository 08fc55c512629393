/* SPDX-License-Identifier: Apache-2.0
 * The queries of a search as codes, in an order in which those that are near each other follow each
 * other: what one walk brought into the caches, the next one finds there. */
#ifndef SEGSTORE_GRAPH_BATCH_H
#define SEGSTORE_GRAPH_BATCH_H

#include "segstore/flat.h"
#include "segstore/graph_section.h"

/* A part of the queries, as many as fit. */
struct graph_batch {
    struct scan *scan;
    const struct graph_section *graph;
    uint32_t first, count, room; /* of the queries */
    uint32_t *order;             /* room: numbers of queries, as they are to be walked */
    uint32_t *nearest;           /* room: the entry that each is nearest to */
    uint8_t *codes;              /* room x code_dims */
    float *space;                /* of the query that is being encoded */
    float *products;             /* of its tile of queries */
};

/* Memory of a batch, 64-byte aligned. */
size_t graph_batch_bytes(const struct graph_section *graph, uint32_t nq);
void graph_batch_init(struct graph_batch *batch, struct scan *scan, void *memory);
/* The next part; count is 0 if there is none. QN_STATUS_TIMEOUT at the scan's deadline. */
enum qn_status graph_batch_next(struct graph_batch *batch);

static inline const uint8_t *graph_batch_code(const struct graph_batch *batch, uint32_t query)
{
    return batch->codes + (size_t)(query - batch->first) * batch->graph->code_dims;
}

#endif
