/* SPDX-License-Identifier: Apache-2.0
 * Indexes: what they find is exact in itself, all of it when everything is looked at, and as much
 * as was promised when not; and no section that is damaged gets past index_open. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "segstore/calibrate.h"
#include "segstore/ivf_build.h"
#include "segstore/kernels/kernels.h"
#include "segstore/rows.h"
#include "segstore/search.h"
#include "tests/unit/segstore_fixture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NQ = 9, ROWS_MANY = 20000 / TEST_DIVISOR, NQ_MANY = 200 };

static const enum qn_metric metrics[] = {QN_METRIC_L2, QN_METRIC_IP, QN_METRIC_COSINE};

/* The same rows as an indexed segment and as a flat one. */
struct pair {
    struct segment indexed, flat;
    struct ivf_built built;
    float *rows, *ordered, *blocks, *queries;
    int64_t *keys, *ordered_keys;
    uint32_t nq;
};

/* Rows around a few centres: what an index is for. */
static void fill_clustered(float *rows, uint64_t rows_count, uint32_t dim, uint64_t seed)
{
    enum { CENTRES = 40 };
    float *centres = malloc((size_t)CENTRES * dim * sizeof *centres);
    struct prng prng;

    assert_non_null(centres);
    prng_init(&prng, 1);
    for (size_t i = 0; i < (size_t)CENTRES * dim; i++)
        centres[i] = (float)prng_normal(&prng);
    prng_init(&prng, seed);
    for (uint64_t i = 0; i < rows_count; i++) {
        const float *centre = centres + prng_below(&prng, CENTRES) * dim;
        for (uint32_t d = 0; d < dim; d++)
            rows[i * dim + d] = centre[d] + 0.5F * (float)prng_normal(&prng);
    }
    free(centres);
}

static void prepare(enum qn_metric metric, uint32_t dim, float *rows, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(rows_prepare(metric, dim, rows + i * dim, NULL), QN_STATUS_OK);
}

/* rows: taken, unprepared. */
static struct pair pair_make(enum qn_metric metric, uint32_t dim, float *rows, uint64_t rows_count,
                             uint32_t nq, const struct ivf_options *options)
{
    const struct segment_facts facts = {.rows_count = rows_count, .dim = dim, .metric = metric};
    struct pair pair = {.rows = rows, .nq = nq};
    struct qn_error error = {0};

    prepare(metric, dim, rows, rows_count);
    pair.queries = malloc((size_t)nq * dim * sizeof(float));
    pair.ordered = malloc((rows_count + 1) * dim * sizeof(float));
    pair.blocks = calloc(format_blocks(rows_count) * LIMIT_BLOCK_ROWS, dim * sizeof(float));
    pair.keys = calloc(rows_count, sizeof(int64_t));
    pair.ordered_keys = calloc(rows_count, sizeof(int64_t));
    assert_true(pair.queries && pair.ordered && pair.blocks && pair.keys && pair.ordered_keys);
    fill_clustered(pair.queries, nq, dim, 77);
    prepare(metric, dim, pair.queries, nq);
    assert_int_equal(ivf_build(options, metric, dim, rows, rows_count, &pair.built, &error),
                     QN_STATUS_OK);
    for (uint64_t i = 0; i < rows_count; i++) {
        memcpy(pair.ordered + i * dim, rows + (size_t)pair.built.order[i] * dim,
               dim * sizeof(float));
        pair.keys[i] = (int64_t)(i * 3);
        pair.ordered_keys[i] = (int64_t)pair.built.order[i] * 3;
        rows_to_block(rows + i * dim, dim, i % LIMIT_BLOCK_ROWS,
                      pair.blocks + i / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS * dim);
    }
    pair.flat = (struct segment){.facts = facts, .primary_keys = pair.keys, .blocks = pair.blocks};
    pair.indexed =
        (struct segment){.facts = facts, .primary_keys = pair.ordered_keys, .rows = pair.ordered};
    assert_int_equal(index_open(pair.built.section, pair.built.section_bytes, &facts,
                                &pair.indexed.index, &error),
                     QN_STATUS_OK);
    return pair;
}

static void pair_free(struct pair *pair)
{
    ivf_built_done(&pair->built);
    free(pair->rows);
    free(pair->ordered);
    free(pair->blocks);
    free(pair->queries);
    free(pair->keys);
    free(pair->ordered_keys);
}

struct found {
    struct topk *topks;
    void *storage;
};

static struct found search(const struct pair *pair, const struct segment *segment,
                           struct search_options options)
{
    const uint32_t dim = segment->facts.dim, k = options.k;
    struct found found = {.topks = calloc(pair->nq, sizeof *found.topks),
                          .storage = malloc(pair->nq * topk_bytes(k))};
    void *tiles = malloc(search_queries_bytes(dim, pair->nq) + 1);
    void *scratch = aligned_alloc(64, (search_scratch_bytes(segment, &options) + 64) / 64 * 64);
    struct search_queries queries;

    assert_true(found.topks && found.storage && tiles && scratch);
    options.scratch = scratch;
    for (uint32_t i = 0; i < pair->nq; i++)
        topk_init(&found.topks[i], segment->facts.metric, k,
                  (unsigned char *)found.storage + i * topk_bytes(k));
    search_queries_init(&queries, dim, pair->nq, pair->queries, tiles);
    assert_int_equal(search_segment(segment, &queries, &options, found.topks), QN_STATUS_OK);
    for (uint32_t i = 0; i < pair->nq; i++)
        topk_sort(&found.topks[i]);
    free(tiles);
    free(scratch);
    return found;
}

static void found_free(struct found *found)
{
    free(found->topks);
    free(found->storage);
}

static void assert_same(const struct pair *pair, struct search_options options)
{
    struct found expected = search(pair, &pair->flat, (struct search_options){.k = options.k});
    struct found found = search(pair, &pair->indexed, options);

    for (uint32_t i = 0; i < pair->nq; i++) {
        assert_int_equal(found.topks[i].count, expected.topks[i].count);
        for (uint32_t j = 0; j < found.topks[i].count; j++) {
            assert_int_equal(found.topks[i].hits[j].primary_key,
                             expected.topks[i].hits[j].primary_key);
            assert_memory_equal(&found.topks[i].hits[j].distance,
                                &expected.topks[i].hits[j].distance, sizeof(float));
        }
    }
    found_free(&expected);
    found_free(&found);
}

static float *random_rows(uint64_t rows_count, uint32_t dim, uint64_t seed)
{
    float *rows = malloc((rows_count + 1) * dim * sizeof *rows);

    assert_non_null(rows);
    fill_clustered(rows, rows_count, dim, seed);
    return rows;
}

/* All lists and all candidates: nothing may be lost, k may be more than there are rows. */
static void looking_at_everything_finds_everything(void **state)
{
    static const uint32_t dims[] = {1, 3, 8, 17, 64, 100};
    static const uint64_t counts[] = {1, 2, 15, 16, 17, 33, 257, 600};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++)
        for (size_t d = 0; d < COUNT_OF(dims); d++)
            for (size_t n = 0; n < COUNT_OF(counts); n++) {
                struct ivf_options options = {.code_bits = n % 2 == 0 ? 4 : 8, .threads = 2};
                struct pair pair =
                    pair_make(metrics[m], dims[d], random_rows(counts[n], dims[d], n + 1),
                              counts[n], NQ, &options);
                assert_same(&pair,
                            (struct search_options){.k = 10, .nprobe = 1 << 20, .refine = 1000});
                assert_same(&pair,
                            (struct search_options){.k = 700, .nprobe = 1 << 20, .refine = 1});
                assert_same(&pair, (struct search_options){.k = 5, .recall = 1}); /* exact */
                assert_same(&pair, (struct search_options){.k = 5});
                pair_free(&pair);
            }
}

static void dim_4096_is_searched(void **state)
{
    struct ivf_options options = {.nlist = 3, .code_bits = 4, .threads = 1};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        struct pair pair = pair_make(metrics[m], 4096, random_rows(100, 4096, 1), 100, 2, &options);
        assert_same(&pair, (struct search_options){.k = 10, .nprobe = 3, .refine = 100});
        assert_same(&pair, (struct search_options){.k = 10, .recall = 1});
        pair_free(&pair);
    }
}

/* One list gets all rows; the others are empty. */
static void equal_rows_are_found_by_key(void **state)
{
    struct ivf_options options = {.nlist = 7, .code_bits = 4, .threads = 2};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        float *rows = random_rows(300, 6, 1);
        for (size_t i = 6; i < 300 * 6; i++)
            rows[i] = rows[i % 6];
        struct pair pair = pair_make(metrics[m], 6, rows, 300, NQ, &options);
        assert_same(&pair, (struct search_options){.k = 20, .nprobe = 7, .refine = 300});
        pair_free(&pair);
    }
}

static void every_kernel_finds_the_same(void **state)
{
    const struct kernels *tables[8];
    size_t tables_count = kernels_supported(tables, COUNT_OF(tables));
    struct ivf_options options = {.code_bits = 4, .threads = 2};
    struct search_options asked = {.k = 10, .nprobe = 5, .refine = 20};

    (void)state;
    for (options.code_bits = 4; options.code_bits <= 8; options.code_bits += 4) {
        struct pair pair =
            pair_make(QN_METRIC_L2, 33, random_rows(2000, 33, 3), 2000, NQ, &options);
        assert_int_equal(kernels_choose("scalar", NULL), QN_STATUS_OK);
        struct found expected = search(&pair, &pair.indexed, asked);
        for (size_t t = 1; t < tables_count; t++) {
            assert_int_equal(kernels_choose(tables[t]->name, NULL), QN_STATUS_OK);
            struct found found = search(&pair, &pair.indexed, asked);
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
    struct ivf_built built[2];
    float *rows = random_rows(3000, 12, 4);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct ivf_options options = {.code_bits = 4, .seed = 9, .threads = i == 0 ? 1 : 4};
        assert_int_equal(ivf_build(&options, QN_METRIC_IP, 12, rows, 3000, &built[i], NULL),
                         QN_STATUS_OK);
    }
    assert_int_equal(built[0].section_bytes, built[1].section_bytes);
    assert_memory_equal(built[0].section, built[1].section, built[0].section_bytes);
    assert_memory_equal(built[0].order, built[1].order, 3000 * sizeof(uint32_t));
    ivf_built_done(&built[0]);
    ivf_built_done(&built[1]);
    free(rows);
}

static double recall_of(const struct pair *pair, struct search_options options)
{
    struct found truth = search(pair, &pair->flat, (struct search_options){.k = options.k});
    struct found found = search(pair, &pair->indexed, options);
    uint64_t hits = 0;

    for (uint32_t i = 0; i < pair->nq; i++)
        for (uint32_t j = 0; j < found.topks[i].count; j++) {
            float worst = truth.topks[i].hits[options.k - 1].distance;
            float distance = found.topks[i].hits[j].distance;
            hits += pair->flat.facts.metric == QN_METRIC_L2 ? distance <= worst : distance >= worst;
        }
    found_free(&truth);
    found_free(&found);
    return (double)hits / pair->nq / options.k;
}

static void a_wanted_recall_is_reached(void **state)
{
    static const float wanted[] = {0.8F, 0.9F, 0.95F, 0.99F};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++) {
        struct ivf_options options = {.code_bits = m == 1 ? 8 : 4, .threads = 2};
        struct calibrate_options calibration = {.threads = 2};
        struct pair pair =
            pair_make(metrics[m], 24, random_rows(ROWS_MANY, 24, 5), ROWS_MANY, NQ_MANY, &options);
        assert_int_equal(calibrate(&calibration, &pair.indexed, NULL), QN_STATUS_OK);
        for (size_t i = 0; i < COUNT_OF(wanted); i++) {
            double recall = recall_of(&pair, (struct search_options){.k = 10, .recall = wanted[i]});
            print_message("%s: wanted %.2f, reached %.4f\n", qn_metric_name(metrics[m]),
                          (double)wanted[i], recall);
            assert_true(recall >= (double)wanted[i] - 0.02);
        }
        pair_free(&pair);
    }
}

static void settings_lie_between_calibrations(void **state)
{
    struct index index = {.shape = {.lists_count = 100}, .calibrations_count = 5};
    struct index_calibration found;

    (void)state;
    index.calibrations[0] = (struct index_calibration){1, 0.5F, 1, 8};
    index.calibrations[1] = (struct index_calibration){1, 0.9F, 10, 8};
    index.calibrations[2] = (struct index_calibration){10, 0.5F, 2, 20};
    index.calibrations[3] = (struct index_calibration){10, 0.7F, 12, 20};
    index.calibrations[4] = (struct index_calibration){10, 0.7F, 40, 20};
    found = index_settings(&index, 1, 0.7F);
    assert_true(found.nprobe >= 5 && found.nprobe <= 6 && found.refine == 8);
    found = index_settings(&index, 2, 0.5F); /* by the next larger k */
    assert_true(found.nprobe == 2 && found.refine == 20);
    found = index_settings(&index, 10, 0.7F);
    assert_int_equal(found.nprobe, 12);
    found = index_settings(&index, 10, 0.71F); /* more than was measured */
    assert_int_equal(found.nprobe, 100);
    found = index_settings(&index, 11, 0.1F);
    assert_int_equal(found.nprobe, 100);
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
        {0, 2, QN_STATUS_UNSUPPORTED, "section index: kind 2, edition 1"},
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
        {80, 0, QN_STATUS_CORRUPT, "calibration 1"},
        {INDEX_HEADER_BYTES + 8, 0x7f800000, QN_STATUS_CORRUPT, "centroids: value 2 is not finite"},
    };
    struct ivf_options options = {.nlist = 16, .code_bits = 4, .threads = 1};
    struct calibrate_options calibration = {.threads = 1};
    struct pair pair = pair_make(QN_METRIC_L2, 5, random_rows(500, 5, 6), 500, 2, &options);
    const struct segment_facts *facts = &pair.flat.facts;
    const uint64_t bytes = pair.built.section_bytes;
    uint8_t *copy = aligned_alloc(64, bytes);
    struct qn_error error;
    struct index index;

    (void)state;
    assert_non_null(copy);
    assert_int_equal(calibrate(&calibration, &pair.indexed, NULL), QN_STATUS_OK);
    index_seal(&pair.indexed.index, pair.built.section);
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
    const size_t lists_at =
        (size_t)((const uint8_t *)pair.indexed.index.first_rows - (uint8_t *)pair.built.section);
    for (size_t i = 0; i < 2 * 17; i++) { /* first_rows, padded to 64 bytes, and first_blocks */
        memcpy(copy, pair.built.section, bytes);
        copy[lists_at + (i < 17 ? i * 8 + 3 : 192 + (i - 17) * 8)] ^= 1; /* 2^24 rows, or a block */
        assert_int_equal(index_open(copy, bytes, facts, &index, &error), QN_STATUS_CORRUPT);
        assert_non_null(strstr(error.text, "list"));
    }
    free(copy);
    pair_free(&pair);
}

static void more_lists_than_rows_are_refused(void **state)
{
    struct ivf_options options = {.nlist = 51, .code_bits = 4, .threads = 1};
    float *rows = random_rows(50, 5, 6);
    struct qn_error error = {0};
    struct ivf_built built;

    (void)state;
    assert_int_equal(ivf_build(&options, QN_METRIC_L2, 5, rows, 50, &built, &error),
                     QN_STATUS_INVALID);
    assert_string_equal(error.text, "51 lists for 50 rows");
    free(rows);
}

static bool stop_at_once(void *owner)
{
    ++*(int *)owner;
    return *(int *)owner > 1; /* the first is asked before anything is done */
}

static void a_deadline_ends_a_search(void **state)
{
    struct ivf_options options = {.nlist = 4, .code_bits = 4, .threads = 1};
    struct pair pair = pair_make(QN_METRIC_L2, 64, random_rows(20000, 64, 6), 20000, 40, &options);
    struct search_options asked = {.k = 1, .nprobe = 4, .refine = 1, .stop = stop_at_once};
    struct search_queries queries;
    struct topk topks[40];
    uint64_t storage[40][8];
    int calls = 0;

    (void)state;
    void *tiles = malloc(search_queries_bytes(64, 40) + 1);
    asked.scratch = aligned_alloc(64, (search_scratch_bytes(&pair.indexed, &asked) + 64) / 64 * 64);
    asked.stop_owner = &calls;
    assert_true(tiles != NULL && asked.scratch != NULL);
    for (int i = 0; i < 40; i++)
        topk_init(&topks[i], QN_METRIC_L2, 1, storage[i]);
    search_queries_init(&queries, 64, 40, pair.queries, tiles);
    assert_int_equal(search_segment(&pair.indexed, &queries, &asked, topks), QN_STATUS_TIMEOUT);
    assert_int_equal(calls, 2);
    asked.nprobe = 0; /* exact */
    free(asked.scratch);
    asked.scratch = aligned_alloc(64, (search_scratch_bytes(&pair.indexed, &asked) + 64) / 64 * 64);
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
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_on_any_threads),
        cmocka_unit_test(a_wanted_recall_is_reached),
        cmocka_unit_test(settings_lie_between_calibrations),
        cmocka_unit_test(damaged_sections_are_refused),
        cmocka_unit_test(more_lists_than_rows_are_refused),
        cmocka_unit_test(a_deadline_ends_a_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
