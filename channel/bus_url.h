/* SPDX-License-Identifier: Apache-2.0
 * The URL of a bus, taken apart:
 *
 *   SCHEME://[USER:PASSWORD@ | TOKEN@]HOST[:PORT][,HOST[:PORT]...][?NAME=VALUE[&NAME=VALUE...]]
 *
 * User, password, token and values may hold %XX. What a parameter means is the transport's. Pure:
 * reads no file. */
#ifndef CHANNEL_BUS_URL_H
#define CHANNEL_BUS_URL_H

#include "qnode/types.h"

enum { BUS_URL_BYTES = 2048, BUS_URL_SERVERS_MAX = 16, BUS_URL_PARAMETERS_MAX = 16 };

struct bus_url_parameter {
    const char *name, *value; /* the value is not empty */
};

/* Points into its own text: not to be copied. */
struct bus_url {
    const char *scheme;   /* "nats" */
    const char *user;     /* NULL: none; without a password it is a token */
    const char *password; /* NULL: none */
    const char *servers;  /* "host:4222,[::1]:4223": as written, for people; never a secret */
    const char *server[BUS_URL_SERVERS_MAX]; /* one by one */
    size_t servers_count;                    /* at least 1 */
    struct bus_url_parameter parameters[BUS_URL_PARAMETERS_MAX];
    size_t parameters_count;
    char text[2 * BUS_URL_BYTES];
};

/* INVALID: the text says what is wrong, never a part of the URL that may be a secret. */
enum qn_status bus_url_parse(const char *url, struct bus_url *ret_url, struct qn_error *error);

/* NULL: not given. */
const char *bus_url_parameter(const struct bus_url *url, const char *name);

/* INVALID if the URL has a parameter whose name is not in the list; the text names it and the ones
 * that are known. */
enum qn_status bus_url_check_parameters(const struct bus_url *url, const char *const *known,
                                        size_t known_count, struct qn_error *error);

/* The URL for people: scheme and servers, nothing that may be a secret. Cut off when long. */
enum { BUS_URL_SHOWN_BYTES = 128 };
void bus_url_show(const char *url, char ret_text[BUS_URL_SHOWN_BYTES]);

#endif
