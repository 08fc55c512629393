/* SPDX-License-Identifier: Apache-2.0
 * A Kafka bus in one line: kafka://host:port[,host:port...][?config=FILE]. FILE holds properties of
 * librdkafka, one `name=value` a line; empty lines and lines that begin with # say nothing. Secrets
 * go there: the URL takes none. */
#ifndef CHANNEL_KAFKA_OPTIONS_H
#define CHANNEL_KAFKA_OPTIONS_H

#include "base/limits.h"
#include "channel/bus_url.h"

enum { KAFKA_PROPERTIES_MAX = 64 };

struct kafka_property {
    const char *name, *value;
    unsigned line;
};

/* Points into itself: not to be copied. */
struct kafka_options {
    char servers[BUS_URL_BYTES];     /* host:port,host:port */
    char name[LIMIT_NAME_BYTES + 1]; /* client.id: shown by the broker */
    char path[BUS_URL_BYTES];        /* of FILE; empty: none */
    char *text;                      /* malloc: FILE, cut up; the properties point into it */
    struct kafka_property properties[KAFKA_PROPERTIES_MAX]; /* the first two are ours */
    size_t properties_count;
};

enum kafka_role { KAFKA_PRODUCER, KAFKA_READER };

/* What holds unless FILE says otherwise. */
const struct kafka_property *kafka_defaults(enum kafka_role role, size_t *ret_count);

/* INVALID: no such url. CONFIG: FILE cannot be read or has a bad line; the error names both. */
enum qn_status kafka_options_read(const char *url, const char *name,
                                  struct kafka_options *ret_options, struct qn_error *error);
/* The value of a property of FILE, the last one; NULL: there is none. */
const char *kafka_options_find(const struct kafka_options *options, const char *name);
void kafka_options_done(struct kafka_options *options);

#endif
