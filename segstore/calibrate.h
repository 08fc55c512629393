/* SPDX-License-Identifier: Apache-2.0
 * What an index finds with which settings, measured on rows of the segment itself as queries. */
#ifndef SEGSTORE_CALIBRATE_H
#define SEGSTORE_CALIBRATE_H

#include "segstore/segment.h"

struct calibrate_options {
    uint64_t seed;
    unsigned threads;
};

/* segment: in memory, indexed, with row numbers as keys. Fills its index's calibrations. */
enum qn_status calibrate(const struct calibrate_options *options, struct segment *segment,
                         struct qn_error *error);

#endif
