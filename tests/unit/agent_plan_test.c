/* SPDX-License-Identifier: Apache-2.0
 * What a request says of how well to search is what its searches are given. */
#include "agent/dispatch_internal.h"
#include "tests/test.h"

static struct search_options options_of(const struct search_request *request)
{
    const struct search_job job = {.k = 3, .message = {.search_request = *request}};

    return dispatch_options(&job);
}

static void what_is_asked_for_reaches_the_search(void **state)
{
    struct search_options options = options_of(
        &(struct search_request){.k = 10, .recall = 0.5F, .nprobe = 7, .ef = 200, .refine = 300});

    (void)state;
    assert_int_equal(options.k, 3); /* no more than there are rows */
    assert_true(options.recall == 0.5F);
    assert_int_equal(options.nprobe, 7);
    assert_int_equal(options.ef, 200);
    assert_int_equal(options.refine, 300);
}

static void who_asks_for_nothing_gets_the_default_recall(void **state)
{
    struct search_options options = options_of(&(struct search_request){.k = 10});

    (void)state;
    assert_true(options.recall == 0.95F);
    assert_int_equal(options.nprobe, 0);
    assert_int_equal(options.ef, 0);
    assert_int_equal(options.refine, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_reaches_the_search),
        cmocka_unit_test(who_asks_for_nothing_gets_the_default_recall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
