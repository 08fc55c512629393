/* SPDX-License-Identifier: Apache-2.0
 * The nearest centroid is a flat search for one neighbour among the centroids: exact, and as fast
 * as the batch scan. Sums are taken in the order of the rows, so that threads change nothing. */
#include "segstore/kmeans.h"

#include "base/error.h"
#include "base/parallel.h"
#include "base/prng.h"
#include "segstore/format.h"
#include "segstore/rows.h"
#include "segstore/search.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 240 };

struct assigning {
    const struct kmeans *kmeans;
    struct segment segment; /* the centroids; keys are their numbers */
    uint32_t *ret_nearest;
    _Atomic bool out_of_memory;
};

static void assign_batch(void *owner, size_t first, size_t count)
{
    struct assigning *assigning = owner;
    const uint32_t dim = assigning->kmeans->dim;
    const struct search_options options = {.k = 1};
    struct topk topks[BATCH_ROWS];
    uint64_t storage[BATCH_ROWS][8];
    struct search_queries queries;
    void *tiles = malloc(search_queries_bytes(dim, BATCH_ROWS));

    if (tiles == NULL) {
        atomic_store(&assigning->out_of_memory, true);
        return;
    }
    for (size_t i = 0; i < count; i++)
        topk_init(&topks[i], QN_METRIC_L2, 1, storage[i]);
    search_queries_init(&queries, dim, (uint32_t)count, assigning->kmeans->rows + first * dim,
                        tiles);
    (void)search_segment(&assigning->segment, &queries, &options, topks);
    for (size_t i = 0; i < count; i++)
        assigning->ret_nearest[first + i] = (uint32_t)topks[i].hits[0].primary_key;
    free(tiles);
}

enum qn_status kmeans_assign(const struct kmeans *kmeans, const float *centroids,
                             uint32_t *ret_nearest, struct qn_error *error)
{
    const uint32_t dim = kmeans->dim, count = kmeans->centroids_count;
    struct assigning assigning = {.kmeans = kmeans, .ret_nearest = ret_nearest};
    float *blocks = calloc(format_blocks(count) * LIMIT_BLOCK_ROWS, dim * sizeof *blocks);
    int64_t *keys = calloc(count, sizeof *keys);

    if (blocks != NULL && keys != NULL) {
        for (uint32_t i = 0; i < count; i++) {
            rows_to_block(centroids + (size_t)i * dim, dim, i % LIMIT_BLOCK_ROWS,
                          blocks + (size_t)(i / LIMIT_BLOCK_ROWS) * LIMIT_BLOCK_ROWS * dim);
            keys[i] = i;
        }
        assigning.segment =
            (struct segment){.facts = {.rows_count = count, .dim = dim, .metric = QN_METRIC_L2},
                             .primary_keys = keys,
                             .blocks = blocks};
        parallel_for(kmeans->threads, kmeans->rows_count, BATCH_ROWS, assign_batch, &assigning);
    }
    bool failed = blocks == NULL || keys == NULL || atomic_load(&assigning.out_of_memory);
    free(blocks);
    free(keys);
    return failed ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory") : QN_STATUS_OK;
}

/* Distinct rows, chosen by the seed. */
static void choose_first(const struct kmeans *kmeans, float *ret_centroids)
{
    struct prng prng;
    size_t chosen = 0;

    prng_init(&prng, kmeans->seed);
    for (size_t i = 0; i < kmeans->rows_count && chosen < kmeans->centroids_count; i++)
        if (prng_below(&prng, kmeans->rows_count - i) < kmeans->centroids_count - chosen)
            memcpy(ret_centroids + chosen++ * kmeans->dim, kmeans->rows + i * kmeans->dim,
                   kmeans->dim * sizeof(float));
}

struct means {
    double *sums;   /* centroids_count x dim */
    size_t *counts; /* centroids_count */
};

/* An empty one takes half of the largest: both move a little off its middle, to either side. */
static void fill_empty(const struct kmeans *kmeans, struct means *means, float *centroids)
{
    static const float offset = 1.0F / 1024;

    for (uint32_t empty = 0; empty < kmeans->centroids_count; empty++) {
        uint32_t largest = 0;
        if (means->counts[empty] > 0)
            continue;
        for (uint32_t i = 1; i < kmeans->centroids_count; i++)
            largest = means->counts[i] > means->counts[largest] ? i : largest;
        float *to = centroids + (size_t)empty * kmeans->dim;
        float *from = centroids + (size_t)largest * kmeans->dim;
        for (uint32_t d = 0; d < kmeans->dim; d++) {
            float middle = from[d], step = d % 2 == 0 ? offset : -offset;
            to[d] = middle * (1 + step);
            from[d] = middle * (1 - step);
        }
        means->counts[empty] = means->counts[largest] / 2;
        means->counts[largest] -= means->counts[empty];
    }
}

static void move_centroids(const struct kmeans *kmeans, const uint32_t *nearest,
                           struct means *means, float *centroids)
{
    const size_t dim = kmeans->dim, count = kmeans->centroids_count;

    memset(means->sums, 0, count * dim * sizeof *means->sums);
    memset(means->counts, 0, count * sizeof *means->counts);
    for (size_t i = 0; i < kmeans->rows_count; i++) {
        double *sum = means->sums + nearest[i] * dim;
        for (size_t d = 0; d < dim; d++)
            sum[d] += (double)kmeans->rows[i * dim + d];
        means->counts[nearest[i]]++;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < dim && means->counts[i] > 0; d++)
            centroids[i * dim + d] = (float)(means->sums[i * dim + d] / (double)means->counts[i]);
    fill_empty(kmeans, means, centroids);
}

enum qn_status kmeans_train(const struct kmeans *kmeans, float *ret_centroids,
                            struct qn_error *error)
{
    const size_t count = kmeans->centroids_count;
    struct means means = {.sums = calloc(count * kmeans->dim, sizeof *means.sums),
                          .counts = calloc(count, sizeof *means.counts)};
    uint32_t *nearest = calloc(kmeans->rows_count, sizeof *nearest);
    enum qn_status status = means.sums == NULL || means.counts == NULL || nearest == NULL
                                ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory")
                                : QN_STATUS_OK;

    if (status == QN_STATUS_OK)
        choose_first(kmeans, ret_centroids);
    for (uint32_t i = 0; status == QN_STATUS_OK && i < kmeans->iterations; i++) {
        progress_tell(&kmeans->progress, "centroids", i, kmeans->iterations);
        status = kmeans_assign(kmeans, ret_centroids, nearest, error);
        if (status == QN_STATUS_OK)
            move_centroids(kmeans, nearest, &means, ret_centroids);
    }
    free(means.sums);
    free(means.counts);
    free(nearest);
    return status;
}
