/* SPDX-License-Identifier: Apache-2.0
 * Indexes: what they find is exact in itself, all of it when everything is looked at, and as much
 * as was promised when not; and no section that is damaged gets past index_open. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "segstore/ivf_build.h"
#include "segstore/kernels/kernels.h"
#include "segstore/rows.h"
#include "segstore/search.h"
#include "tests/unit/segstore_index_fixture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NQ = 9 };

static const enum qn_metric metrics[] = {QN_METRIC_L2, QN_METRIC_IP, QN_METRIC_COSINE};

/* All lists and all candidates: nothing may be lost, k may be more than there are rows. */
static void looking_at_everything_finds_everything(void **state)
{
    static const uint32_t dims[] = {1, 3, 8, 17, 64, 100};
    static const uint64_t counts[] = {1, 2, 15, 16, 17, 33, 257, 600};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++)
        for (size_t d = 0; d < COUNT_OF(dims); d++)
            for (size_t n = 0; n < COUNT_OF(counts); n++) {
                struct index_options options = {
                    .kind = INDEX_IVF, .ivf.code_bits = n % 2 == 0 ? 4 : 8, .threads = 2};
                struct pair pair = pair_make(&(struct segment_facts){.metric = metrics[m],
                                                                     .dim = dims[d],
                                                                     .rows_count = counts[n]},
                                             pair_rows(counts[n], dims[d], n + 1), NQ, &options);
                pair_assert_same(
                    &pair, (struct search_options){.k = 10, .nprobe = 1 << 20, .refine = 1000});
                pair_assert_same(&pair,
                                 (struct search_options){.k = 700, .nprobe = 1 << 20, .refine = 1});
                pair_assert_same(&pair, (struct search_options){.k = 5, .recall = 1}); /* exact */
                pair_assert_same(&pair, (struct search_options){.k = 5});
                pair_free(&pair);
            }
}

static void dim_4096_is_searched(void **state)
{
    struct index_options options = {
        .kind = INDEX_IVF, .ivf = {.nlist = 3, .code_bits = 4}, .threads = 1};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        struct pair pair =
            pair_make(&(struct segment_facts){.metric = metrics[m], .dim = 4096, .rows_count = 100},
                      pair_rows(100, 4096, 1), 2, &options);
        pair_assert_same(&pair, (struct search_options){.k = 10, .nprobe = 3, .refine = 100});
        pair_assert_same(&pair, (struct search_options){.k = 10, .recall = 1});
        pair_free(&pair);
    }
}

/* One list gets all rows; the others are empty. */
static void equal_rows_are_found_by_key(void **state)
{
    struct index_options options = {
        .kind = INDEX_IVF, .ivf = {.nlist = 7, .code_bits = 4}, .threads = 2};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        float *rows = pair_rows(300, 6, 1);
        for (size_t i = 6; i < 300 * 6; i++)
            rows[i] = rows[i % 6];
        struct pair pair =
            pair_make(&(struct segment_facts){.metric = metrics[m], .dim = 6, .rows_count = 300},
                      rows, NQ, &options);
        pair_assert_same(&pair, (struct search_options){.k = 20, .nprobe = 7, .refine = 300});
        pair_assert_same(&pair, (struct search_options){.k = 20, .nprobe = 1, .refine = 20});
        pair_assert_same(&pair, (struct search_options){.k = 1, .recall = 0.9F});
        pair_free(&pair);
    }
}

static void every_kernel_finds_the_same(void **state)
{
    const struct kernels *tables[8];
    size_t tables_count = kernels_supported(tables, COUNT_OF(tables));
    struct index_options options = {.kind = INDEX_IVF, .ivf.code_bits = 4, .threads = 2};
    struct search_options asked = {.k = 10, .nprobe = 5, .refine = 20};

    (void)state;
    for (options.ivf.code_bits = 4; options.ivf.code_bits <= 8; options.ivf.code_bits += 4) {
        struct pair pair = pair_make(
            &(struct segment_facts){.metric = QN_METRIC_L2, .dim = 33, .rows_count = 2000},
            pair_rows(2000, 33, 3), NQ, &options);
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

static void the_same_seed_gives_the_same_bytes_on_any_threads(void **state)
{
    const struct segment_facts facts = {.metric = QN_METRIC_IP, .dim = 12, .rows_count = 3000};
    struct section_built built[2];
    float *rows = pair_rows(3000, 12, 4);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct ivf_options options = {.code_bits = 4, .seed = 9, .threads = i == 0 ? 1 : 4};
        assert_int_equal(ivf_build(&options, &facts, rows, &built[i], NULL), QN_STATUS_OK);
    }
    assert_int_equal(built[0].section_bytes, built[1].section_bytes);
    assert_memory_equal(built[0].section, built[1].section, built[0].section_bytes);
    assert_memory_equal(built[0].order, built[1].order, 3000 * sizeof(uint32_t));
    section_built_done(&built[0]);
    section_built_done(&built[1]);
    free(rows);
}

/* Each place of the header and of the lists that matters, one at a time. */
static void damaged_sections_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
        enum qn_status status;
        const char *text;
    } damages[] = {
        {0, 3, QN_STATUS_UNSUPPORTED, "section index: kind 3, edition 1"},
        {4, 9, QN_STATUS_UNSUPPORTED, "section index: kind 1, edition 9"},
        {8, 0, QN_STATUS_CORRUPT, "section index: 0 lists"},
        {8, 0xffffffff, QN_STATUS_CORRUPT, "section index: 4294967295 lists"},
        {8, 17, QN_STATUS_CORRUPT, "its shape says"},
        {12, 5, QN_STATUS_CORRUPT, "5-bit codes"},
        {12, 8, QN_STATUS_CORRUPT, "its shape says"},
        {16, 0xffffffff, QN_STATUS_CORRUPT, "blocks of"},
        {16, 1, QN_STATUS_CORRUPT, "its shape says"},
        {24, 1, QN_STATUS_CORRUPT, "its shape says"},
        {32, 61, QN_STATUS_CORRUPT, "61 calibrations"},
        {64, 0, QN_STATUS_CORRUPT, "calibration 0"},
        {68, 0x7fc00000, QN_STATUS_CORRUPT, "calibration 0"},
        {72, 0, QN_STATUS_CORRUPT, "calibration 0"},
        {76, 0, QN_STATUS_CORRUPT, "calibration 0"},
        {72, (1 << 20) + 1, QN_STATUS_CORRUPT, "calibration 0"},
        {76, 65537, QN_STATUS_CORRUPT, "calibration 0"},
        {80, 0, QN_STATUS_CORRUPT, "calibration 1"},
    };
    struct index_options options = {
        .kind = INDEX_IVF, .ivf = {.nlist = 16, .code_bits = 4}, .threads = 1};
    struct pair pair =
        pair_make(&(struct segment_facts){.metric = QN_METRIC_L2, .dim = 5, .rows_count = 500},
                  pair_rows(500, 5, 6), 2, &options);
    const struct segment_facts *facts = &pair.flat.facts;
    const uint64_t bytes = pair.built.section_bytes;
    uint8_t *copy = aligned_alloc(64, bytes);
    struct qn_error error;
    struct index index;

    (void)state;
    assert_non_null(copy);
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        memcpy(copy, pair.built.section, bytes);
        memcpy(copy + damages[i].at, &damages[i].value, 4);
        memset(&error, 0, sizeof error);
        assert_int_equal(index_open(copy, bytes, facts, &index, &error), damages[i].status);
        if (strstr(error.text, damages[i].text) == NULL)
            print_message("%zu: %s\n", i, error.text);
        assert_non_null(strstr(error.text, damages[i].text));
    }
    assert_int_equal(index_open(copy, 100, facts, &index, &error), QN_STATUS_CORRUPT);
    const size_t lists_at = SECTION_HEADER_BYTES;
    for (size_t i = 0; i < 2 * 17; i++) { /* first_rows, padded to 64 bytes, and first_blocks */
        memcpy(copy, pair.built.section, bytes);
        copy[lists_at + (i < 17 ? i * 8 + 3 : 192 + (i - 17) * 8)] ^= 1; /* 2^24 rows, or a block */
        assert_int_equal(index_open(copy, bytes, facts, &index, &error), QN_STATUS_CORRUPT);
        assert_non_null(strstr(error.text, "list"));
    }
    free(copy);
    pair_free(&pair);
}

static void factors_that_are_not_finite_are_refused(void **state)
{
    struct index_options options = {
        .kind = INDEX_IVF, .ivf = {.nlist = 16, .code_bits = 4}, .threads = 1};
    struct qn_error error;
    struct index index;

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        struct pair pair =
            pair_make(&(struct segment_facts){.metric = metrics[m], .dim = 5, .rows_count = 500},
                      pair_rows(500, 5, 6), 2, &options);
        const struct ivf_section *ivf = &pair.indexed.index.ivf;
        const float *const factors[] = {
            m == 0 ? ivf->mean + 4 : ivf->spreads + 15, ivf->centres.scales,
            m == 0 ? ivf->centres.terms + 1 : ivf->rows.scales, ivf->rows.scales + 499,
            m == 0 ? ivf->rows.terms + 500 : ivf->rows.scales + 9};
        const uint64_t bytes = pair.built.section_bytes;
        uint8_t *copy = aligned_alloc(64, bytes);
        assert_non_null(copy);
        for (size_t i = 0; i < COUNT_OF(factors); i++) {
            memcpy(copy, pair.built.section, bytes);
            ((float *)(void *)copy)[factors[i] - (const float *)pair.built.section] = INFINITY;
            assert_int_equal(index_open(copy, bytes, &pair.flat.facts, &index, &error),
                             QN_STATUS_CORRUPT);
            assert_non_null(strstr(error.text, "section index: factors: value"));
        }
        free(copy);
        pair_free(&pair);
    }
}

static void more_lists_than_rows_are_refused(void **state)
{
    const struct segment_facts facts = {.metric = QN_METRIC_L2, .dim = 5, .rows_count = 50};
    struct ivf_options options = {.nlist = 51, .code_bits = 4, .threads = 1};
    float *rows = pair_rows(50, 5, 6);
    struct qn_error error = {0};
    struct section_built built;

    (void)state;
    assert_int_equal(ivf_build(&options, &facts, rows, &built, &error), QN_STATUS_INVALID);
    assert_string_equal(error.text, "51 lists for 50 rows");
    free(rows);
}

/* More than one group, one group, few, one: hits do not depend on who else is asking. */
static void queries_find_the_same_together_and_alone(void **state)
{
    struct index_options options = {.kind = INDEX_IVF, .ivf.nlist = 100, .threads = 2};
    const struct search_options asked = {.k = 10, .nprobe = 12, .refine = 15};
    static const uint32_t counts[] = {300, 150, 5, 3, 2, 1};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        options.ivf.code_bits = m == 0 ? 8 : 4;
        struct pair pair =
            pair_make(&(struct segment_facts){.metric = metrics[m], .dim = 20, .rows_count = 3000},
                      pair_rows(3000, 20, 8), counts[0], &options);
        for (size_t c = 1; c < COUNT_OF(counts); c++)
            pair_assert_alone(&pair, asked, counts[c]);
        pair_free(&pair);
    }
}

static void rows_too_long_to_estimate_are_refused(void **state)
{
    struct segment_facts facts = {.dim = 5, .rows_count = 50};
    struct ivf_options options = {.nlist = 3, .code_bits = 4, .threads = 1};
    float *rows = pair_rows(50, 5, 6);
    struct section_built built;

    (void)state;
    rows[7 * 5 + 2] = 1e19F;
    for (facts.metric = QN_METRIC_L2; facts.metric <= QN_METRIC_IP; facts.metric++) {
        struct qn_error error = {0};
        assert_int_equal(ivf_build(&options, &facts, rows, &built, &error), QN_STATUS_INVALID);
        assert_string_equal(error.text, "row 7: its length of 1e+19 is more than an ivf can "
                                        "estimate; a graph takes it");
    }
    free(rows);
}

static bool stop_at_once(void *owner)
{
    ++*(int *)owner;
    return *(int *)owner > 1; /* the first is asked before anything is done */
}

static void a_deadline_ends_a_search(void **state)
{
    struct index_options options = {
        .kind = INDEX_IVF, .ivf = {.nlist = 4, .code_bits = 4}, .threads = 1};
    struct pair pair =
        pair_make(&(struct segment_facts){.metric = QN_METRIC_L2, .dim = 64, .rows_count = 20000},
                  pair_rows(20000, 64, 6), 40, &options);
    struct search_options asked = {.k = 1, .nprobe = 4, .refine = 1, .stop = stop_at_once};
    struct search_queries queries;
    struct topk topks[40];
    uint64_t storage[40][8];
    int calls = 0;

    (void)state;
    void *tiles = malloc(search_queries_bytes(64, 40) + 1);
    asked.scratch =
        aligned_alloc(64, (search_scratch_bytes(&pair.indexed, &asked, 40) + 64) / 64 * 64);
    asked.stop_owner = &calls;
    assert_true(tiles != NULL && asked.scratch != NULL);
    for (int i = 0; i < 40; i++)
        topk_init(&topks[i], QN_METRIC_L2, 1, storage[i]);
    search_queries_init(&queries, 64, 40, pair.queries, tiles);
    assert_int_equal(search_segment(&pair.indexed, &queries, &asked, topks), QN_STATUS_TIMEOUT);
    assert_int_equal(calls, 2);
    asked.nprobe = 0; /* exact */
    free(asked.scratch);
    asked.scratch =
        aligned_alloc(64, (search_scratch_bytes(&pair.indexed, &asked, 40) + 64) / 64 * 64);
    calls = 0;
    assert_int_equal(search_segment(&pair.indexed, &queries, &asked, topks), QN_STATUS_TIMEOUT);
    free(tiles);
    free(asked.scratch);
    pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looking_at_everything_finds_everything),
        cmocka_unit_test(dim_4096_is_searched),
        cmocka_unit_test(equal_rows_are_found_by_key),
        cmocka_unit_test(every_kernel_finds_the_same),
        cmocka_unit_test(queries_find_the_same_together_and_alone),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_on_any_threads),
        cmocka_unit_test(damaged_sections_are_refused),
        cmocka_unit_test(factors_that_are_not_finite_are_refused),
        cmocka_unit_test(more_lists_than_rows_are_refused),
        cmocka_unit_test(rows_too_long_to_estimate_are_refused),
        cmocka_unit_test(a_deadline_ends_a_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
