/* SPDX-License-Identifier: Apache-2.0
 * The arrays of an inverted-file index (FORMAT.md section 5): lists, and codes of their centres and
 * of their rows. */
#ifndef SEGSTORE_IVF_SECTION_H
#define SEGSTORE_IVF_SECTION_H

#include "segstore/section.h"

enum { IVF_LISTS_MAX = LIMIT_NPROBE_MAX, IVF_CENTRE_BITS = 8 };

/* Sizes and places of the arrays follow from it. */
struct ivf_shape {
    uint64_t rows_count, blocks_count;    /* blocks of codes, of all lists */
    uint32_t dim, lists_count, code_bits; /* 4 or 8 (of which 7 count) */
    bool has_terms;                       /* of l2 */
};

/* Codes of rows, 16 after 16, as struct kernel_codes wants them. */
struct ivf_codes {
    const uint8_t *codes;
    const float *scales;
    const float *terms; /* NULL: there are none */
};

struct ivf_section {
    struct ivf_shape shape;
    uint32_t code_dims;           /* dim, rounded up to 8 */
    const uint64_t *first_rows;   /* lists + 1 */
    const uint64_t *first_blocks; /* lists + 1 */
    const float *spreads;     /* lists: deviation of their rows in a dimension; not of l2: NULL */
    const float *mean;        /* dim: centres are coded around it; l2, else NULL */
    struct ivf_codes centres; /* of the lists: ivf_centre_blocks, 8 bits */
    struct ivf_codes rows;    /* blocks_count, code_bits */
};

/* Blocks of the lists' centres. */
uint64_t ivf_centre_blocks(const struct ivf_shape *shape);
/* Bytes of a block of codes. */
size_t ivf_block_bytes(const struct ivf_section *ivf, uint32_t code_bits);
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
