/* SPDX-License-Identifier: Apache-2.0
 * The flat search against a plain brute force that shares nothing with it but the definition in
 * FORMAT.md: row-major rows, fmaf, qsort. Equal means ids, order and the bits of the distances. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "segstore/kernels/kernels.h"
#include "segstore/search.h"
#include "tests/unit/segstore_fixture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KERNELS_MAX = 8, QUERIES_FEW = 5, QUERIES_MANY = 17 };

static const enum qn_metric metrics[] = {QN_METRIC_L2, QN_METRIC_IP, QN_METRIC_COSINE};

/* Rows, keys and queries as they are before anybody prepares them. */
struct data {
    enum qn_metric metric;
    uint32_t dim, nq;
    uint64_t rows_count;
    float *rows, *queries;
    int64_t *keys;
};

static struct data data_make(uint64_t seed, enum qn_metric metric, uint32_t dim,
                             uint64_t rows_count)
{
    struct data data = {.metric = metric, .dim = dim, .nq = QUERIES_MANY, .rows_count = rows_count};
    struct prng prng;

    prng_init(&prng, seed);
    data.rows = malloc((rows_count * dim + 1) * sizeof(float));
    data.queries = malloc((size_t)data.nq * dim * sizeof(float));
    data.keys = malloc((rows_count + 1) * sizeof *data.keys);
    assert_true(data.rows != NULL && data.queries != NULL && data.keys != NULL);
    fixture_fill(&prng, data.rows, rows_count * dim);
    fixture_fill(&prng, data.queries, (size_t)data.nq * dim);
    for (uint64_t i = 0; i < rows_count; i++)
        data.keys[i] = (int64_t)(prng_next(&prng) >> 1) - (INT64_C(1) << 61);
    return data;
}

static void data_free(struct data *data)
{
    free(data->rows);
    free(data->queries);
    free(data->keys);
}

static void plain_normalise(float *vector, uint32_t dim)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++) {
        double product = (double)vector[i] * (double)vector[i];
        sum = sum + product;
    }
    double factor = 1.0 / sqrt(sum);
    for (uint32_t i = 0; i < dim; i++)
        vector[i] = (float)((double)vector[i] * factor);
}

static float plain_distance(enum qn_metric metric, uint32_t dim, const float *query,
                            const float *row)
{
    float distance = 0;

    for (uint32_t i = 0; i < dim; i++) {
        float t = query[i] - row[i];
        distance = metric == QN_METRIC_L2 ? fmaf(t, t, distance) : fmaf(query[i], row[i], distance);
    }
    assert_true(distance == distance);
    return distance;
}

static int compare_smaller_first(const void *a, const void *b)
{
    const struct qn_hit *left = a, *right = b;

    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return (left->primary_key > right->primary_key) - (left->primary_key < right->primary_key);
}

static int compare_larger_first(const void *a, const void *b)
{
    const struct qn_hit *left = a, *right = b;

    if (left->distance != right->distance)
        return left->distance > right->distance ? -1 : 1;
    return (left->primary_key > right->primary_key) - (left->primary_key < right->primary_key);
}

/* The first k distinct keys of all rows in order; returns how many there are. */
static uint32_t plain_search(const struct data *data, const float *query, uint32_t k,
                             struct qn_hit *ret_hits)
{
    struct qn_hit *all = calloc(data->rows_count + 1, sizeof *all);
    float *vector = malloc(data->dim * sizeof *vector);
    uint32_t count = 0;

    assert_true(all != NULL && vector != NULL);
    for (uint64_t i = 0; i < data->rows_count; i++) {
        memcpy(vector, data->rows + i * data->dim, data->dim * sizeof *vector);
        if (data->metric == QN_METRIC_COSINE)
            plain_normalise(vector, data->dim);
        all[i] =
            (struct qn_hit){data->keys[i], plain_distance(data->metric, data->dim, query, vector)};
    }
    qsort(all, data->rows_count, sizeof *all,
          data->metric == QN_METRIC_L2 ? compare_smaller_first : compare_larger_first);
    for (uint64_t i = 0; i < data->rows_count && count < k; i++) {
        bool known = false;
        for (uint32_t j = 0; j < count && !known; j++)
            known = ret_hits[j].primary_key == all[i].primary_key;
        if (!known)
            ret_hits[count++] = all[i];
    }
    free(vector);
    free(all);
    return count;
}

static void assert_same_hits(const struct topk *topk, const struct qn_hit *hits, uint32_t count)
{
    assert_int_equal(topk->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(topk->hits[i].primary_key, hits[i].primary_key);
        assert_memory_equal(&topk->hits[i].distance, &hits[i].distance, sizeof(float));
    }
}

struct searched {
    struct topk *topks;
    char *storage;
    uint32_t nq;
};

static struct searched searched_make(enum qn_metric metric, uint32_t nq, uint32_t k)
{
    struct searched searched = {.nq = nq};

    searched.topks = calloc(nq, sizeof *searched.topks);
    searched.storage = malloc(nq * topk_bytes(k));
    assert_true(searched.topks != NULL && searched.storage != NULL);
    for (uint32_t i = 0; i < nq; i++)
        topk_init(&searched.topks[i], metric, k, searched.storage + i * topk_bytes(k));
    return searched;
}

static void searched_free(struct searched *searched)
{
    free(searched->topks);
    free(searched->storage);
}

/* Prepared copies of the queries; the plain way of preparing is compared to ours. */
static float *prepare(const struct data *data)
{
    size_t floats_count = (size_t)data->nq * data->dim;
    float *queries = malloc(floats_count * sizeof *queries);
    float *plain = malloc(floats_count * sizeof *plain);

    assert_true(queries != NULL && plain != NULL);
    memcpy(queries, data->queries, floats_count * sizeof *queries);
    memcpy(plain, data->queries, floats_count * sizeof *queries);
    assert_int_equal(search_prepare_queries(data->metric, data->dim, data->nq, queries, NULL),
                     QN_STATUS_OK);
    for (uint32_t i = 0; i < data->nq && data->metric == QN_METRIC_COSINE; i++)
        plain_normalise(plain + (size_t)i * data->dim, data->dim);
    assert_memory_equal(queries, plain, floats_count * sizeof *queries);
    free(plain);
    return queries;
}

/* What a search found, with the queries as the scans want them. */
static void search_with(const struct data *data, const struct segment *segment, uint32_t nq,
                        const float *rows, struct searched *searched)
{
    struct search_options options = {.k = searched->topks[0].k};
    struct search_queries queries;
    void *storage = malloc(search_queries_bytes(data->dim, nq) + 1);

    assert_non_null(storage);
    search_queries_init(&queries, data->dim, nq, rows, storage);
    assert_int_equal(search_segment(segment, &queries, &options, searched->topks), QN_STATUS_OK);
    free(storage);
}

/* Searches with every kernel, few and many queries at once, and compares all of them. */
static void assert_search_is_exact(const struct data *data, const struct segment *segment,
                                   uint32_t k)
{
    const struct kernels *tables[KERNELS_MAX];
    size_t tables_count = kernels_supported(tables, KERNELS_MAX);
    struct qn_hit *hits = calloc((size_t)data->nq * k, sizeof *hits);
    uint32_t counts[QUERIES_MANY];
    float *queries = prepare(data);

    assert_non_null(hits);
    for (uint32_t i = 0; i < data->nq; i++)
        counts[i] = plain_search(data, queries + (size_t)i * data->dim, k, hits + (size_t)i * k);
    for (size_t t = 0; t < 2 * tables_count; t++) {
        uint32_t nq = t % 2 == 0 ? QUERIES_FEW : data->nq;
        struct searched searched = searched_make(data->metric, nq, k);
        assert_int_equal(kernels_choose(tables[t / 2]->name, NULL), QN_STATUS_OK);
        search_with(data, segment, nq, queries, &searched);
        for (uint32_t i = 0; i < nq; i++) {
            topk_sort(&searched.topks[i]);
            assert_same_hits(&searched.topks[i], hits + (size_t)i * k, counts[i]);
        }
        searched_free(&searched);
    }
    free(queries);
    free(hits);
}

static struct segment *data_segment(const struct data *data)
{
    struct segment_facts facts = fixture_facts(data->rows_count, data->dim, data->metric);

    return fixture_segment(&facts, data->keys, data->rows);
}

/* Takes the data; ks end with 0. */
static void check(struct data data, const uint32_t *ks)
{
    struct segment *segment = data_segment(&data);

    for (size_t i = 0; ks[i] != 0; i++)
        assert_search_is_exact(&data, segment, ks[i]);
    segment_free(segment);
    data_free(&data);
}

static void flat_equals_brute_force_at_every_dim(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++)
        for (uint32_t dim = 1; dim <= 130; dim++)
            check(data_make(dim, metrics[m], dim, 53 + dim % 90),
                  (const uint32_t[]){1 + dim % 40, 0});
}

static void flat_equals_brute_force_at_dim_4096(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++)
        check(data_make(m, metrics[m], 4096, 165), (const uint32_t[]){1, 10, 200, 0});
}

static void flat_equals_brute_force_for_every_k(void **state)
{
    uint32_t ks[71] = {0};

    (void)state;
    for (uint32_t i = 0; i < 69; i++)
        ks[i] = i + 1;
    ks[69] = LIMIT_K_MAX;
    for (size_t m = 0; m < COUNT_OF(metrics); m++)
        check(data_make(99 + m, metrics[m], 5, 61), ks);
}

static void any_number_of_rows_fills_its_last_block(void **state)
{
    static const uint64_t rows_counts[] = {0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1000};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++)
        for (size_t i = 0; i < COUNT_OF(rows_counts); i++)
            check(data_make(i, metrics[m], 3, rows_counts[i]), (const uint32_t[]){7, 2000, 0});
}

static void equal_keys_are_kept_once_the_better(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        struct data data = data_make(5, metrics[m], 4, 500);
        for (uint64_t i = 0; i < data.rows_count; i++)
            data.keys[i] = (int64_t)(i * i % 37);
        check(data, (const uint32_t[]){1, 5, 9, 17, 29, 36, 37, 38, 45, 0});
    }
}

static void equal_distances_are_ordered_by_key(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        struct data data = data_make(6, metrics[m], 3, 300);
        for (uint64_t i = 0; i < 300 * 3; i++)
            data.rows[i] = data.rows[i % 12]; /* four rows, again and again */
        check(data, (const uint32_t[]){1, 21, 74, 75, 76, 150, 299, 300, 301, 0});
    }
}

/* Halves of the data as two segments, searched in either order, are as good as one. */
static void segments_merge_in_any_order(void **state)
{
    (void)state;
    struct data data = data_make(7, QN_METRIC_L2, 8, 400);
    for (uint64_t i = 0; i < data.rows_count; i++)
        data.keys[i] = (int64_t)(i % 250); /* some keys in both */
    struct segment_facts facts[2] = {fixture_facts(150, 8, QN_METRIC_L2),
                                     fixture_facts(250, 8, QN_METRIC_L2)};
    struct segment *halves[2] = {
        fixture_segment(&facts[0], data.keys, data.rows),
        fixture_segment(&facts[1], data.keys + 150, data.rows + (size_t)150 * 8)};
    struct qn_hit hits[60];
    float *queries = prepare(&data);

    for (int order = 0; order < 2; order++) {
        struct searched searched = searched_make(QN_METRIC_L2, data.nq, 60);
        for (int i = 0; i < 2; i++)
            search_with(&data, halves[i ^ order], data.nq, queries, &searched);
        for (uint32_t i = 0; i < data.nq; i++) {
            topk_sort(&searched.topks[i]);
            assert_same_hits(&searched.topks[i], hits,
                             plain_search(&data, queries + (size_t)i * 8, 60, hits));
        }
        searched_free(&searched);
    }
    free(queries);
    segment_free(halves[0]);
    segment_free(halves[1]);
    data_free(&data);
}

/* Where |q|^2 + |x|^2 - 2 q.x loses all its digits: far from the origin, rows a few units in the
 * last place from the query and from each other, the nearest last. */
static void the_filter_for_l2_loses_no_row(void **state)
{
    static const float scales[] = {1e-20f, 1e-3f, 1, 4096, 1e17f};

    (void)state;
    for (size_t s = 0; s < COUNT_OF(scales); s++)
        for (uint32_t dim = 1; dim <= 600; dim = dim * 3 + 1) {
            struct data data = data_make(dim, QN_METRIC_L2, dim, 700);
            for (uint64_t i = 0; i < data.rows_count * dim; i++)
                data.rows[i] = scales[s] * (1 + (float)((700 - i / dim) / 9) * 0x1p-22f +
                                            (float)(i * 7 % 11) * 0x1p-23f);
            for (uint32_t i = 0; i < data.nq * dim; i++)
                data.queries[i] = scales[s] * (1 + (float)(i / dim % 3) * 0x1p-23f);
            check(data, (const uint32_t[]){1, 10, 100, 0});
        }
}

/* A fused product is not rounded, so after +inf a product of -9e76 leaves +inf. */
static void a_distance_that_overflows_ranks_as_infinity_and_never_is_nan(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct data data = data_make(8, metrics[m], 4, 100);
        for (uint64_t i = 0; i < 100 * 4; i++)
            data.rows[i] *= i % 8 < 4 ? 3e38f : 1;
        for (uint32_t i = 0; i < data.nq * 4; i++)
            data.queries[i] *= 3e38f;
        check(data, (const uint32_t[]){1, 11, 31, 61, 99, 100, 101, 0});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_equals_brute_force_at_every_dim),
        cmocka_unit_test(flat_equals_brute_force_at_dim_4096),
        cmocka_unit_test(flat_equals_brute_force_for_every_k),
        cmocka_unit_test(any_number_of_rows_fills_its_last_block),
        cmocka_unit_test(equal_keys_are_kept_once_the_better),
        cmocka_unit_test(equal_distances_are_ordered_by_key),
        cmocka_unit_test(segments_merge_in_any_order),
        cmocka_unit_test(the_filter_for_l2_loses_no_row),
        cmocka_unit_test(a_distance_that_overflows_ranks_as_infinity_and_never_is_nan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
