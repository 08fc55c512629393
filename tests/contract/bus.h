/* SPDX-License-Identifier: Apache-2.0
 * Two ends of one bus and a subscriber. */
#ifndef TESTS_CONTRACT_BUS_H
#define TESTS_CONTRACT_BUS_H

#include "base/limits.h"
#include "channel/transport.h"
#include "tests/contract/collector.h"
#include "tests/test.h"

enum { QUIET_US = 50000 /* what has not come by then does not come */ };

struct bus {
    const char *url;
    struct transport near, far;
    struct collector collector;
};

void bus_open(struct bus *bus, const char *url);
/* The same bus, all subscriptions gone. */
void bus_open_again(struct bus *bus);
/* As a teardown of cmocka. */
int bus_close(void **state);

/* These fail the test on an error. */
struct transport open_transport(const char *url);
void close_transport(struct transport *transport);
void subscribe(const struct transport *transport, const char *pattern, bus_handler *handler,
               void *owner);
void publish_word(const struct transport *transport, const char *subject, uint64_t word);

enum qn_status publish(const struct transport *transport, const char *subject,
                       const char *reply_subject, const void *bytes, size_t size);

#endif
