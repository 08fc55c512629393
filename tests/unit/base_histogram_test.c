/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"
#include "tests/test.h"

static struct histogram histogram;

static void an_empty_histogram_says_zero(void **state)
{
    (void)state;
    histogram_init(&histogram);
    assert_int_equal(histogram_count(&histogram), 0);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    histogram_init(&histogram);
    for (uint64_t i = 1; i <= 100; i++)
        histogram_add(&histogram, i);
    assert_int_equal(histogram_quantile(&histogram, 0), 1);
    assert_in_range(histogram_quantile(&histogram, 0.5), 50, 51);
    assert_in_range(histogram_quantile(&histogram, 0.99), 99, 100);
    assert_int_equal(histogram_quantile(&histogram, 1), 100);
    assert_int_equal(histogram.sum, 5050);
}

static void a_bucket_is_at_most_a_64th_wide(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < (uint64_t)1 << 36; value += 1 + value / 7) {
        histogram_init(&histogram);
        histogram_add(&histogram, value);
        uint64_t end = histogram_quantile(&histogram, 0.5);
        assert_true(end >= value);
        assert_true(end - value <= value / 64);
    }
}

static void values_beyond_the_range_count_in_the_last_bucket(void **state)
{
    (void)state;
    histogram_init(&histogram);
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram_count(&histogram), 1);
    assert_true(histogram_quantile(&histogram, 1) > (uint64_t)1 << 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_says_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(a_bucket_is_at_most_a_64th_wide),
        cmocka_unit_test(values_beyond_the_range_count_in_the_last_bucket),
    };

    return cmocka_run_group_tests_name("base_histogram", tests, NULL, NULL);
}
