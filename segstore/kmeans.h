/* SPDX-License-Identifier: Apache-2.0
 * k-means by Lloyd's iterations, for coarse lists. */
#ifndef SEGSTORE_KMEANS_H
#define SEGSTORE_KMEANS_H

#include "qnode/types.h"
#include "segstore/progress.h"

struct kmeans {
    uint32_t dim, centroids_count, iterations;
    uint64_t seed;
    unsigned threads;
    const float *rows; /* rows_count x dim */
    size_t rows_count;
    struct progress progress; /* of the training: "centroids", iteration by iteration */
};

/* ret_centroids: centroids_count x dim. rows_count >= centroids_count. The same input and seed give
 * the same bits, on any number of threads. */
enum qn_status kmeans_train(const struct kmeans *kmeans, float *ret_centroids,
                            struct qn_error *error);
/* The nearest centroid (l2, the lower number of equals) of each row. */
enum qn_status kmeans_assign(const struct kmeans *kmeans, const float *centroids,
                             uint32_t *ret_nearest, struct qn_error *error);

#endif
