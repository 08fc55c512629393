/* SPDX-License-Identifier: Apache-2.0
 * The contract of channel/transport.h: what arrives, where, in which order. Subjects are those of
 * PROTOCOL.md, because Kafka has no others. */
#include "base/check.h"
#include "tests/contract/suite.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_MS = 10000 };

static uint64_t last_word(struct collector *collector)
{
    return collector->all[collector_count(collector) - 1].word;
}

/* 0: none. */
static uint64_t last_word_of(struct collector *collector, const char *subject)
{
    for (size_t i = collector_count(collector); i-- > 0;)
        if (strcmp(collector->all[i].subject, subject) == 0)
            return collector->all[i].word;
    return 0;
}

static void messages_of_one_publisher_arrive_once_and_in_order(void **state)
{
    struct bus *bus = *state;
    enum { COUNT = 20000 };

    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    for (uint64_t i = 0; i < COUNT; i++)
        publish_word(&bus->near, "qnode.t1.event.1", i);
    assert_true(collector_wait(&bus->collector, COUNT));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(bus->collector.all[i].word, i);
    assert_string_equal(bus->collector.all[0].subject, "qnode.t1.event.1");
    (void)usleep(QUIET_US);
    assert_int_equal(collector_count(&bus->collector), COUNT);
}

/* From the moment subscribe() has returned. */
static void nothing_is_missed_after_subscribing(void **state)
{
    struct bus *bus = *state;
    enum { ROUNDS = 20 };

    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct transport late = open_transport(bus->url);
        subscribe(&late, "qnode.t1.event.*", collector_take, &bus->collector);
        publish_word(&bus->near, "qnode.t1.event.3", i);
        assert_true(collector_wait(&bus->collector, i + 1));
        assert_int_equal(bus->collector.all[i].word, i);
        close_transport(&late);
    }
}

static void what_came_before_subscribing_is_not_heard(void **state)
{
    struct bus *bus = *state;

    publish_word(&bus->near, "qnode.t1.event.1", 1);
    assert_int_equal(transport_flush(&bus->near, FLUSH_MS), QN_STATUS_OK);
    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    publish_word(&bus->near, "qnode.t1.event.1", 2);
    assert_true(collector_wait(&bus->collector, 1));
    assert_int_equal(bus->collector.all[0].word, 2);
}

/* The same subjects each time: a real broker keeps what the test left there last time. Who has
 * subscribed has heard the newest: between the old and the new lies more than comes at once. */
static void who_comes_late_gets_the_newest_view(void **state)
{
    static const char between[256 << 10];
    struct bus *bus = *state;

    assert_int_equal(transport_retain(&bus->near, "qnode.t1.query.>", NULL), QN_STATUS_OK);
    for (uint64_t word = 1; word <= 3; word++) {
        publish_word(&bus->near, "qnode.t1.query.7.0", word);
        publish_word(&bus->near, "qnode.t1.query.7.1", 10 + word);
        for (int i = 0; i < 5; i++) /* in the same partition */
            assert_int_equal(
                publish(&bus->near, "qnode.t1.query.3.0", NULL, between, sizeof between),
                QN_STATUS_OK);
    }
    assert_int_equal(transport_flush(&bus->near, FLUSH_MS), QN_STATUS_OK);
    (void)usleep(QUIET_US); /* JetStream stores what was published in its own time */
    subscribe(&bus->far, "qnode.t1.query.>", collector_take, &bus->collector);
    assert_int_equal(last_word_of(&bus->collector, "qnode.t1.query.7.0"), 3);
    assert_int_equal(last_word_of(&bus->collector, "qnode.t1.query.7.1"), 13);
    publish_word(&bus->near, "qnode.t1.query.7", 99);
    while (last_word(&bus->collector) != 99)
        assert_true(collector_wait(&bus->collector, collector_count(&bus->collector) + 1));
}

/* Together or not: all of it, in order, and no later than the last uncork. */
static void what_is_published_under_a_cork_arrives_after_it(void **state)
{
    struct bus *bus = *state;
    enum { ROUNDS = 50, EACH = 20 };

    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        transport_cork(&bus->near);
        for (uint64_t j = 0; j < EACH; j++) {
            if (j == EACH / 2) { /* another thread's, say */
                transport_cork(&bus->near);
                transport_uncork(&bus->near);
            }
            publish_word(&bus->near, "qnode.t1.event.1", i * EACH + j);
        }
        transport_uncork(&bus->near);
        assert_true(collector_wait(&bus->collector, (i + 1) * EACH));
    }
    for (uint64_t i = 0; i < ROUNDS * EACH; i++)
        assert_int_equal(bus->collector.all[i].word, i);
}

static void two_readers_of_one_subject_get_the_same(void **state)
{
    struct bus *bus = *state;
    enum { COUNT = 1000 };
    struct collector other;

    collector_init(&other);
    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    subscribe(&bus->near, "qnode.t1.event.1", collector_take, &other);
    for (uint64_t i = 0; i < COUNT; i++)
        publish_word(&bus->near, "qnode.t1.event.1", i);
    assert_true(collector_wait(&bus->collector, COUNT));
    assert_true(collector_wait(&other, COUNT));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(other.all[i].word, bus->collector.all[i].word);
    bus_open_again(bus);
    collector_done(&other);
}

static void a_transport_hears_itself(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->near, "qnode.t1.event.1", collector_take, &bus->collector);
    publish_word(&bus->near, "qnode.t1.event.1", 1);
    assert_true(collector_wait(&bus->collector, 1));
}

static void wildcards_choose(void **state)
{
    struct bus *bus = *state;
    struct collector star, rest;

    collector_init(&star);
    collector_init(&rest);
    subscribe(&bus->far, "qnode.t1.agent.*.control", collector_take, &star);
    subscribe(&bus->far, "qnode.t1.agent.>", collector_take, &rest);
    subscribe(&bus->far, "qnode.t1.coord", collector_take, &bus->collector);
    publish_word(&bus->near, "qnode.t1.agent.1.control", 1);
    publish_word(&bus->near, "qnode.t1.agent.2.ask", 2);
    publish_word(&bus->near, "qnode.t1.agent.3.search", 3);
    publish_word(&bus->near, "qnode.t1.report.4", 4);
    publish_word(&bus->near, "qnode.t2.agent.1.control", 7);
    publish_word(&bus->near, "qnode.t1.agent.1.control", 5);
    publish_word(&bus->near, "qnode.t1.coord", 6);
    assert_true(collector_wait(&bus->collector, 1));
    assert_true(collector_wait(&star, 2));
    assert_true(collector_wait(&rest, 4));
    (void)usleep(QUIET_US);
    assert_int_equal(collector_count(&star), 2);
    assert_int_equal(star.all[0].word, 1);
    assert_int_equal(star.all[1].word, 5);
    assert_int_equal(collector_count(&rest), 4);
    bus_open_again(bus);
    collector_done(&star);
    collector_done(&rest);
}

static void every_subscription_that_matches_gets_the_message(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    subscribe(&bus->far, "qnode.t1.event.*", collector_take, &bus->collector);
    subscribe(&bus->near, "qnode.t1.event.1", collector_take, &bus->collector);
    publish_word(&bus->near, "qnode.t1.event.1", 1);
    assert_true(collector_wait(&bus->collector, 3));
}

static void many_subjects_and_subscriptions_work(void **state)
{
    struct bus *bus = *state;
    char subject[64];
    enum { SUBSCRIPTIONS = 40, SUBJECTS = 2000 };

    for (int i = 0; i < SUBSCRIPTIONS; i++) {
        (void)snprintf(subject, sizeof subject, "qnode.t1.event.%d", i);
        subscribe(&bus->far, subject, collector_take, &bus->collector);
    }
    for (uint64_t i = 0; i < SUBJECTS; i++) {
        (void)snprintf(subject, sizeof subject, "qnode.t1.event.%d", (int)i);
        publish_word(&bus->near, subject, i);
    }
    assert_true(collector_wait(&bus->collector, SUBSCRIPTIONS));
    (void)usleep(QUIET_US);
    assert_int_equal(collector_count(&bus->collector), SUBSCRIPTIONS);
}

static void who_asks_where_nobody_listens_is_told(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->near, "qnode.t1.reply.a1.>", collector_take, &bus->collector);
    assert_int_equal(publish(&bus->near, "qnode.t1.agent.8.search", "qnode.t1.reply.a1.17", "x", 1),
                     QN_STATUS_OK);
    assert_true(collector_wait(&bus->collector, 1));
    assert_true(bus->collector.all[0].no_responders);
    assert_string_equal(bus->collector.all[0].subject, "qnode.t1.reply.a1.17");
    assert_int_equal(bus->collector.all[0].size, 0);
}

static void who_asks_where_someone_listens_is_told_nothing(void **state)
{
    struct bus *bus = *state;
    struct collector listener;

    collector_init(&listener);
    subscribe(&bus->near, "qnode.t1.reply.a2.>", collector_take, &bus->collector);
    subscribe(&bus->far, "qnode.t1.agent.9.search", collector_take, &listener);
    assert_int_equal(publish(&bus->near, "qnode.t1.agent.9.search", "qnode.t1.reply.a2.17", "x", 1),
                     QN_STATUS_OK);
    assert_true(collector_wait(&listener, 1));
    assert_int_equal(publish(&bus->near, "qnode.t1.agent.8.search", NULL, "x", 1), QN_STATUS_OK);
    (void)usleep(QUIET_US);
    assert_false(listener.all[0].no_responders);
    assert_int_equal(collector_count(&bus->collector), 0);
    bus_open_again(bus);
    collector_done(&listener);
}

static void an_empty_message_is_a_message(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    assert_int_equal(publish(&bus->near, "qnode.t1.event.1", NULL, NULL, 0), QN_STATUS_OK);
    assert_true(collector_wait(&bus->collector, 1));
    assert_int_equal(bus->collector.all[0].size, 0);
    assert_false(bus->collector.all[0].no_responders);
}

/* Compares the bytes in the handler: byte i is i mod 251. */
static void check_pattern(void *owner, struct bus_message *message)
{
    atomic_size_t *good = owner;
    size_t i = 0;

    while (i < message->size && message->bytes[i] == i % 251)
        i++;
    if (i == message->size)
        atomic_fetch_add(good, message->size);
    message->release(message);
}

static void the_largest_message_arrives_whole_and_a_larger_one_is_refused(void **state)
{
    struct bus *bus = *state;
    atomic_size_t good = 0;
    size_t size = bus->near.ops->max_payload(bus->near.self);
    uint8_t *bytes = malloc(size + 1);

    assert_non_null(bytes);
    assert_true(size >= LIMIT_MESSAGE_BYTES_MAX);
    for (size_t i = 0; i <= size; i++)
        bytes[i] = (uint8_t)(i % 251);
    subscribe(&bus->far, "qnode.t1.event.1", check_pattern, &good);
    assert_int_equal(publish(&bus->near, "qnode.t1.event.1", NULL, bytes, size), QN_STATUS_OK);
    assert_int_equal(publish(&bus->near, "qnode.t1.event.1", NULL, bytes, size + 1),
                     QN_STATUS_INVALID);
    assert_int_equal(publish(&bus->near, "qnode.t1.event.1", NULL, bytes, size), QN_STATUS_OK);
    for (int i = 0; i < 5000 && atomic_load(&good) < 2 * size; i++)
        (void)usleep(1000);
    assert_int_equal(atomic_load(&good), 2 * size);
    free(bytes);
    bus_open_again(bus);
}

static void a_slow_reader_gets_everything_and_stops_nobody_for_ever(void **state)
{
    struct bus *bus = *state;
    enum { COUNT = 300 };

    bus->collector.pause_us = 500;
    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    for (uint64_t i = 0; i < COUNT; i++)
        publish_word(&bus->near, "qnode.t1.event.1", i);
    assert_true(collector_wait(&bus->collector, COUNT));
    assert_int_equal(bus->collector.all[COUNT - 1].word, COUNT - 1);
}

static void what_is_no_subject_is_refused(void **state)
{
    struct bus *bus = *state;
    static const char *const bad[] = {"", "a b", "a..b", "a.*", "a\r\nPUB b 0"};
    struct qn_error error = {0};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(publish(&bus->near, bad[i], NULL, "x", 1), QN_STATUS_INVALID);
        assert_int_equal(publish(&bus->near, "qnode.t1.coord", bad[i], "x", 1), QN_STATUS_INVALID);
    }
    assert_int_equal(bus->near.ops->subscribe(bus->near.self, "qnode.t1.>.b", collector_take,
                                              &bus->collector, &error),
                     QN_STATUS_INVALID);
    assert_int_equal(error.status, QN_STATUS_INVALID);
    assert_true(bus->near.ops->is_connected(bus->near.self));
}

int main(void)
{
#define RETAINS_NOTHING "retains nothing"
    const struct suite_test tests[] = {
        {SUITE_TEST(messages_of_one_publisher_arrive_once_and_in_order)},
        {SUITE_TEST(nothing_is_missed_after_subscribing)},
        {SUITE_TEST(what_came_before_subscribing_is_not_heard)},
        {SUITE_TEST(who_comes_late_gets_the_newest_view),
         .not_on = {[BUS_INPROC] = RETAINS_NOTHING, [BUS_NATS] = RETAINS_NOTHING}},
        {SUITE_TEST(what_is_published_under_a_cork_arrives_after_it)},
        {SUITE_TEST(two_readers_of_one_subject_get_the_same)},
        {SUITE_TEST(a_transport_hears_itself)},
        {SUITE_TEST(wildcards_choose)},
        {SUITE_TEST(every_subscription_that_matches_gets_the_message)},
        {SUITE_TEST(many_subjects_and_subscriptions_work)},
        {SUITE_TEST(who_asks_where_nobody_listens_is_told),
         .not_on =
             {[BUS_KAFKA_MOCK] = NO_ONE_KNOWS_WHO_LISTENS, [BUS_KAFKA] = NO_ONE_KNOWS_WHO_LISTENS}},
        {SUITE_TEST(who_asks_where_someone_listens_is_told_nothing)},
        {SUITE_TEST(an_empty_message_is_a_message)},
        {SUITE_TEST(the_largest_message_arrives_whole_and_a_larger_one_is_refused)},
        {SUITE_TEST(a_slow_reader_gets_everything_and_stops_nobody_for_ever)},
        {SUITE_TEST(what_is_no_subject_is_refused)},
    };

    return suite_run(tests, COUNT_OF(tests));
}
