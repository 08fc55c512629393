/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/topic.h"

#include "base/check.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>

/* The table of PROTOCOL.md, "On Kafka", with P = 4; the checksum of "3f2a" is zlib's. */
#define CRC_3F2A_TEXT "1480931966"

enum { CRC_3F2A_MOD_4 = 2 };

static const struct {
    const char *subject, *topic;
    int32_t partition;
    const char *key;
} rows[] = {
    {"qnode.demo.agent.7.control", "qnode.demo.control", 3, "7"},
    {"qnode.demo.agent.8.ask", "qnode.demo.ask", 0, "8"},
    {"qnode.demo.agent.-3.search", "qnode.demo.search", 1, "-3"},
    {"qnode.demo.report.9223372036854775807", "qnode.demo.report", 3, "9223372036854775807"},
    {"qnode.demo.report.-9223372036854775808", "qnode.demo.report", 0, "-9223372036854775808"},
    {"qnode.demo.event.1", "qnode.demo.event", 1, "1"},
    {"qnode.demo.query.102", "qnode.demo.query", 2, "102"},
    {"qnode.demo.query.102.15", "qnode.demo.query", 2, "102.15"},
    {"qnode.demo.coord", "qnode.demo.coord", 0, "coord"},
    {"qnode.a_B-9.reply.3f2a.4711", "qnode.a_B-9.reply", CRC_3F2A_MOD_4, "3f2a.4711"},
};

static void each_subject_has_its_place_and_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct topic_place place;
        struct subject subject;
        assert_true(topic_place_of(rows[i].subject, &place));
        assert_string_equal(place.topic.text, rows[i].topic);
        assert_int_equal(topic_partition(place.number, 4), rows[i].partition);
        assert_string_equal(place.key, rows[i].key);
        assert_true(topic_subject_of(place.topic.text, place.key, strlen(place.key), &subject));
        assert_string_equal(subject.text, rows[i].subject);
    }
}

static void other_subjects_have_no_place(void **state)
{
    static const char *const others[] = {
        "order.x",
        "qnode",
        "qnode.demo",
        "qnode.demo.agent.7",
        "qnode.demo.agent.7.other",
        "qnode.demo.agent.07.control",
        "qnode.demo.agent.+7.control",
        "qnode.demo.agent.-0.control",
        "qnode.demo.agent.9223372036854775808.control",
        "qnode.demo.report.x",
        "qnode.demo.event.1.2",
        "qnode.demo.query.1.-2",
        "qnode.demo.query.1.2.3",
        "qnode.demo.coord.1",
        "qnode.demo.reply.1",
        "qnode.demo.reply.1.2.3",
        "qnode.de:mo.coord",
        "qnode..coord",
        "other.demo.coord",
        "qnode.demo.report.*",
    };
    struct topic_place place;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(topic_place_of(others[i], &place));
}

static void other_keys_are_no_subject(void **state)
{
    static const struct {
        const char *topic, *key;
    } others[] = {
        {"qnode.demo.control", ""},          {"qnode.demo.control", "7.control"},
        {"qnode.demo.control", "x"},         {"qnode.demo.report", "1.0"},
        {"qnode.demo.query", "1.2.3"},       {"qnode.demo.coord", "other"},
        {"qnode.demo.coord", "coord.coord"}, {"qnode.demo.reply", "3f2a"},
        {"qnode.demo.nothing", "1"},         {"demo.report", "1"},
        {"qnode.demo.agent.1.control", "1"}, {"qnode.demo.report.1", "1"},
        {"qnode.demo.event", "1 "},          {"qnode.demo.reply", "a.*"},
    };
    struct subject subject;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(
            topic_subject_of(others[i].topic, others[i].key, strlen(others[i].key), &subject));
    assert_false(topic_subject_of("qnode.demo.event", NULL, 0, &subject));
    assert_false(topic_subject_of("qnode.demo.event", "1\0002", 3, &subject));
}

static void partitions_are_never_negative(void **state)
{
    (void)state;
    assert_int_equal(topic_partition(-1, 4), 3);
    assert_int_equal(topic_partition(-4, 4), 0);
    assert_int_equal(topic_partition(INT64_MIN, 7), ((INT64_MIN % 7) + 7) % 7);
    assert_int_equal(topic_partition(INT64_MAX, 1), 0);
}

/* wanted: "control=7 ask=*": of which topics which number, all in the order of the kinds. */
static void assert_wanted(const char *pattern, const char *wanted)
{
    struct topic_wanted found;
    char text[256] = "";

    assert_true(topic_wanted_by(pattern, &found));
    assert_string_equal(found.cluster, "demo");
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
        size_t bytes = strlen(text);
        const char *name = strrchr(topic_name("demo", kind).text, '.') + 1;
        if (!found.kinds[kind].wanted)
            continue;
        if (found.kinds[kind].all)
            (void)snprintf(text + bytes, sizeof text - bytes, "%s=* ", name);
        else
            (void)snprintf(text + bytes, sizeof text - bytes, "%s=%lld ", name,
                           (long long)found.kinds[kind].number);
    }
    assert_string_equal(text, wanted);
}

static void patterns_want_partitions(void **state)
{
    (void)state;
    assert_wanted("qnode.demo.report.*", "report=* ");
    assert_wanted("qnode.demo.report.5", "report=5 ");
    assert_wanted("qnode.demo.query.>", "query=* ");
    assert_wanted("qnode.demo.query.*", "query=* ");
    assert_wanted("qnode.demo.query.7.*", "query=7 ");
    assert_wanted("qnode.demo.query.7.>", "query=7 ");
    assert_wanted("qnode.demo.agent.7.control", "control=7 ");
    assert_wanted("qnode.demo.agent.7.*", "control=7 ask=7 search=7 ");
    assert_wanted("qnode.demo.agent.*.ask", "ask=* ");
    assert_wanted("qnode.demo.reply.3f2a.>", "reply=" CRC_3F2A_TEXT " ");
    assert_wanted("qnode.demo.coord", "coord=0 ");
    assert_wanted("qnode.demo.*.7", "report=7 event=7 query=7 ");
    assert_wanted("qnode.demo.>",
                  "control=* ask=* search=* report=* event=* query=* coord=0 reply=* ");
}

static void patterns_that_match_nothing_want_nothing(void **state)
{
    static const char *const others[] = {
        ">",
        "qnode.*.report.*",
        "qnode.demo",
        "qnode.demo.coord.>",
        "qnode.demo.report.x",
        "qnode.demo.agent.7",
        "qnode.demo.agent.7.control.>",
        "order.x",
        "qnode.demo.event.1.*",
        "",
    };
    struct topic_wanted wanted;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(topic_wanted_by(others[i], &wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_subject_has_its_place_and_comes_back),
        cmocka_unit_test(other_subjects_have_no_place),
        cmocka_unit_test(other_keys_are_no_subject),
        cmocka_unit_test(partitions_are_never_negative),
        cmocka_unit_test(patterns_want_partitions),
        cmocka_unit_test(patterns_that_match_nothing_want_nothing),
    };

    return cmocka_run_group_tests_name("channel_topic", tests, NULL, NULL);
}
