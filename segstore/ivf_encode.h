/* SPDX-License-Identifier: Apache-2.0
 * A vector as codes: v ~ scale (u - middle), middle = half the largest code. */
#ifndef SEGSTORE_IVF_ENCODE_H
#define SEGSTORE_IVF_ENCODE_H

#include "segstore/ivf_section.h"

/* With w = u - middle: sums over the dimensions. */
struct ivf_coded {
    double value_square; /* v v */
    double along;        /* v w; above 0 unless v is 0 */
    double code_square;  /* w w */
};

/* The largest code: 15 or 127. */
unsigned ivf_code_top(uint32_t code_bits);
/* values: dim, finite. ret_codes: dim; ret_tried: dim, for itself. */
struct ivf_coded ivf_encode(const float *values, uint32_t dim, uint32_t code_bits,
                            uint8_t *ret_codes, uint8_t *ret_tried);
/* Into a section that is being made (zeroed), as the codes of this row (kernels.h). */
void ivf_put_codes(const struct ivf_section *ivf, const struct ivf_codes *to, uint32_t code_bits,
                   uint64_t row, const uint8_t *codes);

#endif
