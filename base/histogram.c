/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <stdatomic.h>
#include <stddef.h>

enum { LINEAR = 64 }; /* buckets per power of two above the first two octaves */

static size_t bucket_of(uint64_t value)
{
    if (value < 2 * LINEAR)
        return (size_t)value;
    int shift = 63 - __builtin_clzll(value) - 6;
    size_t bucket = (size_t)shift * LINEAR + (size_t)(value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t bucket_end(size_t bucket)
{
    if (bucket < 2 * LINEAR)
        return bucket;
    size_t shift = bucket / LINEAR - 1;
    return ((bucket - shift * LINEAR + 1) << shift) - 1;
}

void histogram_init(struct histogram *histogram)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        atomic_init(&histogram->counts[i], 0);
    atomic_init(&histogram->sum, 0);
    atomic_init(&histogram->total, 0);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    (void)atomic_fetch_add_explicit(&histogram->counts[bucket_of(value)], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&histogram->total, 1, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    return atomic_load(&histogram->total);
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t total = histogram_count(histogram), seen = 0;
    uint64_t wanted = (uint64_t)(quantile * (double)total);

    if (total == 0)
        return 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += atomic_load(&histogram->counts[i]);
        if (seen > wanted || seen == total)
            return bucket_end(i);
    }
    return bucket_end(HISTOGRAM_BUCKETS - 1);
}
