/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ledger.h"
#include "base/prng.h"
#include "tests/test.h"

static struct ledger ledger_of(uint64_t budget_bytes, unsigned numa_count, const uint64_t *totals)
{
    struct ledger ledger;

    ledger_init(&ledger, budget_bytes, numa_count, totals);
    return ledger;
}

static void the_last_byte_of_the_budget_is_given_and_the_next_is_not(void **state)
{
    struct ledger ledger = ledger_of(4096, 1, (uint64_t[]){0});
    unsigned numa_node = 9;

    (void)state;
    assert_true(ledger_reserve(&ledger, 4095, &numa_node));
    assert_int_equal(numa_node, 0);
    assert_int_equal(ledger_free_bytes(&ledger), 1);
    assert_false(ledger_reserve(&ledger, 2, &numa_node));
    assert_true(ledger_reserve(&ledger, 1, &numa_node));
    assert_int_equal(ledger_free_bytes(&ledger), 0);
    assert_true(ledger_reserve(&ledger, 0, &numa_node));
    assert_false(ledger_reserve(&ledger, UINT64_MAX, &numa_node));
    assert_true(ledger_verify(&ledger));
}

static void a_refusal_changes_nothing(void **state)
{
    struct ledger ledger = ledger_of(100, 2, (uint64_t[]){0, 0});
    unsigned numa_node = 9;

    (void)state;
    assert_false(ledger_reserve(&ledger, 101, &numa_node));
    assert_int_equal(numa_node, 9);
    assert_false(ledger_take_scratch(&ledger, 101));
    assert_int_equal(ledger_free_bytes(&ledger), 100);
}

static void commit_cancel_and_release_give_back_what_they_took(void **state)
{
    struct ledger ledger = ledger_of(1000, 1, (uint64_t[]){0});
    unsigned numa_node;

    (void)state;
    assert_true(ledger_reserve(&ledger, 300, &numa_node));
    assert_true(ledger_reserve(&ledger, 200, &numa_node));
    ledger_commit(&ledger, 300);
    assert_int_equal(ledger.used_bytes, 300);
    assert_int_equal(ledger.reserved_bytes, 200);
    ledger_cancel(&ledger, 200, numa_node);
    ledger_release(&ledger, 300, numa_node);
    assert_int_equal(ledger_free_bytes(&ledger), 1000);
    assert_int_equal(ledger.numa_bytes[0], 0);
}

static void scratch_counts_against_the_budget_and_on_no_numa_node(void **state)
{
    struct ledger ledger = ledger_of(1000, 1, (uint64_t[]){0});
    unsigned numa_node;

    (void)state;
    assert_true(ledger_take_scratch(&ledger, 600));
    assert_false(ledger_reserve(&ledger, 401, &numa_node));
    assert_int_equal(ledger.numa_bytes[0], 0);
    assert_true(ledger_verify(&ledger));
    ledger_give_scratch(&ledger, 600);
    assert_int_equal(ledger_free_bytes(&ledger), 1000);
}

static void bytes_go_to_the_numa_node_with_the_smallest_share(void **state)
{
    struct ledger ledger = ledger_of(1000, 3, (uint64_t[]){300, 0, 600});
    unsigned nodes[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_true(ledger_reserve(&ledger, 100, &nodes[i]));
    assert_int_equal(ledger.numa_bytes[0], 200);
    assert_int_equal(ledger.numa_bytes[1], 0); /* it has no memory of its own */
    assert_int_equal(ledger.numa_bytes[2], 400);
}

static void unknown_totals_share_equally(void **state)
{
    struct ledger ledger = ledger_of(1000, 2, (uint64_t[]){0, 0});
    unsigned first, second;

    (void)state;
    assert_true(ledger_reserve(&ledger, 10, &first));
    assert_true(ledger_reserve(&ledger, 10, &second));
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
}

static void a_hundred_thousand_random_bookings_keep_the_sums(void **state)
{
    struct ledger ledger = ledger_of(1 << 20, 4, (uint64_t[]){1 << 19, 1 << 18, 1 << 18, 1 << 17});
    struct {
        uint64_t bytes;
        unsigned numa_node;
        int phase;
    } booked[64] = {{0}};
    struct prng prng;

    (void)state;
    prng_init(&prng, 20240611);
    for (int i = 0; i < 100000; i++) {
        size_t k = (size_t)prng_below(&prng, 64);

        if (booked[k].phase == 0) {
            booked[k].bytes = prng_below(&prng, 1 << 16);
            booked[k].phase = ledger_reserve(&ledger, booked[k].bytes, &booked[k].numa_node);
        } else if (booked[k].phase == 1 && prng_below(&prng, 2) == 0) {
            ledger_commit(&ledger, booked[k].bytes);
            booked[k].phase = 2;
        } else if (booked[k].phase == 1) {
            ledger_cancel(&ledger, booked[k].bytes, booked[k].numa_node);
            booked[k].phase = 0;
        } else {
            ledger_release(&ledger, booked[k].bytes, booked[k].numa_node);
            booked[k].phase = 0;
        }
        assert_true(ledger_verify(&ledger));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_byte_of_the_budget_is_given_and_the_next_is_not),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(commit_cancel_and_release_give_back_what_they_took),
        cmocka_unit_test(scratch_counts_against_the_budget_and_on_no_numa_node),
        cmocka_unit_test(bytes_go_to_the_numa_node_with_the_smallest_share),
        cmocka_unit_test(unknown_totals_share_equally),
        cmocka_unit_test(a_hundred_thousand_random_bookings_keep_the_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
