/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/life.h"
#include "tests/test.h"

static void a_copy_lives_by_the_table_and_by_nothing_else(void **state)
{
    static const char *const may[] = {
        /* to: absent, loading, serving, leaving, draining */
        [QN_COPY_ABSENT] = "01000",  [QN_COPY_LOADING] = "10100",  [QN_COPY_SERVING] = "00010",
        [QN_COPY_LEAVING] = "00101", [QN_COPY_DRAINING] = "10100",
    };

    (void)state;
    for (int from = QN_COPY_ABSENT; from <= QN_COPY_DRAINING; from++)
        for (int to = QN_COPY_ABSENT; to <= QN_COPY_DRAINING; to++)
            assert_int_equal(life_may_follow((enum qn_copy_state)from, (enum qn_copy_state)to),
                             may[from][to] == '1');
}

static void a_leaving_copy_still_answers_searches_and_a_draining_one_does_not(void **state)
{
    (void)state;
    assert_false(life_answers_searches(QN_COPY_ABSENT));
    assert_false(life_answers_searches(QN_COPY_LOADING));
    assert_true(life_answers_searches(QN_COPY_SERVING));
    assert_true(life_answers_searches(QN_COPY_LEAVING));
    assert_false(life_answers_searches(QN_COPY_DRAINING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_lives_by_the_table_and_by_nothing_else),
        cmocka_unit_test(a_leaving_copy_still_answers_searches_and_a_draining_one_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
