/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/graph_walk.h"

#include "segstore/kernels/kernels.h"
#include <string.h>

enum {
    LINE_BYTES = 64,
    ENTRIES_STEP = 16, /* compared at a time */
    COUNTED_MAX = 256, /* rows of a pool */
    VISITED_BITS_MIN = 10,
    VISITED_BITS_MAX = 16,
    VISITED_PER_EF = 32,
};

static uint32_t visited_bits(uint32_t ef)
{
    uint32_t bits = VISITED_BITS_MIN;

    while (bits < VISITED_BITS_MAX && (UINT64_C(1) << bits) < (uint64_t)ef * VISITED_PER_EF)
        bits++;
    return bits;
}

static size_t pool_bytes(uint32_t ef)
{
    return section_round_up(ef * sizeof(graph_seen), SECTION_ALIGNMENT);
}

static size_t distances_bytes(uint32_t ef)
{
    return section_round_up(ef * sizeof(uint32_t), SECTION_ALIGNMENT);
}

size_t graph_walk_bytes(uint32_t capacity)
{
    return pool_bytes(capacity) + distances_bytes(capacity) +
           (sizeof(uint32_t) << visited_bits(capacity));
}

void graph_walk_init(struct graph_walk *walk, const struct graph_section *graph, uint32_t ef,
                     uint32_t capacity, void *memory)
{
    walk->graph = graph;
    walk->ef = ef;
    walk->capacity = capacity;
    walk->pool = memory;
    walk->distances = (uint32_t *)(void *)((unsigned char *)memory + pool_bytes(capacity));
    walk->visited =
        (uint32_t *)(void *)((unsigned char *)walk->distances + distances_bytes(capacity));
    walk->visited_bits = visited_bits(capacity);
}

/* False: it was met before, as far as the cache remembers. */
static inline bool visit(struct graph_walk *walk, uint32_t row)
{
    uint32_t *at = &walk->visited[row * UINT32_C(0x9e3779b1) >> (32 - walk->visited_bits)];
    const bool is_new = *at != row;

    *at = row;
    return is_new;
}

/* By halves; without branches, which would be guessed wrong. */
static inline uint32_t halve(const uint32_t *distances, uint32_t count, uint32_t distance)
{
    const uint32_t *at = distances;

    while (count > 1) {
        const uint32_t half = count / 2;
        at += half * (uint32_t)(at[half - 1] < distance);
        count -= half;
    }
    return (uint32_t)(at - distances) + (count == 1 && *at < distance);
}

/* How many of the pool come before it. Of few all are compared, side by side: no step waits for
 * another. */
static inline uint32_t place_of(const struct graph_walk *walk, graph_seen seen)
{
    const int32_t distance = (int32_t)graph_seen_distance(seen);
    const int32_t *distances = (const int32_t *)walk->distances;
    int32_t place = 0;

    if (walk->pool_count <= COUNTED_MAX)
        for (uint32_t i = 0; i < walk->pool_count; i++)
            place += distances[i] < distance;
    else
        place = (int32_t)halve(walk->distances, walk->pool_count, (uint32_t)distance);
    while ((uint32_t)place < walk->pool_count && walk->pool[place] < seen)
        place++;
    return (uint32_t)place;
}

/* A row that the cache forgot may come again: it is in the pool, or as far as what left it. */
static inline void insert(struct graph_walk *walk, uint32_t distance, uint32_t row)
{
    const graph_seen seen = (graph_seen)distance << 32 | (graph_seen)row << 1;
    const uint32_t at = place_of(walk, seen);

    if (at == walk->capacity || (at < walk->pool_count && walk->pool[at] >> 1 == seen >> 1))
        return;
    walk->pool_count += walk->pool_count < walk->capacity;
    const size_t moved = walk->pool_count - 1 - at;
    memmove(&walk->pool[at + 1], &walk->pool[at], moved * sizeof *walk->pool);
    memmove(&walk->distances[at + 1], &walk->distances[at], moved * sizeof *walk->distances);
    walk->pool[at] = seen;
    walk->distances[at] = distance;
    walk->next = at < walk->next ? at : walk->next;
}

/* The nearest whose links were not followed yet; asks for the memory of its links. */
static void choose_next(struct graph_walk *walk)
{
    const struct graph_section *graph = walk->graph;
    const uint32_t end = walk->ef < walk->pool_count ? walk->ef : walk->pool_count;

    while (walk->next < end && (walk->pool[walk->next] & 1) != 0)
        walk->next++;
    walk->is_over = walk->next >= end;
    if (walk->is_over)
        return;
    const uint32_t *links =
        graph->links + (size_t)graph_seen_row(walk->pool[walk->next]) * graph->shape.degree;
    for (size_t at = 0; at < graph->shape.degree; at += LINE_BYTES / sizeof *links)
        __builtin_prefetch(links + at);
}

/* Most rows are too far: they are sorted out first, without a branch for each. */
void graph_walk_take(struct graph_walk *walk)
{
    uint32_t distances[GRAPH_ROOM_MAX];
    uint32_t near[GRAPH_ROOM_MAX + 1], near_count = 0;

    kernels_current()->points(&(struct kernel_points){
        .codes = walk->graph->codes,
        .dims = walk->graph->code_dims,
        .query = walk->query,
        .rows = walk->found,
        .rows_count = walk->found_count,
        .ret_distances = distances,
    });
    const uint32_t bound = walk->pool_count == walk->capacity
                               ? graph_seen_distance(walk->pool[walk->capacity - 1])
                               : UINT32_MAX;
    for (uint32_t i = 0; i < walk->found_count; i++) {
        near[near_count] = i;
        near_count += distances[i] <= bound;
    }
    for (uint32_t i = 0; i < near_count; i++)
        insert(walk, distances[near[i]], walk->found[near[i]]);
    choose_next(walk);
}

void graph_walk_begin(struct graph_walk *walk, const uint8_t *query, uint32_t entries_count)
{
    walk->query = query;
    walk->pool_count = 0;
    walk->next = 0;
    walk->is_over = true;
    memset(walk->visited, 0xff, sizeof(uint32_t) << walk->visited_bits);
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
    const uint32_t row = graph_seen_row(walk->pool[walk->next]);
    const uint32_t *links = graph->links + (size_t)row * graph->shape.degree;
    walk->pool[walk->next++] |= 1;
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
