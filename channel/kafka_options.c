/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/kafka_options.h"

#include "base/check.h"
#include "base/error.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 64 << 10 };

/* Messages of 1 MiB, with room for key and framing. An outage is noticed in seconds. The queues
 * are bounded, 10 MiB together: a full one answers BUSY, and what a slow reader has not taken stays
 * with the broker.
 */
#define DEFAULTS                                                                                   \
    {"broker.address.ttl", "1000", 0}, {"message.max.bytes", "1056768", 0},                        \
        {"reconnect.backoff.max.ms", "1000", 0}, {"reconnect.backoff.ms", "100", 0},               \
        {"socket.keepalive.enable", "true", 0}, {"socket.nagle.disable", "true", 0},               \
        {"socket.timeout.ms", "5000", 0}, {"topic.metadata.refresh.fast.interval.ms", "100", 0},   \
    {                                                                                              \
        "topic.metadata.refresh.sparse", "true", 0                                                 \
    }

static const struct kafka_property producing[] = {
    DEFAULTS,
    {"delivery.report.only.error", "true", 0}, /* one wake-up a message less */
    {"enable.idempotence", "true", 0},
    {"linger.ms", "0", 0},
    {"message.timeout.ms", "5000", 0},
    {"queue.buffering.max.kbytes", "4096", 0},
    {"queue.buffering.max.messages", "65536", 0},
};
static const struct kafka_property reading[] = {
    DEFAULTS,
    {"auto.commit.enable", "false", 0},
    {"auto.offset.reset", "earliest", 0}, /* the offset is gone: repeats rather than a gap */
    {"enable.auto.commit", "false", 0},
    {"enable.auto.offset.store", "false", 0},
    {"enable.partition.eof", "true", 0}, /* who reads hears that all is read */
    {"fetch.error.backoff.ms", "100", 0},
    {"fetch.max.bytes", "2097152", 0},
    {"fetch.min.bytes", "1", 0},
    {"fetch.wait.max.ms", "100", 0},
    {"queued.max.messages.kbytes", "4096", 0},
};

const struct kafka_property *kafka_defaults(enum kafka_role role, size_t *ret_count)
{
    *ret_count = role == KAFKA_PRODUCER ? COUNT_OF(producing) : COUNT_OF(reading);
    return role == KAFKA_PRODUCER ? producing : reading;
}

static char *trim(char *text)
{
    static const char blanks[] = " \t\r";
    text += strspn(text, blanks);
    size_t bytes = strlen(text);

    while (bytes > 0 && strchr(blanks, text[bytes - 1]) != NULL)
        bytes--;
    text[bytes] = '\0';
    return text;
}

/* malloc; NULL: error is set. */
static char *read_file(const char *path, struct qn_error *error)
{
    FILE *file = fopen(path, "re");
    char *text = file != NULL ? malloc(FILE_BYTES_MAX) : NULL;

    if (file == NULL) {
        (void)error_errno(error, errno, "bus: open %s", path);
        if (error != NULL)
            error->status = QN_STATUS_CONFIG;
        return NULL;
    }
    size_t bytes = text != NULL ? fread(text, 1, FILE_BYTES_MAX, file) : 0;
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (text == NULL || failed || bytes == FILE_BYTES_MAX || memchr(text, '\0', bytes) != NULL) {
        (void)error_set(error, QN_STATUS_CONFIG, "bus: %s is no file of properties, name=value",
                        path);
        free(text);
        return NULL;
    }
    text[bytes] = '\0';
    return text;
}

static enum qn_status read_line(struct kafka_options *options, char *line, unsigned number,
                                struct qn_error *error)
{
    char *name = trim(line), *equals = strchr(name, '=');

    if (*name == '\0' || *name == '#')
        return QN_STATUS_OK;
    if (equals == NULL || equals == name)
        return error_set(error, QN_STATUS_CONFIG, "bus: %s:%u: not name=value", options->path,
                         number);
    if (options->properties_count == KAFKA_PROPERTIES_MAX)
        return error_set(error, QN_STATUS_CONFIG, "bus: %s:%u: more than %d properties",
                         options->path, number, KAFKA_PROPERTIES_MAX);
    *equals = '\0';
    options->properties[options->properties_count++] = (struct kafka_property){
        .name = trim(name),
        .value = trim(equals + 1),
        .line = number,
    };
    return QN_STATUS_OK;
}

static enum qn_status read_properties(struct kafka_options *options, struct qn_error *error)
{
    enum qn_status status = QN_STATUS_OK;
    char *rest = options->text = read_file(options->path, error), *line;

    if (rest == NULL)
        return QN_STATUS_CONFIG;
    for (unsigned number = 1; status == QN_STATUS_OK && (line = strsep(&rest, "\n")) != NULL;
         number++)
        status = read_line(options, line, number, error);
    return status;
}

enum qn_status kafka_options_read(const char *url, const char *name,
                                  struct kafka_options *ret_options, struct qn_error *error)
{
    static const char *const known[] = {"config"};
    struct bus_url parsed;

    *ret_options = (struct kafka_options){.text = NULL};
    if (bus_url_parse(url, &parsed, error) != QN_STATUS_OK ||
        bus_url_check_parameters(&parsed, known, COUNT_OF(known), error) != QN_STATUS_OK)
        return QN_STATUS_INVALID;
    if (strcmp(parsed.scheme, "kafka") != 0 || parsed.user != NULL)
        return error_set(error, QN_STATUS_INVALID,
                         "bus: not kafka://host:port[,host:port...][?config=FILE]; a user and its "
                         "password are sasl.username and sasl.password in FILE");
    (void)snprintf(ret_options->servers, sizeof ret_options->servers, "%s", parsed.servers);
    ret_options->properties[ret_options->properties_count++] =
        (struct kafka_property){"bootstrap.servers", ret_options->servers, 0};
    (void)snprintf(ret_options->name, sizeof ret_options->name, "%s", name);
    ret_options->properties[ret_options->properties_count++] =
        (struct kafka_property){"client.id", ret_options->name, 0};
    const char *path = bus_url_parameter(&parsed, "config");
    if (path == NULL)
        return QN_STATUS_OK;
    (void)snprintf(ret_options->path, sizeof ret_options->path, "%s", path);
    enum qn_status status = read_properties(ret_options, error);
    if (status != QN_STATUS_OK)
        kafka_options_done(ret_options);
    return status;
}

const char *kafka_options_find(const struct kafka_options *options, const char *name)
{
    for (size_t i = options->properties_count; i > 0; i--)
        if (strcmp(options->properties[i - 1].name, name) == 0)
            return options->properties[i - 1].value;
    return NULL;
}

void kafka_options_done(struct kafka_options *options)
{
    if (options->text != NULL)
        explicit_bzero(options->text, FILE_BYTES_MAX); /* it holds passwords */
    free(options->text);
    *options = (struct kafka_options){.text = NULL};
}
