/* SPDX-License-Identifier: Apache-2.0
 * Uniting lists of hits, against sorting everything. */
#include "tests/test.h"

#include "base/check.h"
#include "base/prng.h"
#include "channel/client_unite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HITS_MAX = 512 };

struct brute {
    struct qn_hit hits[HITS_MAX];
    uint32_t count;
};

static void sort_hits(enum qn_metric metric, struct qn_hit *hits, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = i; j > 0 && qn_hit_before(metric, &hits[j], &hits[j - 1]); j--) {
            struct qn_hit swap = hits[j];
            hits[j] = hits[j - 1];
            hits[j - 1] = swap;
        }
}

/* Sorted, each key once (its best), at most k. */
static uint32_t distinct(enum qn_metric metric, struct qn_hit *hits, uint32_t count, uint32_t k)
{
    uint32_t kept_count = 0;

    sort_hits(metric, hits, count);
    for (uint32_t i = 0; i < count && kept_count < k; i++) {
        bool is_new = true;
        for (uint32_t j = 0; j < kept_count; j++)
            is_new = is_new && hits[j].primary_key != hits[i].primary_key;
        if (is_new)
            hits[kept_count++] = hits[i];
    }
    return kept_count;
}

static void unite_random_lists(struct prng *prng, enum qn_metric metric)
{
    struct arena arena;
    struct client_unite unite;
    uint32_t k = 1 + (uint32_t)prng_below(prng, 40);
    uint32_t lists_count = 1 + (uint32_t)prng_below(prng, 8);
    uint64_t keys_count = 1 + prng_below(prng, 60);
    struct brute all = {.count = 0};

    arena_init(&arena, 1 << 20);
    assert_true(client_unite_init(&unite, &arena, 3, k));
    for (uint32_t list = 0; list < lists_count; list++) {
        struct qn_hit hits[64];
        uint32_t count = (uint32_t)prng_below(prng, 60);
        for (uint32_t i = 0; i < count; i++)
            hits[i] = (struct qn_hit){.primary_key = (int64_t)prng_below(prng, keys_count) - 5,
                                      .distance = (float)prng_below(prng, 20) / 4};
        memcpy(all.hits + all.count, hits, count * sizeof *hits);
        all.count += count;
        count = distinct(metric, hits, count, k);
        assert_true(client_unite_is_sorted(metric, hits, count));
        client_unite_add(&unite, metric, 1, hits, count);
    }
    all.count = distinct(metric, all.hits, all.count, k);
    assert_int_equal(unite.counts[1], all.count);
    for (uint32_t i = 0; i < all.count; i++) {
        assert_int_equal(unite.hits[k + i].primary_key, all.hits[i].primary_key);
        assert_true(unite.hits[k + i].distance == all.hits[i].distance);
    }
    assert_int_equal(unite.counts[0] + unite.counts[2], 0);
    arena_done(&arena);
}

static void lists_unite_as_if_sorted_together(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 20260101);
    for (int round = 0; round < 2000; round++)
        unite_random_lists(&prng, round % 2 == 0 ? QN_METRIC_L2 : QN_METRIC_IP);
}

static void the_better_hit_of_a_key_is_kept(void **state)
{
    struct arena arena;
    struct client_unite unite;
    struct qn_hit worse[] = {{1, 1.0f}, {7, 3.0f}}, better[] = {{7, 2.0f}, {9, 4.0f}};

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_true(client_unite_init(&unite, &arena, 1, 3));
    client_unite_add(&unite, QN_METRIC_L2, 0, worse, 2);
    client_unite_add(&unite, QN_METRIC_L2, 0, better, 2);
    assert_int_equal(unite.counts[0], 3);
    assert_true(unite.hits[1].primary_key == 7 && unite.hits[1].distance == 2.0f);
    assert_int_equal(unite.hits[2].primary_key, 9);
    arena_done(&arena);
}

static void a_list_out_of_order_or_with_nan_is_not_sorted(void **state)
{
    struct qn_hit wrong[] = {{1, 2.0f}, {2, 1.0f}}, tie[] = {{2, 1.0f}, {1, 1.0f}},
                  nan[] = {{1, NAN}};

    (void)state;
    assert_false(client_unite_is_sorted(QN_METRIC_L2, wrong, 2));
    assert_true(client_unite_is_sorted(QN_METRIC_IP, wrong, 2));
    assert_false(client_unite_is_sorted(QN_METRIC_IP, tie, 2));
    assert_false(client_unite_is_sorted(QN_METRIC_IP, nan, 1));
}

static void without_memory_init_says_so(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 4096; cap += 64) {
        struct arena arena;
        struct client_unite unite;
        arena_init(&arena, cap);
        (void)client_unite_init(&unite, &arena, 2, 32);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_unite_as_if_sorted_together),
        cmocka_unit_test(the_better_hit_of_a_key_is_kept),
        cmocka_unit_test(a_list_out_of_order_or_with_nan_is_not_sorted),
        cmocka_unit_test(without_memory_init_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
