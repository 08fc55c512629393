/* SPDX-License-Identifier: Apache-2.0
 * A walk through the graph on codes, then the distances of the best by the rows themselves, as
 * FORMAT.md defines them. A few queries walk by turns: while one compares, the memory that the
 * others asked for is on its way. */
#include "segstore/graph.h"

#include "segstore/graph_batch.h"
#include "segstore/graph_walk.h"
#include "segstore/refine.h"

enum { TURNS = 4 };

/* What a turn does next. */
enum phase { PHASE_LOOK, PHASE_TAKE, PHASE_TELL, PHASE_BEGIN, PHASE_OVER };

/* One of the queries that are under way. */
struct turn {
    enum phase phase;
    uint32_t query;
    struct graph_walk walk;
};

struct searching {
    struct scan *scan;
    const struct graph_section *graph;
    struct turn turns[TURNS];
    struct graph_batch batch;
    void *exact;     /* scratch of an exact scan */
    uint32_t refine; /* rows of a pool that are told exactly */
    uint32_t next;   /* of the batch's order */
};

static uint32_t at_most_rows(const struct graph_section *graph, uint64_t count)
{
    return count < graph->shape.rows_count ? (uint32_t)count : (uint32_t)graph->shape.rows_count;
}

static uint32_t refine_of(const struct graph_section *graph, const struct search_options *options)
{
    return at_most_rows(graph, options->refine > options->k ? options->refine : options->k);
}

/* Rows that a walk keeps: those that it follows, and those that are told. */
static uint32_t capacity_of(const struct graph_section *graph, const struct search_options *options)
{
    uint32_t refine = refine_of(graph, options);

    return options->ef > refine ? at_most_rows(graph, options->ef) : refine;
}

static size_t walk_bytes(const struct graph_section *graph, const struct search_options *options)
{
    return section_align(graph_walk_bytes(graph, capacity_of(graph, options)));
}

size_t graph_scratch_bytes(const struct graph_section *graph, const struct search_options *options,
                           uint32_t nq)
{
    return TURNS * walk_bytes(graph, options) + section_align(graph_batch_bytes(graph, nq)) +
           flat_rows_bytes(graph->shape.dim);
}

static void lay(struct searching *searching, unsigned char *place)
{
    const struct graph_section *graph = searching->graph;
    const struct scan *scan = searching->scan;

    for (int i = 0; i < TURNS; i++) {
        graph_walk_init(&searching->turns[i].walk, graph, scan->options->ef,
                        capacity_of(graph, scan->options), place);
        place += walk_bytes(graph, scan->options);
    }
    graph_batch_init(&searching->batch, searching->scan, place);
    searching->exact = place + section_align(graph_batch_bytes(graph, scan->queries->nq));
}

static const float *query_of(const struct searching *searching, const struct turn *turn)
{
    return searching->scan->queries->rows + (size_t)turn->query * searching->graph->shape.dim;
}

static void begin(struct searching *searching, struct turn *turn)
{
    const struct graph_batch *batch = &searching->batch;

    if (searching->next == batch->count) {
        turn->phase = PHASE_OVER;
        return;
    }
    turn->query = batch->order[searching->next++];
    graph_walk_begin(&turn->walk, graph_batch_code(batch, turn->query),
                     searching->graph->shape.entries);
    turn->phase = PHASE_LOOK;
}

static uint32_t told_count(const struct searching *searching, const struct turn *turn)
{
    return turn->walk.pool.count < searching->refine ? turn->walk.pool.count : searching->refine;
}

/* The walk's next step; at its end asks for the rows. */
static void look(struct searching *searching, struct turn *turn)
{
    turn->phase = graph_walk_look(&turn->walk) ? PHASE_TAKE : PHASE_TELL;
    if (turn->phase == PHASE_TAKE)
        return;
    for (uint32_t i = 0; i < told_count(searching, turn); i++)
        refine_prefetch(searching->scan->segment, graph_walk_row(&turn->walk, i));
}

/* A walk that met fewer rows than are wanted (of rows that are equal few are linked) says nothing
 * of the others: then all are looked at. */
static enum qn_status tell(struct searching *searching, struct turn *turn)
{
    const struct scan *scan = searching->scan;
    const uint32_t count = told_count(searching, turn);
    uint32_t rows[LIMIT_BLOCK_ROWS];

    turn->phase = PHASE_BEGIN;
    if (count < at_most_rows(searching->graph, scan->options->k) &&
        !scan->options->is_by_index_alone)
        return flat_rows_one(searching->scan, turn->query, searching->exact);
    for (uint32_t first = 0; first < count; first += LIMIT_BLOCK_ROWS) {
        uint32_t step = count - first < LIMIT_BLOCK_ROWS ? count - first : LIMIT_BLOCK_ROWS;
        for (uint32_t i = 0; i < step; i++)
            rows[i] = graph_walk_row(&turn->walk, first + i);
        refine_rows(scan->segment, query_of(searching, turn), rows, step,
                    &scan->topks[turn->query]);
    }
    return QN_STATUS_OK;
}

static enum qn_status take_turn(struct searching *searching, struct turn *turn)
{
    switch (turn->phase) {
    case PHASE_BEGIN:
        begin(searching, turn);
        break;
    case PHASE_LOOK:
        look(searching, turn);
        break;
    case PHASE_TAKE:
        graph_walk_take(&turn->walk);
        turn->phase = PHASE_LOOK;
        break;
    case PHASE_TELL:
        return tell(searching, turn);
    case PHASE_OVER:
        break;
    }
    return QN_STATUS_OK;
}

static enum qn_status walk_all(struct searching *searching)
{
    const struct graph_section *graph = searching->graph;
    const uint64_t work = (uint64_t)graph->shape.degree * graph->code_dims / 4;
    uint32_t over = 0;

    searching->next = 0;
    for (int i = 0; i < TURNS; i++)
        searching->turns[i].phase = PHASE_BEGIN;
    for (uint32_t i = 0; over < TURNS; i = (i + 1) % TURNS) {
        const bool is_under_way = searching->turns[i].phase < PHASE_BEGIN;
        if (is_under_way && scan_must_stop(searching->scan, work))
            return QN_STATUS_TIMEOUT;
        enum qn_status status = take_turn(searching, &searching->turns[i]);
        if (status != QN_STATUS_OK)
            return status;
        over = searching->turns[i].phase == PHASE_OVER ? over + 1 : 0;
    }
    return QN_STATUS_OK;
}

enum qn_status graph_search(struct scan *scan)
{
    const struct graph_section *graph = &scan->segment->index.graph;
    struct searching searching = {
        .scan = scan, .graph = graph, .refine = refine_of(graph, scan->options)};

    lay(&searching, scan->options->scratch);
    for (;;) {
        enum qn_status status = graph_batch_next(&searching.batch);
        if (status == QN_STATUS_OK && searching.batch.count > 0)
            status = walk_all(&searching);
        if (status != QN_STATUS_OK || searching.batch.count == 0)
            return status;
    }
}
