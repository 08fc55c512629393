/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "channel/message.h"
#include "channel/subject.h"
#include "tests/test.h"
#include <string.h>

static void subjects_have_the_names_of_the_protocol(void **state)
{
    (void)state;
    assert_string_equal(subject_query("c", -1).text, "qnode.c.query.-1");
    assert_string_equal(subject_query_all("c").text, "qnode.c.query.>");
    assert_string_equal(subject_query_page("c", 100, 12).text, "qnode.c.query.100.12");
    assert_string_equal(subject_control("c", 7).text, "qnode.c.agent.7.control");
    assert_string_equal(subject_ask("c", 7).text, "qnode.c.agent.7.ask");
    assert_string_equal(subject_search("c", INT64_MAX).text,
                        "qnode.c.agent.9223372036854775807.search");
    assert_string_equal(subject_report("c", 7).text, "qnode.c.report.7");
    assert_string_equal(subject_report_all("c").text, "qnode.c.report.*");
    assert_string_equal(subject_event("c", 7).text, "qnode.c.event.7");
    assert_string_equal(subject_event_all("c").text, "qnode.c.event.*");
    assert_string_equal(subject_coord("c").text, "qnode.c.coord");
    assert_string_equal(subject_reply("c", "3f", UINT64_MAX).text,
                        "qnode.c.reply.3f.18446744073709551615");
    assert_string_equal(subject_reply_all("c", "3f").text, "qnode.c.reply.3f.>");
}

static void cluster_names_are_plain(void **state)
{
    char longest[66] = {0};

    (void)state;
    memset(longest, 'a', 64);
    assert_true(subject_cluster_is_valid("Demo_1-x"));
    assert_true(subject_cluster_is_valid(longest));
    longest[64] = 'a';
    assert_false(subject_cluster_is_valid(longest));
    assert_false(subject_cluster_is_valid(""));
    assert_false(subject_cluster_is_valid("a.b"));
    assert_false(subject_cluster_is_valid("a b"));
    assert_false(subject_cluster_is_valid("\xc3\xa9"));
}

static void only_plain_subjects_may_be_published_to(void **state)
{
    static const char *const good[] = {"a", "a.b", "_INBOX.x-1", "$JS.ACK"};
    static const char *const bad[] = {"",    ".",   "a.",    ".a",       "a..b", "a b", "a\tb",
                                      "a\r", "a.*", "a.b*c", "\xc3\xa9", ">",    "a.>"};
    char longest[LIMIT_SUBJECT_BYTES + 1] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(subject_is_valid(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(subject_is_valid(bad[i]));
    memset(longest, 'a', LIMIT_SUBJECT_BYTES - 1);
    assert_true(subject_is_valid(longest));
    longest[LIMIT_SUBJECT_BYTES - 1] = 'a';
    assert_false(subject_is_valid(longest));
}

static void patterns_may_have_whole_tokens_for_wildcards(void **state)
{
    (void)state;
    assert_true(subject_pattern_is_valid("a.*.b"));
    assert_true(subject_pattern_is_valid("a.>"));
    assert_true(subject_pattern_is_valid(">"));
    assert_false(subject_pattern_is_valid("a.>.b"));
    assert_false(subject_pattern_is_valid("a.b*"));
    assert_false(subject_pattern_is_valid("a.>>"));
    assert_false(subject_pattern_is_valid("a..*"));
}

static void wildcards_match_as_on_nats(void **state)
{
    static const struct {
        const char *pattern, *subject;
        bool matches;
    } rows[] = {
        {"a.b", "a.b", true},    {"a.b", "a.c", false},    {"a.b", "a.bc", false},
        {"a.*", "a.b", true},    {"a.*", "a", false},      {"a.*", "a.b.c", false},
        {"*.b", "a.b", true},    {"*", "a", true},         {"*", "a.b", false},
        {"a.>", "a.b", true},    {"a.>", "a.b.c", true},   {"a.>", "a", false},
        {">", "a.b", true},      {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false},
        {"a.b.c", "a.b", false}, {"a", "a.b", false},      {"a.*.>", "a.b.c.d", true},
        {"a.*.>", "a.b", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(subject_matches(rows[i].pattern, rows[i].subject), rows[i].matches);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(message_kind_name(MESSAGE_CHANGE_INFO), "SealedSegmentsChangeInfo");
    assert_string_equal(message_kind_name(MESSAGE_NONE), "none");
    assert_string_equal(message_kind_name((enum message_kind)99), "message?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects_have_the_names_of_the_protocol),
        cmocka_unit_test(cluster_names_are_plain),
        cmocka_unit_test(only_plain_subjects_may_be_published_to),
        cmocka_unit_test(patterns_may_have_whole_tokens_for_wildcards),
        cmocka_unit_test(wildcards_match_as_on_nats),
        cmocka_unit_test(every_kind_has_a_name),
    };

    return cmocka_run_group_tests_name("channel_subject", tests, NULL, NULL);
}
