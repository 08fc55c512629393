/* SPDX-License-Identifier: Apache-2.0
 * Coming back to NATS: after changed credentials, on to another server of a cluster, and many
 * clients not at once. */
#include "base/check.h"
#include "base/prng.h"
#include "channel/nats_backoff.h"
#include "tests/contract/bus.h"
#include "tests/contract/nats_server.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, LOOK_US = 10000 };

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool delivery_resumes(struct bus *bus, const char *subject)
{
    size_t before = collector_count(&bus->collector);
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;

    while (now_ms() < deadline_ms && collector_count(&bus->collector) == before) {
        uint64_t word = 1;
        (void)publish(&bus->near, subject, NULL, &word, sizeof word);
        (void)usleep(LOOK_US);
    }
    return collector_count(&bus->collector) > before;
}

/* ---- the back-off ---- */

static void many_clients_do_not_come_back_together(void **state)
{
    enum { CLIENTS = 100, ATTEMPTS = 8, SLOTS = 10 };

    (void)state;
    for (unsigned attempt = 1; attempt <= ATTEMPTS; attempt++) {
        unsigned slots[SLOTS] = {0}, fullest = 0;
        uint64_t longest = NATS_BACKOFF_FIRST_MS;
        for (unsigned i = 1; i < attempt; i++)
            longest = longest * 2 < NATS_BACKOFF_MAX_MS ? longest * 2 : NATS_BACKOFF_MAX_MS;
        for (uint64_t client = 0; client < CLIENTS; client++) {
            struct prng prng;
            prng_init(&prng, client);
            uint64_t ms = 0;
            for (unsigned i = 1; i <= attempt; i++)
                ms = nats_backoff_ms(i, prng_next(&prng));
            assert_in_range(ms, longest / 2, longest);
            slots[(ms - longest / 2) * SLOTS / (longest / 2 + 1)]++;
        }
        for (unsigned i = 0; i < SLOTS; i++)
            fullest = slots[i] > fullest ? slots[i] : fullest;
        assert_in_range(fullest, CLIENTS / SLOTS, 25); /* of 100, in a tenth of the time */
    }
}

static void the_pause_grows_from_a_tenth_of_a_second_to_two_seconds(void **state)
{
    (void)state;
    assert_int_equal(nats_backoff_ms(1, 0), 100);
    assert_int_equal(nats_backoff_ms(1, 100), 200);
    assert_int_equal(nats_backoff_ms(2, 0), 200);
    assert_int_equal(nats_backoff_ms(4, 0), 800);
    assert_int_equal(nats_backoff_ms(5, 0), 1000);
    assert_int_equal(nats_backoff_ms(1u << 31, 1000), 2000);
    assert_int_equal(nats_backoff_ms(0, 0), 100);
}

/* ---- other credentials for a while ---- */

static void write_configuration(const char *path, const char *password)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    (void)fprintf(file, "authorization { user: me, password: \"%s\" }\n", password);
    (void)fclose(file);
}

static void write_denial(const char *path)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    (void)fprintf(file, "authorization { users = [ { user: me, password: \"right\",\n"
                        "  permissions: { subscribe: { deny: \"no.>\" } } } ] }\n");
    (void)fclose(file);
}

static void start_with(struct nats_server *server, int port, const char *configuration)
{
    *server = (struct nats_server){.pid = 0};
    assert_true(
        nats_server_start_with(server, port, (const char *const[]){"-c", configuration, NULL}));
}

static void a_login_that_is_refused_for_a_while_works_again_later(void **state)
{
    char folder[] = "/tmp/qnode-reconnect-XXXXXX", path[64], url[128];
    struct nats_server server;
    struct bus bus;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/server.conf", folder);
    write_configuration(path, "right");
    start_with(&server, 0, path);
    (void)snprintf(url, sizeof url, "nats://me:right@127.0.0.1:%d", server.port);
    bus_open(&bus, url);
    subscribe(&bus.far, "again.x", collector_take, &bus.collector);
    for (int round = 0; round < 2; round++) {
        assert_true(delivery_resumes(&bus, "again.x"));
        nats_server_kill(&server);
        write_configuration(path, "wrong");
        start_with(&server, server.port, path);
        /* Two refusals end a connection of libnats for ever; wait until it has been through. */
        uint64_t deadline_ms = now_ms() + PATIENCE_MS;
        struct qn_error error = {0};
        while (now_ms() < deadline_ms &&
               transport_refused(&bus.near, NULL, PATIENCE_MS, &error) == QN_STATUS_OK)
            (void)usleep(LOOK_US);
        assert_int_equal(publish(&bus.near, "again.x", NULL, "", 0), QN_STATUS_UNAVAILABLE);
        assert_false(bus.near.ops->is_connected(bus.near.self));
        assert_int_equal(error.status, QN_STATUS_NOT_PERMITTED);
        assert_string_equal(error.text, "the bus server does not let in \"me\": check the user, "
                                        "password, token or key");
        (void)usleep(1000000); /* some more refusals, in the keeper's hands */
        nats_server_kill(&server);
        write_configuration(path, "right");
        start_with(&server, server.port, path);
    }
    assert_true(delivery_resumes(&bus, "again.x"));
    assert_true(bus.near.ops->is_connected(bus.near.self));
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Neither the library, which subscribes again on its own, nor the keeper after it may make up for a
 * subscription that its caller was told will not be. */
static void who_was_told_no_gets_nothing_later(void **state)
{
    char folder[] = "/tmp/qnode-reconnect-XXXXXX", path[64], url[128];
    struct nats_server server;
    struct bus bus;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/server.conf", folder);
    write_denial(path);
    start_with(&server, 0, path);
    (void)snprintf(url, sizeof url, "nats://me:right@127.0.0.1:%d", server.port);
    bus_open(&bus, url);
    assert_int_equal(
        bus.far.ops->subscribe(bus.far.self, "no.x", collector_take, &bus.collector, NULL),
        QN_STATUS_NOT_PERMITTED);
    subscribe(&bus.far, "again.x", collector_take, &bus.collector);
    for (int round = 0; round < 2; round++) {
        nats_server_kill(&server);
        if (round == 1) { /* the connection of the library ends for ever */
            write_configuration(path, "wrong");
            start_with(&server, server.port, path);
            uint64_t deadline_ms = now_ms() + PATIENCE_MS;
            while (now_ms() < deadline_ms &&
                   transport_refused(&bus.far, NULL, PATIENCE_MS, NULL) == QN_STATUS_OK)
                (void)usleep(LOOK_US);
            (void)usleep(1000000);
            nats_server_kill(&server);
        }
        write_configuration(path, "right"); /* who asks now may have it */
        start_with(&server, server.port, path);
        assert_true(delivery_resumes(&bus, "again.x"));
        publish_word(&bus.near, "no.x", 1);
        assert_int_equal(transport_flush(&bus.near, PATIENCE_MS), QN_STATUS_OK);
        (void)usleep(QUIET_US);
        for (size_t i = 0; i < collector_count(&bus.collector); i++)
            assert_string_equal(bus.collector.all[i].subject, "again.x");
    }
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&server);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void closing_while_the_login_is_refused_is_quick(void **state)
{
    char folder[] = "/tmp/qnode-reconnect-XXXXXX", path[64], url[128];
    struct nats_server server;
    struct bus bus;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/server.conf", folder);
    write_configuration(path, "right");
    start_with(&server, 0, path);
    (void)snprintf(url, sizeof url, "nats://me:right@127.0.0.1:%d", server.port);
    bus_open(&bus, url);
    subscribe(&bus.far, "again.x", collector_take, &bus.collector);
    nats_server_kill(&server);
    write_configuration(path, "wrong");
    start_with(&server, server.port, path);
    (void)usleep(1500000);
    uint64_t started_ms = now_ms();
    (void)bus_close(&(void *){&bus});
    assert_true(now_ms() - started_ms < 5000);
    nats_server_kill(&server);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* ---- lame duck: a server that is about to go ---- */

static void a_lame_duck_is_left_for_another_server_of_the_cluster(void **state)
{
    char folder[] = "/tmp/qnode-duck-XXXXXX", path[64], route[64], listen[64];
    struct nats_server first = {.pid = 0}, second = {.pid = 0};
    struct bus bus;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/server.conf", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"100ms\"\n");
    (void)fclose(file);
    /* A cluster port is free if it was a moment ago. */
    assert_true(nats_server_start(&first, 0));
    int cluster_port = first.port;
    nats_server_kill(&first);
    (void)snprintf(listen, sizeof listen, "nats://127.0.0.1:%d", cluster_port);
    (void)snprintf(route, sizeof route, "nats-route://127.0.0.1:%d", cluster_port);
    assert_true(nats_server_start_with(
        &first, 0,
        (const char *const[]){"-c", path, "--cluster_name", "duck", "--cluster", listen, NULL}));
    bus_open(&bus, first.url); /* names the first alone: it tells of the second */
    subscribe(&bus.far, "duck.x", collector_take, &bus.collector);
    assert_true(nats_server_start_with(&second, 0,
                                       (const char *const[]){"--cluster_name", "duck", "--cluster",
                                                             "nats://127.0.0.1:-1", "--routes",
                                                             route, NULL}));
    assert_true(delivery_resumes(&bus, "duck.x"));
    (void)usleep(500000); /* the servers find each other and tell */
    assert_int_equal(kill(first.pid, SIGUSR2), 0);
    (void)usleep(2000000);
    assert_true(delivery_resumes(&bus, "duck.x"));
    nats_server_kill(&first);
    assert_true(delivery_resumes(&bus, "duck.x"));
    (void)bus_close(&(void *){&bus});
    nats_server_kill(&second);
    (void)unlink(path);
    (void)rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest pure[] = {
        cmocka_unit_test(many_clients_do_not_come_back_together),
        cmocka_unit_test(the_pause_grows_from_a_tenth_of_a_second_to_two_seconds),
    };
    const struct CMUnitTest real[] = {
        cmocka_unit_test(a_login_that_is_refused_for_a_while_works_again_later),
        cmocka_unit_test(who_was_told_no_gets_nothing_later),
        cmocka_unit_test(closing_while_the_login_is_refused_is_quick),
        cmocka_unit_test(a_lame_duck_is_left_for_another_server_of_the_cluster),
    };
    int failed = cmocka_run_group_tests_name("nats_backoff", pure, NULL, NULL);

    if (!nats_server_is_installed()) {
        if (failed == 0) /* ctest takes the word for a skip, whatever the exit code */
            (void)fputs("SKIPPED: reconnecting to NATS: nats-server is not installed\n", stderr);
        return failed;
    }
    return failed + cmocka_run_group_tests_name("nats_reconnect", real, NULL, NULL);
}
