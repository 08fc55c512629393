/* SPDX-License-Identifier: Apache-2.0
 * Every way to log in to a NATS server that asks for it, by the URL alone, and what is said when it
 * does not work. The secrets are made by nats_secrets.py. */
#include "base/check.h"
#include "tests/contract/bus.h"
#include "tests/contract/nats_server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_MS = 3000, URL_BYTES = 1024 };

static char folder[] = "/tmp/qnode-secrets-XXXXXX";

static void start(struct nats_server *server, const char *configuration)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s.conf", folder, configuration);
    *server = (struct nats_server){.pid = 0};
    assert_true(nats_server_start_with(server, 0, (const char *const[]){"-c", path, NULL}));
}

/* %s in the pattern: the folder; %d: the port. */
static const char *make_url(char *url, const char *pattern, int port)
{
    char *to = url;

    for (const char *at = pattern; *at != '\0'; at++) {
        size_t left = URL_BYTES - (size_t)(to - url);
        if (strncmp(at, "FOLDER", 6) == 0) {
            to += snprintf(to, left, "%s", folder);
            at += 5;
        } else if (strncmp(at, "PORT", 4) == 0) {
            to += snprintf(to, left, "%d", port);
            at += 3;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return url;
}

static void assert_words_come_through(const char *url)
{
    struct bus bus;

    bus_open(&bus, url);
    subscribe(&bus.far, "a.b", collector_take, &bus.collector);
    publish_word(&bus.near, "a.b", 7);
    assert_true(collector_wait(&bus.collector, 1));
    (void)bus_close(&(void *){&bus});
}

static void assert_refused(const char *url, enum qn_status status, const char *words)
{
    static const char *const secrets[] = {"correct horse", "s3cret", "not-it", "SUA"};
    struct transport transport;
    struct qn_error error = {0};
    enum qn_status got = transport_open(url, "contract", OPEN_MS, &transport, &error);

    if (got != status || strstr(error.text, words) == NULL)
        fail_msg("%s: %s: \"%s\", not %s: \"%s\"", url, qn_status_name(got), error.text,
                 qn_status_name(status), words);
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        assert_null(strstr(error.text, secrets[i]));
}

static void each_way_to_log_in_works(void **state)
{
    static const struct {
        const char *configuration, *url;
    } ways[] = {
        {"password", "nats://agent7:correct%20horse@127.0.0.1:PORT"},
        {"password", "nats://agent7@127.0.0.1:PORT?password_file=FOLDER/password"},
        {"token", "nats://s3cret-token@127.0.0.1:PORT"},
        {"token", "nats://127.0.0.1:PORT?token_file=FOLDER/token"},
        {"nkey", "nats://127.0.0.1:PORT?nkey=FOLDER/user.seed"},
        {"jwt", "nats://127.0.0.1:PORT?creds=FOLDER/user.creds"},
        {"tls", "tls://localhost:PORT?ca=FOLDER/ca.pem"},
        {"tls", "nats://127.0.0.1:PORT?ca=FOLDER/ca.pem&tls=1"},
        {"mtls", "nats://localhost:PORT?ca=FOLDER/ca.pem&cert=FOLDER/client.pem"
                 "&key=FOLDER/client.key"},
    };
    char url[URL_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct nats_server server;
        print_message("%s\n", ways[i].url);
        start(&server, ways[i].configuration);
        assert_words_come_through(make_url(url, ways[i].url, server.port));
        nats_server_kill(&server);
    }
}

static void who_is_not_let_in_is_told_why(void **state)
{
    static const struct {
        const char *configuration, *url;
        enum qn_status status;
        const char *words;
    } rows[] = {
        {"password", "nats://agent7:not-it@127.0.0.1:PORT", QN_STATUS_NOT_PERMITTED,
         "does not let in \"agent7\" (Authorization Violation): check the user, password"},
        {"password", "nats://agent7@127.0.0.1:PORT?password_file=FOLDER/wrong",
         QN_STATUS_NOT_PERMITTED, "\"agent7\""},
        {"password", "nats://127.0.0.1:PORT", QN_STATUS_NOT_PERMITTED, "who names no account"},
        {"token", "nats://not-it@127.0.0.1:PORT", QN_STATUS_NOT_PERMITTED,
         "the account of the token"},
        {"nkey", "nats://127.0.0.1:PORT?nkey=FOLDER/other.seed", QN_STATUS_NOT_PERMITTED, "nkey U"},
        {"jwt", "nats://127.0.0.1:PORT?creds=FOLDER/stranger.creds", QN_STATUS_NOT_PERMITTED,
         "/stranger.creds"},
        {"tls", "tls://localhost:PORT?ca=FOLDER/other-ca.pem", QN_STATUS_CONFIG, "certificate"},
        {"tls", "tls://localhost:PORT", QN_STATUS_CONFIG, "certificate"},
        {"elsewhere", "tls://localhost:PORT?ca=FOLDER/ca.pem", QN_STATUS_CONFIG, "ostname"},
        {"mtls", "tls://localhost:PORT?ca=FOLDER/ca.pem", QN_STATUS_CONFIG,
         "clients without a certificate (cert=, key=)"},
        {"password", "tls://agent7:correct%20horse@127.0.0.1:PORT", QN_STATUS_CONFIG, "TLS"},
        {"tls", "nats://localhost:PORT", QN_STATUS_CONFIG, "certificate"},
    };
    char url[URL_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct nats_server server;
        start(&server, rows[i].configuration);
        assert_refused(make_url(url, rows[i].url, server.port), rows[i].status, rows[i].words);
        nats_server_kill(&server);
    }
}

static void bad_parameters_are_named_before_anything_is_sent(void **state)
{
    static const struct {
        const char *url;
        enum qn_status status;
        const char *words;
    } rows[] = {
        {"nats://127.0.0.1:1?cred=x", QN_STATUS_INVALID, "unknown parameter \"cred\""},
        {"nats://127.0.0.1:1?creds=FOLDER/none", QN_STATUS_NOT_FOUND, "\"creds\": /tmp/"},
        {"nats://127.0.0.1:1?creds=FOLDER/empty", QN_STATUS_INVALID, "/empty is empty"},
        {"nats://127.0.0.1:1?nkey=FOLDER/none", QN_STATUS_NOT_FOUND, "\"nkey\": /tmp/"},
        {"nats://127.0.0.1:1?nkey=FOLDER/ca.pem", QN_STATUS_INVALID, "no seed of a user"},
        {"nats://127.0.0.1:1?token_file=FOLDER/empty", QN_STATUS_INVALID, "\"token_file\""},
        {"nats://127.0.0.1:1?token_file=FOLDER/blank", QN_STATUS_INVALID, "no secret in it"},
        {"nats://me@127.0.0.1:1?password_file=FOLDER/none", QN_STATUS_NOT_FOUND,
         "\"password_file\""},
        {"nats://127.0.0.1:1?password_file=FOLDER/password", QN_STATUS_INVALID, "wants user@"},
        {"nats://me:x@127.0.0.1:1?password_file=FOLDER/password", QN_STATUS_INVALID,
         "more than one of"},
        {"nats://me:x@127.0.0.1:1?nkey=FOLDER/user.seed", QN_STATUS_INVALID, "more than one of"},
        {"nats://127.0.0.1:1?creds=FOLDER/user.creds&token_file=FOLDER/token", QN_STATUS_INVALID,
         "more than one of"},
        {"nats://127.0.0.1:1?ca=FOLDER/none", QN_STATUS_NOT_FOUND, "\"ca\": /tmp/"},
        {"nats://127.0.0.1:1?ca=FOLDER/token", QN_STATUS_CONFIG, ""},
        {"nats://127.0.0.1:1?cert=FOLDER/client.pem", QN_STATUS_INVALID, "go together"},
        {"nats://127.0.0.1:1?key=FOLDER/client.key", QN_STATUS_INVALID, "go together"},
        {"nats://127.0.0.1:1?cert=FOLDER/client.pem&key=FOLDER/server.key", QN_STATUS_CONFIG, ""},
        {"nats://127.0.0.1:1?tls=yes", QN_STATUS_INVALID, "\"tls\" is not 1"},
        {"tls://", QN_STATUS_INVALID, "not host:port"},
    };
    char url[URL_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_refused(make_url(url, rows[i].url, 1), rows[i].status, rows[i].words);
}

static void the_permissions_in_a_jwt_count(void **state)
{
    struct nats_server server;
    struct transport transport;
    struct qn_error error = {0};
    char url[URL_BYTES];

    (void)state;
    start(&server, "jwt");
    transport =
        open_transport(make_url(url, "nats://127.0.0.1:PORT?creds=FOLDER/user.creds", server.port));
    publish_word(&transport, "forbidden.x", 1);
    assert_int_equal(transport_flush(&transport, OPEN_MS), QN_STATUS_OK);
    assert_int_equal(transport_refused(&transport, "forbidden.x", OPEN_MS, &error),
                     QN_STATUS_NOT_PERMITTED);
    close_transport(&transport);
    nats_server_kill(&server);
}

static int make_secrets(void **state)
{
    char command[512];

    (void)state;
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(command, sizeof command, "python3 %s/nats_secrets.py %s", CONTRACT_DIR, folder);
    return system(command);
}

static int remove_secrets(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_log_in_works),
        cmocka_unit_test(who_is_not_let_in_is_told_why),
        cmocka_unit_test(bad_parameters_are_named_before_anything_is_sent),
        cmocka_unit_test(the_permissions_in_a_jwt_count),
    };

    if (!nats_server_is_installed()) {
        (void)fprintf(stderr, "SKIPPED: security of NATS: nats-server is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests_name("nats_security", tests, make_secrets, remove_secrets);
}
