/* SPDX-License-Identifier: Apache-2.0
 * Exact top-k over one segment (flat). Distances are defined in FORMAT.md and DESIGN section 4: the
 * same bits from every kernel. */
#ifndef SEGSTORE_SEARCH_H
#define SEGSTORE_SEARCH_H

#include "segstore/segment.h"
#include "segstore/topk.h"

struct search_options {
    uint32_t k;
    /* Asked once per block of work (about 1 ms): true ends the search with QN_STATUS_TIMEOUT. */
    bool (*stop)(void *owner);
    void *stop_owner;
};

/* Checks queries [nq x dim]: finite; for cosine normalises them in place (a zero query is refused).
 * QN_STATUS_INVALID names the query and why. */
enum qn_status search_prepare_queries(enum qn_metric metric, uint32_t dim, uint32_t nq,
                                      float *queries, struct qn_error *error);

/* queries: prepared, nq x dim, 4-byte aligned. Merges the segment's best into topks[0..nq). Hits of
 * earlier segments stay if they are better; equal primary keys are kept once, the better. After
 * QN_STATUS_TIMEOUT the topks hold a part of the segment's hits: not to be used. */
enum qn_status search_segment(const struct segment *segment, const float *queries, uint32_t nq,
                              const struct search_options *options, struct topk *topks);

#endif
