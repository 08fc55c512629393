/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/bus.h"

enum { CONNECT_MS = 20000 /* a real Kafka broker that starts */ };

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
