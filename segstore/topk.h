/* SPDX-License-Identifier: Apache-2.0
 * The k best hits with distinct primary keys, in a total order (qn_hit_before), so that a result
 * never depends on the order of arrival. */
#ifndef SEGSTORE_TOPK_H
#define SEGSTORE_TOPK_H

#include "qnode/types.h"

/* Storage is the caller's: topk_bytes(k) bytes, 8-byte aligned. */
struct topk {
    enum qn_metric metric;
    uint32_t k, count;
    struct qn_hit *hits; /* private order until topk_sort */
};

size_t topk_bytes(uint32_t k);
void topk_init(struct topk *topk, enum qn_metric metric, uint32_t k, void *storage);
/* True if a hit with this distance could still enter (a cheap filter before topk_push). */
bool topk_wants(const struct topk *topk, float distance);
/* The worst distance that could still enter: an infinity while there is room. */
float topk_bound(const struct topk *topk);
/* The distance is not NaN. */
void topk_push(struct topk *topk, struct qn_hit hit);
/* Best first; after it hits[0..count) are the result and topk_push must not follow. */
void topk_sort(struct topk *topk);

#endif
