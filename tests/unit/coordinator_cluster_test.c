/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/cluster.h"

#include "tests/test.h"

struct page {
    uint64_t boot, number, digest;
    uint32_t page, pages;
    int64_t segment_id; /* 0: a heartbeat, -1: an empty list */
    enum qn_copy_state state;
};

static struct cluster_change hear(struct cluster *cluster, struct page page, uint64_t now_ms)
{
    struct copy_report copy = {.segment = {.segment_id = page.segment_id,
                                           .epoch = {1, 1},
                                           .replica = "",
                                           .copy_state = page.state}};
    struct message message = {.cluster = "test",
                              .sender = "node/3",
                              .boot = page.boot,
                              .reply_to = "",
                              .kind = MESSAGE_NODE_REPORT};

    message.node_report = (struct node_report){.node_id = 3,
                                               .report_number = page.number,
                                               .copies_digest = page.digest,
                                               .has_copies = page.segment_id != 0,
                                               .page = page.page,
                                               .pages = page.pages,
                                               .copies = page.segment_id > 0 ? &copy : NULL,
                                               .copies_in_page = page.segment_id > 0 ? 1 : 0,
                                               .kernels = "scalar"};
    return cluster_on_report(cluster, &message, now_ms);
}

static void pages_of_a_list_are_joined_in_any_order(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    assert_true(hear(&cluster, (struct page){1, 1, 9, 1, 2, 20, QN_COPY_SERVING}, 0).joined);
    assert_false(cluster_find(&cluster, 3)->listed);
    assert_true(hear(&cluster, (struct page){1, 1, 9, 0, 2, 10, QN_COPY_SERVING}, 0).relisted);
    assert_int_equal(cluster_find(&cluster, 3)->list.count, 2);
    assert_non_null(cluster_copy(cluster_find(&cluster, 3), 10));
    assert_non_null(cluster_copy(cluster_find(&cluster, 3), 20));
    assert_null(cluster_copy(cluster_find(&cluster, 3), 15));
    cluster_done(&cluster);
}

static void a_page_that_comes_twice_counts_once(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){1, 1, 9, 0, 2, 10, QN_COPY_SERVING}, 0);
    assert_false(hear(&cluster, (struct page){1, 1, 9, 0, 2, 10, QN_COPY_SERVING}, 0).relisted);
    assert_false(cluster_find(&cluster, 3)->listed);
    cluster_done(&cluster);
}

static void pages_of_an_older_list_are_dropped(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){1, 1, 9, 0, 2, 10, QN_COPY_SERVING}, 0);
    (void)hear(&cluster, (struct page){1, 2, 9, 0, 2, 30, QN_COPY_SERVING}, 0);
    assert_null(hear(&cluster, (struct page){1, 1, 9, 1, 2, 20, QN_COPY_SERVING}, 0).node);
    assert_true(hear(&cluster, (struct page){1, 2, 9, 1, 2, 40, QN_COPY_SERVING}, 0).relisted);
    assert_null(cluster_copy(cluster_find(&cluster, 3), 10));
    cluster_done(&cluster);
}

static void a_lower_boot_is_dropped_and_a_higher_one_holds_nothing(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){2, 7, 9, 0, 1, 10, QN_COPY_SERVING}, 0);
    assert_null(hear(&cluster, (struct page){1, 99, 9, 0, 1, 20, QN_COPY_SERVING}, 0).node);
    struct cluster_change change = hear(&cluster, (struct page){.boot = 3, .number = 1}, 0);
    assert_true(change.restarted);
    assert_false(change.node->listed);
    assert_null(cluster_copy(change.node, 10));
    assert_int_equal(cluster_standing(change.node, 10, (struct qn_epoch){1, 1}), CLUSTER_UNKNOWN);
    assert_true(hear(&cluster, (struct page){3, 2, 0, 0, 1, -1, 0}, 0).relisted);
    assert_int_equal(cluster_standing(change.node, 10, (struct qn_epoch){1, 1}), CLUSTER_ABSENT);
    cluster_done(&cluster);
}

static void a_node_that_lost_its_boot_number_is_told_of_once(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){3, 1, 9, 0, 1, -1, QN_COPY_SERVING}, 0);
    assert_null(hear(&cluster, (struct page){1, 7, 0, 0, 0, 0, 0}, 100).reborn); /* it was late */
    assert_non_null(cluster_next_silent(&cluster, LIMIT_NODE_SILENT_MS));
    struct cluster_change change = hear(&cluster, (struct page){1, 8, 0, 0, 0, 0, 0}, 6000);
    assert_null(change.node);
    assert_ptr_equal(change.reborn, cluster_find(&cluster, 3));
    assert_null(hear(&cluster, (struct page){1, 9, 0, 0, 0, 0, 0}, 7000).reborn);
    assert_true(cluster_find(&cluster, 3)->silent);
    cluster_done(&cluster);
}

/* Both report: what comes long after the higher boot began is no late word of an older start. */
static void two_nodes_with_one_id_are_told_of_once(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){3, 1, 9, 0, 1, -1, QN_COPY_SERVING}, 0);
    (void)hear(&cluster, (struct page){3, 2, 9, 0, 1, -1, QN_COPY_SERVING}, 4000);
    assert_null(hear(&cluster, (struct page){1, 7, 0, 0, 0, 0, 0}, 4999).reborn);
    assert_non_null(hear(&cluster, (struct page){1, 8, 0, 0, 0, 0, 0}, 5000).reborn);
    assert_null(hear(&cluster, (struct page){1, 9, 0, 0, 0, 0, 0}, 6000).reborn);
    assert_false(cluster_find(&cluster, 3)->silent);
    cluster_done(&cluster);
}

static void a_digest_that_differs_makes_the_list_stale(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    assert_true(hear(&cluster, (struct page){.boot = 1, .number = 1, .digest = 9}, 0).node->stale);
    assert_false(hear(&cluster, (struct page){1, 2, 9, 0, 1, 10, QN_COPY_SERVING}, 0).node->stale);
    assert_false(hear(&cluster, (struct page){.boot = 1, .number = 3, .digest = 9}, 0).node->stale);
    assert_true(hear(&cluster, (struct page){.boot = 1, .number = 4, .digest = 8}, 0).node->stale);
    cluster_done(&cluster);
}

static void a_node_is_silent_after_five_seconds_and_comes_back(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){1, 1, 9, 0, 1, 10, QN_COPY_SERVING}, 1000);
    assert_null(cluster_next_silent(&cluster, 5999));
    struct cluster_node *node = cluster_next_silent(&cluster, 6000);
    assert_non_null(node);
    assert_null(cluster_next_silent(&cluster, 6000));
    assert_int_equal(cluster_standing(node, 10, (struct qn_epoch){1, 1}), CLUSTER_SILENT);
    assert_true(hear(&cluster, (struct page){.boot = 1, .number = 2, .digest = 9}, 7000).returned);
    assert_int_equal(cluster_standing(node, 10, (struct qn_epoch){1, 1}), CLUSTER_SERVING);
    cluster_done(&cluster);
}

static void a_node_is_not_silent_for_what_the_bus_did_not_bring(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){1, 1, 9, 0, 1, 10, QN_COPY_SERVING}, 1000);
    cluster.deaf_ms = 20000;
    assert_null(cluster_next_silent(&cluster, 24999));
    assert_non_null(cluster_next_silent(&cluster, 25000));
    cluster_done(&cluster);
}

static void a_list_written_before_a_receipt_does_not_undo_it(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){1, 1, 9, 0, 1, 10, QN_COPY_LOADING}, 0);
    struct cluster_node *node = cluster_find(&cluster, 3);
    struct cluster_copy serving = *cluster_copy(node, 10);
    serving.state = QN_COPY_SERVING;
    cluster_set_copy(node, &serving);
    (void)hear(&cluster, (struct page){1, 2, 9, 0, 1, 10, QN_COPY_LOADING}, 0);
    assert_int_equal(cluster_copy(node, 10)->state, QN_COPY_SERVING);
    cluster_done(&cluster);
}

static void another_epoch_is_another_copy(void **state)
{
    struct cluster cluster = {0};

    (void)state;
    (void)hear(&cluster, (struct page){1, 1, 9, 0, 1, 10, QN_COPY_SERVING}, 0);
    assert_int_equal(cluster_standing(cluster_find(&cluster, 3), 10, (struct qn_epoch){1, 2}),
                     CLUSTER_ABSENT);
    cluster_done(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_a_list_are_joined_in_any_order),
        cmocka_unit_test(a_page_that_comes_twice_counts_once),
        cmocka_unit_test(pages_of_an_older_list_are_dropped),
        cmocka_unit_test(a_lower_boot_is_dropped_and_a_higher_one_holds_nothing),
        cmocka_unit_test(a_node_that_lost_its_boot_number_is_told_of_once),
        cmocka_unit_test(two_nodes_with_one_id_are_told_of_once),
        cmocka_unit_test(a_digest_that_differs_makes_the_list_stale),
        cmocka_unit_test(a_node_is_silent_after_five_seconds_and_comes_back),
        cmocka_unit_test(a_node_is_not_silent_for_what_the_bus_did_not_bring),
        cmocka_unit_test(a_list_written_before_a_receipt_does_not_undo_it),
        cmocka_unit_test(another_epoch_is_another_copy),
    };

    return cmocka_run_group_tests_name("coordinator cluster", tests, NULL, NULL);
}
