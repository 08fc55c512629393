/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "channel/nats_refusals.h"
#include "channel/nkey.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>

static void the_words_of_the_server_are_understood(void **state)
{
    static const struct {
        const char *text, *subject;
        bool is_subscription;
    } rows[] = {
        {"Permissions Violation for Publish to \"a.b\"", "a.b", false},
        {"permissions violation for publish to a.b", "a.b", false},
        {"Permissions Violation for Subscription to \"a.*.c\"", "a.*.c", true},
        {"Permissions Violation for Subscription to \"a.>\" using queue \"q\"", "a.>", true},
        {"Authorization Violation", NULL, false},
        {"Permissions Violation for Publish to \"\"", NULL, false},
        {"", NULL, false},
    };
    char longer[400] = "Permissions Violation for Publish to \"";
    struct nats_refusal refusal;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(nats_refusal_parse(rows[i].text, &refusal), rows[i].subject != NULL);
        if (rows[i].subject == NULL)
            continue;
        assert_string_equal(refusal.subject, rows[i].subject);
        assert_int_equal(refusal.is_subscription, rows[i].is_subscription);
    }
    memset(longer + strlen(longer), 'a', sizeof longer - 1 - strlen(longer));
    assert_false(nats_refusal_parse(longer, &refusal));
}

static void a_refusal_is_found_as_long_as_it_is_new(void **state)
{
    struct nats_refusals refusals;
    struct nats_refusal refusal = {.subject = "a.b", .at_ms = 100}, found;

    (void)state;
    nats_refusals_init(&refusals);
    assert_false(nats_refusals_find(&refusals, "", 0, &found));
    assert_false(nats_refusals_find(&refusals, "a.b", 0, &found));
    nats_refusals_add(&refusals, &refusal);
    assert_true(nats_refusals_find(&refusals, "a.b", 100, &found));
    assert_false(nats_refusals_find(&refusals, "a.b", 101, &found));
    refusal.at_ms = 200;
    nats_refusals_add(&refusals, &refusal);
    assert_true(nats_refusals_find(&refusals, "a.b", 200, &found));
    nats_refusals_done(&refusals);
}

static void the_oldest_is_forgotten(void **state)
{
    struct nats_refusals refusals;
    struct nats_refusal refusal = {.at_ms = 1}, found;

    (void)state;
    nats_refusals_init(&refusals);
    for (int i = 0; i <= NATS_REFUSALS_MAX; i++) {
        (void)snprintf(refusal.subject, sizeof refusal.subject, "s.%d", i);
        nats_refusals_add(&refusals, &refusal);
    }
    assert_false(nats_refusals_find(&refusals, "s.0", 0, &found));
    assert_true(nats_refusals_find(&refusals, "s.1", 0, &found));
    assert_true(nats_refusals_find(&refusals, refusal.subject, 0, &found));
    nats_refusals_done(&refusals);
}

/* That the public key is the right one, a server says: contract/nats_security_test.c. */
static void what_is_no_seed_of_a_user_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "SU",
        "SUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* its sum is wrong */
        "su1111111111111111111111111111111111111111111111111111111!",
    };
    char key[NKEY_PUBLIC_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(nkey_public_of_seed(texts[i], key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_the_server_are_understood),
        cmocka_unit_test(a_refusal_is_found_as_long_as_it_is_new),
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(what_is_no_seed_of_a_user_is_refused),
    };

    return cmocka_run_group_tests_name("channel_nats_refusals", tests, NULL, NULL);
}
