/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/ivf_internal.h"

enum {
    CODES_PER_ROW = 4,     /* that take as long */
    FETCH_BYTES = 2 << 10, /* then the machine has seen where it goes */
};

/* Codes of rows that follow each other. */
struct run {
    const struct ivf_codes *codes;
    uint32_t code_bits;
    uint64_t block, blocks_count;
};

static void compare(const struct ivf *ivf, const struct run *run, const struct ivf_wave *wave,
                    const struct kernel_code_query *places)
{
    const struct kernels *kernels = kernels_current();
    const int32_t top = run->code_bits == 4 ? 15 : 127;
    const uint64_t row = run->block * LIMIT_BLOCK_ROWS;
    struct kernel_code_query queries[KERNEL_CODE_QUERIES];

    for (uint32_t i = 0; i < wave->count; i++) {
        queries[i] = places[i];
        queries[i].codes = wave->askers[i]->codes;
        queries[i].centre = top * wave->askers[i]->sum / 2;
        queries[i].scale = wave->askers[i]->scale;
    }
    (run->code_bits == 4 ? kernels->codes4 : kernels->codes8)(&(struct kernel_codes){
        .codes = run->codes->codes + run->block * ivf_block_bytes(ivf->index, run->code_bits),
        .scales = run->codes->scales + row,
        .terms = run->codes->terms != NULL ? run->codes->terms + row : NULL,
        .dims = ivf->index->code_dims,
        .blocks_count = run->blocks_count,
        .queries_count = wave->count,
        .queries = queries,
    });
}

uint64_t ivf_lists_padded(const struct ivf_section *index)
{
    return ivf_centre_blocks(&index->shape) * LIMIT_BLOCK_ROWS;
}

void ivf_scan_centres(const struct ivf *ivf, const struct ivf_wave *wave)
{
    const struct run run = {.codes = &ivf->index->centres,
                            .code_bits = IVF_CENTRE_BITS,
                            .blocks_count = ivf_centre_blocks(&ivf->index->shape)};
    struct kernel_code_query places[KERNEL_CODE_QUERIES];

    for (uint32_t i = 0; i < wave->count; i++)
        places[i] = (struct kernel_code_query){
            .ret_estimates = ivf->scores + i * ivf_lists_padded(ivf->index),
            .ret_masks = ivf->masks + i * run.blocks_count,
        };
    compare(ivf, &run, wave, places);
}

/* At most IVF_STEP_BLOCKS; the first row is first_row, of rows_left. */
static void scan_step(const struct ivf *ivf, const struct run *run, const uint64_t rows[2],
                      const struct ivf_wave *wave)
{
    struct kernel_code_query places[KERNEL_CODE_QUERIES];

    for (uint32_t i = 0; i < wave->count; i++)
        places[i] = (struct kernel_code_query){
            .base = wave->scores[i],
            .bound = wave->askers[i]->best.bound,
            .ret_estimates = ivf->estimates + (size_t)i * IVF_STEP_ROWS,
            .ret_masks = ivf->masks + (size_t)i * IVF_STEP_BLOCKS,
        };
    compare(ivf, run, wave, places);
    for (uint32_t i = 0; i < wave->count; i++)
        ivf_best_take(&wave->askers[i]->best, &(struct ivf_estimates){
                                                  .estimates = places[i].ret_estimates,
                                                  .masks = places[i].ret_masks,
                                                  .first_number = rows[0],
                                                  .rows_left = rows[1],
                                                  .blocks_count = run->blocks_count,
                                              });
}

bool ivf_scan_list(const struct ivf *ivf, uint32_t list, const struct ivf_wave *wave)
{
    const struct ivf_section *index = ivf->index;
    const uint64_t end = index->first_blocks[list + 1], end_row = index->first_rows[list + 1];
    struct run run = {.codes = &index->rows,
                      .code_bits = index->shape.code_bits,
                      .block = index->first_blocks[list]};
    uint64_t row = index->first_rows[list];

    for (; run.block < end; run.block += IVF_STEP_BLOCKS, row += IVF_STEP_ROWS) {
        run.blocks_count = end - run.block < IVF_STEP_BLOCKS ? end - run.block : IVF_STEP_BLOCKS;
        scan_step(ivf, &run, (const uint64_t[2]){row, end_row - row}, wave);
    }
    return !scan_must_stop(ivf->scan, (end_row - index->first_rows[list]) * index->shape.dim *
                                          wave->count / CODES_PER_ROW);
}

void ivf_fetch_list(const struct ivf *ivf, uint32_t list)
{
    const struct ivf_section *index = ivf->index;
    const uint64_t block = index->first_blocks[list];
    const size_t block_bytes = ivf_block_bytes(index, index->shape.code_bits);
    const size_t bytes = (index->first_blocks[list + 1] - block) * block_bytes;
    const char *codes = (const char *)index->rows.codes + block * block_bytes;

    for (size_t at = 0; at < bytes && at < FETCH_BYTES; at += IVF_LINE_BYTES)
        __builtin_prefetch(codes + at);
    __builtin_prefetch(index->rows.scales + block * LIMIT_BLOCK_ROWS);
}
