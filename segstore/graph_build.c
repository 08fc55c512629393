/* SPDX-License-Identifier: Apache-2.0
 * Rows are inserted as in a flat graph (Malkov and Yashunin; Subramanya et al., NeurIPS 2019): a
 * walk finds the nearest of those that are there, a row keeps a link to a candidate unless a link
 * that it has leads nearer to it, and a link back is made. A row has room for half as many links
 * more while it is built, so that few insertions must thin them out. Each row's links have a lock
 * for those who write; who reads takes them as they come. */
#include "segstore/graph_build.h"

#include "base/check.h"
#include "base/error.h"
#include "base/parallel.h"
#include "segstore/graph_space.h"
#include "segstore/graph_walk.h"
#include "segstore/index.h"
#include "segstore/kernels/kernels.h"
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES = 64,
    ENTRIES_SHARE_MIN = 64, /* at most one row of so many */
    ROWS_STEP = 64,         /* of a thread's turn */
    CANDIDATES_MAX = 1024,
};

static const double alpha = 1.2; /* a link leads so much nearer, or does not count (squared) */

struct graph_builder {
    struct graph_options options;
    struct segment_facts facts;
    const float *rows;
    struct graph_section graph; /* degree: room for links while it is built */
    struct graph_space space;
    void *memory;                 /* of graph's codes, directions, centres */
    uint32_t *links;              /* rows_count x graph.shape.degree */
    _Atomic unsigned char *locks; /* rows_count */
    uint64_t added;
    _Atomic bool out_of_memory;
};

/* One thread's turn. */
struct worker {
    struct graph_builder *builder;
    struct graph_walk walk;
    void *memory;
    uint32_t others[GRAPH_DEGREE_MAX], distances[CANDIDATES_MAX];
};

static uint32_t *links_of(const struct graph_builder *builder, uint32_t row)
{
    return builder->links + (size_t)row * builder->graph.shape.degree;
}

static const uint8_t *code_of(const struct graph_builder *builder, uint32_t row)
{
    return builder->graph.codes + (size_t)row * builder->graph.code_dims;
}

static void lock_row(struct graph_builder *builder, uint32_t row)
{
    while (atomic_exchange_explicit(&builder->locks[row], 1, memory_order_acquire) != 0)
        sched_yield();
}

static void unlock_row(struct graph_builder *builder, uint32_t row)
{
    atomic_store_explicit(&builder->locks[row], 0, memory_order_release);
}

static uint32_t links_count(const struct graph_builder *builder, uint32_t row)
{
    const uint32_t *links = links_of(builder, row);
    uint32_t count = 0;

    while (count < builder->graph.shape.degree && links[count] != row)
        count++;
    return count;
}

static void put_link(uint32_t *link, uint32_t row)
{
    __atomic_store_n(link, row, __ATOMIC_RELAXED);
}

static void compare(const struct graph_builder *builder, const uint8_t *code, const uint32_t *rows,
                    size_t count, uint32_t *ret_distances)
{
    kernels_current()->points(&(struct kernel_points){.codes = builder->graph.codes,
                                                      .query = code,
                                                      .dims = builder->graph.code_dims,
                                                      .rows = rows,
                                                      .rows_count = count,
                                                      .ret_distances = ret_distances});
}

/* A link that is kept leads nearer to the candidate. */
static bool is_led_to(struct worker *worker, graph_seen candidate, const uint32_t *kept,
                      uint32_t kept_count)
{
    enum { STEP = 8 };

    for (uint32_t first = 0; first < kept_count; first += STEP) {
        uint32_t count = kept_count - first < STEP ? kept_count - first : STEP;
        compare(worker->builder, code_of(worker->builder, graph_seen_row(candidate)), kept + first,
                count, worker->distances);
        for (uint32_t i = 0; i < count; i++)
            if (alpha * worker->distances[i] <= graph_seen_distance(candidate))
                return true;
    }
    return false;
}

/* candidates: nearest first. How many of them are kept, at most degree. */
static uint32_t choose(struct worker *worker, uint32_t row, const graph_seen *candidates,
                       uint32_t count, uint32_t *ret_kept)
{
    const uint32_t degree = worker->builder->options.degree;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count && kept < degree; i++)
        if (graph_seen_row(candidates[i]) != row &&
            !is_led_to(worker, candidates[i], ret_kept, kept))
            ret_kept[kept++] = graph_seen_row(candidates[i]);
    return kept;
}

static void write_links(struct graph_builder *builder, uint32_t row, const uint32_t *kept,
                        uint32_t count)
{
    uint32_t *links = links_of(builder, row);

    for (uint32_t i = 0; i < builder->graph.shape.degree; i++)
        put_link(&links[i], i < count ? kept[i] : row);
}

/* In their order, each row once; candidates has room. */
static uint32_t merge(graph_seen *candidates, uint32_t count, uint32_t row, uint32_t distance)
{
    const graph_seen seen = (graph_seen)distance << 32 | (graph_seen)row << 1;
    uint32_t at = count;

    while (at > 0 && candidates[at - 1] >> 1 > seen >> 1)
        at--;
    if (at > 0 && candidates[at - 1] >> 1 == seen >> 1)
        return count;
    memmove(&candidates[at + 1], &candidates[at], (count - at) * sizeof *candidates);
    candidates[at] = seen;
    return count + 1;
}

/* With the row's lock: its links, and candidates, are thinned out to its degree. */
static void relink(struct worker *worker, uint32_t row, graph_seen *candidates, uint32_t count)
{
    struct graph_builder *builder = worker->builder;
    const uint32_t others_count = links_count(builder, row);
    uint32_t kept[GRAPH_DEGREE_MAX], distances[GRAPH_DEGREE_MAX];

    memcpy(worker->others, links_of(builder, row), others_count * sizeof *worker->others);
    compare(builder, code_of(builder, row), worker->others, others_count, distances);
    for (uint32_t i = 0; i < others_count; i++)
        count = merge(candidates, count, worker->others[i], distances[i]);
    write_links(builder, row, kept, choose(worker, row, candidates, count, kept));
}

static bool has_link(const struct graph_builder *builder, uint32_t row, uint32_t count, uint32_t to)
{
    for (uint32_t i = 0; i < count; i++)
        if (links_of(builder, row)[i] == to)
            return true;
    return false;
}

static void link_back(struct worker *worker, uint32_t row, uint32_t to)
{
    struct graph_builder *builder = worker->builder;
    graph_seen candidates[GRAPH_DEGREE_MAX + 1];
    uint32_t distance;

    lock_row(builder, row);
    const uint32_t count = links_count(builder, row);
    if (!has_link(builder, row, count, to)) {
        if (count < builder->graph.shape.degree) {
            put_link(&links_of(builder, row)[count], to);
        } else {
            compare(builder, code_of(builder, row), &to, 1, &distance);
            candidates[0] = (graph_seen)distance << 32 | (graph_seen)to << 1;
            relink(worker, row, candidates, 1);
        }
    }
    unlock_row(builder, row);
}

static void insert(struct worker *worker, uint32_t row)
{
    struct graph_builder *builder = worker->builder;
    graph_seen candidates[CANDIDATES_MAX + GRAPH_DEGREE_MAX];
    uint32_t links[GRAPH_DEGREE_MAX];

    graph_walk_begin(&worker->walk, code_of(builder, row), builder->graph.shape.entries);
    while (graph_walk_look(&worker->walk))
        graph_walk_take(&worker->walk);
    memcpy(candidates, worker->walk.pool, worker->walk.pool_count * sizeof *candidates);
    lock_row(builder, row);
    relink(worker, row, candidates, worker->walk.pool_count);
    const uint32_t count = links_count(builder, row);
    memcpy(links, links_of(builder, row), count * sizeof *links);
    unlock_row(builder, row);
    for (uint32_t i = 0; i < count; i++)
        link_back(worker, links[i], row);
}

static bool worker_take(struct worker *worker, struct graph_builder *builder)
{
    const uint32_t ef = builder->options.ef_construction;

    worker->builder = builder;
    worker->memory = aligned_alloc(SECTION_ALIGNMENT, graph_walk_bytes(ef));
    if (worker->memory == NULL) {
        atomic_store(&builder->out_of_memory, true);
        return false;
    }
    graph_walk_init(&worker->walk, &builder->graph, ef, ef, worker->memory);
    return true;
}

static void insert_rows(void *owner, size_t first, size_t count)
{
    struct graph_builder *builder = owner;
    struct worker worker;

    first += builder->added;
    if (!worker_take(&worker, builder))
        return;
    for (size_t i = first; i < first + count; i++)
        insert(&worker, (uint32_t)i);
    free(worker.memory);
}

/* Rows end with their degree: what a search reads. */
static void thin_out(void *owner, size_t first, size_t count)
{
    struct graph_builder *builder = owner;
    struct worker worker = {.builder = builder};
    graph_seen candidates[GRAPH_DEGREE_MAX];

    for (size_t row = first; row < first + count; row++)
        if (links_count(builder, (uint32_t)row) > builder->options.degree)
            relink(&worker, (uint32_t)row, candidates, 0);
}

static void encode_rows(void *owner, size_t first, size_t count)
{
    struct graph_builder *builder = owner;
    float *space = malloc(graph_space_floats(&builder->graph) * sizeof *space);

    if (space == NULL) {
        atomic_store(&builder->out_of_memory, true);
        return;
    }
    for (size_t row = first; row < first + count; row++) {
        graph_space_row(&builder->space, builder->rows + row * builder->facts.dim, space);
        graph_space_encode(&builder->graph, space,
                           (uint8_t *)(uintptr_t)code_of(builder, (uint32_t)row));
        write_links(builder, (uint32_t)row, NULL, 0);
    }
    free(space);
}

static enum qn_status result_of(const struct graph_builder *builder, struct qn_error *error)
{
    return atomic_load(&builder->out_of_memory)
               ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory")
               : QN_STATUS_OK;
}

enum qn_status graph_builder_add(struct graph_builder *builder, uint64_t rows_count,
                                 struct qn_error *error)
{
    CHECK(rows_count >= builder->added && rows_count <= builder->facts.rows_count);
    parallel_for(builder->options.threads, rows_count - builder->added, ROWS_STEP, insert_rows,
                 builder);
    builder->added = rows_count;
    parallel_for(builder->options.threads, rows_count, ROWS_STEP, thin_out, builder);
    return result_of(builder, error);
}

const struct graph_section *graph_builder_graph(const struct graph_builder *builder)
{
    return &builder->graph;
}

static uint32_t entries_for(uint64_t rows_count)
{
    uint64_t entries = rows_count / ENTRIES_SHARE_MIN;

    return entries < 1 ? 1 : entries < ENTRIES ? (uint32_t)entries : ENTRIES;
}

static enum qn_status prepare(struct graph_builder *builder, struct qn_error *error)
{
    const struct graph_options *options = &builder->options;
    const struct segment_facts *facts = &builder->facts;
    struct graph_shape shape = {.rows_count = facts->rows_count,
                                .dim = facts->dim,
                                .metric = facts->metric,
                                .projected = (uint32_t)options->projected,
                                .entries = entries_for(facts->rows_count)};
    const uint64_t bytes = graph_section_bytes(&shape); /* without links */

    builder->memory = aligned_alloc(SECTION_ALIGNMENT, bytes);
    builder->locks = calloc(facts->rows_count, 1);
    shape.degree = options->degree + options->degree / 2;
    builder->links = calloc(facts->rows_count * shape.degree, sizeof *builder->links);
    if (builder->memory == NULL || builder->locks == NULL || builder->links == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    memset(builder->memory, 0, bytes);
    const uint32_t degree = shape.degree;
    shape.degree = 0;
    graph_section_lay(&shape, builder->memory, &builder->graph);
    builder->graph.shape.degree = degree;
    builder->graph.links = builder->links;
    const struct graph_space_training training = {.rows = builder->rows,
                                                  .rows_count = facts->rows_count,
                                                  .threads = options->threads,
                                                  .seed = options->seed};
    enum qn_status status = graph_space_train(&training, &builder->graph, &builder->space, error);
    if (status != QN_STATUS_OK)
        return status;
    parallel_for(options->threads, facts->rows_count, ROWS_STEP, encode_rows, builder);
    return result_of(builder, error);
}

enum qn_status graph_builder_new(const struct graph_options *options,
                                 const struct segment_facts *facts, const float *rows,
                                 struct graph_builder **ret_builder, struct qn_error *error)
{
    struct graph_builder *builder = calloc(1, sizeof *builder);

    if (builder == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    builder->options = *options;
    builder->options.degree = options->degree > 0 ? options->degree : GRAPH_DEGREE;
    builder->options.ef_construction =
        options->ef_construction > 0 ? options->ef_construction : GRAPH_EF_CONSTRUCTION;
    builder->facts = *facts;
    builder->rows = rows;
    enum qn_status status = prepare(builder, error);
    if (status == QN_STATUS_OK)
        *ret_builder = builder;
    else
        (void)graph_builder_free(builder);
    return status;
}

/* Entries first, then as they are reached from there, then the others. */
static void walk_breadth_first(const struct graph_builder *builder, uint32_t *ret_order,
                               uint32_t *ret_places)
{
    const uint64_t rows_count = builder->facts.rows_count;
    const uint32_t entries = builder->graph.shape.entries;
    uint64_t count = 0, others = entries;

    memset(ret_places, 0xff, rows_count * sizeof *ret_places);
    for (; count < entries; count++) {
        ret_order[count] = (uint32_t)count;
        ret_places[count] = (uint32_t)count;
    }
    for (uint64_t i = 0; i < rows_count; i++) {
        while (i == count) {
            if (ret_places[others] == UINT32_MAX) {
                ret_places[others] = (uint32_t)count;
                ret_order[count++] = (uint32_t)others;
            }
            others++;
        }
        const uint32_t row = ret_order[i], links = links_count(builder, row);
        for (uint32_t j = 0; j < links; j++) {
            const uint32_t link = links_of(builder, row)[j];
            if (ret_places[link] != UINT32_MAX)
                continue;
            ret_places[link] = (uint32_t)count;
            ret_order[count++] = link;
        }
    }
}

static void fill_section(const struct graph_builder *builder, const uint32_t *order,
                         const uint32_t *places, struct graph_section *graph)
{
    uint32_t *links = (uint32_t *)(uintptr_t)graph->links;
    uint8_t *codes = (uint8_t *)(uintptr_t)graph->codes;
    const uint32_t degree = graph->shape.degree;
    const size_t directions = section_round_up(graph->shape.projected, LIMIT_BLOCK_ROWS);

    graph->step = builder->graph.step;
    graph->ip_norm = builder->graph.ip_norm;
    memcpy((float *)(uintptr_t)graph->directions, builder->graph.directions,
           directions * graph->shape.dim * sizeof(float));
    memcpy((float *)(uintptr_t)graph->centres, builder->graph.centres,
           graph->code_dims * sizeof(float));
    for (uint64_t i = 0; i < graph->shape.rows_count; i++) {
        memcpy(codes + i * graph->code_dims, code_of(builder, order[i]), graph->code_dims);
        const uint32_t count = links_count(builder, order[i]);
        for (uint32_t j = 0; j < degree; j++)
            links[i * degree + j] =
                j < count ? places[links_of(builder, order[i])[j]] : (uint32_t)i;
    }
}

enum qn_status graph_builder_finish(struct graph_builder *builder, struct section_built *ret_built,
                                    struct qn_error *error)
{
    const uint64_t rows_count = builder->facts.rows_count;
    struct index index = {.kind = INDEX_GRAPH};
    struct graph_shape shape = builder->graph.shape;
    uint32_t *places = calloc(rows_count, sizeof *places);

    CHECK(builder->added == rows_count);
    shape.degree = builder->options.degree;
    *ret_built = (struct section_built){
        .order = calloc(rows_count, sizeof(uint32_t)),
        .section_bytes = graph_section_bytes(&shape),
    };
    ret_built->section = aligned_alloc(SECTION_ALIGNMENT, ret_built->section_bytes);
    if (places == NULL || ret_built->order == NULL || ret_built->section == NULL) {
        free(places);
        section_built_done(ret_built);
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    }
    memset(ret_built->section, 0, ret_built->section_bytes);
    graph_section_lay(&shape, ret_built->section, &index.graph);
    walk_breadth_first(builder, ret_built->order, places);
    fill_section(builder, ret_built->order, places, &index.graph);
    index_seal(&index, ret_built->section);
    free(places);
    return QN_STATUS_OK;
}

struct graph_builder *graph_builder_free(struct graph_builder *builder)
{
    if (builder == NULL)
        return NULL;
    graph_space_done(&builder->space);
    free(builder->memory);
    free((void *)builder->locks);
    free(builder->links);
    free(builder);
    return NULL;
}
