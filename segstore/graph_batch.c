/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/graph_batch.h"

#include "segstore/graph_space.h"
#include "segstore/kernels/kernels.h"

enum {
    CODES_BYTES = 1 << 20, /* of a part's codes, about */
    ORDERED_MIN = 16,      /* of fewer queries none is near another */
    ENTRIES_STEP = 64,
};

static uint32_t room_of(const struct graph_section *graph, uint32_t nq)
{
    const uint32_t tiles = 1 + CODES_BYTES / KERNEL_TILE_QUERIES / graph->code_dims;

    return tiles * KERNEL_TILE_QUERIES < nq ? tiles * KERNEL_TILE_QUERIES : nq;
}

static size_t numbers_bytes(uint32_t room)
{
    return section_align(room * sizeof(uint32_t));
}

size_t graph_batch_bytes(const struct graph_section *graph, uint32_t nq)
{
    const uint32_t room = room_of(graph, nq);

    return 2 * numbers_bytes(room) + section_align((size_t)room * graph->code_dims) +
           section_align(graph_space_floats(graph) * sizeof(float)) +
           section_align(graph_space_tile_floats(graph) * sizeof(float));
}

void graph_batch_init(struct graph_batch *batch, struct scan *scan, void *memory)
{
    const struct graph_section *graph = &scan->segment->index.graph;
    unsigned char *place = memory;
    const uint32_t room = room_of(graph, scan->queries->nq);

    *batch = (struct graph_batch){.scan = scan, .graph = graph, .room = room};
    batch->order = (uint32_t *)(void *)place;
    place += numbers_bytes(room);
    batch->nearest = (uint32_t *)(void *)place;
    place += numbers_bytes(room);
    batch->codes = place;
    place += section_align((size_t)room * graph->code_dims);
    batch->space = (float *)(void *)place;
    place += section_align(graph_space_floats(graph) * sizeof(float));
    batch->products = (float *)(void *)place;
}

/* Queries come in their order, a part begins with a tile: its products are made with its first
 * query. */
static void take_space(const struct graph_batch *batch, uint32_t query)
{
    const struct graph_section *graph = batch->graph;
    const struct search_queries *queries = batch->scan->queries;
    const uint32_t lane = query % KERNEL_TILE_QUERIES;

    if (graph->shape.projected == 0 || queries->tiles == NULL) {
        graph_space_query(graph, queries->rows + (size_t)query * graph->shape.dim, batch->space);
        return;
    }
    if (lane == 0)
        graph_space_tile(graph, queries->tiles + (size_t)query * graph->shape.dim, batch->products);
    graph_space_of_tile(graph, batch->products, lane, batch->space);
}

static uint32_t nearest_entry(const struct graph_section *graph, const uint8_t *code)
{
    uint32_t rows[ENTRIES_STEP], distances[ENTRIES_STEP], best = 0, best_distance = UINT32_MAX;

    for (uint32_t first = 0; first < graph->shape.entries; first += ENTRIES_STEP) {
        const uint32_t rest = graph->shape.entries - first;
        const uint32_t count = rest < ENTRIES_STEP ? rest : ENTRIES_STEP;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = first + i;
        kernels_current()->points(&(struct kernel_points){.codes = graph->codes,
                                                          .dims = graph->code_dims,
                                                          .query = code,
                                                          .rows = rows,
                                                          .rows_count = count,
                                                          .ret_distances = distances});
        for (uint32_t i = 0; i < count; i++)
            if (distances[i] < best_distance) {
                best = first + i;
                best_distance = distances[i];
            }
    }
    return best;
}

/* Those of an entry one after the other. */
static void put_in_order(struct graph_batch *batch)
{
    uint32_t places[GRAPH_ENTRIES_MAX + 1] = {0};

    for (uint32_t i = 0; i < batch->count; i++)
        places[batch->nearest[i] + 1]++;
    for (uint32_t entry = 0; entry < batch->graph->shape.entries; entry++)
        places[entry + 1] += places[entry];
    for (uint32_t i = 0; i < batch->count; i++)
        batch->order[places[batch->nearest[i]]++] = batch->first + i;
}

/* Multiply-adds of a query, about. */
static uint64_t work_of(const struct graph_section *graph)
{
    return (uint64_t)graph->shape.projected * graph->shape.dim +
           (uint64_t)graph->shape.entries * graph->code_dims / 4;
}

enum qn_status graph_batch_next(struct graph_batch *batch)
{
    const uint32_t nq = batch->scan->queries->nq, rest = nq - batch->first - batch->count;
    const bool is_ordered = nq >= ORDERED_MIN;

    batch->first += batch->count;
    batch->count = rest < batch->room ? rest : batch->room;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint8_t *code = batch->codes + (size_t)i * batch->graph->code_dims;
        take_space(batch, batch->first + i);
        graph_space_encode(batch->graph, batch->space, code);
        batch->order[i] = batch->first + i;
        batch->nearest[i] = is_ordered ? nearest_entry(batch->graph, code) : 0;
        if (scan_must_stop(batch->scan, work_of(batch->graph)))
            return QN_STATUS_TIMEOUT;
    }
    if (is_ordered)
        put_in_order(batch);
    return QN_STATUS_OK;
}
