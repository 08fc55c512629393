/* SPDX-License-Identifier: Apache-2.0
 * What an index finds with which settings, measured with rows of the segment as queries that
 * its lists were not trained on (ivf_is_held_out). */
#ifndef SEGSTORE_CALIBRATE_H
#define SEGSTORE_CALIBRATE_H

#include "segstore/segment.h"

struct calibrate_options {
    uint64_t seed;         /* of the build */
    const uint32_t *order; /* of the built index */
    unsigned threads;
};

/* segment: in memory, indexed, with row numbers as keys. Fills its index's calibrations. */
enum qn_status calibrate(const struct calibrate_options *options, struct segment *segment,
                         struct qn_error *error);

#endif
