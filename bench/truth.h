/* SPDX-License-Identifier: Apache-2.0
 * The exact answer to a search by brute force, to compare with what came through the bus. Squared
 * l2 as DESIGN defines it: one f32 accumulator, dimensions in order, d = fma(t, t, d) with
 * t = q - x; so equal means equal bits. A row's number is its primary key. */
#ifndef BENCH_TRUTH_H
#define BENCH_TRUTH_H

#include "bench/fbin.h"

struct truth {
    uint32_t queries_count, k;
    struct qn_hit *hits; /* queries_count x k, best first; k is at most the rows of the base */
};

enum qn_status truth_compute(const struct fbin *base, const struct fbin *queries, uint32_t k,
                             struct truth *ret_truth, struct qn_error *error);
/* True if the hits (count of them) are exactly those of the query. */
bool truth_equals(const struct truth *truth, uint32_t query, const struct qn_hit *hits,
                  uint32_t count);
void truth_done(struct truth *truth);

#endif
