/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/refine.h"

#include "base/limits.h"
#include "segstore/kernels/kernels.h"

enum { LINE_BYTES = 64 };

static const float *row_at(const struct segment *segment, uint32_t row)
{
    return segment->rows + (size_t)row * segment->facts.dim;
}

void refine_prefetch(const struct segment *segment, uint32_t row)
{
    const char *bytes = (const char *)row_at(segment, row);

    __builtin_prefetch(&segment->primary_keys[row]);
    for (size_t at = 0; at < segment->facts.dim * sizeof(float); at += LINE_BYTES)
        __builtin_prefetch(bytes + at);
}

void refine_rows(const struct segment *segment, const float *query, const uint32_t *rows,
                 uint32_t rows_count, struct topk *topk)
{
    const struct kernels *kernels = kernels_current();
    float distances[LIMIT_BLOCK_ROWS];
    struct kernel_rows job = {
        .query = query, .dim = segment->facts.dim, .ret_distances = distances};

    for (uint32_t first = 0; first < rows_count; first += LIMIT_BLOCK_ROWS) {
        uint32_t rest = rows_count - first;
        uint32_t count = rest < LIMIT_BLOCK_ROWS ? rest : LIMIT_BLOCK_ROWS;
        job.rows_count = count;
        for (uint32_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
            job.rows[i] = row_at(segment, rows[first + (i < count ? i : 0)]);
        (segment->facts.metric == QN_METRIC_L2 ? kernels->l2_rows : kernels->ip_rows)(&job);
        for (uint32_t i = 0; i < count; i++)
            if (topk_wants(topk, distances[i]))
                topk_push(topk,
                          (struct qn_hit){segment->primary_keys[rows[first + i]], distances[i]});
    }
}
