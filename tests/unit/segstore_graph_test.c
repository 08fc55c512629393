/* SPDX-License-Identifier: Apache-2.0
 * Searches by a graph: exact in what they tell, all of it when the walk keeps all rows, never fewer
 * hits than there are; the same from every kernel and, on one thread, every build. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "segstore/kernels/kernels.h"
#include "segstore/search.h"
#include "tests/unit/segstore_index_fixture.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

enum { NQ = 9, ALL = 1 << 20, ROWS_MANY = 4000 / TEST_DIVISOR };

/* The first of what is tried, where ThreadSanitizer makes builds crawl. */
#define SOME_OF(array) (TEST_DIVISOR < 10 ? COUNT_OF(array) : 1)

/* All, but for threads that do the same with each. */
enum { METRICS = TEST_DIVISOR < 10 ? 3 : 1 };
static const enum qn_metric metrics[] = {QN_METRIC_L2, QN_METRIC_IP, QN_METRIC_COSINE};

static struct pair graph_of(enum qn_metric metric, uint32_t dim, uint64_t rows_count, float *rows,
                            uint32_t projected)
{
    struct index_options options = {
        .kind = INDEX_GRAPH, .graph.projected = projected, .seed = 5, .threads = 2};

    return pair_make(
        &(struct segment_facts){.metric = metric, .dim = dim, .rows_count = rows_count}, rows, NQ,
        &options);
}

/* With ef: as many hits as there can be, each of another row, with its distance. */
static void assert_true_hits(const struct pair *pair, uint32_t k, uint32_t ef)
{
    const uint32_t rows_count = (uint32_t)pair->flat.facts.rows_count;
    struct found all = pair_search(pair, &pair->flat, (struct search_options){.k = rows_count});
    struct found found =
        pair_search(pair, &pair->indexed, (struct search_options){.k = k, .ef = ef});
    float *distances = calloc(rows_count, sizeof *distances);
    bool *is_told = calloc(rows_count, sizeof *is_told);

    assert_true(distances && is_told);
    for (uint32_t i = 0; i < pair->nq; i++) {
        for (uint32_t j = 0; j < rows_count; j++) {
            distances[all.topks[i].hits[j].primary_key / 3] = all.topks[i].hits[j].distance;
            is_told[j] = false;
        }
        assert_int_equal(found.topks[i].count, k < rows_count ? k : rows_count);
        for (uint32_t j = 0; j < found.topks[i].count; j++) {
            const struct qn_hit *hit = &found.topks[i].hits[j];
            assert_memory_equal(&hit->distance, &distances[hit->primary_key / 3], sizeof(float));
            assert_false(is_told[hit->primary_key / 3]);
            is_told[hit->primary_key / 3] = true;
        }
    }
    free(distances);
    free(is_told);
    found_free(&all);
    found_free(&found);
}

static void a_walk_that_keeps_all_rows_finds_what_is_there(void **state)
{
    static const uint32_t dims[] = {17, 100, 1, 3, 8, 64};
    static const uint64_t counts[] = {257, 1, 600, 2, 15, 16, 17, 33};

    (void)state;
    for (size_t m = 0; m < METRICS; m++)
        for (size_t d = 0; d < SOME_OF(dims); d++)
            for (size_t n = 0; n < SOME_OF(counts); n++) {
                const uint32_t projections[] = {0, (dims[d] + 1) / 2, dims[d]};
                struct pair pair =
                    graph_of(metrics[m], dims[d], counts[n], pair_rows(counts[n], dims[d], n + 1),
                             projections[(d + n) % COUNT_OF(projections)]);
                pair_assert_same(&pair,
                                 (struct search_options){.k = 10, .ef = ALL, .refine = 1000});
                pair_assert_same(&pair, (struct search_options){.k = 700, .ef = 1, .refine = 1});
                pair_assert_same(&pair, (struct search_options){.k = 5, .recall = 1}); /* exact */
                pair_assert_same(&pair, (struct search_options){.k = 5});
                assert_true_hits(&pair, 10, 1);
                pair_free(&pair);
            }
}

static void dim_4096_is_searched(void **state)
{
    (void)state;
    for (size_t m = 0; m < METRICS; m++)
        for (uint32_t projected = 0; projected <= 20; projected += 20) {
            struct pair pair = graph_of(metrics[m], 4096, 100, pair_rows(100, 4096, 1), projected);
            pair_assert_same(&pair, (struct search_options){.k = 10, .ef = 100, .refine = 100});
            pair_assert_same(&pair, (struct search_options){.k = 10, .recall = 1});
            pair_free(&pair);
        }
}

/* copies of each of a few rows, far more than a row has links. */
static float *repeated_rows(uint64_t rows_count, uint32_t dim, uint64_t copies)
{
    float *rows = pair_rows(rows_count, dim, 1);

    for (uint64_t i = rows_count; i-- > 0;) /* from rows that are not replaced yet */
        memmove(rows + i * dim, rows + i / copies * dim, dim * sizeof *rows);
    return rows;
}

static void equal_rows_are_all_found(void **state)
{
    static const uint64_t copies[] = {150, 1000, 2, 40};

    (void)state;
    for (size_t m = 0; m < METRICS; m++)
        for (size_t c = 0; c < SOME_OF(copies); c++) {
            struct pair pair =
                graph_of(metrics[m], 6, 1000, repeated_rows(1000, 6, copies[c]), c < 2 ? 4 : 0);
            pair_assert_same(&pair, (struct search_options){.k = 20, .ef = ALL, .refine = 1000});
            assert_true_hits(&pair, 1, 1);
            assert_true_hits(&pair, 10, 20);
            assert_true_hits(&pair, 300, 300);
            pair_free(&pair);
        }
}

/* Lengths that differ by orders of magnitude, some that overflow, a dimension without news. */
static float *uneven_rows(uint64_t rows_count, uint32_t dim, float least, float largest)
{
    float *rows = pair_rows(rows_count, dim, 3);

    for (uint64_t i = 0; i < rows_count; i++)
        for (uint32_t d = 0; d < dim; d++) {
            float *value = &rows[i * dim + d];
            *value = d == 2 ? least : *value / 8 * (i % 3 == 0 ? largest : least);
        }
    return rows;
}

static void rows_of_any_length_are_searched(void **state)
{
    static const struct {
        float least, largest;
    } lengths[] = {{1e30F, FLT_MAX}, {1, 1e18F}, {1, 1000}, {1e-20F, 1e-20F}, {0x1p-148F, 1e-43F}};

    (void)state;
    for (size_t m = 0; m < METRICS; m++)
        for (size_t i = 0; i < SOME_OF(lengths); i++)
            for (uint32_t projected = 0; projected <= 4; projected += 4) {
                struct pair pair =
                    graph_of(metrics[m], 7, 500,
                             uneven_rows(500, 7, lengths[i].least, lengths[i].largest), projected);
                pair_assert_same(&pair, (struct search_options){.k = 10, .ef = ALL, .refine = 500});
                pair_free(&pair);
            }
}

static void every_kernel_finds_the_same(void **state)
{
    const struct kernels *tables[8];
    size_t tables_count = kernels_supported(tables, COUNT_OF(tables));
    struct search_options asked = {.k = 10, .ef = 30, .refine = 20};

    (void)state;
    for (uint32_t projected = 0; projected <= 20; projected += 20) {
        struct pair pair = graph_of(QN_METRIC_IP, 33, 2000, pair_rows(2000, 33, 3), projected);
        assert_int_equal(kernels_choose("scalar", NULL), QN_STATUS_OK);
        struct found expected = pair_search(&pair, &pair.indexed, asked);
        for (size_t t = 1; t < tables_count; t++) {
            assert_int_equal(kernels_choose(tables[t]->name, NULL), QN_STATUS_OK);
            struct found found = pair_search(&pair, &pair.indexed, asked);
            for (uint32_t i = 0; i < NQ; i++)
                for (uint32_t j = 0; j < 10; j++)
                    assert_int_equal(found.topks[i].hits[j].primary_key,
                                     expected.topks[i].hits[j].primary_key);
            found_free(&found);
        }
        found_free(&expected);
        pair_free(&pair);
    }
    assert_int_equal(kernels_choose(NULL, NULL), QN_STATUS_OK);
}

static struct pair built_on(unsigned threads)
{
    struct index_options options = {.kind = INDEX_GRAPH, .seed = 9, .threads = threads};

    return pair_make(
        &(struct segment_facts){.metric = QN_METRIC_L2, .dim = 24, .rows_count = ROWS_MANY},
        pair_rows(ROWS_MANY, 24, 4), 200, &options);
}

static double recall_of(const struct pair *pair, uint32_t ef)
{
    struct found truth = pair_search(pair, &pair->flat, (struct search_options){.k = 10});
    struct found found =
        pair_search(pair, &pair->indexed, (struct search_options){.k = 10, .ef = ef, .refine = ef});
    uint64_t hits = 0;

    for (uint32_t i = 0; i < pair->nq; i++)
        for (uint32_t j = 0; j < found.topks[i].count; j++)
            hits += found.topks[i].hits[j].distance <= truth.topks[i].hits[9].distance;
    found_free(&truth);
    found_free(&found);
    return (double)hits / pair->nq / 10;
}

static void one_thread_gives_the_same_bytes_and_more_the_same_recall(void **state)
{
    struct pair one = built_on(1), again = built_on(1), four = built_on(4);
    const double alone = recall_of(&one, 20), together = recall_of(&four, 20);

    (void)state;
    assert_int_equal(one.built.section_bytes, again.built.section_bytes);
    assert_memory_equal(one.built.section, again.built.section, one.built.section_bytes);
    assert_memory_equal(one.built.order, again.built.order, ROWS_MANY * sizeof(uint32_t));
    print_message("recall of ef 20: %.4f built on one thread, %.4f on four\n", alone, together);
    assert_true(alone > 0.8 && together > alone - 0.02 && together < alone + 0.02);
    pair_free(&one);
    pair_free(&again);
    pair_free(&four);
}

/* Of the rows of a graph those that lead on from its entries. */
static uint64_t rows_reached(const struct graph_section *graph)
{
    const uint64_t rows_count = graph->shape.rows_count;
    uint32_t *reached = calloc(rows_count, sizeof *reached);
    bool *is_reached = calloc(rows_count, sizeof *is_reached);
    uint64_t count = 0;

    assert_true(reached && is_reached);
    for (uint32_t i = 0; i < graph->shape.entries; i++) {
        reached[count++] = i;
        is_reached[i] = true;
    }
    for (uint64_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < graph->shape.degree; j++) {
            const uint32_t link = graph->links[(uint64_t)reached[i] * graph->shape.degree + j];
            if (!is_reached[link])
                reached[count++] = link;
            is_reached[link] = true;
        }
    free(reached);
    free(is_reached);
    return count;
}

static void every_row_can_be_reached(void **state)
{
    static const uint64_t copies[] = {700, 1, 1, 100};

    (void)state;
    for (size_t i = 0; i < SOME_OF(copies); i++)
        for (uint32_t degree = 1; degree <= 32; degree *= 4) {
            struct index_options options = {
                .kind = INDEX_GRAPH, .graph.degree = degree, .seed = i, .threads = 2};
            struct pair pair = pair_make(
                &(struct segment_facts){.metric = QN_METRIC_L2, .dim = 5, .rows_count = 700},
                repeated_rows(700, 5, copies[i]), 1, &options);
            assert_int_equal(rows_reached(&pair.indexed.index.graph), 700);
            pair_free(&pair);
        }
}

static void options_out_of_range_are_refused(void **state)
{
    static const struct {
        struct graph_options options;
        const char *text;
    } wrong[] = {
        {{.degree = 257}, "degree 257: at most 256"},
        {{.ef_construction = 1025}, "1025 candidates: at most 1024"},
        {{.projected = 6}, "6 directions of 5 dimensions"},
    };
    float *rows = pair_rows(50, 5, 6);
    int64_t keys[50];
    struct choice choice;
    struct section_built built;

    (void)state;
    for (int64_t i = 0; i < 50; i++)
        keys[i] = i;
    struct index_input input = {
        .facts = {.metric = QN_METRIC_L2, .dim = 5, .rows_count = 50}, .rows = rows, .keys = keys};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct index_options options = {
            .kind = INDEX_GRAPH, .graph = wrong[i].options, .threads = 1};
        struct qn_error error = {0};
        assert_int_equal(index_build(&options, &input, &built, &choice, &error), QN_STATUS_INVALID);
        assert_string_equal(error.text, wrong[i].text);
    }
    struct index_options most = {.kind = INDEX_GRAPH,
                                 .graph = {.degree = 256, .ef_construction = 1024, .projected = 5},
                                 .threads = 1};
    assert_int_equal(index_build(&most, &input, &built, &choice, NULL), QN_STATUS_OK);
    section_built_done(&built);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_that_keeps_all_rows_finds_what_is_there),
        cmocka_unit_test(every_row_can_be_reached),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(dim_4096_is_searched),
        cmocka_unit_test(equal_rows_are_all_found),
        cmocka_unit_test(rows_of_any_length_are_searched),
        cmocka_unit_test(every_kernel_finds_the_same),
        cmocka_unit_test(one_thread_gives_the_same_bytes_and_more_the_same_recall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
