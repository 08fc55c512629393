/* SPDX-License-Identifier: Apache-2.0
 * The flat scans behind search.h. */
#ifndef SEGSTORE_FLAT_H
#define SEGSTORE_FLAT_H

#include "segstore/search.h"

struct scan {
    const struct segment *segment;
    const struct search_queries *queries;
    const struct search_options *options;
    struct topk *topks;
    uint64_t work; /* multiply-adds since the deadline was asked */
};

/* Asks for the deadline once in a while. */
bool scan_must_stop(struct scan *scan, uint64_t work);

/* So many blocks that they take about `bytes`: a multiple of least, at most `most`. */
uint64_t flat_blocks(uint32_t dim, size_t bytes, uint64_t least, uint64_t most);

/* flat_few.c: distances as they are defined, each query for itself: bound by memory. */
enum qn_status flat_few(struct scan *scan);
/* flat_rows.c: exact, over the rows of an indexed segment: they become blocks, a few at a time. */
size_t flat_rows_bytes(uint32_t dim);
enum qn_status flat_rows(struct scan *scan);
/* The same for one query of the scan, with scratch of flat_rows_bytes; counts as the scan's work.
 */
enum qn_status flat_rows_one(struct scan *scan, uint32_t query, void *scratch);
/* flat_many.c: tiles of queries (queries->tiles): bound by arithmetic. */
enum qn_status flat_many(struct scan *scan);

#endif
