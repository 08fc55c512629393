/* SPDX-License-Identifier: Apache-2.0
 * The conformance suite: the same tests on every kind of bus. QNODE_CONTRACT in the environment
 * names the kinds, e.g. "nats,kafka"; without it all run that start in a moment. A test finds a
 * struct bus in *state. tests/contract/run makes a table of it. */
#ifndef TESTS_CONTRACT_SUITE_H
#define TESTS_CONTRACT_SUITE_H

#include "tests/contract/bus.h"
#include "tests/contract/server.h"

struct suite_test {
    const char *name;
    void (*run)(void **state);
    const char *not_on[BUS_KINDS]; /* why it says nothing there; NULL: it runs */
};

#define SUITE_TEST(test) .name = #test, .run = test

/* Reasons. */
#define NO_SERVER                "has no server"
#define NO_ONE_KNOWS_WHO_LISTENS "nobody knows who listens"

/* The count of failures. */
int suite_run(const struct suite_test *tests, size_t tests_count);
/* Of the bus the test runs on. */
struct bus_server *suite_server(void);

#endif
