/* SPDX-License-Identifier: Apache-2.0
 * Log-linear histogram of microseconds: relative error <= 1/64, fixed size, adding is lock-free. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 64 * 32 };

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum, total;
};

void histogram_init(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
uint64_t histogram_count(const struct histogram *histogram);
/* Upper end of the bucket that holds the given quantile (0..1); 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

#endif
