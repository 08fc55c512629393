/* SPDX-License-Identifier: Apache-2.0
 * What an index finds with which settings, measured with rows of the segment as queries that
 * its build knew nothing of (calibrate_is_query). */
#ifndef SEGSTORE_CALIBRATE_H
#define SEGSTORE_CALIBRATE_H

#include "segstore/segment.h"

enum { CALIBRATE_QUERIES_MAX = 1200 };

/* Rows that a build keeps out of its training: about 600, so that they may stand for queries. */
bool calibrate_is_query(uint64_t seed, uint64_t rows_count, uint64_t row);

struct calibrate_options {
    float *queries; /* queries_count x dim, prepared */
    /* Of each, its primary key, if it is a row of the segment: it may not find itself. NULL: none
     * is. */
    const int64_t *own_keys;
    uint32_t queries_count;
    unsigned threads;
};

/* segment: in memory, indexed, with distinct keys. Fills its index's calibrations. */
enum qn_status calibrate(const struct calibrate_options *options, struct segment *segment,
                         struct qn_error *error);

#endif
