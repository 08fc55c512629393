/* SPDX-License-Identifier: Apache-2.0
 * SealedSegmentsChangeInfo read as releases, and what a node answers when it is the witness. */
#include "tests/unit/agent_node_rig.h"

static struct segment_info info_of(int64_t segment_id, uint64_t version)
{
    return (struct segment_info){
        .segment_id = segment_id,
        .collection_id = RIG_COLLECTION,
        .state = QN_SEGMENT_SEALED,
        .epoch = {RIG_TERM, version},
        .content_hash = rig_segment(segment_id, version).content_hash,
        .replica = "r1",
    };
}

static void change(struct rig *rig, int64_t collection_id, const struct segment_change_info *infos,
                   size_t count)
{
    struct message message = {.term = rig->term,
                              .request_id = rig->request_id,
                              .reply_to = rig->reply_to,
                              .kind = MESSAGE_CHANGE_INFO};

    message.change_info =
        (struct change_info){.collection_id = collection_id, .infos = infos, .infos_count = count};
    rig_message(rig, &message);
}

/* Segment 7 of epoch 5.version went from node 1 to online_node. */
static void change_moved(struct rig *rig, int64_t online_node, uint64_t version)
{
    struct segment_info online = info_of(7, 9), offline = info_of(7, version);
    struct segment_change_info info = {online_node, &online, 1, 1, &offline, 1};

    change(rig, RIG_COLLECTION, &info, 1);
}

static void a_segment_that_is_online_elsewhere_has_moved_there(void **state)
{
    const struct node_release *release;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    change_moved(&rig, 2, 1);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_LEAVING);
    assert_int_equal(rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST)->node_id, 2);
    release = &node_find(rig.node, 7)->release;
    assert_int_equal(release->ground, GROUND_MOVED);
    assert_int_equal(release->witnesses[0].epoch.version, 9);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 8), RIG_TERM);
    rig_expect_held(&rig, QN_STATUS_HELD, "epoch 5.8 < 5.9");
    rig_close(&rig);
}

static void a_change_info_of_a_lower_term_is_refused(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig.term = RIG_TERM - 1;
    change_moved(&rig, 2, 1);
    rig_expect_refused(&rig, QN_STATUS_TERM_STALE, "term 4 is stale");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void a_change_info_that_names_an_older_copy_is_refused(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 4);
    change_moved(&rig, 2, 3);
    rig_expect_refused(&rig, QN_STATUS_EPOCH_STALE, "names the older 5.3");
    change_moved(&rig, 2, 5);
    rig_expect_refused(&rig, QN_STATUS_CONFLICT, "names the newer 5.5");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void a_change_info_whose_witness_is_not_serving_is_held(void **state)
{
    struct copy_status answer;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    change_moved(&rig, 2, 1);
    answer = rig_yes(&rig, 7, 2, 9);
    answer.state = QN_COPY_LOADING;
    rig_answer(&rig, answer, RIG_TERM);
    rig_expect_held(&rig, QN_STATUS_HELD, "node 2 answers loading");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void a_segment_that_is_online_nowhere_has_ceased_in_favour_of_its_replacements(void **state)
{
    struct segment_info online[] = {info_of(20, 8), info_of(21, 8)}, offline = info_of(7, 1);
    struct segment_change_info info = {2, online, 2, 1, &offline, 1};
    const struct node_release *release;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    change(&rig, RIG_COLLECTION, &info, 1);
    release = &node_find(rig.node, 7)->release;
    assert_int_equal(release->ground, GROUND_CEASED);
    assert_int_equal(release->witnesses_count, 2);
    assert_int_equal(release->witnesses[1].segment_id, 21);
    assert_false(release->witnesses[0].has_content_hash);
    assert_int_equal(rig_said(&rig, MESSAGE_COPY_STATUS_REQUEST), 2);
    rig_close(&rig);
}

static void a_segment_of_which_no_rows_remain_needs_no_witness(void **state)
{
    struct segment_info offline = info_of(7, 1);
    struct segment_change_info info = {0, NULL, 0, 1, &offline, 1};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    change(&rig, RIG_COLLECTION, &info, 1);
    assert_int_equal(rig_said(&rig, MESSAGE_COPY_STATUS_REQUEST), 0);
    rig_tick(&rig, 1500);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_event(&rig, NODE_EVENT_UNMAPPED, 7);
    assert_int_equal(rig_only(&rig, MESSAGE_SEGMENT_RELEASED)->segment_released.ground,
                     GROUND_CEASED);
    rig_close(&rig);
}

static void a_segment_that_is_online_in_another_entry_has_not_ceased(void **state)
{
    struct segment_info online = info_of(7, 9), offline = info_of(7, 1);
    struct segment_change_info infos[] = {{0, NULL, 0, 1, &offline, 1},
                                          {3, &online, 1, 0, NULL, 0}};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    change(&rig, RIG_COLLECTION, infos, 2);
    assert_int_equal(node_find(rig.node, 7)->release.ground, GROUND_MOVED);
    assert_int_equal(rig_only(&rig, MESSAGE_COPY_STATUS_REQUEST)->node_id, 3);
    rig_close(&rig);
}

static void entries_of_other_nodes_and_online_entries_ask_nothing_of_this_node(void **state)
{
    struct segment_info seven = info_of(7, 1);
    struct segment_change_info infos[] = {{1, &seven, 1, 2, &seven, 1}, {1, &seven, 1, 0, NULL, 0}};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    change(&rig, RIG_COLLECTION, infos, 2);
    assert_int_equal(rig.actions->count, 0);
    rig_close(&rig);
}

static void an_offline_entry_of_another_collection_or_a_growing_segment_is_refused(void **state)
{
    struct segment_info online = info_of(7, 1), offline = info_of(7, 1);
    struct segment_change_info info = {2, &online, 1, 1, &offline, 1};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    rig.reply_to = "inbox.9";
    change(&rig, RIG_COLLECTION + 1, &info, 1);
    rig_expect_refused(&rig, QN_STATUS_INVALID, "another collection");
    assert_string_equal(rig_only(&rig, MESSAGE_COMMAND_REFUSED)->reply_to, "inbox.9");
    offline.collection_id = RIG_COLLECTION + 1;
    change(&rig, RIG_COLLECTION, &info, 1);
    rig_expect_refused(&rig, QN_STATUS_INVALID, "not the change info's");
    offline = info_of(7, 1);
    offline.state = QN_SEGMENT_GROWING;
    change(&rig, RIG_COLLECTION, &info, 1);
    rig_expect_refused(&rig, QN_STATUS_INVALID, "Growing: only sealed segments can be moved");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void a_node_cannot_be_the_witness_of_its_own_copy(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    change_moved(&rig, 1, 1);
    rig_expect_refused(&rig, QN_STATUS_INVALID, "its own witness");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void a_change_info_names_at_most_256_segments_of_this_node(void **state)
{
    static struct segment_info offline[257];
    struct segment_change_info infos[] = {{2, NULL, 0, 2, offline, 257},
                                          {2, NULL, 0, 1, offline, 257}};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    for (int i = 0; i < 257; i++)
        offline[i] = info_of(1000 + i, 1);
    change(&rig, RIG_COLLECTION, infos, 2);
    rig_expect_refused(&rig, QN_STATUS_INVALID, "257 segments in one command");
    infos[1].offline_segments_count = 256;
    change(&rig, RIG_COLLECTION, infos, 2);
    assert_int_equal(rig_said(&rig, MESSAGE_COMMAND_REFUSED), 256); /* none is here, each is told */
    rig_close(&rig);
}

static void more_replacements_than_can_be_asked_are_refused(void **state)
{
    struct segment_info online[LIMIT_WITNESSES_MAX + 1], offline = info_of(7, 1);
    struct segment_change_info info = {2, online, LIMIT_WITNESSES_MAX + 1, 1, &offline, 1};
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 1);
    for (int i = 0; i <= LIMIT_WITNESSES_MAX; i++)
        online[i] = info_of(20 + i, 1);
    change(&rig, RIG_COLLECTION, &info, 1);
    rig_expect_refused(&rig, QN_STATUS_INVALID, "more replacements than 8");
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

/* ---- the witness's side ---------------------------------------------------------------------- */

static struct copy_status ask(struct rig *rig, uint64_t term)
{
    struct message message = {.term = term, .boot = 12, .kind = MESSAGE_COPY_STATUS_REQUEST};

    message.copy_status_request =
        (struct copy_status_request){.node_id = 2, .segment_id = 7, .nonce = 44};
    rig_message(rig, &message);
    assert_int_equal(rig->actions->count, 1);
    assert_int_equal(rig_only(rig, MESSAGE_COPY_STATUS)->subject, NODE_SUBJECT_ASK);
    assert_int_equal(rig_only(rig, MESSAGE_COPY_STATUS)->node_id, 2);
    return rig_only(rig, MESSAGE_COPY_STATUS)->copy_status;
}

static void a_witness_says_what_it_holds_in_every_state(void **state)
{
    const struct segment_load_info seven = rig_segment(7, 3);
    struct copy_status answer;
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    answer = ask(&rig, RIG_TERM);
    assert_int_equal(answer.state, QN_COPY_ABSENT);
    assert_int_equal(answer.nonce, 44);
    assert_int_equal(answer.asker_boot, 12);
    assert_int_equal(answer.node_id, 1);
    rig_load(&rig, rig_segment(7, 3));
    assert_int_equal(ask(&rig, RIG_TERM).state, QN_COPY_LOADING);
    rig_event(&rig, NODE_EVENT_LOADED, 7);
    answer = ask(&rig, RIG_TERM);
    assert_int_equal(answer.state, QN_COPY_SERVING);
    assert_int_equal(answer.epoch.version, 3);
    assert_string_equal(answer.replica, "r1");
    assert_memory_equal(&answer.content_hash, &seven.content_hash, 16);
    rig_leaving(&rig, 7, 3);
    assert_int_equal(ask(&rig, RIG_TERM).state, QN_COPY_LEAVING);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 3), RIG_TERM);
    rig_tick(&rig, 1500);
    assert_int_equal(ask(&rig, RIG_TERM).state, QN_COPY_DRAINING);
    rig_event(&rig, NODE_EVENT_DRAINED, 7);
    rig_answer(&rig, rig_yes(&rig, 7, 2, 3), RIG_TERM);
    assert_int_equal(ask(&rig, RIG_TERM).state, QN_COPY_DRAINING); /* unmapping */
    assert_int_equal(node_counters(rig.node)->asks_answered, 6);
    rig_close(&rig);
}

static void a_node_that_shuts_down_is_no_witness(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    rig_serve(&rig, 7, 3);
    rig_event(&rig, NODE_EVENT_SHUTDOWN, 0);
    assert_int_equal(rig_did(&rig, NODE_ACTION_REPORT), 1);
    assert_int_equal(ask(&rig, RIG_TERM).state, QN_COPY_LEAVING);
    assert_int_equal(rig_state(&rig, 7), QN_COPY_SERVING);
    rig_close(&rig);
}

static void an_ask_never_changes_the_term(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 1, 4096);
    (void)ask(&rig, 99);
    (void)ask(&rig, 1); /* nor is a lower one refused */
    assert_int_equal(node_term(rig.node), RIG_TERM);
    assert_int_equal(node_counters(rig.node)->asks_answered, 2);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_that_is_online_elsewhere_has_moved_there),
        cmocka_unit_test(a_change_info_of_a_lower_term_is_refused),
        cmocka_unit_test(a_change_info_that_names_an_older_copy_is_refused),
        cmocka_unit_test(a_change_info_whose_witness_is_not_serving_is_held),
        cmocka_unit_test(a_segment_that_is_online_nowhere_has_ceased_in_favour_of_its_replacements),
        cmocka_unit_test(a_segment_of_which_no_rows_remain_needs_no_witness),
        cmocka_unit_test(a_segment_that_is_online_in_another_entry_has_not_ceased),
        cmocka_unit_test(entries_of_other_nodes_and_online_entries_ask_nothing_of_this_node),
        cmocka_unit_test(an_offline_entry_of_another_collection_or_a_growing_segment_is_refused),
        cmocka_unit_test(a_node_cannot_be_the_witness_of_its_own_copy),
        cmocka_unit_test(a_change_info_names_at_most_256_segments_of_this_node),
        cmocka_unit_test(more_replacements_than_can_be_asked_are_refused),
        cmocka_unit_test(a_witness_says_what_it_holds_in_every_state),
        cmocka_unit_test(a_node_that_shuts_down_is_no_witness),
        cmocka_unit_test(an_ask_never_changes_the_term),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
