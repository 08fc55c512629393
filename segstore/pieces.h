/* SPDX-License-Identifier: Apache-2.0
 * Checking a file's sections in pieces of 1 MiB, by any number of threads, in any order; the loader
 * and qseg verify share it, and so find the same and say it in the same words. */
#ifndef SEGSTORE_PIECES_H
#define SEGSTORE_PIECES_H

#include "segstore/format.h"

struct piece {
    uint32_t section;
    uint64_t file_offset;
    uint64_t memory_offset; /* in the mapping; sections that are not resident have none */
    size_t bytes;
};

struct pieces {
    struct format_header header;
    bool resident_only;
    uint64_t count;
    uint64_t section_first[FORMAT_SECTIONS_MAX + 1]; /* number of each section's first piece */
    uint64_t *hashes;                                /* one per piece */
    _Atomic uint64_t nonfinite_first; /* lowest such value of the rows, or UINT64_MAX */
};

/* QN_STATUS_NO_MEMORY if the table of hashes cannot be had. */
enum qn_status pieces_init(struct pieces *pieces, const struct format_header *header,
                           bool resident_only, struct qn_error *error);
void pieces_done(struct pieces *pieces);
struct piece pieces_at(const struct pieces *pieces, uint64_t number);
/* Notes what the bytes of one piece say. Any thread, each piece once. */
void pieces_check(struct pieces *pieces, uint64_t number, const void *bytes);
/* After every piece was noted: the verdict. Errors read "section NAME: reason". */
enum qn_status pieces_finish(const struct pieces *pieces, struct qn_error *error);

#endif
