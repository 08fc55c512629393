/* SPDX-License-Identifier: Apache-2.0
 * What the client handle refuses before anything is sent: each error names the argument. */
#include "base/check.h"
#include "base/limits.h"
#include "tests/unit/client_world.h"
#include <math.h>
#include <string.h>

static void a_wrong_argument_is_named(void **state)
{
    float queries[2] = {0};
    const struct qn_search_request good = {
        .collection_id = WORLD_COLLECTION, .queries = queries, .nq = 1, .dim = 2, .k = 3};
    struct qn_search_request bad;
    struct qn_search_result result;
    struct qn_error error;
    struct world world;

    (void)state;
    world_open(&world, "wrong");
    struct qn_client *client = world_client(&world);
    const struct {
        uint32_t nq, dim, k, deadline_ms;
        const char *names;
    } cases[] = {
        {0, 2, 3, 0, "nq"},           {2000, 2, 3, 0, "nq"},         {1, 0, 3, 0, "dim"},
        {1, 2, 0, 0, "k is"},         {1, 2, 20000, 0, "k is"},      {100, 2, 1000, 0, "nq x k"},
        {1, 2, 3, 70000, "deadline"}, {1000, 960, 3, 0, "nq x dim"}, {1, 3, 3, 0, "dim is 3"},
    };
    float large[3] = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bad = good;
        bad.queries = large;
        bad.nq = cases[i].nq;
        bad.dim = cases[i].dim;
        bad.k = cases[i].k;
        bad.deadline_ms = cases[i].deadline_ms;
        assert_int_equal(qn_search(client, &bad, &result, &error), QN_STATUS_INVALID);
        assert_non_null(strstr(error.text, cases[i].names));
    }
    queries[1] = NAN;
    assert_int_equal(qn_search(client, &good, &result, &error), QN_STATUS_INVALID);
    assert_non_null(strstr(error.text, "finite"));
    struct qn_client_options options = {.url = world.url, .cluster = "a.b"};
    assert_int_equal(qn_client_open(&options, &client, &error), QN_STATUS_INVALID);
    assert_non_null(strstr(error.text, "cluster \"a.b\""));
    qn_client_close(client);
    qn_client_close(NULL);
    world_close(&world);
}

static void a_wrong_effort_is_named(void **state)
{
    float queries[2] = {0};
    const struct {
        float recall;
        uint32_t nprobe, ef, refine;
        const char *says;
    } cases[] = {
        {-0.5F, 0, 0, 0, "search: recall is -0.5, 0 to 1 wanted"},
        {1.5F, 0, 0, 0, "search: recall is 1.5, 0 to 1 wanted"},
        {NAN, 0, 0, 0, "search: recall is nan, 0 to 1 wanted"},
        {0, LIMIT_NPROBE_MAX + 1, 0, 0, "search: nprobe is 1048577, at most 1048576 wanted"},
        {0, 0, LIMIT_EF_MAX + 1, 0, "search: ef is 65537, at most 65536 wanted"},
        {0, 0, 0, LIMIT_REFINE_MAX + 1, "search: refine is 65537, at most 65536 wanted"},
    };
    struct qn_search_result result;
    struct qn_error error;
    struct world world;

    (void)state;
    world_open(&world, "effort");
    struct qn_client *client = world_client(&world);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct qn_search_request bad = {.collection_id = WORLD_COLLECTION,
                                        .queries = queries,
                                        .nq = 1,
                                        .dim = 2,
                                        .k = 3,
                                        .recall = cases[i].recall,
                                        .nprobe = cases[i].nprobe,
                                        .ef = cases[i].ef,
                                        .refine = cases[i].refine};
        assert_int_equal(qn_search(client, &bad, &result, &error), QN_STATUS_INVALID);
        assert_string_equal(error.text, cases[i].says);
    }
    qn_client_close(client);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_argument_is_named),
        cmocka_unit_test(a_wrong_effort_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
