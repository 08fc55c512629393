/* SPDX-License-Identifier: Apache-2.0
 * The contract of channel/transport.h: what arrives, where, in which order. Run on inproc and on
 * NATS; what only one of them can show (an outage, a full queue) is in transport_outage_test.c. */
#include "base/check.h"
#include "tests/contract/bus.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void messages_of_one_publisher_arrive_in_order(void **state)
{
    struct bus *bus = *state;
    enum { COUNT = 20000 };

    subscribe(&bus->far, "order.x", collector_take, &bus->collector);
    for (uint64_t i = 0; i < COUNT; i++)
        publish_word(&bus->near, "order.x", i);
    assert_true(collector_wait(&bus->collector, COUNT));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(bus->collector.all[i].word, i);
    assert_string_equal(bus->collector.all[0].subject, "order.x");
}

static void a_transport_hears_itself(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->near, "self.x", collector_take, &bus->collector);
    publish_word(&bus->near, "self.x", 1);
    assert_true(collector_wait(&bus->collector, 1));
}

static void wildcards_choose(void **state)
{
    struct bus *bus = *state;
    struct collector star, rest;

    collector_init(&star);
    collector_init(&rest);
    subscribe(&bus->far, "wild.*.x", collector_take, &star);
    subscribe(&bus->far, "wild.>", collector_take, &rest);
    subscribe(&bus->far, "end", collector_take, &bus->collector);
    publish_word(&bus->near, "wild.1.x", 1);
    publish_word(&bus->near, "wild.2.y", 2);
    publish_word(&bus->near, "wild.3.x.z", 3);
    publish_word(&bus->near, "wild", 4);
    publish_word(&bus->near, "wild.5.x", 5);
    publish_word(&bus->near, "end", 6);
    assert_true(collector_wait(&bus->collector, 1));
    assert_true(collector_wait(&star, 2));
    assert_true(collector_wait(&rest, 4));
    (void)usleep(QUIET_US);
    assert_int_equal(collector_count(&star), 2);
    assert_int_equal(star.all[1].word, 5);
    assert_int_equal(collector_count(&rest), 4);
    bus_open_again(bus);
    collector_done(&star);
    collector_done(&rest);
}

static void every_subscription_that_matches_gets_the_message(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->far, "twice.x", collector_take, &bus->collector);
    subscribe(&bus->far, "twice.*", collector_take, &bus->collector);
    subscribe(&bus->near, "twice.x", collector_take, &bus->collector);
    publish_word(&bus->near, "twice.x", 1);
    assert_true(collector_wait(&bus->collector, 3));
}

static void many_subjects_and_subscriptions_work(void **state)
{
    struct bus *bus = *state;
    char subject[64];
    enum { SUBSCRIPTIONS = 40, SUBJECTS = 2000 };

    for (int i = 0; i < SUBSCRIPTIONS; i++) {
        (void)snprintf(subject, sizeof subject, "many.%d", i);
        subscribe(&bus->far, subject, collector_take, &bus->collector);
    }
    for (uint64_t i = 0; i < SUBJECTS; i++) {
        (void)snprintf(subject, sizeof subject, "many.%d", (int)i);
        publish_word(&bus->near, subject, i);
    }
    assert_true(collector_wait(&bus->collector, SUBSCRIPTIONS));
    (void)usleep(QUIET_US);
    assert_int_equal(collector_count(&bus->collector), SUBSCRIPTIONS);
}

static void who_asks_where_nobody_listens_is_told(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->near, "reply.1.>", collector_take, &bus->collector);
    assert_int_equal(publish(&bus->near, "nobody", "reply.1.17", "x", 1), QN_STATUS_OK);
    assert_true(collector_wait(&bus->collector, 1));
    assert_true(bus->collector.all[0].no_responders);
    assert_string_equal(bus->collector.all[0].subject, "reply.1.17");
    assert_int_equal(bus->collector.all[0].size, 0);
}

static void who_asks_where_someone_listens_is_told_nothing(void **state)
{
    struct bus *bus = *state;
    struct collector listener;

    collector_init(&listener);
    subscribe(&bus->near, "reply.2.>", collector_take, &bus->collector);
    subscribe(&bus->far, "somebody", collector_take, &listener);
    assert_int_equal(publish(&bus->near, "somebody", "reply.2.17", "x", 1), QN_STATUS_OK);
    assert_true(collector_wait(&listener, 1));
    assert_int_equal(publish(&bus->near, "nobody", NULL, "x", 1), QN_STATUS_OK);
    (void)usleep(QUIET_US);
    assert_false(listener.all[0].no_responders);
    assert_int_equal(collector_count(&bus->collector), 0);
    bus_open_again(bus);
    collector_done(&listener);
}

static void an_empty_message_is_a_message(void **state)
{
    struct bus *bus = *state;

    subscribe(&bus->far, "empty.x", collector_take, &bus->collector);
    assert_int_equal(publish(&bus->near, "empty.x", NULL, NULL, 0), QN_STATUS_OK);
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
    subscribe(&bus->far, "large.x", check_pattern, &good);
    assert_int_equal(publish(&bus->near, "large.x", NULL, bytes, size), QN_STATUS_OK);
    assert_int_equal(publish(&bus->near, "large.x", NULL, bytes, size + 1), QN_STATUS_INVALID);
    assert_int_equal(publish(&bus->near, "large.x", NULL, bytes, size), QN_STATUS_OK);
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
    subscribe(&bus->far, "slow.x", collector_take, &bus->collector);
    for (uint64_t i = 0; i < COUNT; i++)
        publish_word(&bus->near, "slow.x", i);
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
        assert_int_equal(publish(&bus->near, "a", bad[i], "x", 1), QN_STATUS_INVALID);
    }
    assert_int_equal(
        bus->near.ops->subscribe(bus->near.self, "a.>.b", collector_take, &bus->collector, &error),
        QN_STATUS_INVALID);
    assert_int_equal(error.status, QN_STATUS_INVALID);
    assert_true(bus->near.ops->is_connected(bus->near.self));
}

int main(void)
{
#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
    const struct bus_test tests[] = {
        TEST(messages_of_one_publisher_arrive_in_order),
        TEST(a_transport_hears_itself),
        TEST(wildcards_choose),
        TEST(every_subscription_that_matches_gets_the_message),
        TEST(many_subjects_and_subscriptions_work),
        TEST(who_asks_where_nobody_listens_is_told),
        TEST(who_asks_where_someone_listens_is_told_nothing),
        TEST(an_empty_message_is_a_message),
        TEST(the_largest_message_arrives_whole_and_a_larger_one_is_refused),
        TEST(a_slow_reader_gets_everything_and_stops_nobody_for_ever),
        TEST(what_is_no_subject_is_refused),
    };

    return bus_run(tests, COUNT_OF(tests));
}
