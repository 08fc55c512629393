/* SPDX-License-Identifier: Apache-2.0
 * What the kinds of index sections share: a header with places for the kind's own numbers, and
 * arrays after it, each padded to a cache line. */
#ifndef SEGSTORE_SECTION_H
#define SEGSTORE_SECTION_H

#include "base/limits.h"
#include "segstore/facts.h"

enum {
    SECTION_HEADER_BYTES = 1024,
    SECTION_ALIGNMENT = 64,

    /* Of the header; FORMAT.md section 5. */
    SECTION_AT_KIND = 0,
    SECTION_AT_EDITION = 4,
    SECTION_AT_SHAPE = 8, /* 16 bytes: the kind's own numbers, .. */
    SECTION_AT_BYTES = 24,
    SECTION_AT_CALIBRATIONS_COUNT = 32,
    SECTION_AT_MORE_SHAPE = 36, /* .. and 28 more */
    SECTION_AT_CALIBRATIONS = 64,
};

uint64_t section_round_up(uint64_t value, uint64_t to);
/* To whole cache lines. */
static inline size_t section_align(size_t bytes)
{
    return section_round_up(bytes, SECTION_ALIGNMENT);
}
/* bytes: of each array; ret_offsets[count] is the end of the section. */
void section_lay_out(const uint64_t bytes[], size_t count, uint64_t ret_offsets[]);
/* QN_STATUS_CORRUPT, "section index: NAME: value 3 is not finite". */
enum qn_status section_check_floats(const char *name, const float *values, size_t count,
                                    struct qn_error *error);
/* The bytes that there are, those that the header says, and those of its shape are one number. */
enum qn_status section_check_bytes(const uint8_t *header, uint64_t bytes, uint64_t shape_bytes,
                                   struct qn_error *error);

/* What a build gives. */
struct section_built {
    uint32_t *order; /* row_count: the input's row that comes first, second, ... */
    void *section;   /* section_bytes, 64-byte aligned, sealed, without calibrations */
    uint64_t section_bytes;
};

void section_built_done(struct section_built *built);

#endif
