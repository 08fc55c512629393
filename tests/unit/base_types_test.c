/* SPDX-License-Identifier: Apache-2.0
 * Vocabulary: statuses, names, orders, hashes. */
#include "base/check.h"
#include "base/hash.h"
#include "qnode/types.h"
#include "tests/test.h"
#include <string.h>

static const int numbers[] = {
#define STATUS(name, number, text, exit_code) number,
#include "qnode/status.def"
#undef STATUS
};

static void statuses_are_numbered_without_gap_or_double(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(numbers[i], i);
}

static void statuses_have_names_texts_and_exit_codes_of_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        enum qn_status status = (enum qn_status)i;
        assert_true(strlen(qn_status_name(status)) > 0);
        assert_true(strlen(qn_status_text(status)) > 0);
        assert_int_equal(qn_status_exit_code(status) == 0, i == 0);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(qn_status_name(status), qn_status_name((enum qn_status)j));
            assert_string_not_equal(qn_status_text(status), qn_status_text((enum qn_status)j));
        }
    }
    assert_string_equal(qn_status_name((enum qn_status)999), "status?");
    assert_string_equal(qn_status_text((enum qn_status) - 1), "status?");
    assert_int_equal(qn_status_exit_code((enum qn_status)999), 1);
}

static void metrics_are_found_by_name(void **state)
{
    (void)state;
    for (int i = QN_METRIC_L2; i <= QN_METRIC_COSINE; i++)
        assert_int_equal(qn_metric_from_name(qn_metric_name((enum qn_metric)i)), i);
    assert_int_equal(qn_metric_from_name("unspecified"), QN_METRIC_UNSPECIFIED);
    assert_int_equal(qn_metric_from_name("L2"), QN_METRIC_UNSPECIFIED);
}

static void epochs_are_ordered_by_term_then_version(void **state)
{
    static const struct qn_epoch order[] = {{0, 0}, {0, 9}, {1, 0}, {1, UINT64_MAX}, {2, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(order); i++)
        for (size_t j = 0; j < COUNT_OF(order); j++) {
            int compared = qn_epoch_compare(order[i], order[j]);
            assert_int_equal((compared > 0) - (compared < 0), (i > j) - (i < j));
        }
}

static void hits_are_ordered_by_metric_and_ties_by_key(void **state)
{
    static const struct qn_hit near_1 = {1, 0.5f}, near_2 = {2, 0.5f}, far = {0, 1.0f};

    (void)state;
    assert_true(qn_hit_before(QN_METRIC_L2, &near_1, &far));
    assert_false(qn_hit_before(QN_METRIC_L2, &far, &near_1));
    assert_true(qn_hit_before(QN_METRIC_IP, &far, &near_1));
    assert_true(qn_hit_before(QN_METRIC_COSINE, &far, &near_1));
    assert_true(qn_hit_before(QN_METRIC_IP, &near_1, &near_2));
    assert_true(qn_hit_before(QN_METRIC_L2, &near_1, &near_2));
    assert_false(qn_hit_before(QN_METRIC_L2, &near_1, &near_1));
}

static void hashes_are_those_of_xxh3(void **state)
{
    struct qn_hash hash = hash128("", 0), back;
    char text[33];

    (void)state;
    assert_true(hash64("", 0) == 0x2d06800538d394c2);
    hash_to_text(&hash, text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    assert_true(hash_from_text(text, &back));
    assert_true(qn_hash_equal(&hash, &back));
    assert_false(hash_from_text("99aa06d3014798d86001c324468d497", &back));
    assert_false(hash_from_text("99AA06d3014798d86001c324468d497f", &back));
    assert_false(hash_from_text("99aa06d3014798d86001c324468d497f0", &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_are_numbered_without_gap_or_double),
        cmocka_unit_test(statuses_have_names_texts_and_exit_codes_of_their_own),
        cmocka_unit_test(metrics_are_found_by_name),
        cmocka_unit_test(epochs_are_ordered_by_term_then_version),
        cmocka_unit_test(hits_are_ordered_by_metric_and_ties_by_key),
        cmocka_unit_test(hashes_are_those_of_xxh3),
    };

    return cmocka_run_group_tests_name("base_types", tests, NULL, NULL);
}
