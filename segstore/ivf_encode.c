/* SPDX-License-Identifier: Apache-2.0
 * Few bits are worth some trouble: of several steps the one is taken whose codes point most nearly
 * where the vector does (as Gao and others, "Practical and asymptotically optimal quantization",
 * SIGMOD 2025, do). */
#include "segstore/ivf_encode.h"

#include <math.h>
#include <string.h>

enum { TRIES = 8 };

static const float narrower = 0.06F; /* of the widest step, from try to try */

unsigned ivf_code_top(uint32_t code_bits)
{
    return code_bits == 4 ? 15 : 127;
}

static struct ivf_coded try_step(const float *values, uint32_t dim, unsigned top, float step,
                                 uint8_t *ret_codes)
{
    const float middle = (float)top / 2, most = (float)top;
    struct ivf_coded coded = {0};

    for (uint32_t d = 0; d < dim; d++) {
        float code = step > 0 ? values[d] / step + middle + 0.5F : middle;
        code = code < 0 ? 0 : code > most ? most : code;
        ret_codes[d] = (uint8_t)(int)code;
        float w = (float)ret_codes[d] - middle;
        coded.value_square += (double)values[d] * (double)values[d];
        coded.along += (double)values[d] * (double)w;
        coded.code_square += (double)w * (double)w;
    }
    return coded;
}

static double cosine_square(const struct ivf_coded *coded)
{
    return coded->along * coded->along / coded->code_square;
}

struct ivf_coded ivf_encode(const float *values, uint32_t dim, uint32_t code_bits,
                            uint8_t *ret_codes, uint8_t *ret_tried)
{
    const unsigned top = ivf_code_top(code_bits);
    float largest = 0;

    for (uint32_t d = 0; d < dim; d++)
        largest = fmaxf(largest, fabsf(values[d]));
    const float step = largest / ((float)top / 2);
    struct ivf_coded best = try_step(values, dim, top, step, ret_codes);
    for (int i = 1; code_bits == 4 && i < TRIES; i++) {
        struct ivf_coded tried =
            try_step(values, dim, top, step * (1 - narrower * (float)i), ret_tried);
        if (cosine_square(&tried) <= cosine_square(&best))
            continue;
        best = tried;
        memcpy(ret_codes, ret_tried, dim);
    }
    return best;
}

void ivf_put_codes(const struct ivf_section *ivf, const struct ivf_codes *to, uint32_t code_bits,
                   uint64_t row, const uint8_t *codes)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)to->codes +
                     row / LIMIT_BLOCK_ROWS * ivf_block_bytes(ivf, code_bits) +
                     row % LIMIT_BLOCK_ROWS * 4;

    for (uint32_t d = 0; d < ivf->shape.dim; d++)
        if (code_bits == 4)
            bytes[d / 8 * 64 + d % 4] |= (uint8_t)(codes[d] << (d / 4 % 2 * 4));
        else
            bytes[d / 4 * 64 + d % 4] = codes[d];
}
