/* SPDX-License-Identifier: Apache-2.0
 * A real Kafka broker with TLS, logins (kafka_secrets.py) and the ACLs that PROTOCOL.md shows: what
 * a role needs it may, what another does it may not, and our error says so in words. */
#include "base/check.h"
#include "channel/kafka_topics.h"
#include "channel/subject.h"
#include "qnode/control.h"
#include "tests/contract/bus.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_MS = 4000, CONNECT_MS = 20000, WITHIN_MS = 5000, TRIES = 4000, URL_BYTES = 256 };

static char parent[] = "/tmp/qnode-kafka-secure-XXXXXX";
static char address[64];

static bool broker(const char *verb)
{
    char command[512];

    (void)snprintf(command, sizeof command, "%s/kafka_broker %s %s/broker >%s/out", CONTRACT_DIR,
                   verb, parent, parent);
    return system(command) == 0;
}

/* "elsewhere" calls the broker by a name that its certificate does not have. */
static const char *url_of(const char *account, char url[URL_BYTES])
{
    bool elsewhere = strcmp(account, "elsewhere") == 0;

    (void)snprintf(url, URL_BYTES, "kafka://%s%s?config=%s/broker/%s.properties",
                   elsewhere ? "localhost" : "127.0.0.1", strchr(address, ':'), parent,
                   elsewhere ? "agent" : account);
    return url;
}

static struct transport open_as(const char *account)
{
    char url[URL_BYTES];

    return open_transport(url_of(account, url));
}

static void drop(void *owner, struct bus_message *message)
{
    (void)owner;
    message->release(message);
}

/* What the bus says of a word on a subject, once the broker has seen it. */
static enum qn_status publish_checked(const struct transport *transport, const char *subject,
                                      struct qn_error *error)
{
    enum qn_status status = publish(transport, subject, NULL, "x", 1);

    if (status == QN_STATUS_OK)
        assert_int_equal(transport_flush(transport, WITHIN_MS), QN_STATUS_OK);
    else
        assert_int_equal(status, QN_STATUS_NOT_PERMITTED);
    enum qn_status refused = transport_refused(transport, subject, WITHIN_MS, error);
    assert_true(status == QN_STATUS_OK || refused == QN_STATUS_NOT_PERMITTED);
    return refused;
}

/* ---- logging in ---- */

static void assert_a_report_comes_through(const char *from, const char *to)
{
    struct transport near = open_as(from), far = open_as(to);
    struct collector collector;

    collector_init(&collector);
    subscribe(&far, "qnode.demo.report.*", collector_take, &collector);
    publish_word(&near, "qnode.demo.report.1", 7);
    assert_true(collector_wait(&collector, 1));
    assert_int_equal(collector.all[0].word, 7);
    close_transport(&near);
    close_transport(&far);
    collector_done(&collector);
}

static void each_way_to_log_in_works_over_tls(void **state)
{
    (void)state;
    assert_a_report_comes_through("agent", "coordinator");
    assert_a_report_comes_through("scram", "operator");
}

static void who_is_not_let_in_is_told_why(void **state)
{
    static const struct {
        const char *account;
        enum qn_status status;
        const char *words[3];
    } rows[] = {
        {"wrong",
         QN_STATUS_NOT_PERMITTED,
         {"does not let in \"agent\": check sasl.* in ", "/wrong.properties",
          "Authentication failed: Invalid username or password"}},
        {"wrong-scram",
         QN_STATUS_NOT_PERMITTED,
         {"does not let in \"scram\": check sasl.* in ", "/wrong-scram.properties",
          "Authentication failed"}},
        {"stranger",
         QN_STATUS_CONFIG,
         {"no TLS with kafka://127.0.0.1:", "check ssl.* in ", "certificate verify failed"}},
        {"elsewhere",
         QN_STATUS_CONFIG,
         {"no TLS with kafka://localhost:", "check ssl.* in ", "certificate verify failed"}},
        {"plain",
         QN_STATUS_UNAVAILABLE,
         {"connect to kafka://127.0.0.1:", "incorrect security.protocol", "SSL listener?"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct transport transport;
        struct qn_error error = {0};
        char url[URL_BYTES];
        assert_int_equal(
            transport_open(url_of(rows[i].account, url), "contract", OPEN_MS, &transport, &error),
            rows[i].status);
        for (size_t word = 0; word < COUNT_OF(rows[i].words); word++)
            assert_non_null(strstr(error.text, rows[i].words[word]));
        assert_null(strstr(error.text, "s3cret"));
    }
}

static void the_administrator_is_told_why_too(void **state)
{
    static const struct {
        const char *account;
        enum qn_status status;
        const char *words;
    } rows[] = {
        {"wrong", QN_STATUS_NOT_PERMITTED, "does not let in \"agent\": check sasl.* in "},
        {"stranger", QN_STATUS_CONFIG, "check ssl.* in "},
        {"agent", QN_STATUS_NOT_PERMITTED, "qnode.demo.query"},
    };
    struct kafka_topic_report reports[TOPIC_KINDS];
    char url[URL_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct qn_error error = {0};
        struct kafka_topics_options options = {
            .url = url_of(rows[i].account, url), .cluster = "demo", .connect_ms = OPEN_MS};
        if (kafka_topics(&options, reports, &error) != rows[i].status)
            fail_msg("%s: %s", rows[i].account, error.text);
        assert_non_null(strstr(error.text, rows[i].words));
    }
}

/* ---- ACLs ---- */

static const char *const subjects[TOPIC_KINDS] = {
    [TOPIC_CONTROL] = "qnode.demo.agent.2.control",
    [TOPIC_ASK] = "qnode.demo.agent.2.ask",
    [TOPIC_SEARCH] = "qnode.demo.agent.2.search",
    [TOPIC_REPORT] = "qnode.demo.report.2",
    [TOPIC_EVENT] = "qnode.demo.event.2",
    [TOPIC_QUERY] = "qnode.demo.query.7.0",
    [TOPIC_COORD] = "qnode.demo.coord",
    [TOPIC_REPLY] = "qnode.demo.reply.3f.1",
};

/* A letter for each topic: control, ask, search, report, event, query, coord (o), reply (y). */
static const char letters[] = "casreqoy";

static const struct role {
    const char *account, *writes, *reads;
} roles[] = {
    {"agent", "arey", "cas"}, {"coordinator", "cqy", "reoc"},
    {"client", "so", "qy"},   {"operator", "so", "casreqoy"},
    {"maker", "", ""},
};

static enum qn_status may(const char *which, enum topic_kind kind)
{
    return strchr(which, letters[kind]) != NULL ? QN_STATUS_OK : QN_STATUS_NOT_PERMITTED;
}

static void each_role_may_write_its_topics_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        struct transport transport = open_as(roles[i].account);
        for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
            enum qn_status status = publish_checked(&transport, subjects[kind], NULL);
            if (status != may(roles[i].writes, kind))
                fail_msg("%s on %s: %s", roles[i].account, subjects[kind], qn_status_name(status));
        }
        close_transport(&transport);
    }
}

static void each_role_may_read_its_topics_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        struct transport transport = open_as(roles[i].account);
        for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
            struct qn_error error = {0};
            char words[256];
            enum qn_status status =
                transport.ops->subscribe(transport.self, subjects[kind], drop, NULL, &error);
            if (status != may(roles[i].reads, kind))
                fail_msg("%s on %s: %s", roles[i].account, subjects[kind], qn_status_name(status));
            if (status == QN_STATUS_OK)
                continue;
            (void)snprintf(words, sizeof words,
                           "the broker refuses \"%s\" to read topic %s: give the account that ACL "
                           "(PROTOCOL.md, Security)",
                           roles[i].account, topic_name("demo", kind).text);
            assert_string_equal(error.text, words);
        }
        close_transport(&transport);
    }
}

static void an_agent_that_publishes_control_is_refused_in_words(void **state)
{
    struct transport agent = open_as("agent"), coordinator = open_as("coordinator");
    struct collector collector;
    struct qn_error error = {0};

    (void)state;
    collector_init(&collector);
    subscribe(&coordinator, "qnode.demo.report.*", collector_take, &collector);
    for (uint64_t round = 1; round <= 3; round++) {
        assert_int_equal(publish_checked(&agent, "qnode.demo.agent.2.control", &error),
                         QN_STATUS_NOT_PERMITTED);
        assert_string_equal(error.text, "the broker refuses \"agent\" to write topic "
                                        "qnode.demo.control: give the account that ACL "
                                        "(PROTOCOL.md, Security)");
        publish_word(&agent, "qnode.demo.report.1", round);
        assert_true(collector_wait(&collector, round));
        assert_int_equal(transport_refused(&agent, "qnode.demo.report.1", WITHIN_MS, NULL),
                         QN_STATUS_OK);
    }
    close_transport(&agent);
    close_transport(&coordinator);
    collector_done(&collector);
}

/* Each of its producers breaks; what it reads does not suffer from that. */
static void who_may_write_nothing_still_reads(void **state)
{
    struct transport reader = open_as("reader"), agent = open_as("agent");
    struct collector collector;
    struct qn_error error = {0};

    (void)state;
    collector_init(&collector);
    subscribe(&reader, "qnode.demo.report.*", collector_take, &collector);
    for (uint64_t round = 1; round <= 3; round++) {
        enum qn_status status = QN_STATUS_OK;
        for (int i = 0; i < TRIES && status == QN_STATUS_OK; i++) {
            (void)publish(&reader, "qnode.demo.report.2", NULL, "x", 1);
            (void)usleep(1000);
            status = transport_refused(&reader, "qnode.demo.report.2", WITHIN_MS, &error);
        }
        assert_int_equal(status, QN_STATUS_NOT_PERMITTED);
        assert_non_null(strstr(error.text, "refuses \"reader\" to write topic qnode.demo.report"));
        publish_word(&agent, "qnode.demo.report.1", round);
        assert_true(collector_wait(&collector, round));
        (void)usleep(600000); /* some producers later */
    }
    close_transport(&reader);
    close_transport(&agent);
    collector_done(&collector);
}

static void a_client_gets_the_words_at_once(void **state)
{
    struct coord_request request = {.verb = COORD_LIST_NODES, .collection = "", .folder = ""};
    struct message message = {.term = 5, .reply_to = "", .kind = MESSAGE_REPORT_REQUEST};
    struct qn_error error = {0};
    char url[URL_BYTES];
    struct qn_client_options options = {.url = url_of("reader", url), .cluster = "demo"};
    struct qn_client *client = NULL;

    (void)state;
    if (qn_client_open(&options, &client, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    assert_int_equal(qn_coord_call(client, &request, 3000, NULL, NULL, &error),
                     QN_STATUS_NOT_PERMITTED);
    assert_non_null(strstr(error.text, "refuses \"reader\" to write topic qnode.demo.coord"));
    assert_int_equal(qn_send(client, "qnode.demo.agent.2.control", &message, &error),
                     QN_STATUS_NOT_PERMITTED);
    assert_non_null(strstr(error.text, "refuses \"reader\" to write topic qnode.demo.control"));
    qn_client_close(client);
    options.url = url_of("agent", url);
    assert_int_equal(qn_client_open(&options, &client, &error), QN_STATUS_NOT_PERMITTED);
    assert_non_null(strstr(error.text, "refuses \"agent\" to read topic qnode.demo."));
    options = (struct qn_client_options){.url = url_of("client", url), .cluster = "other"};
    assert_int_equal(qn_client_open(&options, &client, &error), QN_STATUS_NOT_PERMITTED);
    assert_non_null(strstr(error.text, "to read topic qnode.other."));
}

/* ---- a password that changes while programs run ---- */

static void change_password(const char *from, const char *to)
{
    char command[512];

    assert_true(broker("kill"));
    (void)snprintf(command, sizeof command,
                   "sed -i 's/user_agent=\"%s\"/user_agent=\"%s\"/' %s/broker/server.properties",
                   from, to, parent);
    assert_int_equal(system(command), 0);
    assert_true(broker("start-secure"));
}

static void a_login_that_is_withdrawn_is_told_and_tried_again(void **state)
{
    struct transport agent = open_as("agent");
    struct qn_error error = {0};
    enum qn_status status = QN_STATUS_OK;

    (void)state;
    publish_word(&agent, "qnode.demo.report.1", 1);
    change_password("s3cret-agent", "s3cret-new");
    for (int i = 0; i < TRIES && status == QN_STATUS_OK; i++) {
        (void)usleep(5000);
        status = transport_refused(&agent, NULL, WITHIN_MS, &error);
    }
    assert_int_equal(status, QN_STATUS_NOT_PERMITTED);
    assert_non_null(strstr(error.text, "the broker does not let in \"agent\": check sasl.* in "));
    assert_false(agent.ops->is_connected(agent.self));
    change_password("s3cret-new", "s3cret-agent");
    status = QN_STATUS_UNAVAILABLE;
    for (int i = 0; i < TRIES && status != QN_STATUS_OK; i++) {
        (void)usleep(5000);
        status = publish(&agent, "qnode.demo.report.1", NULL, "x", 1);
    }
    assert_int_equal(status, QN_STATUS_OK);
    assert_int_equal(transport_flush(&agent, WITHIN_MS), QN_STATUS_OK);
    close_transport(&agent);
}

/* The topics are made by an account that may do that and nothing else. */
static int start_broker(void **state)
{
    struct kafka_topic_report reports[TOPIC_KINDS];
    struct qn_error error = {0};
    char url[URL_BYTES], path[64];
    bool all_made = true;

    (void)state;
    if (mkdtemp(parent) == NULL || !broker("start-secure"))
        return -1;
    (void)snprintf(path, sizeof path, "%s/out", parent);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%63s", address) != 1)
        return -1;
    (void)fclose(file);
    struct kafka_topics_options options = {.url = url_of("maker", url),
                                           .cluster = "demo",
                                           .partitions = 4,
                                           .create = true,
                                           .connect_ms = CONNECT_MS};
    if (kafka_topics(&options, reports, &error) != QN_STATUS_OK)
        (void)fprintf(stderr, "%s\n", error.text);
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
        all_made &= reports[kind].state == KAFKA_TOPIC_CREATED;
    return all_made ? 0 : -1;
}

static int stop_broker(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", parent);
    return broker("stop") && system(command) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_log_in_works_over_tls),
        cmocka_unit_test(who_is_not_let_in_is_told_why),
        cmocka_unit_test(the_administrator_is_told_why_too),
        cmocka_unit_test(each_role_may_write_its_topics_and_no_others),
        cmocka_unit_test(each_role_may_read_its_topics_and_no_others),
        cmocka_unit_test(an_agent_that_publishes_control_is_refused_in_words),
        cmocka_unit_test(who_may_write_nothing_still_reads),
        cmocka_unit_test(a_client_gets_the_words_at_once),
        cmocka_unit_test(a_login_that_is_withdrawn_is_told_and_tried_again),
    };

    if (system(CONTRACT_DIR "/kafka_broker check") != 0) {
        (void)fprintf(stderr, "SKIPPED: security on Kafka: the line above says what is missing\n");
        return 0;
    }
    return cmocka_run_group_tests_name("kafka_security", tests, start_broker, stop_broker);
}
