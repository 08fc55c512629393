/* SPDX-License-Identifier: Apache-2.0
 * Rows are inserted as into a flat graph: a walk finds the nearest of those that are there, links
 * are chosen of them (graph_links.c). A few walks take turns, as in a search. */
#include "segstore/graph_build.h"

#include "base/check.h"
#include "base/error.h"
#include "base/parallel.h"
#include "segstore/graph_connect.h"
#include "segstore/graph_links.h"
#include "segstore/graph_order.h"
#include "segstore/graph_space.h"
#include "segstore/index.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES = 64,
    ENTRIES_SHARE_MIN = 64, /* at most one row of so many */
    ROWS_STEP = 64,         /* of a thread's turn */
    WALKS = 4,              /* that take turns */
    ROWS_TOLD = 1 << 14,    /* from one word on the progress to the next */
};

struct graph_builder {
    struct graph_options options;
    struct segment_facts facts;
    const float *rows;
    struct graph_section graph; /* degree: the room for links */
    struct graph_space space;
    struct graph_links links;
    void *memory; /* of graph's codes, directions, centres */
    uint64_t added;
    _Atomic bool out_of_memory;
};

/* By turns, until all are over. */
static void walk_all(struct graph_walk *walks, uint32_t count)
{
    bool is_walking[WALKS];
    uint32_t over = 0;

    for (uint32_t i = 0; i < count; i++)
        is_walking[i] = true;
    while (over < count) {
        for (uint32_t i = 0; i < count; i++)
            if (is_walking[i] && !graph_walk_look(&walks[i])) {
                is_walking[i] = false;
                over++;
            }
        for (uint32_t i = 0; i < count; i++)
            if (is_walking[i])
                graph_walk_take(&walks[i]);
    }
}

static void insert(struct graph_builder *builder, struct graph_walk *walks, uint32_t first,
                   uint32_t count)
{
    struct graph_candidates candidates;

    for (uint32_t i = 0; i < count; i++)
        graph_walk_begin(&walks[i], graph_links_code(&builder->links, first + i),
                         builder->graph.shape.entries);
    walk_all(walks, count);
    for (uint32_t i = 0; i < count; i++) {
        candidates.count = walks[i].pool.count;
        for (uint32_t j = 0; j < candidates.count; j++)
            candidates.seen[j] =
                graph_seen_of(walks[i].pool.distances[j], graph_walk_row(&walks[i], j));
        graph_links_join(&builder->links, first + i, &candidates);
    }
}

static void insert_rows(void *owner, size_t first, size_t count)
{
    struct graph_builder *builder = owner;
    const uint32_t ef = builder->options.ef_construction;
    const size_t walk_bytes = section_align(graph_walk_bytes(&builder->graph, ef));
    unsigned char *memory = aligned_alloc(SECTION_ALIGNMENT, WALKS * walk_bytes);
    struct graph_walk walks[WALKS];

    if (memory == NULL) {
        atomic_store(&builder->out_of_memory, true);
        return;
    }
    for (size_t i = 0; i < WALKS; i++)
        graph_walk_init(&walks[i], &builder->graph, ef, ef, memory + i * walk_bytes);
    for (size_t i = 0; i < count; i += WALKS)
        insert(builder, walks, (uint32_t)(builder->added + first + i),
               (uint32_t)(count - i < WALKS ? count - i : WALKS));
    free(memory);
}

static void thin_out(void *owner, size_t first, size_t count)
{
    struct graph_builder *builder = owner;

    for (size_t row = first; row < first + count; row++)
        graph_links_thin_out(&builder->links, (uint32_t)row);
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
                           (uint8_t *)(uintptr_t)graph_links_code(&builder->links, (uint32_t)row));
        graph_links_clear(&builder->links, (uint32_t)row);
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
    while (builder->added < rows_count) {
        const uint64_t rest = rows_count - builder->added;
        const uint64_t count = rest < ROWS_TOLD ? rest : ROWS_TOLD;
        progress_tell(&builder->options.progress, "links", builder->added,
                      builder->facts.rows_count);
        parallel_for(builder->options.threads, count, ROWS_STEP, insert_rows, builder);
        builder->added += count;
    }
    parallel_for(builder->options.threads, rows_count, ROWS_STEP, thin_out, builder);
    enum qn_status status = result_of(builder, error);
    if (status != QN_STATUS_OK)
        return status;
    struct graph_section added = builder->graph;
    added.shape.rows_count = rows_count;
    return graph_connect(&added, builder->links.links, builder->options.degree, error);
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
    const struct graph_shape shape = {.rows_count = facts->rows_count,
                                      .dim = facts->dim,
                                      .metric = facts->metric,
                                      .projected = options->projected,
                                      .entries = entries_for(facts->rows_count)};
    const uint64_t bytes = graph_section_bytes(&shape); /* without links */
    const uint32_t room = options->degree + options->degree / 2;

    builder->memory = aligned_alloc(SECTION_ALIGNMENT, bytes);
    builder->links = (struct graph_links){
        .graph = &builder->graph,
        .degree = options->degree,
        .links = calloc(facts->rows_count * room, sizeof(uint32_t)),
        .locks = calloc(facts->rows_count, 1),
    };
    if (builder->memory == NULL || builder->links.locks == NULL || builder->links.links == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    memset(builder->memory, 0, bytes);
    graph_section_lay(&shape, builder->memory, &builder->graph);
    builder->graph.shape.degree = room;
    builder->graph.links = builder->links.links;
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

static enum qn_status check_options(const struct graph_options *options,
                                    const struct segment_facts *facts, struct qn_error *error)
{
    if (options->degree > GRAPH_DEGREE_MAX)
        return error_set(error, QN_STATUS_INVALID, "degree %" PRIu32 ": at most %d",
                         options->degree, GRAPH_DEGREE_MAX);
    if (options->ef_construction > GRAPH_EF_CONSTRUCTION_MAX)
        return error_set(error, QN_STATUS_INVALID, "%" PRIu32 " candidates: at most %d",
                         options->ef_construction, GRAPH_EF_CONSTRUCTION_MAX);
    if (facts->rows_count > GRAPH_ROWS_MAX)
        return error_set(error, QN_STATUS_INVALID, "%" PRIu64 " rows: a graph has at most %" PRIu64,
                         facts->rows_count, (uint64_t)GRAPH_ROWS_MAX);
    if (options->projected > facts->dim)
        return error_set(error, QN_STATUS_INVALID,
                         "%" PRIu32 " directions of %" PRIu32 " dimensions", options->projected,
                         facts->dim);
    return QN_STATUS_OK;
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
    enum qn_status status = check_options(&builder->options, facts, error);
    if (status == QN_STATUS_OK)
        status = prepare(builder, error);
    if (status == QN_STATUS_OK)
        *ret_builder = builder;
    else
        (void)graph_builder_free(builder);
    return status;
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
        memcpy(codes + i * graph->code_dims, graph_links_code(&builder->links, order[i]),
               graph->code_dims);
        const uint32_t count = graph_links_count(&builder->links, order[i]);
        for (uint32_t j = 0; j < degree; j++)
            links[i * degree + j] =
                j < count ? places[graph_links_of(&builder->links, order[i])[j]] : (uint32_t)i;
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
    graph_order(&builder->links, ret_built->order, places);
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
    free((void *)builder->links.locks);
    free(builder->links.links);
    free(builder);
    return NULL;
}
