/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/prng.h"
#include "segstore/topk.h"
#include <math.h>
#include <stdlib.h>

static enum qn_metric sort_metric;

static int compare_hits(const void *a, const void *b)
{
    return qn_hit_before(sort_metric, a, b) ? -1 : qn_hit_before(sort_metric, b, a);
}

/* All hits in order, then the first of each key, at most k. */
static uint32_t plain_topk(enum qn_metric metric, struct qn_hit *hits, uint32_t count, uint32_t k)
{
    uint32_t kept = 0;

    sort_metric = metric;
    qsort(hits, count, sizeof *hits, compare_hits);
    for (uint32_t i = 0; i < count && kept < k; i++) {
        bool known = false;
        for (uint32_t j = 0; j < kept && !known; j++)
            known = hits[j].primary_key == hits[i].primary_key;
        if (!known)
            hits[kept++] = hits[i];
    }
    return kept;
}

static void push_all(struct topk *topk, const struct qn_hit *hits, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (topk_wants(topk, hits[i].distance))
            topk_push(topk, hits[i]);
}

static void assert_topk(enum qn_metric metric, const struct qn_hit *hits, uint32_t count,
                        uint32_t k)
{
    struct topk topk;
    void *storage = malloc(topk_bytes(k));
    struct qn_hit *plain = calloc(count + 1, sizeof *plain);

    assert_true(storage != NULL && plain != NULL);
    for (uint32_t i = 0; i < count; i++)
        plain[i] = hits[i];
    topk_init(&topk, metric, k, storage);
    push_all(&topk, hits, count);
    topk_sort(&topk);
    assert_int_equal(topk.count, plain_topk(metric, plain, count, k));
    for (uint32_t i = 0; i < topk.count; i++) {
        assert_int_equal(topk.hits[i].primary_key, plain[i].primary_key);
        assert_true(topk.hits[i].distance == plain[i].distance);
    }
    free(storage);
    free(plain);
}

/* Few keys and few distances, so that every kind of tie and duplicate comes up. */
static void topk_keeps_the_best_distinct_keys(void **state)
{
    struct qn_hit hits[300];
    struct prng prng;

    (void)state;
    prng_init(&prng, 1);
    for (int round = 0; round < 3000; round++) {
        uint32_t count = (uint32_t)prng_below(&prng, COUNT_OF(hits));
        uint64_t keys = 1 + prng_below(&prng, 2 * COUNT_OF(hits));
        uint64_t distances = 1 + prng_below(&prng, 50);
        for (uint32_t i = 0; i < count; i++)
            hits[i] = (struct qn_hit){(int64_t)prng_below(&prng, keys) - (int64_t)keys / 2,
                                      (float)prng_below(&prng, distances)};
        assert_topk(round % 2 == 0 ? QN_METRIC_L2 : QN_METRIC_IP, hits, count,
                    1 + (uint32_t)prng_below(&prng, 320));
    }
}

static void many_copies_of_one_key_push_nobody_out(void **state)
{
    struct qn_hit hits[1000];

    (void)state;
    for (int i = 0; i < 1000; i++)
        hits[i] = (struct qn_hit){i < 10 ? i : 77, (float)(2000 - i)};
    assert_topk(QN_METRIC_L2, hits, COUNT_OF(hits), 10);
    assert_topk(QN_METRIC_L2, hits, COUNT_OF(hits), 11);
    assert_topk(QN_METRIC_COSINE, hits, COUNT_OF(hits), 5);
}

static void the_largest_k_works_with_fewer_and_more_hits(void **state)
{
    enum { COUNT = 40000 };
    struct qn_hit *hits = calloc(COUNT, sizeof *hits);
    struct topk topk;
    void *storage = malloc(topk_bytes(LIMIT_K_MAX));
    struct prng prng;

    (void)state;
    assert_true(hits != NULL && storage != NULL);
    prng_init(&prng, 2);
    for (int i = 0; i < COUNT; i++)
        hits[i] = (struct qn_hit){i, (float)((uint64_t)i * 7919 % COUNT)};
    topk_init(&topk, QN_METRIC_L2, LIMIT_K_MAX, storage);
    push_all(&topk, hits, 100);
    assert_int_equal(topk.count, 100);
    push_all(&topk, hits, COUNT);
    topk_sort(&topk);
    assert_int_equal(topk.count, LIMIT_K_MAX);
    for (uint32_t i = 0; i < LIMIT_K_MAX; i++)
        assert_true(topk.hits[i].distance == (float)i);
    free(hits);
    free(storage);
}

static void the_result_does_not_depend_on_the_order_of_arrival(void **state)
{
    struct qn_hit hits[200];
    struct prng prng;

    (void)state;
    prng_init(&prng, 3);
    for (uint32_t i = 0; i < COUNT_OF(hits); i++)
        hits[i] = (struct qn_hit){(int64_t)prng_below(&prng, 90), (float)prng_below(&prng, 20)};
    for (int round = 0; round < 200; round++) {
        for (uint32_t i = COUNT_OF(hits) - 1; i > 0; i--) {
            uint32_t j = (uint32_t)prng_below(&prng, i + 1);
            struct qn_hit kept = hits[i];
            hits[i] = hits[j];
            hits[j] = kept;
        }
        assert_topk(QN_METRIC_L2, hits, COUNT_OF(hits), 30); /* the plain one sorts a copy */
    }
}

static void topk_wants_what_could_enter(void **state)
{
    uint64_t storage[64];
    struct topk topk;

    (void)state;
    assert_true(topk_bytes(2) <= sizeof storage);
    topk_init(&topk, QN_METRIC_L2, 2, storage);
    assert_true(topk_wants(&topk, INFINITY) && topk_bound(&topk) == INFINITY);
    topk_push(&topk, (struct qn_hit){1, 5});
    topk_push(&topk, (struct qn_hit){2, 3});
    assert_true(topk_bound(&topk) == 5);
    assert_true(topk_wants(&topk, 5)); /* a smaller key could win the tie */
    assert_false(topk_wants(&topk, 5.5f));
    topk_push(&topk, (struct qn_hit){0, 5});
    topk_sort(&topk);
    assert_int_equal(topk.hits[1].primary_key, 0);
    topk_init(&topk, QN_METRIC_IP, 1, storage);
    assert_true(topk_wants(&topk, -INFINITY));
    topk_push(&topk, (struct qn_hit){1, 5});
    assert_true(topk_wants(&topk, 5) && !topk_wants(&topk, 4.5f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topk_keeps_the_best_distinct_keys),
        cmocka_unit_test(many_copies_of_one_key_push_nobody_out),
        cmocka_unit_test(the_largest_k_works_with_fewer_and_more_hits),
        cmocka_unit_test(the_result_does_not_depend_on_the_order_of_arrival),
        cmocka_unit_test(topk_wants_what_could_enter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
