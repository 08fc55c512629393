/* SPDX-License-Identifier: Apache-2.0
 * Searches of many queries by a graph: each finds what it finds alone, and a deadline ends them
 * wherever they are. */
#include "tests/test.h"

#include "base/check.h"
#include "segstore/search.h"
#include "tests/unit/segstore_index_fixture.h"
#include <stdlib.h>

enum { NQ = 9 };

static struct pair pair_of(uint32_t dim, uint64_t rows_count)
{
    struct index_options options = {.kind = INDEX_GRAPH, .seed = 5, .threads = 2};

    return pair_make(
        &(struct segment_facts){.metric = QN_METRIC_L2, .dim = dim, .rows_count = rows_count},
        pair_rows(rows_count, dim, 6), NQ, &options);
}

struct stopping {
    int calls, last;
};

static bool stop_at_last(void *owner)
{
    struct stopping *stopping = owner;

    return ++stopping->calls == stopping->last;
}

/* How often the deadline was asked for, until it was over or the search was. */
static int asked_until(const struct pair *pair, struct search_options asked, int last,
                       enum qn_status expected)
{
    struct stopping stopping = {.last = last};
    struct search_queries queries;
    struct topk *topks = calloc(pair->nq, sizeof *topks);
    unsigned char *storage = malloc(pair->nq * topk_bytes(asked.k));
    void *tiles = malloc(search_queries_bytes(pair->flat.facts.dim, pair->nq) + 1);

    asked.scratch =
        aligned_alloc(64, (search_scratch_bytes(&pair->indexed, &asked, pair->nq) + 64) / 64 * 64);
    asked.stop = stop_at_last;
    asked.stop_owner = &stopping;
    assert_true(topks && storage && tiles && asked.scratch);
    for (uint32_t i = 0; i < pair->nq; i++)
        topk_init(&topks[i], QN_METRIC_L2, asked.k, storage + i * topk_bytes(asked.k));
    search_queries_init(&queries, pair->flat.facts.dim, pair->nq, pair->queries, tiles);
    assert_int_equal(search_segment(&pair->indexed, &queries, &asked, topks), expected);
    free(asked.scratch);
    free(tiles);
    free(storage);
    free(topks);
    return stopping.calls;
}

static void a_deadline_ends_a_search(void **state)
{
    enum { ROWS = 4000, DIM = 64 };
    struct pair pair = pair_of(DIM, ROWS);
    struct search_options asked = {.k = 1, .ef = ROWS, .refine = 1};

    (void)state;
    assert_int_equal(asked_until(&pair, asked, 1, QN_STATUS_TIMEOUT), 1); /* before it begins */
    assert_int_equal(asked_until(&pair, asked, 2, QN_STATUS_TIMEOUT), 2);
    assert_true(asked_until(&pair, asked, -1, QN_STATUS_OK) > 2);
    pair_free(&pair);
}

/* Many queries become codes before the first of them walks: that is asked, too. */
static void a_deadline_ends_a_batch_before_it_walks(void **state)
{
    enum { ROWS = 300, DIM = 4096 };
    struct index_options options = {.kind = INDEX_GRAPH, .graph.projected = 127, .threads = 2};
    struct pair pair =
        pair_make(&(struct segment_facts){.metric = QN_METRIC_L2, .dim = DIM, .rows_count = ROWS},
                  pair_rows(ROWS, DIM, 6), 40, &options);
    struct search_options asked = {.k = 1, .ef = 1, .refine = 1};

    (void)state;
    assert_int_equal(asked_until(&pair, asked, 3, QN_STATUS_TIMEOUT), 3);
    assert_true(asked_until(&pair, asked, -1, QN_STATUS_OK) >= 40 * 127 * DIM / (4 << 20));
    pair_free(&pair);
}

/* Their order changes nothing, nor do the parts that they are taken in. */
static void queries_find_the_same_together_and_alone(void **state)
{
    enum { ROWS = 400 };
    static const uint32_t dims[] = {4096, 20}, counts[] = {600, 150, 17, 5, 1};
    const struct search_options asked = {.k = 5, .ef = 8, .refine = 9};

    (void)state;
    for (size_t d = 0; d < COUNT_OF(dims); d++) {
        struct index_options options = {
            .kind = INDEX_GRAPH, .graph.projected = d == 0 ? 0 : 15, .threads = 2};
        struct pair pair = pair_make(
            &(struct segment_facts){.metric = QN_METRIC_IP, .dim = dims[d], .rows_count = ROWS},
            pair_rows(ROWS, dims[d], 8), counts[0], &options);
        for (size_t c = 1; c < COUNT_OF(counts); c++)
            pair_assert_alone(&pair, asked, counts[c]);
        pair_free(&pair);
    }
}

/* A graph whose rows have no links: each query ends in an exact scan, which counts as work. */
static void a_deadline_ends_scans_of_what_a_walk_did_not_meet(void **state)
{
    enum { ROWS = 4000, DIM = 256 };
    struct pair pair = pair_of(DIM, ROWS);
    struct search_options asked = {.k = 100, .ef = 100, .refine = 100};
    uint32_t *links = (uint32_t *)(uintptr_t)pair.indexed.index.graph.links;

    (void)state;
    for (size_t i = 0; i < (size_t)ROWS * GRAPH_DEGREE; i++)
        links[i] = (uint32_t)(i / GRAPH_DEGREE);
    pair_assert_same(&pair, asked);
    assert_int_equal(asked_until(&pair, asked, 2, QN_STATUS_TIMEOUT), 2);
    pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_ends_a_search),
        cmocka_unit_test(a_deadline_ends_a_batch_before_it_walks),
        cmocka_unit_test(a_deadline_ends_scans_of_what_a_walk_did_not_meet),
        cmocka_unit_test(queries_find_the_same_together_and_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
