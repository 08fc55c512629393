/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "channel/bus_url.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>

static void parse(const char *text, struct bus_url *url)
{
    struct qn_error error = {0};

    if (bus_url_parse(text, url, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
}

static void a_url_is_taken_apart(void **state)
{
    struct bus_url url;

    (void)state;
    parse("nats://me:p%40ss@a.example:4222,127.0.0.1:1,[::1]:65535,b?ca=/etc/ca.pem&tls=1", &url);
    assert_string_equal(url.scheme, "nats");
    assert_string_equal(url.user, "me");
    assert_string_equal(url.password, "p@ss");
    assert_string_equal(url.servers, "a.example:4222,127.0.0.1:1,[::1]:65535,b");
    assert_int_equal(url.servers_count, 4);
    assert_string_equal(url.server[0], "a.example:4222");
    assert_string_equal(url.server[2], "[::1]:65535");
    assert_string_equal(url.server[3], "b");
    assert_string_equal(bus_url_parameter(&url, "ca"), "/etc/ca.pem");
    assert_string_equal(bus_url_parameter(&url, "tls"), "1");
    assert_null(bus_url_parameter(&url, "key"));
}

static void what_is_not_given_is_null(void **state)
{
    struct bus_url url;

    (void)state;
    parse("kafka://broker:9092", &url);
    assert_string_equal(url.scheme, "kafka");
    assert_null(url.user);
    assert_null(url.password);
    assert_int_equal(url.parameters_count, 0);
    parse("nats://s3cr%3at@h:1", &url);
    assert_string_equal(url.user, "s3cr:t");
    assert_null(url.password);
    parse("nats://a@b:c@h:1", &url); /* the last @ counts */
    assert_string_equal(url.user, "a@b");
    assert_string_equal(url.password, "c");
}

static void values_are_decoded(void **state)
{
    struct bus_url url;

    (void)state;
    parse("nats://h:1?creds=/a%20b%26c&ca=x=y", &url);
    assert_string_equal(bus_url_parameter(&url, "creds"), "/a b&c");
    assert_string_equal(bus_url_parameter(&url, "ca"), "x=y");
}

static void broken_urls_are_refused_and_no_secret_is_told(void **state)
{
    static const char *const urls[] = {
        "",
        "nats",
        "nats:/h:1",
        "nats://",
        "nats://h:",
        "nats://h:0",
        "nats://h:65536",
        "nats://h:1x",
        "nats://h:123456",
        "nats://h:1,",
        "nats://h:1,,i:2",
        "nats://h 1:2",
        "nats://[::1:2",
        "nats://[]:2",
        "nats://[::1]2",
        "nats://h:1/path",
        "nats://@h:1",
        "nats://:SECRET@h:1",
        "nats://me:@h:1",
        "nats://me:SECRET%@h:1",
        "nats://me:SECRET%zz@h:1",
        "nats://me:SECRET%0a@h:1",
        "nats://me:SECRET%00@h:1",
        "nats://me:SECRET?x@h:1",   /* the password was cut: so is the server */
        "nats://me:1?SECRET=x@h:1", /* a password that looks like a port and a name */
        "nats://me:SECRET",
        "nats://h:1?",
        "nats://h:1?ca",
        "nats://h:1?ca=",
        "nats://h:1?=x",
        "nats://h:1?ca=x&ca=y",
        "nats://h:1?ca=%4",
        "nats://h:1?ca=x&",
        "nats://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    };
    struct bus_url url;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct qn_error error = {0};
        if (bus_url_parse(urls[i], &url, &error) != QN_STATUS_INVALID)
            fail_msg("%s was taken", urls[i]);
        assert_int_equal(error.status, QN_STATUS_INVALID);
        assert_null(strstr(error.text, "SECRET"));
        assert_true(strlen(error.text) > 10);
    }
}

static void lengths_are_bounded(void **state)
{
    char text[BUS_URL_BYTES + 1] = "nats://h:1?ca=";
    char many[BUS_URL_BYTES] = "nats://h:1?p=1";
    struct bus_url url;

    (void)state;
    memset(text + strlen(text), 'a', BUS_URL_BYTES - 1 - strlen(text));
    parse(text, &url);
    text[BUS_URL_BYTES - 1] = 'a';
    assert_int_equal(bus_url_parse(text, &url, NULL), QN_STATUS_INVALID);
    for (int i = 1; i <= BUS_URL_PARAMETERS_MAX; i++) {
        parse(many, &url);
        assert_int_equal(url.parameters_count, i);
        size_t used = strlen(many);
        (void)snprintf(many + used, sizeof many - used, "&p%d=1", i);
    }
    assert_int_equal(bus_url_parse(many, &url, NULL), QN_STATUS_INVALID);
}

static void unknown_parameters_are_named(void **state)
{
    static const char *const known[] = {"ca", "creds"};
    struct qn_error error = {0};
    struct bus_url url;

    (void)state;
    parse("nats://h:1?ca=1&cred=SECRET", &url);
    assert_int_equal(bus_url_check_parameters(&url, known, 2, &error), QN_STATUS_INVALID);
    assert_string_equal(error.text, "bus: url: unknown parameter \"cred\" (known: ca, creds)");
    parse("nats://h:1?creds=1&ca=1", &url);
    assert_int_equal(bus_url_check_parameters(&url, known, 2, &error), QN_STATUS_OK);
}

static void what_is_shown_has_no_secret(void **state)
{
    char text[BUS_URL_SHOWN_BYTES];

    (void)state;
    bus_url_show("nats://me:SECRET@h:1,i:2?token_file=x", text);
    assert_string_equal(text, "nats://h:1,i:2");
    bus_url_show("inproc://test", text);
    assert_string_equal(text, "inproc://test");
    bus_url_show("nats://me:SECRET", text);
    assert_string_equal(text, "(no url of a bus)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(what_is_not_given_is_null),
        cmocka_unit_test(values_are_decoded),
        cmocka_unit_test(broken_urls_are_refused_and_no_secret_is_told),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(unknown_parameters_are_named),
        cmocka_unit_test(what_is_shown_has_no_secret),
    };

    return cmocka_run_group_tests_name("channel_bus_url", tests, NULL, NULL);
}
