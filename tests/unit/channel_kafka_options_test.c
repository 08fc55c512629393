/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/kafka_options.h"

#include "base/check.h"
#include "channel/transport.h"
#include "tests/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/qnode-kafka-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/qnode-kafka-XXXXXX");
    return mkstemp(path) < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static enum qn_status read_text(const char *text, struct kafka_options *ret_options,
                                struct qn_error *error)
{
    char url[128];
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(url, sizeof url, "kafka://a:9092,[::1]:9093?config=%s", path);
    return kafka_options_read(url, "us", ret_options, error);
}

static void properties_are_read(void **state)
{
    struct kafka_options options;

    (void)state;
    assert_int_equal(read_text("# who we are\n\n sasl.username = me \r\nsasl.password=a=b#c\n"
                               "ssl.ca.location=",
                               &options, NULL),
                     QN_STATUS_OK);
    assert_string_equal(options.servers, "a:9092,[::1]:9093");
    assert_int_equal(options.properties_count, 5);
    assert_string_equal(options.properties[0].name, "bootstrap.servers");
    assert_string_equal(options.properties[0].value, options.servers);
    assert_string_equal(options.properties[1].name, "client.id");
    assert_string_equal(options.properties[1].value, "us");
    assert_string_equal(options.properties[2].name, "sasl.username");
    assert_string_equal(options.properties[2].value, "me");
    assert_int_equal(options.properties[2].line, 3);
    assert_string_equal(options.properties[3].value, "a=b#c");
    assert_string_equal(options.properties[4].value, "");
    assert_string_equal(kafka_options_find(&options, "sasl.username"), "me");
    assert_null(kafka_options_find(&options, "sasl.mechanisms"));
    kafka_options_done(&options);
}

static void a_bad_line_is_named(void **state)
{
    static const char *const bad[] = {"a=b\nno value\n", "\n=b\n"};
    struct kafka_options options;
    struct qn_error error = {0};
    char place[64];

    (void)state;
    (void)snprintf(place, sizeof place, "%s:2:", path);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(read_text(bad[i], &options, &error), QN_STATUS_CONFIG);
        assert_non_null(strstr(error.text, place));
    }
}

static void too_many_properties_are_refused(void **state)
{
    struct kafka_options options;
    struct qn_error error = {0};
    char text[8 * KAFKA_PROPERTIES_MAX] = "";

    (void)state;
    for (int i = 0; i < KAFKA_PROPERTIES_MAX; i++)
        (void)strncat(text, "a=b\n", sizeof text - strlen(text) - 1);
    assert_int_equal(read_text(text, &options, &error), QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "more than 64 properties"));
}

/* Opening a transport with them: the library knows its properties, not we. */
static void an_unknown_property_is_named_with_file_and_line(void **state)
{
    static const struct {
        const char *text, *word;
    } rows[] = {
        {"# comment\nsasl.usrname=me\n", "sasl.usrname"},
        {"# comment\nfetch.wait.max.ms=soon\n", "fetch.wait.max.ms"},
    };
    struct transport transport;
    struct kafka_options options;
    struct qn_error error = {0};
    char url[128], place[64];

    (void)state;
    (void)snprintf(url, sizeof url, "kafka://127.0.0.1:1?config=%s", path);
    (void)snprintf(place, sizeof place, "%s:2:", path);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(read_text(rows[i].text, &options, NULL), QN_STATUS_OK);
        kafka_options_done(&options);
        assert_int_equal(transport_open(url, "test", 100, &transport, &error), QN_STATUS_CONFIG);
        assert_non_null(strstr(error.text, place));
        assert_non_null(strstr(error.text, rows[i].word));
    }
}

static void a_secret_does_not_stand_in_the_url(void **state)
{
    struct kafka_options options;
    struct qn_error error = {0};

    (void)state;
    assert_int_equal(kafka_options_read("kafka://me:secret@a:9092", "us", &options, &error),
                     QN_STATUS_INVALID);
    assert_null(strstr(error.text, "secret"));
    assert_non_null(strstr(error.text, "sasl.password"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(properties_are_read, make_file, remove_file),
        cmocka_unit_test_setup_teardown(a_bad_line_is_named, make_file, remove_file),
        cmocka_unit_test_setup_teardown(too_many_properties_are_refused, make_file, remove_file),
        cmocka_unit_test_setup_teardown(an_unknown_property_is_named_with_file_and_line, make_file,
                                        remove_file),
        cmocka_unit_test(a_secret_does_not_stand_in_the_url),
    };

    return cmocka_run_group_tests_name("channel_kafka_options", tests, NULL, NULL);
}
