/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/graph_walk.h"

#include <string.h>

enum {
    LINE_BYTES = 64,
    POOL_ARRAYS = 4,
    ENTRIES_STEP = 16, /* compared at a time */
    VISITED_BITS_MIN = 10,
    VISITED_BITS_MAX = 16,
    VISITED_PER_EF = 32,
    MARK_BITS = 15, /* none has the mark of all ones that a place begins with */
};

/* So many that a row's number is told by its place and its mark together. */
static uint32_t visited_bits(const struct graph_section *graph, uint32_t capacity)
{
    uint32_t bits = VISITED_BITS_MIN;

    while (bits < VISITED_BITS_MAX &&
           ((UINT64_C(1) << bits) < (uint64_t)capacity * VISITED_PER_EF ||
            (UINT64_C(1) << (bits + MARK_BITS)) < graph->shape.rows_count))
        bits++;
    return bits;
}

static size_t pool_bytes(uint32_t capacity)
{
    return section_align(((size_t)capacity + KERNEL_POOL_PAD) * sizeof(uint32_t));
}

size_t graph_walk_bytes(const struct graph_section *graph, uint32_t capacity)
{
    return POOL_ARRAYS * pool_bytes(capacity) + (sizeof(uint16_t) << visited_bits(graph, capacity));
}

void graph_walk_init(struct graph_walk *walk, const struct graph_section *graph, uint32_t ef,
                     uint32_t capacity, void *memory)
{
    uint32_t *arrays[POOL_ARRAYS];
    unsigned char *place = memory;

    for (int i = 0; i < POOL_ARRAYS; i++) {
        arrays[i] = (uint32_t *)(void *)place;
        place += pool_bytes(capacity);
    }
    walk->graph = graph;
    walk->ef = ef;
    walk->pool = (struct kernel_pool){.distances = arrays[0],
                                      .rows = arrays[1],
                                      .spare_distances = arrays[2],
                                      .spare_rows = arrays[3],
                                      .capacity = capacity};
    walk->visited = (uint16_t *)(void *)place;
    walk->visited_bits = visited_bits(graph, capacity);
}

/* False: it was met before, as far as the cache remembers. An odd factor gives each row bits of its
 * own: the upper ones are its place, the lower ones its mark. */
static inline bool visit(struct graph_walk *walk, uint32_t row)
{
    const uint32_t bits = row * UINT32_C(0x9e3779b1) << (32 - MARK_BITS - walk->visited_bits);
    uint16_t *at = &walk->visited[bits >> (32 - walk->visited_bits)];
    const uint16_t mark = (uint16_t)(bits << walk->visited_bits >> (32 - MARK_BITS));
    const bool is_new = *at != mark;

    *at = mark;
    return is_new;
}

/* The nearest whose links were not followed yet; asks for the memory of its links. */
static void choose_next(struct graph_walk *walk)
{
    const struct graph_section *graph = walk->graph;
    const uint32_t end = walk->ef < walk->pool.count ? walk->ef : walk->pool.count;

    while (walk->next < end && (walk->pool.rows[walk->next] & 1) != 0)
        walk->next++;
    walk->is_over = walk->next >= end;
    if (walk->is_over)
        return;
    const uint32_t *links =
        graph->links + (size_t)graph_walk_row(walk, walk->next) * graph->shape.degree;
    for (size_t at = 0; at < graph->shape.degree; at += LINE_BYTES / sizeof *links)
        __builtin_prefetch(links + at);
}

void graph_walk_take(struct graph_walk *walk)
{
    const struct kernels *kernels = kernels_current();
    uint32_t distances[GRAPH_ROOM_MAX];

    kernels->points(&(struct kernel_points){
        .codes = walk->graph->codes,
        .dims = walk->graph->code_dims,
        .query = walk->query,
        .rows = walk->found,
        .rows_count = walk->found_count,
        .ret_distances = distances,
    });
    const uint32_t least = kernels->pool_offer(&(struct kernel_offer){
        .pool = &walk->pool,
        .distances = distances,
        .rows = walk->found,
        .rows_count = walk->found_count,
    });
    walk->next = least < walk->next ? least : walk->next;
    choose_next(walk);
}

void graph_walk_begin(struct graph_walk *walk, const uint8_t *query, uint32_t entries_count)
{
    walk->query = query;
    walk->pool.count = 0;
    walk->next = 0;
    walk->is_over = true;
    memset(walk->visited, 0xff, sizeof(uint16_t) << walk->visited_bits);
    for (uint32_t i = 0; i < walk->pool.capacity + KERNEL_POOL_PAD; i++)
        walk->pool.distances[i] = walk->pool.spare_distances[i] = INT32_MAX;
    for (uint32_t first = 0; first < entries_count; first += ENTRIES_STEP) {
        uint32_t rest = entries_count - first;
        walk->found_count = rest < ENTRIES_STEP ? rest : ENTRIES_STEP;
        for (uint32_t i = 0; i < walk->found_count; i++) {
            walk->found[i] = first + i;
            (void)visit(walk, first + i);
        }
        graph_walk_take(walk);
    }
}

/* Links may change while a graph is being built: each is read once, and is a row at any time. */
bool graph_walk_look(struct graph_walk *walk)
{
    const struct graph_section *graph = walk->graph;

    if (walk->is_over)
        return false;
    const uint32_t row = graph_walk_row(walk, walk->next);
    const uint32_t *links = graph->links + (size_t)row * graph->shape.degree;
    walk->pool.rows[walk->next++] |= 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->shape.degree; i++) {
        const uint32_t link = __atomic_load_n(&links[i], __ATOMIC_RELAXED);
        walk->found[count] = link;
        count += visit(walk, link);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *code = graph->codes + (size_t)walk->found[i] * graph->code_dims;
        for (size_t at = 0; at < graph->code_dims; at += LINE_BYTES)
            __builtin_prefetch(code + at);
    }
    walk->found_count = count;
    return true;
}
