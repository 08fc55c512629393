/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing the URL of a bus. What parses is put together again from its parts, and must parse to the
 * same parts; what does not parse says so without a piece of what may be a secret: each byte 1 of
 * the input stands for a word that no text may show. */
#include "base/check.h"
#include "channel/bus_url.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_BYTES_MAX = 4 * BUS_URL_BYTES };

static const char secret[] = "Zq7Xw9";

struct text {
    char bytes[4 * URL_BYTES_MAX];
    size_t count;
};

static void add(struct text *text, const char *more)
{
    size_t bytes = strlen(more);

    CHECK(text->count + bytes < sizeof text->bytes);
    memcpy(text->bytes + text->count, more, bytes + 1);
    text->count += bytes;
}

/* Every byte that is no letter or digit as %XX. */
static void add_escaped(struct text *text, const char *more)
{
    for (; *more != '\0'; more++) {
        char escaped[4] = {*more};
        if (isalnum((unsigned char)*more) == 0)
            (void)snprintf(escaped, sizeof escaped, "%%%02X", (unsigned char)*more);
        add(text, escaped);
    }
}

static void put_together(const struct bus_url *url, struct text *ret_text)
{
    ret_text->count = 0;
    add(ret_text, url->scheme);
    add(ret_text, "://");
    if (url->user != NULL)
        add_escaped(ret_text, url->user);
    if (url->password != NULL) {
        add(ret_text, ":");
        add_escaped(ret_text, url->password);
    }
    add(ret_text, url->user == NULL ? "" : "@");
    for (size_t i = 0; i < url->servers_count; i++) {
        add(ret_text, i == 0 ? "" : ",");
        add(ret_text, url->server[i]);
    }
    for (size_t i = 0; i < url->parameters_count; i++) {
        add(ret_text, i == 0 ? "?" : "&");
        add(ret_text, url->parameters[i].name);
        add(ret_text, "=");
        add_escaped(ret_text, url->parameters[i].value);
    }
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same(const struct bus_url *a, const struct bus_url *b)
{
    CHECK(is_same(a->scheme, b->scheme) && is_same(a->user, b->user));
    CHECK(is_same(a->password, b->password) && is_same(a->servers, b->servers));
    CHECK(a->servers_count == b->servers_count && a->parameters_count == b->parameters_count);
    for (size_t i = 0; i < a->servers_count; i++)
        CHECK(is_same(a->server[i], b->server[i]));
    for (size_t i = 0; i < a->parameters_count; i++) {
        CHECK(is_same(a->parameters[i].name, b->parameters[i].name));
        CHECK(is_same(a->parameters[i].value, b->parameters[i].value));
        CHECK(bus_url_parameter(a, b->parameters[i].name) == a->parameters[i].value);
    }
}

static void check_parts(const struct bus_url *url)
{
    CHECK(url->servers_count >= 1 && url->servers_count <= BUS_URL_SERVERS_MAX);
    CHECK(url->parameters_count <= BUS_URL_PARAMETERS_MAX);
    CHECK(url->password == NULL || url->user != NULL);
    CHECK(strpbrk(url->servers, "@?/ ") == NULL);
    for (size_t i = 0; i < url->servers_count; i++)
        CHECK(url->server[i][0] != '\0' && strchr(url->server[i], ',') == NULL);
    for (size_t i = 0; i < url->parameters_count; i++)
        CHECK(url->parameters[i].name[0] != '\0' && url->parameters[i].value[0] != '\0');
}

static void check_url(const char *text)
{
    static struct bus_url url, again;
    static struct text whole;
    struct qn_error error = {0};

    if (bus_url_parse(text, &url, &error) != QN_STATUS_OK) {
        CHECK(strncmp(error.text, "bus: ", 5) == 0 && strstr(error.text, secret) == NULL);
        return;
    }
    check_parts(&url);
    put_together(&url, &whole);
    if (whole.count < BUS_URL_BYTES) {
        CHECK(bus_url_parse(whole.bytes, &again, NULL) == QN_STATUS_OK);
        check_same(&url, &again);
    }
    if (bus_url_check_parameters(&url, (const char *const[]){"tls", "ca"}, 2, &error) !=
        QN_STATUS_OK)
        CHECK(strstr(error.text, secret) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char text[URL_BYTES_MAX];
    size_t at = 0;

    for (size_t i = 0; i < size && bytes[i] != '\0' && at < sizeof text - sizeof secret; i++) {
        if (bytes[i] == 1) {
            memcpy(text + at, secret, sizeof secret - 1);
            at += sizeof secret - 1;
        } else {
            text[at++] = (char)bytes[i];
        }
    }
    text[at] = '\0';
    /* A block of its own, so that a read beyond the end is seen. */
    char *url = strdup(text);
    CHECK(url != NULL);
    check_url(url);
    free(url);
    return 0;
}
