/* SPDX-License-Identifier: Apache-2.0
 * Known values: of the authors' reference programs for splitmix64 and xoshiro256**. */
#include "base/check.h"
#include "base/prng.h"
#include "tests/test.h"
#include <math.h>

static void the_seed_is_spread_by_splitmix64(void **state)
{
    static const uint64_t wanted[] = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f,
                                      0xf88bb8a8724c81ec};
    struct prng prng;

    (void)state;
    prng_init(&prng, 0);
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        assert_true(prng.state[i] == wanted[i]);
}

static void numbers_are_those_of_xoshiro256starstar(void **state)
{
    static const uint64_t wanted[] = {11520,
                                      0,
                                      1509978240,
                                      1215971899390074240,
                                      1216172134540287360,
                                      607988272756665600,
                                      16172922978634559625u,
                                      8476171486693032832,
                                      10595114339597558777u,
                                      2904607092377533576};
    struct prng prng = {{1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        assert_true(prng_next(&prng) == wanted[i]);
}

static void numbers_below_a_bound_are_even(void **state)
{
    unsigned counts[10] = {0};
    struct prng prng;

    (void)state;
    prng_init(&prng, 7);
    for (int i = 0; i < 100000; i++)
        counts[prng_below(&prng, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_true(prng_below(&prng, 0) == 0);
    assert_true(prng_below(&prng, 1) == 0);
}

static void deviates_have_their_mean_and_spread(void **state)
{
    double sum = 0, squares = 0;
    struct prng prng;
    enum { COUNT = 100000 };

    (void)state;
    prng_init(&prng, 8);
    for (int i = 0; i < COUNT; i++) {
        double unit = prng_unit(&prng), normal = prng_normal(&prng);
        assert_true(unit >= 0 && unit < 1);
        sum += normal;
        squares += normal * normal;
    }
    assert_true(fabs(sum / COUNT) < 0.02);
    assert_true(fabs(squares / COUNT - 1) < 0.03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_is_spread_by_splitmix64),
        cmocka_unit_test(numbers_are_those_of_xoshiro256starstar),
        cmocka_unit_test(numbers_below_a_bound_are_even),
        cmocka_unit_test(deviates_have_their_mean_and_spread),
    };

    return cmocka_run_group_tests_name("base_prng", tests, NULL, NULL);
}
