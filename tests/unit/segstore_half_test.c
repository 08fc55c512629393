/* SPDX-License-Identifier: Apache-2.0
 * All 65536 halves, and what lies between them. */
#include "tests/test.h"

#include "base/check.h"
#include "segstore/half.h"
#include <math.h>

enum { HALVES = 1 << 16, INFINITE = 0x7c00 };

/* From the definition: sign, 5 bits of exponent, 10 of fraction. */
static float defined(unsigned half)
{
    const int exponent = (int)(half >> 10 & 31), fraction = (int)(half & 1023);
    float value = exponent == 0 ? ldexpf((float)fraction, -24)
                                : ldexpf((float)(1024 + fraction), exponent - 25);

    if (exponent == 31)
        value = fraction != 0 ? NAN : INFINITY;
    return half & 0x8000 ? -value : value;
}

static void every_half_is_the_float_that_it_is(void **state)
{
    (void)state;
    for (unsigned half = 0; half < HALVES; half++) {
        float value = half_to_float((uint16_t)half), expected = defined(half);
        if (isnan(expected)) {
            assert_true(isnan(value));
            continue;
        }
        assert_memory_equal(&value, &expected, sizeof value); /* of zeros the sign, too */
        assert_int_equal(half_from_float(value), half);
    }
    assert_true(half_to_float(0x7bff) == HALF_MAX);
    assert_int_equal(half_from_float(NAN) & 0x7fff, 0x7e00);
}

/* Halfway between two the even one; any closer, the closer one. */
static void floats_become_the_nearest_half(void **state)
{
    (void)state;
    for (unsigned half = 0; half < INFINITE; half++)
        for (unsigned sign = 0; sign <= 0x8000; sign += 0x8000) {
            float low = defined(half), high = half + 1 < INFINITE ? defined(half + 1) : 65536;
            float middle = (low + high) / 2, direction = sign != 0 ? -1 : 1;
            unsigned even = half % 2 == 0 ? half : half + 1;
            assert_int_equal(half_from_float(direction * middle), sign | even);
            assert_int_equal(half_from_float(direction * nextafterf(middle, 0)), sign | half);
            assert_int_equal(half_from_float(direction * nextafterf(middle, INFINITY)),
                             sign | (half + 1));
        }
    assert_int_equal(half_from_float(1e-30F), 0);
    assert_int_equal(half_from_float(-1e-45F), 0x8000);
    assert_int_equal(half_from_float(-3e38F), 0xfc00);
}

static void rows_are_rounded_up_to_what_no_half_can_hold(void **state)
{
    float values[] = {0.1F, -65504, 1 + 0x1p-11F, 1 + 0x1.8p-10F, -65505, 0.1F};
    const float expected[] = {0x1.998p-4F, -65504, 1, 1 + 0x1p-9F, -65505, 0.1F};
    uint16_t halves[COUNT_OF(values)];

    (void)state;
    assert_int_equal(half_narrow(values, COUNT_OF(values), halves), 0);
    assert_int_equal(half_round(values, COUNT_OF(values)), 4);
    assert_memory_equal(values, expected, sizeof values);
    assert_int_equal(half_narrow(values, COUNT_OF(values), halves), 4);
    assert_int_equal(half_narrow(values, 4, halves), 4);
    assert_int_equal(halves[1], 0xfbff);
    assert_int_equal(half_round(values, 4), 4); /* as they are */
    assert_memory_equal(values, expected, sizeof values);
    values[1] = -INFINITY;
    values[2] = NAN;
    assert_int_equal(half_narrow(values, 4, halves), 1);
    assert_int_equal(half_narrow(values + 2, 2, halves), 0);
    assert_int_equal(half_round(values, 4), 1);
}

static void the_first_half_that_is_not_finite_is_found(void **state)
{
    static const uint16_t bad[] = {0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff};
    uint16_t halves[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(halves); i++)
        halves[i] = i % 2 == 0 ? 0x7bff : 0x83ff;
    for (size_t count = 0; count <= COUNT_OF(halves); count++)
        assert_int_equal(half_first_nonfinite(halves, count), count);
    for (size_t at = 0; at < COUNT_OF(halves); at++) {
        uint16_t kept = halves[at];
        halves[at] = bad[at % COUNT_OF(bad)];
        assert_int_equal(half_first_nonfinite(halves, COUNT_OF(halves)), at);
        halves[at] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_the_float_that_it_is),
        cmocka_unit_test(floats_become_the_nearest_half),
        cmocka_unit_test(rows_are_rounded_up_to_what_no_half_can_hold),
        cmocka_unit_test(the_first_half_that_is_not_finite_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
