/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/kafka_trouble.h"

#include "base/error.h"
#include <stdio.h>
#include <string.h>

void kafka_obstacle_note(struct kafka_obstacle *obstacle, enum kafka_trouble_kind kind,
                         const char *text)
{
    if (kind < obstacle->kind)
        return;
    obstacle->kind = kind;
    (void)snprintf(obstacle->text, sizeof obstacle->text, "%s", text);
}

static const char *account(const struct kafka_options *options)
{
    const char *user = kafka_options_find(options, "sasl.username");

    return user != NULL ? user : "who names no account";
}

static const char *file(const struct kafka_options *options)
{
    return *options->path != '\0' ? options->path : "?config=FILE";
}

/* Without the address before it, which we have said: "sasl_ssl://host:9092/bootstrap: ..." */
static const char *after_address(const char *text)
{
    const char *address = strstr(text, "://");
    const char *colon = address != NULL ? strstr(address, ": ") : NULL;

    return colon != NULL ? colon + 2 : text;
}

enum qn_status kafka_say_no_login(const struct kafka_options *options, struct qn_error *error)
{
    return error_set(error, QN_STATUS_NOT_PERMITTED,
                     "the broker does not let in \"%.72s\": check sasl.* in %.100s",
                     account(options), file(options));
}

enum qn_status kafka_say_no_acl(const struct kafka_options *options, const char *verb,
                                const char *topic, struct qn_error *error)
{
    return error_set(error, QN_STATUS_NOT_PERMITTED,
                     "the broker refuses \"%.64s\" to %s topic %.80s: give the account that ACL "
                     "(PROTOCOL.md, Security)",
                     account(options), verb, topic);
}

enum qn_status kafka_obstacle_say(const struct kafka_obstacle *obstacle,
                                  const struct kafka_options *options, struct qn_error *error)
{
    const char *text = obstacle->text;

    if (obstacle->kind == KAFKA_NO_LOGIN)
        return error_set(error, QN_STATUS_NOT_PERMITTED,
                         "bus: kafka://%.48s does not let in \"%.32s\": check sasl.* in %.64s: %s",
                         options->servers, account(options), file(options), after_address(text));
    if (obstacle->kind == KAFKA_NO_TLS)
        return error_set(error, QN_STATUS_CONFIG,
                         "bus: no TLS with kafka://%.48s: check ssl.* in %.64s: %s",
                         options->servers, file(options), after_address(text));
    return error_set(error, QN_STATUS_UNAVAILABLE, "bus: connect to kafka://%.80s: %s",
                     options->servers, *text != '\0' ? text : "no answer");
}
