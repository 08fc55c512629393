/* SPDX-License-Identifier: Apache-2.0
 * The index section of a segment (FORMAT.md section 5), used as it lies in memory. The rows of an
 * indexed segment are row-major and in the order of the index's lists. */
#ifndef SEGSTORE_INDEX_H
#define SEGSTORE_INDEX_H

#include "base/limits.h"
#include "segstore/facts.h"

enum index_kind { INDEX_NONE, INDEX_IVF };

enum {
    INDEX_EDITION = 1,
    INDEX_HEADER_BYTES = 1024,
    INDEX_ALIGNMENT = 64,
    INDEX_CALIBRATIONS_MAX = 60,
    INDEX_LISTS_MAX = LIMIT_NPROBE_MAX,
    INDEX_FACTORS = 3, /* per row: add, shift, scale (kernels.h) */
};

/* Measured when the segment was built: who asks for k neighbours so finds this share of them. */
struct index_calibration {
    uint32_t k;
    float recall;
    uint32_t nprobe, refine;
};

/* What an index says of itself; sizes and places of its arrays follow from it. */
struct index_shape {
    enum index_kind kind;
    uint64_t rows_count, blocks_count; /* blocks of codes, of all lists */
    uint32_t dim, lists_count, code_bits;
};

struct index {
    struct index_shape shape;
    uint32_t code_dims;           /* dim, rounded up to 8 */
    const float *centroids;       /* ceil(lists/16) blocks of dim x 16 */
    const float *centroid_terms;  /* lists, rounded up to 16: -|c|^2/2 for l2, else 0 */
    const uint64_t *first_rows;   /* lists + 1 */
    const uint64_t *first_blocks; /* lists + 1 */
    const uint8_t *codes;         /* blocks_count x code_dims x 16 x code_bits/8 */
    const float *factors;         /* blocks_count x INDEX_FACTORS x 16 */
    struct index_calibration calibrations[INDEX_CALIBRATIONS_MAX]; /* by rising k, then recall */
    uint32_t calibrations_count;
};

/* Bytes of the section without padding. */
uint64_t index_bytes(const struct index_shape *shape);
/* Arrays of a section that is being made: memory of index_bytes, zeroed, 64-byte aligned. They are
 * writable through casts; index_seal writes the header. */
void index_lay(const struct index_shape *shape, void *memory, struct index *ret_index);
void index_seal(const struct index *index, void *memory);
/* What reaches a recall for k neighbours, by the calibrations (of the next larger k that was
 * measured); without one that does, all lists. */
struct index_calibration index_settings(const struct index *index, uint32_t k, float recall);
/* Takes any bytes (64-byte aligned), and checks all that a search relies on. Errors read "section
 * index: reason". */
enum qn_status index_open(const void *memory, uint64_t bytes, const struct segment_facts *facts,
                          struct index *ret_index, struct qn_error *error);

#endif
