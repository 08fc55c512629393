/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "tests/test.h"

static void bytes_take_the_unit_that_shows_them(void **state)
{
    char text[TEXT_BYTES];

    (void)state;
    assert_string_equal(text_bytes(0, text), "0 B");
    assert_string_equal(text_bytes(1023, text), "1023 B");
    assert_string_equal(text_bytes(1024, text), "1.0 KiB");
    assert_string_equal(text_bytes(1536, text), "1.5 KiB");
    assert_string_equal(text_bytes(UINT64_C(13) << 19, text), "6.5 MiB");
    assert_string_equal(text_bytes(UINT64_C(3) << 30, text), "3.0 GiB");
    assert_string_equal(text_bytes(UINT64_C(5) << 40, text), "5.0 TiB");
    assert_string_equal(text_bytes(UINT64_MAX, text), "16384.0 PiB");
}

static void bytes_are_never_1024_of_a_unit(void **state)
{
    char text[TEXT_BYTES];

    (void)state;
    assert_string_equal(text_bytes((1 << 20) - 52, text), "1023.9 KiB");
    assert_string_equal(text_bytes((1 << 20) - 51, text), "1.0 MiB");
}

static void counts_have_a_comma_each_three_digits(void **state)
{
    char text[TEXT_BYTES];

    (void)state;
    assert_string_equal(text_count(0, text), "0");
    assert_string_equal(text_count(999, text), "999");
    assert_string_equal(text_count(1000, text), "1,000");
    assert_string_equal(text_count(104334, text), "104,334");
    assert_string_equal(text_count(1000000, text), "1,000,000");
    assert_string_equal(text_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

static void times_are_in_us_ms_or_s(void **state)
{
    char text[TEXT_BYTES];

    (void)state;
    assert_string_equal(text_us(0, text), "0 us");
    assert_string_equal(text_us(999, text), "999 us");
    assert_string_equal(text_us(1000, text), "1.00 ms");
    assert_string_equal(text_us(79710, text), "79.71 ms");
    assert_string_equal(text_us(1000000, text), "1.00 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_take_the_unit_that_shows_them),
        cmocka_unit_test(bytes_are_never_1024_of_a_unit),
        cmocka_unit_test(counts_have_a_comma_each_three_digits),
        cmocka_unit_test(times_are_in_us_ms_or_s),
    };

    return cmocka_run_group_tests_name("base_text", tests, NULL, NULL);
}
