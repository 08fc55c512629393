/* SPDX-License-Identifier: Apache-2.0
 * What goes wrong on one kind of bus only: a server that is late, gone or back again (NATS), a
 * queue that is full (inproc). */
#include "base/check.h"
#include "tests/contract/bus.h"
#include "tests/contract/nats_server.h"
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void start(struct nats_server *server, int port)
{
    *server = (struct nats_server){.pid = 0};
    assert_true(nats_server_start(server, port));
}

/* Words are published until the first one is there, at most 10 s. */
static bool delivery_resumes(const struct transport *from, const char *subject,
                             struct collector *collector)
{
    size_t before = collector_count(collector);
    uint64_t deadline_ms = now_ms() + 10000;

    while (now_ms() < deadline_ms && collector_count(collector) == before) {
        uint64_t word = 1;
        (void)publish(from, subject, NULL, &word, sizeof word);
        (void)usleep(10000);
    }
    return collector_count(collector) > before;
}

static void delivery_resumes_when_the_server_is_back(void **state)
{
    struct nats_server server;
    struct bus bus;

    (void)state;
    start(&server, 0);
    bus_open(&bus, server.url);
    subscribe(&bus.far, "outage.x", collector_take, &bus.collector);
    for (int round = 0; round < 3; round++) {
        assert_true(delivery_resumes(&bus.near, "outage.x", &bus.collector));
        nats_server_kill(&server);
        for (int i = 0; i < 5000 && bus.near.ops->is_connected(bus.near.self); i++)
            (void)usleep(1000);
        assert_false(bus.near.ops->is_connected(bus.near.self));
        start(&server, server.port);
    }
    assert_true(delivery_resumes(&bus.near, "outage.x", &bus.collector));
    assert_true(bus.near.ops->is_connected(bus.near.self));
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

static void publishing_into_an_outage_is_refused_at_once(void **state)
{
    struct nats_server server;
    struct bus bus;
    enum qn_status status = QN_STATUS_OK;

    (void)state;
    start(&server, 0);
    bus_open(&bus, server.url);
    nats_server_kill(&server);
    /* from the moment on at which the library tells us of it */
    for (int i = 0; i < 5000 && status == QN_STATUS_OK; i++) {
        status = publish(&bus.near, "outage.x", NULL, "x", 1);
        (void)usleep(1000);
    }
    assert_int_equal(status, QN_STATUS_UNAVAILABLE);
    (void)bus_close(&(void *){&bus});
}

static void a_server_that_hangs_blocks_nobody_for_long(void **state)
{
    enum { MESSAGE_BYTES = 1 << 20, MESSAGES = 64 };
    struct nats_server server;
    struct bus bus;
    uint8_t *bytes = calloc(1, MESSAGE_BYTES);
    uint64_t longest_ms = 0;

    (void)state;
    assert_non_null(bytes);
    start(&server, 0);
    bus_open(&bus, server.url);
    subscribe(&bus.near, "x", collector_take, &bus.collector);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    for (int i = 0; i < MESSAGES; i++) {
        uint64_t started_ms = now_ms();
        (void)publish(&bus.near, "x", NULL, bytes, MESSAGE_BYTES);
        uint64_t took_ms = now_ms() - started_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
    }
    assert_true(longest_ms < 20000); /* hours without the write deadline of 2 s */
    uint64_t started_ms = now_ms();
    (void)bus_close(&(void *){&bus});
    assert_true(now_ms() - started_ms < 30000);
    nats_server_kill(&server);
    free(bytes);
}

static void close_without_a_server_is_quick(void **state)
{
    struct nats_server server;
    struct bus bus;

    (void)state;
    start(&server, 0);
    bus_open(&bus, server.url);
    for (int i = 0; i < 5; i++)
        subscribe(&bus.far, "x.>", collector_take, &bus.collector);
    nats_server_kill(&server);
    (void)usleep(QUIET_US);
    uint64_t started_ms = now_ms();
    (void)bus_close(&(void *){&bus});
    assert_true(now_ms() - started_ms < 3000);
}

static void opening_gives_up_when_its_time_is_over(void **state)
{
    struct transport transport;
    struct qn_error error;
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

static void *open_patiently(void *owner)
{
    struct bus *bus = owner;

    return transport_open(bus->url, "x", 10000, &bus->near, NULL) == QN_STATUS_OK ? bus : NULL;
}

static void opening_waits_for_a_server_that_is_starting(void **state)
{
    struct nats_server server;
    char url[128];
    struct bus bus = {.url = url};
    pthread_t thread;
    void *opened;

    (void)state;
    start(&server, 0);
    nats_server_kill(&server);
    (void)snprintf(url, sizeof url, "nats://127.0.0.1:1,127.0.0.1:%d", server.port);
    assert_int_equal(pthread_create(&thread, NULL, open_patiently, &bus), 0);
    (void)usleep(300000);
    start(&server, server.port); /* by this thread: the server dies with the thread that forked */
    assert_int_equal(pthread_join(thread, &opened), 0);
    assert_ptr_equal(opened, &bus);
    close_transport(&bus.near);
    nats_server_kill(&server);
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
        {"kafka://x:9092", QN_STATUS_UNSUPPORTED},
    };
    struct transport transport;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct qn_error error = {0};
        assert_int_equal(transport_open(rows[i].url, "x", 10, &transport, &error), rows[i].status);
        assert_int_equal(error.status, rows[i].status);
    }
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
    const struct CMUnitTest on_inproc[] = {
        cmocka_unit_test(a_full_queue_drops_and_does_not_block),
        cmocka_unit_test(hubs_of_other_names_are_other_buses),
        cmocka_unit_test(urls_of_other_kinds_are_refused),
        cmocka_unit_test(opening_gives_up_when_its_time_is_over),
    };
    const struct CMUnitTest on_nats[] = {
        cmocka_unit_test(delivery_resumes_when_the_server_is_back),
        cmocka_unit_test(publishing_into_an_outage_is_refused_at_once),
        cmocka_unit_test(a_server_that_hangs_blocks_nobody_for_long),
        cmocka_unit_test(close_without_a_server_is_quick),
        cmocka_unit_test(opening_waits_for_a_server_that_is_starting),
    };
    int failed = cmocka_run_group_tests_name("transport_outage", on_inproc, NULL, NULL);

    if (!nats_server_is_installed()) {
        (void)fprintf(stderr, "SKIPPED: outages of NATS: nats-server is not installed\n");
        return failed;
    }
    return failed + cmocka_run_group_tests_name("transport_outage_nats", on_nats, NULL, NULL);
}
