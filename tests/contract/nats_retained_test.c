/* SPDX-License-Identifier: Apache-2.0
 * Views that a NATS server with JetStream keeps: who subscribes later gets the newest page of each
 * subject first. Without JetStream, and when it comes and goes, all else works the same. */
#include "base/check.h"
#include "tests/contract/bus.h"
#include "tests/contract/nats_server.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

#define VIEWS "qnode.demo.query.>"

struct text {
    pthread_mutex_t lock;
    char bytes[4096];
};

static char store[] = "/tmp/qnode-retained-XXXXXX";

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void start(struct nats_server *server, int port, bool has_jetstream)
{
    const char *const with[] = {"-js", "--store_dir", store, NULL};

    *server = (struct nats_server){.pid = 0};
    assert_true(nats_server_start_with(server, port, has_jetstream ? with : with + 3));
}

static int make_store(void **state)
{
    (void)state;
    (void)snprintf(store, sizeof store, "/tmp/qnode-retained-XXXXXX");
    return mkdtemp(store) == NULL;
}

static int remove_store(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", store);
    return system(command);
}

static void publish_page(const struct transport *transport, int collection, int page, uint64_t word)
{
    char subject[64];

    (void)snprintf(subject, sizeof subject, "qnode.demo.query.%d.%d", collection, page);
    publish_word(transport, subject, word);
    assert_int_equal(transport_flush(transport, PATIENCE_MS), QN_STATUS_OK);
}

static void assert_collected(struct collector *collector, size_t index, const char *subject,
                             uint64_t word)
{
    assert_true(collector_wait(collector, index + 1));
    assert_string_equal(collector->all[index].subject, subject);
    assert_int_equal(collector->all[index].word, word);
}

static void a_late_subscriber_gets_the_newest_of_each_page_first(void **state)
{
    struct nats_server server;
    struct bus bus;

    (void)state;
    start(&server, 0, true);
    bus_open(&bus, server.url);
    for (int i = 0; i < 3; i++) /* idempotent, whichever configuration is there */
        assert_int_equal(transport_retain(&bus.near, VIEWS, NULL), QN_STATUS_OK);
    publish_page(&bus.near, 7, 0, 1);
    publish_page(&bus.near, 7, 1, 2);
    publish_page(&bus.near, 8, 0, 3);
    publish_page(&bus.near, 7, 0, 4); /* takes the place of the first */
    publish_word(&bus.near, "qnode.demo.query.7", 5);
    close_transport(&bus.near); /* the coordinator is gone */
    subscribe(&bus.far, VIEWS, collector_take, &bus.collector);
    assert_collected(&bus.collector, 0, "qnode.demo.query.7.1", 2);
    assert_collected(&bus.collector, 1, "qnode.demo.query.8.0", 3);
    assert_collected(&bus.collector, 2, "qnode.demo.query.7.0", 4);
    bus.near = open_transport(server.url);
    publish_page(&bus.near, 9, 0, 6);
    assert_collected(&bus.collector, 3, "qnode.demo.query.9.0", 6);
    (void)usleep(QUIET_US);
    assert_int_equal(collector_count(&bus.collector), 4);
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

static void a_stream_of_another_configuration_is_changed(void **state)
{
    struct nats_server server;
    struct bus bus;
    struct qn_error error = {0};

    (void)state;
    start(&server, 0, true);
    bus_open(&bus, server.url);
    subscribe(&bus.far, "hand.made", collector_take, &bus.collector);
    static const char text[] =
        "{\"name\":\"qnode-demo-views\",\"subjects\":[\"qnode.demo.query.>\"],"
        "\"storage\":\"file\",\"max_msgs_per_subject\":5}";
    assert_int_equal(publish(&bus.near, "$JS.API.STREAM.CREATE.qnode-demo-views", "hand.made", text,
                             strlen(text)),
                     QN_STATUS_OK);
    assert_true(collector_wait(&bus.collector, 1));
    if (transport_retain(&bus.near, VIEWS, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    publish_page(&bus.near, 7, 0, 1);
    publish_page(&bus.near, 7, 0, 2);
    bus_open_again(&bus);
    subscribe(&bus.far, VIEWS, collector_take, &bus.collector);
    assert_collected(&bus.collector, 1, "qnode.demo.query.7.0", 2);
    (void)usleep(QUIET_US);
    assert_int_equal(collector_count(&bus.collector), 2);
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

static void keep_text(void *owner, struct bus_message *message)
{
    struct text *text = owner;

    (void)pthread_mutex_lock(&text->lock);
    (void)snprintf(text->bytes, sizeof text->bytes, "%.*s", (int)message->size,
                   (const char *)message->bytes);
    (void)pthread_mutex_unlock(&text->lock);
    message->release(message);
}

static void ask(struct bus *bus, struct text *text, const char *subject, const char *request)
{
    text->bytes[0] = '\0';
    assert_int_equal(publish(&bus->near, subject, "hand.made", request, strlen(request)),
                     QN_STATUS_OK);
    for (uint64_t until_ms = now_ms() + PATIENCE_MS; now_ms() < until_ms;) {
        (void)usleep(1000);
        (void)pthread_mutex_lock(&text->lock);
        bool is_there = text->bytes[0] != '\0';
        (void)pthread_mutex_unlock(&text->lock);
        if (is_there)
            return;
    }
    fail_msg("no answer on %s", subject);
}

/* Twice: also a stream that will do differs from the one we would make. */
static void what_an_operator_set_on_the_stream_stays(void **state)
{
    struct text text = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct nats_server server;
    struct qn_error error = {0};
    struct bus bus;

    (void)state;
    start(&server, 0, true);
    bus_open(&bus, server.url);
    subscribe(&bus.far, "hand.made", keep_text, &text);
    ask(&bus, &text, "$JS.API.STREAM.CREATE.qnode-demo-views",
        "{\"name\":\"qnode-demo-views\",\"subjects\":[\"qnode.demo.query.*.*\"],"
        "\"storage\":\"file\",\"max_msgs_per_subject\":5,\"max_bytes\":1048576,"
        "\"description\":\"mine\"}");
    for (int i = 0; i < 2; i++) {
        if (transport_retain(&bus.near, VIEWS, &error) != QN_STATUS_OK)
            fail_msg("%s", error.text);
        ask(&bus, &text, "$JS.API.STREAM.INFO.qnode-demo-views", "");
        assert_non_null(strstr(text.bytes, "\"max_msgs_per_subject\":1,"));
        assert_non_null(strstr(text.bytes, "\"allow_direct\":true"));
        assert_non_null(strstr(text.bytes, "\"max_bytes\":1048576"));
        assert_non_null(strstr(text.bytes, "\"description\":\"mine\""));
    }
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

static void a_stream_that_cannot_be_had_is_told_of(void **state)
{
    struct nats_server server;
    struct bus bus;
    struct qn_error error = {0};

    (void)state;
    start(&server, 0, true);
    bus_open(&bus, server.url);
    subscribe(&bus.far, "hand.made", collector_take, &bus.collector);
    static const char text[] = "{\"name\":\"mine\",\"subjects\":[\"qnode.demo.query.*.*\"]}";
    assert_int_equal(
        publish(&bus.near, "$JS.API.STREAM.CREATE.mine", "hand.made", text, strlen(text)),
        QN_STATUS_OK);
    assert_true(collector_wait(&bus.collector, 1));
    assert_int_equal(transport_retain(&bus.near, VIEWS, &error), QN_STATUS_UNAVAILABLE);
    assert_string_equal(error.text, "JetStream: subjects overlap with an existing stream");
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

static void without_jetstream_nothing_is_retained_and_all_else_works(void **state)
{
    struct nats_server server;
    struct bus bus;
    struct qn_error error = {0};

    (void)state;
    start(&server, 0, false);
    bus_open(&bus, server.url);
    assert_int_equal(transport_retain(&bus.near, VIEWS, &error), QN_STATUS_UNSUPPORTED);
    assert_string_equal(error.text, "the bus server has no JetStream");
    publish_page(&bus.near, 7, 0, 1);
    uint64_t started_ms = now_ms();
    subscribe(&bus.far, VIEWS, collector_take, &bus.collector);
    assert_true(now_ms() - started_ms < 1000); /* it does not wait for who is not there */
    publish_page(&bus.near, 7, 0, 2);
    assert_collected(&bus.collector, 0, "qnode.demo.query.7.0", 2);
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

/* Pages with growing words are published until one of them, or a later one, has come. */
static void assert_resumes(struct bus *bus, uint64_t *word)
{
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    uint64_t least = *word + 1;

    for (;;) {
        (*word)++;
        (void)publish(&bus->near, "qnode.demo.query.7.0", NULL, word, sizeof *word);
        (void)usleep(10000);
        size_t count = collector_count(&bus->collector);
        if (count > 0 && bus->collector.all[count - 1].word >= least)
            return;
        assert_true(now_ms() < deadline_ms);
    }
}

static void jetstream_may_come_and_go(void **state)
{
    static const bool has_jetstream[] = {true, false, true, true, false};
    struct nats_server server;
    struct bus bus;
    uint64_t word = 0;

    (void)state;
    start(&server, 0, false);
    bus_open(&bus, server.url);
    assert_int_equal(transport_retain(&bus.near, VIEWS, NULL), QN_STATUS_UNSUPPORTED);
    subscribe(&bus.far, VIEWS, collector_take, &bus.collector);
    for (size_t i = 0; i < COUNT_OF(has_jetstream); i++) {
        nats_server_kill(&server);
        start(&server, server.port, has_jetstream[i]);
        assert_resumes(&bus, &word);
        if (!has_jetstream[i])
            continue;
        /* The keeper of who wanted it has made the stream: a new reader finds the newest view. */
        bool is_found = false;
        for (uint64_t until_ms = now_ms() + PATIENCE_MS; !is_found && now_ms() < until_ms;) {
            struct bus late;
            publish_page(&bus.near, 7, 0, ++word);
            bus_open(&late, server.url);
            subscribe(&late.far, VIEWS, collector_take, &late.collector);
            is_found = collector_count(&late.collector) > 0 && late.collector.all[0].word == word;
            (void)bus_close(&(void *){&late});
        }
        assert_true(is_found);
    }
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

static void what_came_during_an_outage_is_read_after_it(void **state)
{
    struct nats_server server;
    struct bus bus;
    uint64_t deadline_ms;

    (void)state;
    start(&server, 0, true);
    bus_open(&bus, server.url);
    assert_int_equal(transport_retain(&bus.near, VIEWS, NULL), QN_STATUS_OK);
    publish_page(&bus.near, 7, 0, 1);
    subscribe(&bus.far, VIEWS, collector_take, &bus.collector);
    assert_collected(&bus.collector, 0, "qnode.demo.query.7.0", 1);
    nats_server_kill(&server);
    start(&server, server.port, true);
    /* Nobody publishes any more; the reader comes back and reads what is there. */
    deadline_ms = now_ms() + PATIENCE_MS;
    while (collector_count(&bus.collector) < 2 && now_ms() < deadline_ms)
        (void)usleep(10000);
    assert_collected(&bus.collector, 1, "qnode.demo.query.7.0", 1);
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

/* ---- one thread at a time ---- */

struct alone {
    atomic_int inside, most, count;
};

static void take_alone(void *owner, struct bus_message *message)
{
    struct alone *alone = owner;
    int inside = atomic_fetch_add(&alone->inside, 1) + 1;

    if (inside > atomic_load(&alone->most))
        atomic_store(&alone->most, inside);
    (void)usleep(20);
    atomic_fetch_add(&alone->count, 1);
    atomic_fetch_sub(&alone->inside, 1);
    message->release(message);
}

enum { PAGES = 500, LIVE = 2000 };

static void *publish_on_and_on(void *owner)
{
    const struct transport *transport = owner;

    for (int i = 0; i < LIVE; i++) {
        publish_word(transport, "qnode.demo.query.1.0", 2);
        (void)usleep(100);
    }
    return NULL;
}

static void retained_and_live_messages_never_meet_in_the_handler(void **state)
{
    struct nats_server server;
    struct bus bus;
    struct alone alone = {0};
    pthread_t publisher;

    (void)state;
    start(&server, 0, true);
    bus_open(&bus, server.url);
    assert_int_equal(transport_retain(&bus.near, VIEWS, NULL), QN_STATUS_OK);
    for (int i = 0; i < PAGES; i++)
        publish_page(&bus.near, i, 0, 1);
    assert_int_equal(pthread_create(&publisher, NULL, publish_on_and_on, &bus.near), 0);
    subscribe(&bus.far, VIEWS, take_alone, &alone);
    assert_in_range(atomic_load(&alone.count), PAGES, PAGES + LIVE);
    assert_int_equal(pthread_join(publisher, NULL), 0);
    for (uint64_t until_ms = now_ms() + PATIENCE_MS;
         atomic_load(&alone.count) < PAGES + LIVE / 4 && now_ms() < until_ms;)
        (void)usleep(10000);
    assert_true(atomic_load(&alone.count) >= PAGES + LIVE / 4);
    assert_int_equal(atomic_load(&alone.most), 1);
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
}

#define REAL(test) cmocka_unit_test_setup_teardown(test, make_store, remove_store)

int main(void)
{
    const struct CMUnitTest real[] = {
        REAL(a_late_subscriber_gets_the_newest_of_each_page_first),
        REAL(a_stream_of_another_configuration_is_changed),
        REAL(what_an_operator_set_on_the_stream_stays),
        REAL(a_stream_that_cannot_be_had_is_told_of),
        REAL(without_jetstream_nothing_is_retained_and_all_else_works),
        REAL(jetstream_may_come_and_go),
        REAL(what_came_during_an_outage_is_read_after_it),
        REAL(retained_and_live_messages_never_meet_in_the_handler),
    };

    if (!nats_server_is_installed()) {
        (void)fprintf(stderr, "SKIPPED: retained views on NATS: nats-server is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests_name("nats_retained", real, NULL, NULL);
}
