/* SPDX-License-Identifier: Apache-2.0
 * The arrays of an inverted-file index (FORMAT.md section 5): centroids, lists, codes. */
#ifndef SEGSTORE_IVF_SECTION_H
#define SEGSTORE_IVF_SECTION_H

#include "segstore/section.h"

enum {
    IVF_LISTS_MAX = LIMIT_NPROBE_MAX,
    IVF_FACTORS = 3, /* per row: add, shift, scale (kernels.h) */
};

/* Sizes and places of the arrays follow from it. */
struct ivf_shape {
    uint64_t rows_count, blocks_count; /* blocks of codes, of all lists */
    uint32_t dim, lists_count, code_bits;
};

struct ivf_section {
    struct ivf_shape shape;
    uint32_t code_dims;           /* dim, rounded up to 8 */
    const float *centroids;       /* ceil(lists/16) blocks of dim x 16 */
    const float *centroid_terms;  /* lists, rounded up to 16: -|c|^2/2 for l2, else 0 */
    const uint64_t *first_rows;   /* lists + 1 */
    const uint64_t *first_blocks; /* lists + 1 */
    const uint8_t *codes;         /* blocks_count x code_dims x 16 x code_bits/8 */
    const float *factors;         /* blocks_count x IVF_FACTORS x 16 */
};

/* Bytes of the section without padding. */
uint64_t ivf_section_bytes(const struct ivf_shape *shape);
/* Arrays of a section: memory of ivf_section_bytes, 64-byte aligned. Of one that is being made
 * (zeroed memory) they are writable through casts. */
void ivf_section_lay(const struct ivf_shape *shape, void *memory, struct ivf_section *ret_ivf);
void ivf_section_seal(const struct ivf_section *ivf, uint8_t *header);
/* Errors as index_open's. bytes >= SECTION_HEADER_BYTES. */
enum qn_status ivf_section_open(const void *memory, uint64_t bytes,
                                const struct segment_facts *facts, struct ivf_section *ret_ivf,
                                struct qn_error *error);

#endif
