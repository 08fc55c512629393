/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/suite.h"

#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TESTS_MAX = 32 };

static struct bus the_bus;
static struct bus_server the_server;

struct bus_server *suite_server(void)
{
    return &the_server;
}

static int open_bus(void **state)
{
    *state = &the_bus;
    bus_open(&the_bus, the_server.url);
    return 0;
}

static bool is_wanted(enum bus_kind kind)
{
    const char *wanted = getenv("QNODE_CONTRACT");
    char list[256], name[32];

    (void)snprintf(list, sizeof list, ",%s,",
                   wanted != NULL ? wanted : "inproc,nats,jetstream,kafka-mock");
    (void)snprintf(name, sizeof name, ",%s,", bus_kind_name(kind));
    return strstr(list, name) != NULL;
}

/* Read by tests/contract/run. */
static void say_not_on(enum bus_kind kind, const char *test, const char *reason)
{
    (void)fprintf(stderr, "n/a %s %s: %s\n", bus_kind_name(kind), test, reason);
}

static int run_on(enum bus_kind kind, const struct suite_test *tests, size_t tests_count)
{
    struct CMUnitTest rows[TESTS_MAX] = {{.name = NULL}};
    const char *lacks = bus_server_lacks(kind);
    size_t rows_count = 0;

    CHECK(tests_count <= TESTS_MAX);
    if (lacks != NULL)
        (void)fprintf(stderr, "SKIPPED: the contract on %s: %s\n", bus_kind_name(kind), lacks);
    for (size_t i = 0; i < tests_count; i++) {
        const char *reason = lacks != NULL ? lacks : tests[i].not_on[kind];
        if (reason != NULL)
            say_not_on(kind, tests[i].name, reason);
        else
            rows[rows_count++] = (struct CMUnitTest){
                .name = tests[i].name,
                .test_func = tests[i].run,
                .setup_func = open_bus,
                .teardown_func = bus_close,
            };
    }
    if (rows_count == 0)
        return 0;
    bus_server_start(&the_server, kind);
    int failed = _cmocka_run_group_tests(bus_kind_name(kind), rows, rows_count, NULL, NULL);
    bus_server_stop(&the_server);
    return failed;
}

int suite_run(const struct suite_test *tests, size_t tests_count)
{
    int failed = 0;

    for (enum bus_kind kind = 0; kind < BUS_KINDS; kind++)
        if (is_wanted(kind))
            failed += run_on(kind, tests, tests_count);
    return failed;
}
