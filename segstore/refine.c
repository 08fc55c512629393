/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/refine.h"

#include "base/limits.h"
#include "segstore/kernels/kernels.h"

enum {
    LINE_BYTES = 64,
    ASKED_LINES = 8, /* of a row: what follows them in order the processor asks for by itself */
};

static size_t row_bytes(const struct segment *segment)
{
    return segment->facts.dim * (segment->rows16 != NULL ? sizeof(uint16_t) : sizeof(float));
}

static const void *row_at(const struct segment *segment, uint32_t row)
{
    const size_t at = (size_t)row * segment->facts.dim;

    if (segment->rows16 != NULL)
        return segment->rows16 + at;
    return segment->rows + at;
}

static void compare(const struct segment *segment, const struct kernel_rows *job)
{
    const struct kernels *kernels = kernels_current();
    const bool is_l2 = segment->facts.metric == QN_METRIC_L2;

    if (segment->rows16 != NULL)
        (is_l2 ? kernels->l2_rows16 : kernels->ip_rows16)(job);
    else
        (is_l2 ? kernels->l2_rows : kernels->ip_rows)(job);
}

void refine_prefetch(const struct segment *segment, uint32_t row)
{
    const size_t most = ASKED_LINES * LINE_BYTES;
    const size_t asked = row_bytes(segment) < most ? row_bytes(segment) : most;
    const char *bytes = row_at(segment, row);

    __builtin_prefetch(&segment->primary_keys[row]);
    for (size_t at = 0; at < asked; at += LINE_BYTES)
        __builtin_prefetch(bytes + at);
}

void refine_rows(const struct segment *segment, const float *query, const uint32_t *rows,
                 uint32_t rows_count, struct topk *topk)
{
    float distances[LIMIT_BLOCK_ROWS];
    struct kernel_rows job = {
        .query = query, .dim = segment->facts.dim, .ret_distances = distances};

    for (uint32_t first = 0; first < rows_count; first += LIMIT_BLOCK_ROWS) {
        uint32_t rest = rows_count - first;
        uint32_t count = rest < LIMIT_BLOCK_ROWS ? rest : LIMIT_BLOCK_ROWS;
        job.rows_count = count;
        for (uint32_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
            job.rows[i] = row_at(segment, rows[first + (i < count ? i : 0)]);
        compare(segment, &job);
        for (uint32_t i = 0; i < count; i++)
            if (topk_wants(topk, distances[i]))
                topk_push(topk,
                          (struct qn_hit){segment->primary_keys[rows[first + i]], distances[i]});
    }
}
