/* SPDX-License-Identifier: Apache-2.0
 * A message counts only where its sender alone may publish. */
#include "base/check.h"
#include "channel/origin.h"
#include "channel/subject.h"
#include "tests/test.h"
#include <string.h>

static void a_message_counts_on_its_own_subject_only(void **state)
{
    static const char *const subjects[] = {
        "qnode.t.report.7",  "qnode.t.report.8",        "qnode.t.event.7",
        "qnode.t.event.8",   "qnode.t.coord",           "qnode.t.query.5",
        "qnode.t.query.5.0", "qnode.t.reply.3f.1",      "qnode.u.report.7",
        "qnode.u.event.7",   "qnode.t.agent.0.control", "qnode.t.agent.7.control",
        "qnode.u.reply.3f.1"};
    static const struct {
        enum message_kind kind;
        const char *allowed[2];
    } rows[] = {
        {MESSAGE_NODE_REPORT, {"qnode.t.report.7"}},
        {MESSAGE_SEGMENT_LOADED, {"qnode.t.event.7"}},
        {MESSAGE_SEGMENT_RELEASED, {"qnode.t.event.7"}},
        {MESSAGE_LOAD_FAILED, {"qnode.t.event.7"}},
        {MESSAGE_RELEASE_HELD, {"qnode.t.event.7"}},
        {MESSAGE_LEAVING, {"qnode.t.event.7"}},
        {MESSAGE_COMMAND_REFUSED, {"qnode.t.event.7"}},
        {MESSAGE_REPORT_REQUEST, {"qnode.t.agent.0.control"}},
        {MESSAGE_COORD_REQUEST, {"qnode.t.coord"}},
        {MESSAGE_COORD_ANSWER, {"qnode.t.reply.3f.1"}},
        {MESSAGE_COLLECTION_VIEW, {"qnode.t.query.5", "qnode.t.query.5.0"}},
        {MESSAGE_CHANGE_INFO, {"qnode.t.query.5", "qnode.t.query.5.0"}},
        {MESSAGE_SEARCH_ANSWER, {NULL}},
        {MESSAGE_NONE, {NULL}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t s = 0; s < COUNT_OF(subjects); s++) {
            struct message message = {.kind = rows[i].kind, .sender = "node/7", .cluster = "t"};
            bool is_allowed = false;
            message.node_report.node_id = rows[i].kind == MESSAGE_NODE_REPORT ? 7 : 0;
            for (size_t a = 0; a < COUNT_OF(rows[i].allowed) && rows[i].allowed[a] != NULL; a++)
                is_allowed |= strcmp(rows[i].allowed[a], subjects[s]) == 0;
            if (origin_is_right("t", subjects[s], &message) != is_allowed)
                fail_msg("%s on %s", message_kind_name(message.kind), subjects[s]);
        }
}

static void a_receipt_names_the_node_that_sent_it(void **state)
{
    static const char *const bad[] = {"", "node/", "node/7x", "nodes/7", "client/7", "node"};
    struct message message = {.kind = MESSAGE_LEAVING, .sender = "node/7"};
    int64_t node_id = 0;

    (void)state;
    assert_true(origin_node(&message, &node_id));
    assert_int_equal(node_id, 7);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        message.sender = bad[i];
        assert_false(origin_node(&message, &node_id));
        assert_false(origin_is_right("t", "qnode.t.event.7", &message));
    }
}

static void a_reply_subject_is_one_of_the_cluster(void **state)
{
    (void)state;
    assert_true(subject_is_reply("t", "qnode.t.reply.3f.1"));
    assert_true(subject_is_reply("t", "qnode.t.reply.x"));
    assert_false(subject_is_reply("t", "qnode.t.reply"));
    assert_false(subject_is_reply("t", "qnode.u.reply.3f.1"));
    assert_false(subject_is_reply("t", "qnode.t.reply.>"));
    assert_false(subject_is_reply("*", "qnode.t.reply.3f.1"));
    assert_false(subject_is_reply("", "qnode..reply.3f.1"));
    assert_false(subject_is_reply("t", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_counts_on_its_own_subject_only),
        cmocka_unit_test(a_receipt_names_the_node_that_sent_it),
        cmocka_unit_test(a_reply_subject_is_one_of_the_cluster),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
