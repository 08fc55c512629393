/* SPDX-License-Identifier: Apache-2.0
 * What only Kafka has: topics that must be there and have the right policies, producers that break,
 * partitions that several nodes share. */
#include "base/check.h"
#include "channel/kafka.h"
#include "channel/kafka_topics.h"
#include "tests/contract/suite.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOKS_MAX = 20000,
    CONNECT_MS = 20000,
    FLUSH_MS = 10000,
    UNLED_US = 1500000,
    GIVE_UP_US = 15000000,
};

static const char subject[] = "qnode.t1.event.1";

static size_t count_word(struct collector *collector, uint64_t word)
{
    size_t count = 0, total = collector_count(collector);

    for (size_t i = 0; i < total; i++)
        count += collector->all[i].word == word;
    return count;
}

static void a_broken_producer_is_replaced(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->far, subject, collector_take, &bus->collector);
    publish_word(&bus->near, subject, 1);
    assert_true(collector_wait(&bus->collector, 1));
    for (uint64_t round = 2; round < 5; round++) {
        /* with nothing on its way, it is the next message that breaks: a word of this round that
         * arrives is of the new producer */
        assert_int_equal(transport_flush(&bus->near, FLUSH_MS), QN_STATUS_OK);
        bus_server_break_producer(suite_server());
        for (int i = 0; i < LOOKS_MAX && count_word(&bus->collector, round) == 0; i++) {
            (void)publish(&bus->near, subject, NULL, &round, sizeof round);
            (void)usleep(1000);
        }
        assert_true(count_word(&bus->collector, round) > 0);
    }
}

/* And it is not made by looking for it, though the broker would make topics by itself. */
static void a_missing_topic_is_named(void **state)
{
    struct bus *bus = *state;
    struct qn_error error = {0};

    assert_int_equal(bus->near.ops->subscribe(bus->near.self, "qnode.nowhere.report.*",
                                              collector_take, &bus->collector, &error),
                     QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "qnode.nowhere.{control,ask,search,report,"));
    assert_non_null(strstr(error.text, "qnodectl topics create --cluster nowhere"));
    assert_int_equal(publish(&bus->near, "qnode.nowhere.event.1", NULL, "x", 1),
                     QN_STATUS_UNAVAILABLE);
    assert_int_equal(bus->far.ops->subscribe(bus->far.self, "qnode.nowhere.coord", collector_take,
                                             &bus->collector, &error),
                     QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "qnode.nowhere.{control,ask,search,report,event,"));
    assert_int_equal(bus->near.ops->subscribe(bus->near.self, "order.x", collector_take,
                                              &bus->collector, &error),
                     QN_STATUS_INVALID);
}

/* Nodes 1, 5 and 9 share a partition of four. */
static void mail_of_others_is_skipped(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->far, "qnode.t1.agent.5.control", collector_take, &bus->collector);
    publish_word(&bus->near, "qnode.t1.agent.1.control", 1);
    publish_word(&bus->near, "qnode.t1.agent.9.control", 9);
    publish_word(&bus->near, "qnode.t1.agent.5.control", 5);
    assert_true(collector_wait(&bus->collector, 1));
    assert_int_equal(bus->collector.all[0].word, 5);
    assert_int_equal(collector_count(&bus->collector), 1);
}

static void *lead_later(void *owner)
{
    (void)usleep(UNLED_US);
    bus_server_lead(owner, true);
    return NULL;
}

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* As those of a topic that was made a moment ago. */
static void subscribing_waits_until_the_partitions_have_leaders(void **state)
{
    struct bus *bus = *state;
    pthread_t thread;

    bus_server_lead(suite_server(), false);
    uint64_t started_us = now_us();
    assert_int_equal(pthread_create(&thread, NULL, lead_later, suite_server()), 0);
    subscribe(&bus->far, "qnode.t1.event.*", collector_take, &bus->collector);
    assert_true(now_us() - started_us >= UNLED_US);
    assert_int_equal(pthread_join(thread, NULL), 0);
    publish_word(&bus->near, subject, 1);
    assert_true(collector_wait(&bus->collector, 1));
}

static void subscribing_gives_up_where_no_leader_comes(void **state)
{
    struct bus *bus = *state;
    struct qn_error error = {0};

    bus_server_lead(suite_server(), false);
    uint64_t started_us = now_us();
    assert_int_equal(
        bus->far.ops->subscribe(bus->far.self, subject, collector_take, &bus->collector, &error),
        QN_STATUS_UNAVAILABLE);
    assert_true(now_us() - started_us < GIVE_UP_US);
    assert_non_null(strstr(error.text, "topic qnode.t1.event: its partitions have no leader"));
    bus_server_lead(suite_server(), true);
    subscribe(&bus->far, subject, collector_take, &bus->collector);
}

/* ---- the administrator ---- */

static void note_nothing(void *owner, enum kafka_trouble_kind kind, const char *topic,
                         const char *text)
{
    (void)owner;
    (void)kind;
    (void)topic;
    (void)text;
}

static void take_status(void *owner, const char *topic, enum qn_status status, const char *text)
{
    enum qn_status *made = owner;

    (void)topic;
    (void)text;
    *made = status;
}

/* A topic as somebody else made it: records go after an hour, the newest views with them. */
static void make_wrong_topic(const char *url, const char *name)
{
    static const struct kafka_setting settings[] = {{"cleanup.policy", "delete"},
                                                    {"max.message.bytes", "2000000"}};
    const struct kafka_new_topic topic = {
        .name = name, .partitions = 2, .settings = settings, .settings_count = COUNT_OF(settings)};
    const struct kafka_trouble trouble = {.on_trouble = note_nothing};
    enum qn_status made = QN_STATUS_TIMEOUT;
    const struct kafka_admin admin = {.on_topic = take_status, .owner = &made};
    struct kafka_options options;
    struct kafka *kafka;

    assert_int_equal(kafka_options_read(url, "test", &options, NULL), QN_STATUS_OK);
    assert_int_equal(kafka_open(KAFKA_READER, &options, &trouble, &kafka, NULL), QN_STATUS_OK);
    assert_true(kafka_reach(kafka, CONNECT_MS));
    assert_int_equal(kafka_topics_make(kafka, &topic, 1, 0, &admin), QN_STATUS_OK);
    assert_int_equal(made, QN_STATUS_OK);
    kafka_close(kafka, 0);
    kafka_options_done(&options);
}

static void topics_are_made_once_and_what_differs_is_told(void **state)
{
    struct bus *bus = *state;
    struct kafka_topic_report reports[TOPIC_KINDS];
    char cluster[32], query[64];
    struct kafka_topics_options options = {
        .url = bus->url, .cluster = cluster, .partitions = 3, .connect_ms = CONNECT_MS};

    (void)snprintf(cluster, sizeof cluster, "made-%d", (int)getpid());
    (void)snprintf(query, sizeof query, "qnode.%s.query", cluster);
    make_wrong_topic(bus->url, query);
    options.create = true;
    assert_int_equal(kafka_topics(&options, reports, NULL), QN_STATUS_OK);
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
        assert_int_equal(reports[kind].state,
                         kind == TOPIC_QUERY ? KAFKA_TOPIC_DIFFERS : KAFKA_TOPIC_CREATED);
    assert_int_equal(reports[TOPIC_COORD].partitions, 1);
    assert_int_equal(reports[TOPIC_EVENT].partitions, 3);
    assert_int_equal(reports[TOPIC_QUERY].partitions, 2);
    assert_non_null(strstr(reports[TOPIC_QUERY].text, "cleanup.policy is delete, not compact"));
    assert_null(strstr(reports[TOPIC_QUERY].text, "max.message.bytes"));
    assert_int_equal(kafka_topics(&options, reports, NULL), QN_STATUS_OK);
    assert_int_equal(reports[TOPIC_QUERY].state, KAFKA_TOPIC_DIFFERS);
    assert_int_equal(reports[TOPIC_REPORT].state, KAFKA_TOPIC_GOOD);
    assert_string_equal(reports[TOPIC_REPORT].text, "");
}

static void who_starts_right_after_the_topics_were_made_is_served(void **state)
{
    struct bus *bus = *state;
    struct kafka_topic_report reports[TOPIC_KINDS];
    char cluster[32], query[64], event[64];
    struct kafka_topics_options options = {.url = bus->url,
                                           .cluster = cluster,
                                           .partitions = 32,
                                           .create = true,
                                           .connect_ms = CONNECT_MS};

    (void)snprintf(cluster, sizeof cluster, "fresh-%d", (int)getpid());
    (void)snprintf(query, sizeof query, "qnode.%s.query.7", cluster);
    (void)snprintf(event, sizeof event, "qnode.%s.event.1", cluster);
    assert_int_equal(kafka_topics(&options, reports, NULL), QN_STATUS_OK);
    subscribe(&bus->far, event, collector_take, &bus->collector);
    subscribe(&bus->far, query, collector_take, &bus->collector);
    publish_word(&bus->near, event, 1);
    publish_word(&bus->near, query, 2);
    assert_true(collector_wait(&bus->collector, 2));
}

int main(void)
{
#define NOT_KAFKA "is not Kafka"
#define ON_KAFKA  [BUS_INPROC] = NOT_KAFKA, [BUS_NATS] = NOT_KAFKA, [BUS_JETSTREAM] = NOT_KAFKA
    const struct suite_test tests[] = {
        {SUITE_TEST(a_broken_producer_is_replaced),
         .not_on = {ON_KAFKA, [BUS_KAFKA] = "a real broker breaks no producer on demand"}},
        {SUITE_TEST(a_missing_topic_is_named),
         .not_on = {ON_KAFKA, [BUS_KAFKA_MOCK] = "the mock makes every topic it is asked for"}},
        {SUITE_TEST(mail_of_others_is_skipped), .not_on = {ON_KAFKA}},
        {SUITE_TEST(subscribing_waits_until_the_partitions_have_leaders),
         .not_on = {ON_KAFKA, [BUS_KAFKA] = "a real broker leads at once"}},
        {SUITE_TEST(subscribing_gives_up_where_no_leader_comes),
         .not_on = {ON_KAFKA, [BUS_KAFKA] = "a real broker leads at once"}},
        {SUITE_TEST(who_starts_right_after_the_topics_were_made_is_served),
         .not_on = {ON_KAFKA, [BUS_KAFKA_MOCK] = "the mock has no administrator"}},
        {SUITE_TEST(topics_are_made_once_and_what_differs_is_told),
         .not_on = {ON_KAFKA, [BUS_KAFKA_MOCK] = "the mock has no administrator"}},
    };

    return suite_run(tests, COUNT_OF(tests));
}
