/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "segstore/flat.h"
#include "segstore/kernels/kernels.h"
#include "segstore/rows.h"
#include <string.h>

enum { GROUP_BYTES = 512 << 10, GROUP_ROWS_MAX = 4096 };

static uint64_t group_rows(uint32_t dim)
{
    uint64_t rows = GROUP_BYTES / (dim * sizeof(float)) / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS;

    if (rows < LIMIT_BLOCK_ROWS)
        return LIMIT_BLOCK_ROWS;
    return rows < GROUP_ROWS_MAX ? rows : GROUP_ROWS_MAX;
}

static size_t group_floats(uint32_t dim)
{
    return group_rows(dim) * dim;
}

/* The blocks of a group, and one row. */
size_t flat_rows_bytes(uint32_t dim)
{
    return (group_floats(dim) + dim) * sizeof(float);
}

/* wide: dim; for a row that is not of floats. */
static const float *floats_of(const struct segment *segment, uint64_t row, float *wide)
{
    const uint32_t dim = segment->facts.dim;

    if (segment->rows16 == NULL)
        return segment->rows + row * dim;
    kernels_current()->widen(segment->rows16 + row * dim, dim, wide);
    return wide;
}

enum qn_status flat_rows(struct scan *scan)
{
    const struct segment *whole = scan->segment;
    const uint32_t dim = whole->facts.dim;
    float *blocks = scan->options->scratch;
    struct segment group = {.facts = whole->facts, .blocks = blocks};
    struct scan part = *scan;
    enum qn_status status = QN_STATUS_OK;

    part.segment = &group;
    for (uint64_t first = 0; status == QN_STATUS_OK && first < whole->facts.rows_count;
         first += group_rows(dim)) {
        uint64_t rest = whole->facts.rows_count - first;
        group.facts.rows_count = rest < group_rows(dim) ? rest : group_rows(dim);
        group.primary_keys = whole->primary_keys + first;
        if (rest < group_rows(dim))
            memset(blocks, 0, group_floats(dim) * sizeof(float));
        for (uint64_t i = 0; i < group.facts.rows_count; i++)
            rows_to_block(floats_of(whole, first + i, blocks + group_floats(dim)), dim,
                          i % LIMIT_BLOCK_ROWS,
                          blocks + i / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS * dim);
        status = part.queries->tiles != NULL ? flat_many(&part) : flat_few(&part);
    }
    return status;
}

enum qn_status flat_rows_one(struct scan *scan, uint32_t query, void *scratch)
{
    const uint32_t dim = scan->queries->dim;
    struct search_options options = *scan->options;
    struct search_queries queries;
    struct scan one = {.segment = scan->segment,
                       .queries = &queries,
                       .options = &options,
                       .topks = scan->topks + query};

    options.scratch = scratch;
    search_queries_init(&queries, dim, 1, scan->queries->rows + (size_t)query * dim, NULL);
    enum qn_status status = flat_rows(&one);
    if (status == QN_STATUS_OK && scan_must_stop(scan, scan->segment->facts.rows_count * dim))
        status = QN_STATUS_TIMEOUT;
    return status;
}
