/* SPDX-License-Identifier: Apache-2.0
 * Many queries. A group of blocks stays in the second-level cache while all tiles of queries go
 * over it; sums of a few blocks and one tile of queries are in a buffer on the stack, dimension
 * chunk by dimension chunk. When they are whole, the tile says in which blocks a row may enter,
 * which are few, and the sieve which row that is. No matrix of distances is ever written.
 *
 * For ip and cosine the sums are the distances, to the bit. For l2 a sum s = q.x only filters, by
 * |q|^2 + |x|^2 - 2 s, at half the arithmetic of the definition; rows that pass are computed as
 * defined. None that could enter is lost. With u = 2^-24, G = (n + 4) u / (1 - (n + 4) u), and D
 * the true distance:
 *
 *   |s - q.x| <= G sum |q[i] x[i]| <= G (|q|^2 + |x|^2) / 2     a sum of n fused multiply-adds
 *   X = the defined l2 from 0 to x   >= |x|^2 (1 - G) and <= |x|^2 (1 + G)
 *   the defined l2 of q and x        >= D (1 - G)                each t is rounded, then squared
 *
 * so a row whose defined distance is <= b has D <= b (1 + 2 G), and
 *
 *   s >= (|q|^2 + X) (1 - 3 G) / 2 - b (1 + 2 G) / 2.
 *
 * What belongs to the query is its bound, rounded down; what belongs to the row is its term,
 * rounded down. The sieve compares s - term, rounded once, with the bound; rounding is monotone, so
 * nothing slips through. G is taken twice as large as it is, and n 2^-144 pays for subnormal
 * products. Where a square comes near the largest float, everything passes. (Proof of the bounds:
 * N. Higham, Accuracy and Stability of Numerical Algorithms, sections 3.1 and 3.5.) */
#include "base/limits.h"
#include "segstore/flat.h"
#include "segstore/format.h"
#include "segstore/kernels/kernels.h"
#include <float.h>
#include <math.h>
#include <stdalign.h>

enum {
    GROUP_BYTES = 512 << 10,
    GROUP_BLOCKS_MAX = 64,
    STEP_BLOCKS = 4,  /* whose sums are kept at a time */
    CHUNK_DIMS = 512, /* of a tile of queries, which then stays in the first-level cache */
};

/* Squares beyond this may overflow on the way: no filter. */
static const float square_max = FLT_MAX / 16;
static const float zeros[LIMIT_DIM_MAX];

/* Rows of a block that passed the sieve. */
struct passed {
    uint64_t block;
    uint32_t query;
    uint16_t mask;
};

struct group {
    uint64_t block, blocks_count;
    float terms[GROUP_BLOCKS_MAX * LIMIT_BLOCK_ROWS]; /* l2: of each row */
    struct passed waiting[KERNEL_PAIRS];              /* l2: to be computed together */
    size_t waiting_count;
};

static double slack_of(uint32_t dim)
{
    return (dim + 4) * 0x1p-23;
}

static float down(double value)
{
    return nextafterf((float)value, -INFINITY);
}

static void fill_terms(const struct scan *scan, struct group *group)
{
    const uint32_t dim = scan->segment->facts.dim;
    const double factor = (1 - 3 * slack_of(dim)) / 2;

    kernels_current()->l2(&(struct kernel_job){
        .queries = zeros,
        .blocks = scan->segment->blocks + group->block * dim * LIMIT_BLOCK_ROWS,
        .dim = dim,
        .queries_count = 1,
        .blocks_count = group->blocks_count,
        .ret_distances = group->terms,
    });
    for (size_t i = 0; i < group->blocks_count * LIMIT_BLOCK_ROWS; i++)
        group->terms[i] =
            group->terms[i] <= square_max ? down(group->terms[i] * factor) : -INFINITY;
}

/* NULL: the metric has none. */
static const float *terms_of(const struct scan *scan, const struct group *group, uint64_t offset)
{
    return scan->segment->facts.metric == QN_METRIC_L2 ? group->terms + offset * LIMIT_BLOCK_ROWS
                                                       : NULL;
}

/* What s - term must not be below. */
static float bound_of(const struct scan *scan, uint32_t query)
{
    const uint32_t dim = scan->segment->facts.dim;
    const float bound = topk_bound(&scan->topks[query]);
    const double slack = slack_of(dim);
    const double square = scan->queries->squares[query];

    if (scan->segment->facts.metric != QN_METRIC_L2)
        return bound;
    if (square > (double)square_max || bound > square_max)
        return -INFINITY;
    return down((square * (1 - 3 * slack) - (double)bound * (1 + 2 * slack)) / 2 - dim * 0x1p-144);
}

static void take_rows(struct scan *scan, const struct passed *passed, const float *distances)
{
    const uint64_t row = passed->block * LIMIT_BLOCK_ROWS;
    const uint64_t rows_left = scan->segment->facts.rows_count - row;
    struct topk *topk = &scan->topks[passed->query];
    uint16_t mask = passed->mask;

    if (rows_left < LIMIT_BLOCK_ROWS)
        mask &= (uint16_t)((1U << rows_left) - 1);
    for (; mask != 0; mask &= (uint16_t)(mask - 1)) {
        int lane = __builtin_ctz(mask);
        if (topk_wants(topk, distances[lane]))
            topk_push(topk, (struct qn_hit){scan->segment->primary_keys[row + (uint64_t)lane],
                                            distances[lane]});
    }
}

static void take_waiting(struct scan *scan, struct group *group)
{
    const size_t dim = scan->segment->facts.dim;
    float distances[KERNEL_PAIRS * LIMIT_BLOCK_ROWS];
    struct kernel_pairs pairs = {.dim = dim, .ret_distances = distances};

    if (group->waiting_count == 0)
        return;
    for (size_t i = 0; i < KERNEL_PAIRS; i++) {
        const struct passed *passed = &group->waiting[i < group->waiting_count ? i : 0];
        pairs.queries[i] = scan->queries->rows + passed->query * dim;
        pairs.blocks[i] = scan->segment->blocks + passed->block * dim * LIMIT_BLOCK_ROWS;
    }
    kernels_current()->l2_pairs(&pairs);
    for (size_t i = 0; i < group->waiting_count; i++)
        take_rows(scan, &group->waiting[i], distances + i * LIMIT_BLOCK_ROWS);
    group->waiting_count = 0;
}

static void take_passed(struct scan *scan, struct group *group, const struct passed *passed,
                        const float *sums)
{
    if (scan->segment->facts.metric != QN_METRIC_L2) {
        take_rows(scan, passed, sums);
        return;
    }
    group->waiting[group->waiting_count++] = *passed;
    if (group->waiting_count == KERNEL_PAIRS)
        take_waiting(scan, group);
}

/* A tile of queries, and what none of their sums may be below. Bounds grow with the hits: old ones
 * let more pass, and lose nothing. */
struct turn {
    uint32_t first_query, queries_count;
    float bounds[KERNEL_TILE_QUERIES];
};

static void renew_bounds(const struct scan *scan, struct turn *turn)
{
    for (uint32_t q = 0; q < KERNEL_TILE_QUERIES; q++)
        turn->bounds[q] =
            q < turn->queries_count ? bound_of(scan, turn->first_query + q) : INFINITY;
}

/* Rows of a block that may enter; sums: of all queries of the turn. */
static void take_block(struct scan *scan, struct group *group, struct turn *turn, uint64_t offset,
                       const float *sums)
{
    uint16_t masks[KERNEL_TILE_QUERIES];

    kernels_current()->sieve(&(struct kernel_sieve){
        .sums = sums,
        .terms = terms_of(scan, group, offset),
        .bounds = turn->bounds,
        .ret_masks = masks,
    });
    for (uint32_t q = 0; q < turn->queries_count; q++)
        if (masks[q] != 0)
            take_passed(scan, group,
                        &(struct passed){group->block + offset, turn->first_query + q, masks[q]},
                        sums + (size_t)q * LIMIT_BLOCK_ROWS);
    renew_bounds(scan, turn);
}

/* A tile of queries against a few blocks of a group. */
static void scan_step(struct scan *scan, struct group *group, struct turn *turn, uint64_t offset,
                      size_t blocks_count)
{
    const size_t dim = scan->segment->facts.dim, block_floats = dim * LIMIT_BLOCK_ROWS;
    alignas(64) float sums[STEP_BLOCKS * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS];
    uint32_t passed = 0;

    for (size_t d = 0; d < dim; d += CHUNK_DIMS)
        passed = kernels_current()->tile(&(struct kernel_tile){
            .queries = scan->queries->tiles + turn->first_query * dim + d * KERNEL_TILE_QUERIES,
            .blocks = scan->segment->blocks + (group->block + offset) * block_floats +
                      d * LIMIT_BLOCK_ROWS,
            .block_floats = block_floats,
            .dims = dim - d < CHUNK_DIMS ? dim - d : CHUNK_DIMS,
            .blocks_count = blocks_count,
            .is_first = d == 0,
            .sums = sums,
            .terms = terms_of(scan, group, offset),
            .bounds = dim - d <= CHUNK_DIMS ? turn->bounds : NULL, /* the sums are whole */
        });
    for (; passed != 0; passed &= passed - 1) {
        const size_t block = (size_t)__builtin_ctz(passed);
        take_block(scan, group, turn, offset + block,
                   sums + block * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS);
    }
}

/* False when the deadline passed. */
static bool scan_group(struct scan *scan, struct group *group)
{
    const struct segment_facts *facts = &scan->segment->facts;

    if (facts->metric == QN_METRIC_L2)
        fill_terms(scan, group);
    for (uint32_t query = 0; query < scan->queries->nq; query += KERNEL_TILE_QUERIES) {
        const uint32_t rest = scan->queries->nq - query;
        struct turn turn = {.first_query = query,
                            .queries_count =
                                rest < KERNEL_TILE_QUERIES ? rest : KERNEL_TILE_QUERIES};
        renew_bounds(scan, &turn);
        for (uint64_t at = 0; at < group->blocks_count; at += STEP_BLOCKS)
            scan_step(scan, group, &turn, at,
                      group->blocks_count - at < STEP_BLOCKS ? group->blocks_count - at
                                                             : STEP_BLOCKS);
        if (scan_must_stop(scan, group->blocks_count * LIMIT_BLOCK_ROWS * KERNEL_TILE_QUERIES *
                                     facts->dim))
            return false;
    }
    take_waiting(scan, group);
    return true;
}

enum qn_status flat_many(struct scan *scan)
{
    const uint64_t blocks_count = format_blocks(scan->segment->facts.rows_count);
    const uint64_t step =
        flat_blocks(scan->segment->facts.dim, GROUP_BYTES, STEP_BLOCKS, GROUP_BLOCKS_MAX);
    struct group group = {.waiting_count = 0};

    for (group.block = 0; group.block < blocks_count; group.block += step) {
        uint64_t rest = blocks_count - group.block;
        group.blocks_count = rest < step ? rest : step;
        if (!scan_group(scan, &group))
            return QN_STATUS_TIMEOUT;
    }
    return QN_STATUS_OK;
}
