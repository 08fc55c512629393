/* SPDX-License-Identifier: Apache-2.0
 * The roles of PROTOCOL.md (Security on NATS) on a server that enforces them: nats_roles.conf is
 * the configuration that the document shows. What a role needs it may; what another does it may
 * not, and our error says so in words. */
#include "base/check.h"
#include "channel/subject.h"
#include "qnode/control.h"
#include "tests/contract/bus.h"
#include "tests/contract/nats_server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WITHIN_MS = 5000, URL_BYTES = 128 };

struct role {
    const char *name, *password;
};

static const struct role agent1 = {"agent1", "change-me-1"};
static const struct role coordinator = {"coordinator", "change-me-3"};
static const struct role client = {"client", "change-me-4"};
static const struct role person = {"operator", "change-me-5"};

static struct nats_server server;
static char store[] = "/tmp/qnode-roles-XXXXXX";

static const char *url_of(const struct role *role, char url[URL_BYTES])
{
    (void)snprintf(url, URL_BYTES, "nats://%s:%s@127.0.0.1:%d", role->name, role->password,
                   server.port);
    return url;
}

static struct transport open_as(const struct role *role)
{
    char url[URL_BYTES];

    return open_transport(url_of(role, url));
}

static void each_role_may_publish_its_subjects_and_no_others(void **state)
{
    static const struct {
        const struct role *role;
        const char *allowed[6], *refused[8];
    } rows[] = {
        {&agent1,
         {"report.1", "event.1", "agent.2.ask", "reply.3f.1"},
         {"report.2", "event.2", "agent.1.control", "agent.2.control", "agent.2.search", "query.7",
          "query.7.0", "coord"}},
        {&coordinator,
         {"query.7", "query.7.0", "agent.2.control", "coord", "reply.3f.1"},
         {"agent.2.search", "agent.2.ask", "report.1", "event.1"}},
        {&client,
         {"agent.1.search", "coord"},
         {"agent.1.control", "agent.1.ask", "report.1", "event.1", "query.7", "query.7.0",
          "reply.3f.1"}},
        {&person,
         {"agent.1.search", "coord"},
         {"agent.1.control", "query.7", "report.1", "event.1", "reply.3f.1"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct transport transport = open_as(rows[i].role);
        for (int part = 0; part < 2; part++) {
            const char *const *subjects = part == 0 ? rows[i].allowed : rows[i].refused;
            size_t most = part == 0 ? COUNT_OF(rows[i].allowed) : COUNT_OF(rows[i].refused);
            for (size_t s = 0; s < most && subjects[s] != NULL; s++) {
                struct subject subject;
                (void)snprintf(subject.text, sizeof subject.text, "qnode.demo.%s", subjects[s]);
                publish_word(&transport, subject.text, 1);
                assert_int_equal(transport_flush(&transport, WITHIN_MS), QN_STATUS_OK);
                enum qn_status status =
                    transport_refused(&transport, subject.text, WITHIN_MS, NULL);
                if (status != (part == 0 ? QN_STATUS_OK : QN_STATUS_NOT_PERMITTED))
                    fail_msg("%s on %s: %s", rows[i].role->name, subject.text,
                             qn_status_name(status));
            }
        }
        close_transport(&transport);
    }
}

static void drop(void *owner, struct bus_message *message)
{
    (void)owner;
    message->release(message);
}

static void each_role_may_subscribe_its_subjects_and_no_others(void **state)
{
    static const struct {
        const struct role *role;
        const char *allowed[6], *refused[8];
    } rows[] = {
        {&agent1,
         {"agent.1.control", "agent.1.ask", "agent.1.search"},
         {"agent.2.control", "agent.>", "report.*", "coord", "reply.3f.>", "query.>"}},
        {&coordinator,
         {"report.*", "event.*", "coord"},
         {"agent.1.control", "agent.1.search", "reply.3f.>", "query.>"}},
        {&client,
         {"query.>", "query.*", "reply.3f.>"},
         {"agent.1.search", "agent.1.control", "report.*", "event.*", "coord"}},
        {&person, {"query.>", "reply.3f.>", "report.*", "event.*", ">"}, {NULL}},
    };
    char words[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct transport transport = open_as(rows[i].role);
        for (int part = 0; part < 2; part++) {
            const char *const *subjects = part == 0 ? rows[i].allowed : rows[i].refused;
            size_t most = part == 0 ? COUNT_OF(rows[i].allowed) : COUNT_OF(rows[i].refused);
            for (size_t s = 0; s < most && subjects[s] != NULL; s++) {
                struct subject subject;
                struct qn_error error = {0};
                (void)snprintf(subject.text, sizeof subject.text, "qnode.demo.%s", subjects[s]);
                enum qn_status status =
                    transport.ops->subscribe(transport.self, subject.text, drop, NULL, &error);
                if (status != (part == 0 ? QN_STATUS_OK : QN_STATUS_NOT_PERMITTED))
                    fail_msg("%s on %s: %s", rows[i].role->name, subject.text,
                             qn_status_name(status));
                if (part == 0)
                    continue;
                (void)snprintf(words, sizeof words,
                               "the bus server refuses \"%s\" to subscribe to %s: give the account "
                               "that permission (PROTOCOL.md, Security)",
                               rows[i].role->name, subject.text);
                assert_string_equal(error.text, words);
            }
        }
        close_transport(&transport);
    }
}

static void an_agent_that_publishes_control_is_refused_in_words(void **state)
{
    struct transport transport = open_as(&agent1);
    struct qn_error error = {0};

    (void)state;
    publish_word(&transport, "qnode.demo.agent.2.control", 1);
    assert_int_equal(transport_flush(&transport, WITHIN_MS), QN_STATUS_OK);
    assert_int_equal(transport_refused(&transport, "qnode.demo.agent.2.control", WITHIN_MS, &error),
                     QN_STATUS_NOT_PERMITTED);
    assert_string_equal(error.text, "the bus server refuses \"agent1\" to publish on "
                                    "qnode.demo.agent.2.control: give the account that permission "
                                    "(PROTOCOL.md, Security)");
    print_message("%s\n", error.text);
    close_transport(&transport);
}

static struct qn_client *open_client(const struct role *role, const char *cluster)
{
    struct qn_client_options options = {.cluster = cluster};
    struct qn_client *opened = NULL;
    struct qn_error error = {0};
    char url[URL_BYTES];

    options.url = url_of(role, url);
    if (qn_client_open(&options, &opened, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    return opened;
}

static void a_client_that_sends_control_gets_the_words_at_once(void **state)
{
    struct qn_client *opened = open_client(&client, "demo");
    struct subject control = subject_control("demo", 2);
    struct message message = {.term = 5, .reply_to = "", .kind = MESSAGE_REPORT_REQUEST};
    struct qn_error error = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        error = (struct qn_error){0};
        assert_int_equal(qn_send(opened, control.text, &message, &error), QN_STATUS_NOT_PERMITTED);
        assert_int_equal(qn_status_exit_code(error.status), 77);
        assert_non_null(strstr(error.text, "refuses \"client\" to publish on "
                                           "qnode.demo.agent.2.control: give the account"));
    }
    struct subject coord = subject_coord("demo");
    assert_int_equal(qn_send(opened, coord.text, &message, &error), QN_STATUS_OK);
    qn_client_close(opened);
}

static void what_is_asked_of_a_forbidden_coordinator_says_why_it_failed(void **state)
{
    struct qn_client *opened = NULL;
    struct qn_error error = {0};
    char url[URL_BYTES];
    struct qn_client_options options = {.url = url_of(&client, url), .cluster = "other"};

    (void)state;
    /* not even the views of another cluster may be listened to */
    assert_int_equal(qn_client_open(&options, &opened, &error), QN_STATUS_NOT_PERMITTED);
    assert_non_null(strstr(error.text, "subscribe to qnode.other."));
}

static int start_server(void **state)
{
    char configuration[256];

    (void)state;
    (void)snprintf(configuration, sizeof configuration, "%s/nats_roles.conf", CONTRACT_DIR);
    return mkdtemp(store) == NULL ||
           !nats_server_start_with(
               &server, 0, (const char *const[]){"-c", configuration, "--store_dir", store, NULL});
}

static int stop_server(void **state)
{
    char command[64];

    (void)state;
    nats_server_kill(&server);
    (void)snprintf(command, sizeof command, "rm -rf %s", store);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_may_publish_its_subjects_and_no_others),
        cmocka_unit_test(each_role_may_subscribe_its_subjects_and_no_others),
        cmocka_unit_test(an_agent_that_publishes_control_is_refused_in_words),
        cmocka_unit_test(a_client_that_sends_control_gets_the_words_at_once),
        cmocka_unit_test(what_is_asked_of_a_forbidden_coordinator_says_why_it_failed),
    };

    if (!nats_server_is_installed()) {
        (void)fprintf(stderr, "SKIPPED: permissions on NATS: nats-server is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests_name("nats_permissions", tests, start_server, stop_server);
}
