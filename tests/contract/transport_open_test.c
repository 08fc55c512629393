/* SPDX-License-Identifier: Apache-2.0
 * What needs no server: URLs, an opening in vain, and the queues and hubs of inproc. */
#include "base/check.h"
#include "tests/contract/bus.h"
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void urls_of_other_kinds_are_refused(void **state)
{
    static const struct {
        const char *url;
        enum qn_status status;
    } rows[] = {
        {"", QN_STATUS_INVALID},
        {"http://x", QN_STATUS_INVALID},
        {"inproc://", QN_STATUS_INVALID},
        {"kafka://", QN_STATUS_INVALID},
        {"kafka://me:secret@x:9092", QN_STATUS_INVALID},
        {"kafka://x:9092?configuration=y", QN_STATUS_INVALID},
        {"kafka://x:9092?config=/nowhere", QN_STATUS_CONFIG},
    };
    struct transport transport;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct qn_error error = {0};
        assert_int_equal(transport_open(rows[i].url, "x", 10, &transport, &error), rows[i].status);
        assert_int_equal(error.status, rows[i].status);
    }
}

static void opening_gives_up_when_its_time_is_over(void **state)
{
    struct transport transport;
    struct qn_error error = {0};
    uint64_t started_ms = now_ms();

    (void)state;
    assert_int_equal(
        transport_open("nats://someone:secret@127.0.0.1:1", "x", 300, &transport, &error),
        QN_STATUS_UNAVAILABLE);
    assert_true(now_ms() - started_ms >= 250);
    assert_true(now_ms() - started_ms < 3000);
    assert_non_null(strstr(error.text, "127.0.0.1:1"));
    assert_null(strstr(error.text, "secret"));
}

static void opening_kafka_gives_up_when_its_time_is_over(void **state)
{
    struct transport transport;
    struct qn_error error = {0};
    uint64_t started_ms = now_ms();

    (void)state;
    assert_int_equal(transport_open("kafka://127.0.0.1:1", "x", 300, &transport, &error),
                     QN_STATUS_UNAVAILABLE);
    assert_true(now_ms() - started_ms >= 250);
    assert_true(now_ms() - started_ms < 5000);
    assert_non_null(strstr(error.text, "127.0.0.1:1"));
}

/* ---- inproc ---- */

static sem_t let_go;

static void wait_then_take(void *owner, struct bus_message *message)
{
    if (collector_count(owner) == 0)
        (void)sem_wait(&let_go);
    collector_take(owner, message);
}

static void *publish_one(void *owner)
{
    publish_word(owner, "full.x", 0);
    return NULL;
}

static void a_full_queue_drops_and_does_not_block(void **state)
{
    enum { COUNT = 70000, QUEUE = 65536 };
    struct bus bus;
    pthread_t thread;

    (void)state;
    assert_int_equal(sem_init(&let_go, 0, 0), 0);
    bus_open(&bus, "inproc://full");
    subscribe(&bus.far, "full.x", wait_then_take, &bus.collector);
    assert_int_equal(pthread_create(&thread, NULL, publish_one, &bus.near), 0);
    (void)usleep(QUIET_US); /* the thread is in the handler, its message out of the queue */
    for (uint64_t i = 1; i <= COUNT; i++)
        publish_word(&bus.near, "full.x", i);
    (void)sem_post(&let_go);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(collector_count(&bus.collector), QUEUE + 1);
    assert_int_equal(bus.collector.all[QUEUE].word, QUEUE);
    publish_word(&bus.near, "full.x", 7);
    assert_int_equal(collector_count(&bus.collector), QUEUE + 2);
    (void)bus_close(&(void *){&bus});
}

static void hubs_of_other_names_are_other_buses(void **state)
{
    struct bus one, other;

    (void)state;
    bus_open(&one, "inproc://one");
    bus_open(&other, "inproc://other");
    subscribe(&one.far, ">", collector_take, &one.collector);
    subscribe(&other.far, ">", collector_take, &other.collector);
    publish_word(&one.near, "x", 1);
    assert_int_equal(collector_count(&one.collector), 1);
    assert_int_equal(collector_count(&other.collector), 0);
    (void)bus_close(&(void *){&one});
    (void)bus_close(&(void *){&other});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_of_other_kinds_are_refused),
        cmocka_unit_test(opening_gives_up_when_its_time_is_over),
        cmocka_unit_test(opening_kafka_gives_up_when_its_time_is_over),
        cmocka_unit_test(a_full_queue_drops_and_does_not_block),
        cmocka_unit_test(hubs_of_other_names_are_other_buses),
    };

    return cmocka_run_group_tests_name("transport_open", tests, NULL, NULL);
}
