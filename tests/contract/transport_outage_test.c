/* SPDX-License-Identifier: Apache-2.0
 * The contract when the server is late, gone, back again, or hangs. Each test finds it up and
 * leaves it up. */
#include "base/check.h"
#include "tests/contract/suite.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { RESUME_MS = 60000, NOTICE_LOOKS = 15000, LARGE_BYTES = 1 << 20 };

static const char subject[] = "qnode.t1.event.1";

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Words are published until the first one is there. */
static bool delivery_resumes(const struct transport *from, struct collector *collector)
{
    size_t before = collector_count(collector);
    uint64_t deadline_ms = now_ms() + RESUME_MS;

    while (now_ms() < deadline_ms && collector_count(collector) == before) {
        uint64_t word = 1;
        (void)publish(from, subject, NULL, &word, sizeof word);
        (void)usleep(10000);
    }
    return collector_count(collector) > before;
}

static bool becomes(const struct transport *transport, bool connected)
{
    for (int i = 0; i < NOTICE_LOOKS && transport->ops->is_connected(transport->self) != connected;
         i++)
        (void)usleep(1000);
    return transport->ops->is_connected(transport->self) == connected;
}

static void delivery_resumes_when_the_server_is_back(void **state)
{
    struct bus *bus = *state;
    enum { ROUNDS = 3 };

    subscribe(&bus->far, subject, collector_take, &bus->collector);
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(delivery_resumes(&bus->near, &bus->collector));
        bus_server_down(suite_server());
        assert_true(becomes(&bus->near, false));
        bus_server_up(suite_server());
    }
    assert_true(delivery_resumes(&bus->near, &bus->collector));
    assert_true(becomes(&bus->near, true));
}

/* What was delivered before is not lost to those who come later, nor heard twice by those who
 * stayed; what is published after the return is in order again. */
static void order_holds_after_an_outage(void **state)
{
    struct bus *bus = *state;
    enum { COUNT = 1000 };

    subscribe(&bus->far, subject, collector_take, &bus->collector);
    assert_true(delivery_resumes(&bus->near, &bus->collector));
    bus_server_down(suite_server());
    assert_true(becomes(&bus->near, false));
    bus_server_up(suite_server());
    assert_true(delivery_resumes(&bus->near, &bus->collector));
    for (uint64_t i = 0; i < COUNT; i++)
        publish_word(&bus->near, subject, 100 + i);
    size_t at = 0;
    for (uint64_t wanted = 100; wanted < 100 + COUNT; at++) {
        assert_true(collector_wait(&bus->collector, at + 1));
        uint64_t word = bus->collector.all[at].word;
        assert_true(word == 1 || word == wanted);
        wanted += word == wanted;
    }
}

static void publishing_into_an_outage_is_refused_at_once(void **state)
{
    struct bus *bus = *state;
    enum qn_status status = QN_STATUS_OK;

    publish_word(&bus->near, subject, 1); /* to a subject that is in use */
    bus_server_down(suite_server());
    /* from the moment on at which the library tells us of it */
    for (int i = 0; i < NOTICE_LOOKS && status == QN_STATUS_OK; i++) {
        status = publish(&bus->near, subject, NULL, "x", 1);
        (void)usleep(1000);
    }
    assert_int_equal(status, QN_STATUS_UNAVAILABLE);
    bus_server_up(suite_server());
}

static void a_server_that_hangs_blocks_nobody_for_long(void **state)
{
    struct bus *bus = *state;
    enum { MESSAGES = 64 };
    uint8_t *bytes = calloc(1, LARGE_BYTES);
    uint64_t longest_ms = 0;

    assert_non_null(bytes);
    subscribe(&bus->near, subject, collector_take, &bus->collector);
    publish_word(&bus->near, subject, 1);
    bus_server_freeze(suite_server(), true);
    for (int i = 0; i < MESSAGES; i++) {
        uint64_t started_ms = now_ms();
        (void)publish(&bus->near, subject, NULL, bytes, LARGE_BYTES);
        uint64_t took_ms = now_ms() - started_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
    }
    assert_true(longest_ms < 20000); /* hours on NATS without the write deadline of 2 s */
    uint64_t started_ms = now_ms();
    close_transport(&bus->near);
    assert_true(now_ms() - started_ms < 30000);
    bus_server_freeze(suite_server(), false);
    bus->near = open_transport(bus->url);
    free(bytes);
}

static void close_without_a_server_is_quick(void **state)
{
    struct bus *bus = *state;

    for (int i = 0; i < 5; i++)
        subscribe(&bus->far, "qnode.t1.event.>", collector_take, &bus->collector);
    bus_server_down(suite_server());
    (void)usleep(QUIET_US);
    uint64_t started_ms = now_ms();
    close_transport(&bus->near);
    close_transport(&bus->far);
    assert_true(now_ms() - started_ms < 5000);
    bus_server_up(suite_server());
    bus->near = open_transport(bus->url);
    bus->far = open_transport(bus->url);
}

static void *open_patiently(void *owner)
{
    struct bus *bus = owner;

    return transport_open(bus->url, "x", RESUME_MS, &bus->near, NULL) == QN_STATUS_OK ? bus : NULL;
}

static void opening_waits_for_a_server_that_is_starting(void **state)
{
    struct bus *bus = *state;
    pthread_t thread;
    void *opened;

    bus_server_down(suite_server());
    close_transport(&bus->near);
    assert_int_equal(pthread_create(&thread, NULL, open_patiently, bus), 0);
    (void)usleep(300000);
    bus_server_up(suite_server()); /* by this thread: it dies with the thread that forked */
    assert_int_equal(pthread_join(thread, &opened), 0);
    assert_ptr_equal(opened, bus);
}

int main(void)
{
    const struct suite_test tests[] = {
        {SUITE_TEST(delivery_resumes_when_the_server_is_back),
         .not_on = {[BUS_INPROC] = NO_SERVER}},
        {SUITE_TEST(order_holds_after_an_outage), .not_on = {[BUS_INPROC] = NO_SERVER}},
        {SUITE_TEST(publishing_into_an_outage_is_refused_at_once),
         .not_on = {[BUS_INPROC] = NO_SERVER}},
        {SUITE_TEST(a_server_that_hangs_blocks_nobody_for_long),
         .not_on = {[BUS_INPROC] = NO_SERVER}},
        {SUITE_TEST(close_without_a_server_is_quick), .not_on = {[BUS_INPROC] = NO_SERVER}},
        {SUITE_TEST(opening_waits_for_a_server_that_is_starting),
         .not_on = {[BUS_INPROC] = NO_SERVER}},
    };

    return suite_run(tests, COUNT_OF(tests));
}
