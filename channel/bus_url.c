/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/bus_url.h"

#include "base/error.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* In place. False: not two hex digits, or a zero byte, a line end or the like. */
static bool decode_percent(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        char byte = *at;
        if (byte == '%') {
            int high = hex_value(at[1]), low = high < 0 ? -1 : hex_value(at[2]);
            if (low < 0)
                return false;
            byte = (char)(high * 16 + low);
            at += 2;
        }
        if ((unsigned char)byte < 0x20 || byte == 0x7f)
            return false;
        *to++ = byte;
    }
    *to = '\0';
    return true;
}

/* host, host:port, [v6], [v6]:port */
static bool is_server(const char *text)
{
    size_t host_bytes;

    if (*text == '[') {
        host_bytes = strspn(text + 1, "0123456789abcdefABCDEF:.") + 1;
        if (host_bytes < 3 || text[host_bytes] != ']')
            return false;
        host_bytes++;
    } else {
        for (host_bytes = 0; isalnum((unsigned char)text[host_bytes]) != 0 ||
                             (text[host_bytes] != '\0' && strchr("-._", text[host_bytes]) != NULL);
             host_bytes++)
            continue;
    }
    if (host_bytes == 0 || text[host_bytes] == '\0')
        return host_bytes > 0;
    const char *port = text + host_bytes + 1;
    size_t digits = strspn(port, "0123456789");
    return text[host_bytes] == ':' && digits > 0 && digits <= 5 && port[digits] == '\0' &&
           atoi(port) >= 1 && atoi(port) <= 65535;
}

static enum qn_status parse_servers(char *text, struct bus_url *url, struct qn_error *error)
{
    for (char *at = text, *comma; at != NULL; at = comma) {
        if (url->servers_count == BUS_URL_SERVERS_MAX)
            return error_set(error, QN_STATUS_INVALID, "bus: url with more than %d servers",
                             BUS_URL_SERVERS_MAX);
        comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        if (!is_server(at))
            return error_set(error, QN_STATUS_INVALID,
                             "bus: url: server %zu is not host:port (in a password or a token, "
                             "special characters are written %%XX)",
                             url->servers_count + 1);
        url->server[url->servers_count++] = at;
    }
    return QN_STATUS_OK;
}

static enum qn_status parse_user(char *text, struct bus_url *url, struct qn_error *error)
{
    char *colon = strchr(text, ':');

    if (colon != NULL) {
        *colon = '\0';
        url->password = colon + 1;
    }
    url->user = text;
    if (!decode_percent(text) || (colon != NULL && !decode_percent(colon + 1)))
        return error_set(error, QN_STATUS_INVALID,
                         "bus: url: user, password or token has a %% that is not %%XX");
    if (*text == '\0')
        return error_set(error, QN_STATUS_INVALID, "bus: url: empty user or token before the @");
    if (colon != NULL && colon[1] == '\0')
        return error_set(error, QN_STATUS_INVALID, "bus: url: empty password before the @");
    return QN_STATUS_OK;
}

static bool is_name(const char *text)
{
    return *text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0';
}

static enum qn_status parse_parameter(char *text, struct bus_url *url, struct qn_error *error)
{
    char *equals = strchr(text, '=');

    if (equals != NULL)
        *equals = '\0';
    if (equals == NULL || !is_name(text))
        return error_set(error, QN_STATUS_INVALID, "bus: url: parameter %zu is not name=value",
                         url->parameters_count + 1);
    if (!decode_percent(equals + 1))
        return error_set(error, QN_STATUS_INVALID,
                         "bus: url: parameter \"%.32s\" has a %% that is not %%XX", text);
    if (equals[1] == '\0')
        return error_set(error, QN_STATUS_INVALID, "bus: url: parameter \"%.32s\" is empty", text);
    if (bus_url_parameter(url, text) != NULL)
        return error_set(error, QN_STATUS_INVALID, "bus: url: parameter \"%.32s\" is given twice",
                         text);
    if (url->parameters_count == BUS_URL_PARAMETERS_MAX)
        return error_set(error, QN_STATUS_INVALID, "bus: url with more than %d parameters",
                         BUS_URL_PARAMETERS_MAX);
    url->parameters[url->parameters_count++] =
        (struct bus_url_parameter){.name = text, .value = equals + 1};
    return QN_STATUS_OK;
}

static enum qn_status parse_parameters(char *text, struct bus_url *url, struct qn_error *error)
{
    enum qn_status status = QN_STATUS_OK;

    for (char *at = text, *next; status == QN_STATUS_OK && at != NULL; at = next) {
        next = strchr(at, '&');
        if (next != NULL)
            *next++ = '\0';
        status = parse_parameter(at, url, error);
    }
    return status;
}

enum qn_status bus_url_parse(const char *url, struct bus_url *ret_url, struct qn_error *error)
{
    char *text = ret_url->text;
    size_t bytes = strlen(url);

    if (bytes >= BUS_URL_BYTES)
        return error_set(error, QN_STATUS_INVALID, "bus: url of more than %d bytes",
                         BUS_URL_BYTES - 1);
    memset(ret_url, 0, sizeof *ret_url);
    memcpy(text, url, bytes + 1);
    char *authority = strstr(text, "://");
    if (authority == NULL)
        return error_set(error, QN_STATUS_INVALID, "bus: url is not scheme://host:port");
    *authority = '\0';
    authority += 3;
    ret_url->scheme = text;
    char *query = strchr(authority, '?');
    if (query != NULL)
        *query++ = '\0';
    char *at = strrchr(authority, '@'); /* the last: who forgot to write %40 is understood */
    char *servers = at == NULL ? authority : at + 1;
    char *copy = text + BUS_URL_BYTES;
    memcpy(copy, servers, strlen(servers) + 1);
    ret_url->servers = copy;
    if (at != NULL) {
        *at = '\0';
        if (parse_user(authority, ret_url, error) != QN_STATUS_OK)
            return QN_STATUS_INVALID;
    }
    if (parse_servers(servers, ret_url, error) != QN_STATUS_OK)
        return QN_STATUS_INVALID;
    return query == NULL ? QN_STATUS_OK : parse_parameters(query, ret_url, error);
}

const char *bus_url_parameter(const struct bus_url *url, const char *name)
{
    for (size_t i = 0; i < url->parameters_count; i++)
        if (strcmp(url->parameters[i].name, name) == 0)
            return url->parameters[i].value;
    return NULL;
}

static bool is_known(const char *name, const char *const *known, size_t known_count)
{
    for (size_t i = 0; i < known_count; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

enum qn_status bus_url_check_parameters(const struct bus_url *url, const char *const *known,
                                        size_t known_count, struct qn_error *error)
{
    char names[160] = "";

    for (size_t i = 0; i < known_count; i++) {
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", known[i]);
    }
    for (size_t i = 0; i < url->parameters_count; i++)
        if (!is_known(url->parameters[i].name, known, known_count))
            return error_set(error, QN_STATUS_INVALID,
                             "bus: url: unknown parameter \"%.32s\" (known: %s)",
                             url->parameters[i].name, names);
    return QN_STATUS_OK;
}

void bus_url_show(const char *url, char ret_text[BUS_URL_SHOWN_BYTES])
{
    struct bus_url parsed;

    if (bus_url_parse(url, &parsed, NULL) != QN_STATUS_OK)
        (void)snprintf(ret_text, BUS_URL_SHOWN_BYTES, "(no url of a bus)");
    else
        (void)snprintf(ret_text, BUS_URL_SHOWN_BYTES, "%.16s://%s", parsed.scheme, parsed.servers);
    explicit_bzero(&parsed, sizeof parsed);
}
