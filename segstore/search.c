/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/search.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/flat.h"
#include "segstore/graph.h"
#include "segstore/ivf.h"
#include "segstore/kernels/kernels.h"
#include "segstore/rows.h"

enum {
    SLICE_BY_INDEX = KERNEL_CODE_QUERIES,
    SLICE_FLAT = 4 * KERNEL_TILE_QUERIES, /* multiplies as long as it reads */
    MANY_QUERIES = 8, /* from here on tiles pay, though the last one is filled up with nothing */
    CODE_SPEED = 4,
    WORK_PER_CHECK = 4 << 20, /* multiply-adds: a millisecond of the slowest SIMD kernel */
};

enum qn_status search_prepare_queries(enum qn_metric metric, uint32_t dim, uint32_t nq,
                                      float *queries, struct qn_error *error)
{
    struct qn_error reason = {0};

    for (uint32_t i = 0; i < nq; i++) {
        enum qn_status status = rows_prepare(metric, dim, queries + (size_t)i * dim, &reason);
        if (status != QN_STATUS_OK)
            return error_set(error, status, "query %u: %s", i, reason.text);
    }
    return QN_STATUS_OK;
}

static size_t tiles_count(uint32_t nq)
{
    return nq < MANY_QUERIES ? 0 : (nq + KERNEL_TILE_QUERIES - 1) / KERNEL_TILE_QUERIES;
}

static size_t tile_floats(uint32_t dim)
{
    return (size_t)dim * KERNEL_TILE_QUERIES;
}

size_t search_queries_bytes(uint32_t dim, uint32_t nq)
{
    return tiles_count(nq) *
           (tile_floats(dim) * sizeof(float) + KERNEL_TILE_QUERIES * sizeof(double));
}

/* Value by value, side by side. */
static void fill_tile(const float *rows, uint32_t dim, uint32_t count, float *tile)
{
    for (uint32_t d = 0; d < dim; d++, tile += KERNEL_TILE_QUERIES)
        for (uint32_t i = 0; i < KERNEL_TILE_QUERIES; i++)
            tile[i] = i < count ? rows[(size_t)i * dim + d] : 0;
}

void search_queries_init(struct search_queries *queries, uint32_t dim, uint32_t nq,
                         const float *rows, void *storage)
{
    const size_t padded_nq = tiles_count(nq) * KERNEL_TILE_QUERIES;

    *queries = (struct search_queries){.dim = dim, .nq = nq, .rows = rows};
    if (padded_nq == 0)
        return;
    double *squares = storage;
    float *tiles = (float *)(void *)(squares + padded_nq);
    queries->tiles = tiles;
    queries->squares = squares;
    for (uint32_t first = 0; first < padded_nq; first += KERNEL_TILE_QUERIES) {
        const uint32_t rest = nq - first;
        fill_tile(rows + (size_t)first * dim, dim,
                  rest < KERNEL_TILE_QUERIES ? rest : KERNEL_TILE_QUERIES,
                  tiles + (size_t)first * dim);
    }
    for (size_t i = 0; i < padded_nq; i++)
        squares[i] = i < nq ? rows_square(rows + i * dim, NULL, dim) : 0;
}

struct search_queries search_queries_part(const struct search_queries *all, uint32_t first,
                                          uint32_t count)
{
    const size_t offset = (size_t)first * all->dim;
    const bool has_tiles = all->tiles != NULL && first % KERNEL_TILE_QUERIES == 0 &&
                           (count % KERNEL_TILE_QUERIES == 0 || first + count == all->nq);

    return (struct search_queries){.dim = all->dim,
                                   .nq = count,
                                   .rows = all->rows + offset,
                                   .tiles = has_tiles ? all->tiles + offset : NULL,
                                   .squares = has_tiles ? all->squares + first : NULL};
}

bool scan_must_stop(struct scan *scan, uint64_t work)
{
    scan->work += work;
    if (scan->work < WORK_PER_CHECK)
        return false;
    scan->work = 0;
    return scan->options->stop != NULL && scan->options->stop(scan->options->stop_owner);
}

/* Instead of a wanted recall. */
static uint32_t *effort_of(const struct segment *segment, struct search_options *options)
{
    return segment->index.kind == INDEX_IVF ? &options->nprobe : &options->ef;
}

/* With a wanted recall turned into an effort; without one, or if the index has none for it, the
 * effort is 0: an exact search. */
static struct search_options settle(const struct segment *segment,
                                    const struct search_options *options)
{
    struct search_options settled = *options;
    uint32_t *effort = effort_of(segment, &settled);

    if (segment->index.kind == INDEX_NONE) {
        *effort = 0;
    } else if (*effort == 0 && options->recall > 0 && options->recall < 1) {
        struct index_calibration found =
            index_settings(&segment->index, options->k, options->recall);
        *effort = found.effort;
        settled.refine = found.refine;
    }
    return settled;
}

uint64_t search_work(const struct segment *segment, const struct search_options *options)
{
    struct search_options settled = settle(segment, options);
    const uint32_t effort = *effort_of(segment, &settled);
    const uint64_t dim = segment->facts.dim, all = segment->facts.rows_count * dim;
    uint64_t work = all;

    if (effort > 0 && segment->index.kind == INDEX_IVF) {
        const uint64_t lists_count = segment->index.ivf.shape.lists_count;
        /* a code is compared some CODE_SPEED times as fast as a row */
        work = (lists_count * dim + all / lists_count * effort) / CODE_SPEED;
    } else if (effort > 0) {
        const struct graph_shape *shape = &segment->index.graph.shape;
        work = (effort + (uint64_t)settled.k) * shape->degree * dim / CODE_SPEED;
    }
    return work < all ? work : all;
}

uint32_t search_slice_queries(const struct segment *segment, const struct search_options *options)
{
    struct search_options settled = settle(segment, options);

    return *effort_of(segment, &settled) > 0 ? SLICE_BY_INDEX : SLICE_FLAT;
}

/* Row-major, not in blocks. */
static bool has_rows(const struct segment *segment)
{
    return segment->rows != NULL || segment->rows16 != NULL;
}

size_t search_scratch_bytes(const struct segment *segment, const struct search_options *options,
                            uint32_t nq)
{
    struct search_options settled = settle(segment, options);

    if (*effort_of(segment, &settled) == 0)
        return has_rows(segment) ? flat_rows_bytes(segment->facts.dim) : 0;
    if (segment->index.kind == INDEX_IVF)
        return ivf_scratch_bytes(&segment->index.ivf, &settled, nq);
    return graph_scratch_bytes(&segment->index.graph, &settled, nq);
}

enum qn_status search_segment(const struct segment *segment, const struct search_queries *queries,
                              const struct search_options *options, struct topk *topks)
{
    struct search_options settled = settle(segment, options);
    struct scan scan = {
        .segment = segment, .queries = queries, .options = &settled, .topks = topks};

    CHECK(queries->dim == segment->facts.dim);
    for (uint32_t i = 0; i < queries->nq; i++)
        CHECK(topks[i].k == options->k && topks[i].metric == segment->facts.metric);
    if (scan_must_stop(&scan, WORK_PER_CHECK))
        return QN_STATUS_TIMEOUT;
    if (*effort_of(segment, &settled) > 0)
        return segment->index.kind == INDEX_IVF ? ivf_search(&scan) : graph_search(&scan);
    if (has_rows(segment))
        return flat_rows(&scan);
    return queries->tiles != NULL ? flat_many(&scan) : flat_few(&scan);
}
