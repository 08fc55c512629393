/* SPDX-License-Identifier: Apache-2.0
 * The roles of PROTOCOL.md (Security on NATS) on a server that enforces them: nats_roles.conf is
 * the configuration that the document shows. What a role needs it may; what another does it may
 * not, and our error says so in words. */
#include "base/arena.h"
#include "base/check.h"
#include "channel/codec.h"
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
         {"query.7", "query.7.0", "agent.2.control", "agent.0.control", "reply.3f.1"},
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
         {"report.*", "event.*", "coord", "agent.0.control"},
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

static void a_cluster_that_is_not_the_accounts_is_refused_at_the_opening(void **state)
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

/* ---- a client that may listen and not ask ---- */

static void publish_view(const struct transport *transport)
{
    const struct view_copy copy = {.node_id = 7, .epoch = {5, 1}, .replica = ""};
    const struct view_item item = {.segment_id = 1, .copies = &copy, .copies_count = 1};
    struct message message = {.cluster = "demo",
                              .sender = "coordinator",
                              .term = 5,
                              .reply_to = "",
                              .kind = MESSAGE_COLLECTION_VIEW,
                              .collection_view = {.collection_id = 100,
                                                  .name = "things",
                                                  .version = {5, 1},
                                                  .readable_version = 1,
                                                  .metric = QN_METRIC_L2,
                                                  .dim = 2,
                                                  .pages = 1,
                                                  .items = &item,
                                                  .items_count = 1}};
    struct subject to = subject_query_page("demo", 100, 0);
    struct arena arena;
    const uint8_t *bytes;
    size_t size;

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    assert_int_equal(codec_encode(&message, &arena, &bytes, &size, NULL), QN_STATUS_OK);
    assert_int_equal(publish(transport, to.text, NULL, bytes, size), QN_STATUS_OK);
    assert_int_equal(transport_flush(transport, WITHIN_MS), QN_STATUS_OK);
    arena_done(&arena);
}

static void who_may_not_ask_is_told_so_and_not_left_to_a_deadline(void **state)
{
    const float query[] = {1, 2};
    struct qn_search_request search = {
        .collection_id = 100, .queries = query, .nq = 1, .dim = 2, .k = 1, .deadline_ms = 2000};
    struct coord_request request = {.verb = COORD_LIST_NODES, .collection = "", .folder = ""};
    struct qn_search_result result;
    struct qn_error error = {0};
    char path[64];
    struct nats_server mute;
    FILE *file;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/mute.conf", store);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "authorization { users = [ {user: all, password: x},\n"
                        "{user: mute, password: x, permissions: {publish: {deny: \">\"}}} ] }\n");
    (void)fclose(file);
    assert_true(nats_server_start_with(&mute, 0, (const char *const[]){"-c", path, NULL}));
    char url[URL_BYTES];
    (void)snprintf(url, sizeof url, "nats://all:x@127.0.0.1:%d", mute.port);
    struct transport coordinator_of_all = open_transport(url);
    (void)snprintf(url, sizeof url, "nats://mute:x@127.0.0.1:%d", mute.port);
    struct qn_client_options options = {.url = url, .cluster = "demo"};
    struct qn_client *opened = NULL;
    if (qn_client_open(&options, &opened, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);

    assert_int_equal(qn_coord_call(opened, &request, 600, NULL, NULL, &error),
                     QN_STATUS_NOT_PERMITTED);
    assert_non_null(strstr(error.text, "refuses \"mute\" to publish on qnode.demo.coord"));
    assert_int_equal(qn_search(opened, &search, &result, &error), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_UNKNOWN);
    assert_int_equal(result.reason, QN_STATUS_NOT_PERMITTED);
    qn_search_result_done(&result);

    publish_view(&coordinator_of_all);
    (void)usleep(QUIET_US);
    assert_int_equal(qn_search(opened, &search, &result, &error), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_PARTIAL);
    assert_int_equal(result.missing_count, 1);
    assert_int_equal(result.missing[0].reason, QN_STATUS_NOT_PERMITTED);
    qn_search_result_done(&result);

    qn_client_close(opened);
    close_transport(&coordinator_of_all);
    nats_server_kill(&mute);
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
        cmocka_unit_test(a_cluster_that_is_not_the_accounts_is_refused_at_the_opening),
        cmocka_unit_test(who_may_not_ask_is_told_so_and_not_left_to_a_deadline),
    };

    if (!nats_server_is_installed()) {
        (void)fprintf(stderr, "SKIPPED: permissions on NATS: nats-server is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests_name("nats_permissions", tests, start_server, stop_server);
}
