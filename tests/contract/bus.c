/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/bus.h"

#include "base/check.h"
#include "tests/contract/nats_server.h"
#include <stdio.h>

enum { CONNECT_MS = 5000, TESTS_MAX = 32 };

struct transport open_transport(const char *url)
{
    struct transport transport;
    struct qn_error error = {0};

    if (transport_open(url, "contract", CONNECT_MS, &transport, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    return transport;
}

void close_transport(struct transport *transport)
{
    transport->ops->close(transport->self);
}

enum qn_status publish(const struct transport *transport, const char *subject,
                       const char *reply_subject, const void *bytes, size_t size)
{
    return transport->ops->publish(transport->self, subject, reply_subject, bytes, size);
}

void publish_word(const struct transport *transport, const char *subject, uint64_t word)
{
    assert_int_equal(publish(transport, subject, NULL, &word, sizeof word), QN_STATUS_OK);
}

void subscribe(const struct transport *transport, const char *pattern, bus_handler *handler,
               void *owner)
{
    struct qn_error error = {0};

    if (transport->ops->subscribe(transport->self, pattern, handler, owner, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
}

void bus_open(struct bus *bus, const char *url)
{
    bus->url = url;
    bus->near = open_transport(url);
    bus->far = open_transport(url);
    collector_init(&bus->collector);
}

void bus_open_again(struct bus *bus)
{
    close_transport(&bus->near);
    close_transport(&bus->far);
    bus->near = open_transport(bus->url);
    bus->far = open_transport(bus->url);
}

int bus_close(void **state)
{
    struct bus *bus = *state;

    close_transport(&bus->near);
    close_transport(&bus->far);
    collector_done(&bus->collector);
    return 0;
}

static struct bus the_bus;
static struct nats_server the_server;

static int open_on_inproc(void **state)
{
    *state = &the_bus;
    bus_open(&the_bus, "inproc://contract");
    return 0;
}

static int open_on_nats(void **state)
{
    *state = &the_bus;
    bus_open(&the_bus, the_server.url);
    return 0;
}

static int run_on(const char *name, int (*setup)(void **state), const struct bus_test *tests,
                  size_t tests_count)
{
    struct CMUnitTest rows[TESTS_MAX] = {{.name = NULL}};

    CHECK(tests_count <= TESTS_MAX);
    for (size_t i = 0; i < tests_count; i++)
        rows[i] = (struct CMUnitTest){
            .name = tests[i].name,
            .test_func = tests[i].run,
            .setup_func = setup,
            .teardown_func = bus_close,
        };
    return _cmocka_run_group_tests(name, rows, tests_count, NULL, NULL);
}

int bus_run(const struct bus_test *tests, size_t tests_count)
{
    int failed = run_on("inproc", open_on_inproc, tests, tests_count);

    if (!nats_server_is_installed()) {
        (void)fprintf(stderr, "SKIPPED: the contract on NATS: nats-server is not installed\n");
        return failed;
    }
    CHECK(nats_server_start(&the_server, 0));
    failed += run_on("nats", open_on_nats, tests, tests_count);
    nats_server_kill(&the_server);
    return failed;
}
