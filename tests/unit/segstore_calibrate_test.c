/* SPDX-License-Identifier: Apache-2.0
 * What a segment promises to find it finds. */
#include "segstore/calibrate.h"

#include "base/check.h"
#include "tests/test.h"
#include "tests/unit/segstore_index_fixture.h"

enum { ROWS_MANY = 20000 / TEST_DIVISOR, NQ_MANY = 200 };

static const enum qn_metric metrics[] = {QN_METRIC_L2, QN_METRIC_IP, QN_METRIC_COSINE};

static double recall_of(const struct pair *pair, struct search_options options)
{
    struct found truth = pair_search(pair, &pair->flat, (struct search_options){.k = options.k});
    struct found found = pair_search(pair, &pair->indexed, options);
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
        struct index_options options = {
            .kind = INDEX_IVF, .ivf.code_bits = m == 1 ? 8 : 4, .threads = 2};
        struct pair pair = pair_make(
            &(struct segment_facts){.metric = metrics[m], .dim = 24, .rows_count = ROWS_MANY},
            pair_rows(ROWS_MANY, 24, 5), NQ_MANY, &options);
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
    struct index index = {.kind = INDEX_IVF, .ivf.shape.lists_count = 100, .calibrations_count = 5};
    struct index_calibration found;

    (void)state;
    index.calibrations[0] = (struct index_calibration){1, 0.5F, 1, 8};
    index.calibrations[1] = (struct index_calibration){1, 0.9F, 10, 8};
    index.calibrations[2] = (struct index_calibration){10, 0.5F, 2, 20};
    index.calibrations[3] = (struct index_calibration){10, 0.7F, 12, 20};
    index.calibrations[4] = (struct index_calibration){10, 0.7F, 40, 20};
    found = index_settings(&index, 1, 0.7F);
    assert_true(found.effort >= 5 && found.effort <= 6 && found.refine == 8);
    found = index_settings(&index, 2, 0.5F); /* by the next larger k */
    assert_true(found.effort == 2 && found.refine == 20);
    found = index_settings(&index, 10, 0.7F);
    assert_int_equal(found.effort, 12);
    found = index_settings(&index, 10, 0.71F); /* more than was measured */
    assert_int_equal(found.effort, 100);
    found = index_settings(&index, 11, 0.1F);
    assert_int_equal(found.effort, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wanted_recall_is_reached),
        cmocka_unit_test(settings_lie_between_calibrations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
