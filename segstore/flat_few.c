/* SPDX-License-Identifier: Apache-2.0
 * Few queries. Blocks are taken in tiles that stay in the second-level cache while every query goes
 * over them; within a tile, 4 queries at a time. Distances land in a buffer on the stack; a block
 * none of whose rows can enter the top-k costs one comparison of 16 lanes and no call. */
#include "base/limits.h"
#include "segstore/flat.h"
#include "segstore/format.h"
#include "segstore/kernels/kernels.h"

enum {
    TILE_QUERIES = 4,
    TILE_BLOCKS_MIN = 4,
    TILE_BLOCKS_MAX = 16,
    TILE_BYTES = 256 << 10,
};

static bool any_enters(const float *distances, float bound, bool smaller_is_better)
{
    unsigned entering = 0;

    if (smaller_is_better)
        for (int i = 0; i < LIMIT_BLOCK_ROWS; i++)
            entering |= distances[i] <= bound;
    else
        for (int i = 0; i < LIMIT_BLOCK_ROWS; i++)
            entering |= distances[i] >= bound;
    return entering != 0;
}

/* One query's distances to rows_count rows that begin at a block. */
static void take_hits(struct topk *topk, const float *distances, const int64_t *primary_keys,
                      uint64_t rows_count)
{
    bool is_l2 = topk->metric == QN_METRIC_L2;
    float bound = topk_bound(topk);

    for (uint64_t row = 0; row < rows_count; row += LIMIT_BLOCK_ROWS) {
        uint64_t end = row + LIMIT_BLOCK_ROWS < rows_count ? row + LIMIT_BLOCK_ROWS : rows_count;
        if (!any_enters(distances + row, bound, is_l2))
            continue;
        for (uint64_t i = row; i < end; i++)
            if (is_l2 ? distances[i] <= bound : distances[i] >= bound)
                topk_push(topk, (struct qn_hit){primary_keys[i], distances[i]});
        bound = topk_bound(topk);
    }
}

/* Every query against `blocks` blocks from `block` on; false when the deadline passed. */
static bool scan_tile(struct scan *scan, uint64_t block, uint64_t blocks)
{
    const struct kernels *kernels = kernels_current();
    const struct segment_facts *facts = &scan->segment->facts;
    const uint64_t row = block * LIMIT_BLOCK_ROWS;
    const uint64_t rows = blocks * LIMIT_BLOCK_ROWS;
    const uint64_t rows_left = facts->rows_count - row;
    const uint32_t nq = scan->queries->nq;
    float distances[TILE_QUERIES * TILE_BLOCKS_MAX * LIMIT_BLOCK_ROWS];

    for (uint32_t query = 0; query < nq; query += TILE_QUERIES) {
        struct kernel_job job = {
            .queries = scan->queries->rows + (size_t)query * facts->dim,
            .blocks = scan->segment->blocks + row * facts->dim,
            .dim = facts->dim,
            .queries_count = nq - query < TILE_QUERIES ? nq - query : TILE_QUERIES,
            .blocks_count = blocks,
            .ret_distances = distances,
        };
        if (facts->metric == QN_METRIC_L2)
            kernels->l2(&job);
        else
            kernels->ip(&job);
        for (size_t i = 0; i < job.queries_count; i++)
            take_hits(&scan->topks[query + i], distances + i * rows,
                      scan->segment->primary_keys + row, rows < rows_left ? rows : rows_left);
        if (scan_must_stop(scan, job.queries_count * rows * facts->dim))
            return false;
    }
    return true;
}

uint64_t flat_blocks(uint32_t dim, size_t bytes, uint64_t least, uint64_t most)
{
    uint64_t blocks = bytes / (dim * LIMIT_BLOCK_ROWS * sizeof(float)) / least * least;

    if (blocks < least)
        return least;
    return blocks > most ? most : blocks;
}

enum qn_status flat_few(struct scan *scan)
{
    const uint64_t blocks_count = format_blocks(scan->segment->facts.rows_count);
    const uint64_t step =
        flat_blocks(scan->segment->facts.dim, TILE_BYTES, TILE_BLOCKS_MIN, TILE_BLOCKS_MAX);

    for (uint64_t block = 0; block < blocks_count; block += step) {
        uint64_t rest = blocks_count - block;
        if (!scan_tile(scan, block, rest < step ? rest : step))
            return QN_STATUS_TIMEOUT;
    }
    return QN_STATUS_OK;
}
