/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/nats_login.h"

#include "base/check.h"
#include "base/error.h"
#include "base/files.h"
#include <stdio.h>
#include <string.h>

static const char *const parameters[] = {
    "creds", "nkey", "ca", "cert", "key", "password_file", "token_file", "tls",
};

static enum qn_status read_file(const struct bus_url *url, const char *name, char *ret_text,
                                size_t text_bytes, struct qn_error *error)
{
    struct files files = files_posix();
    struct qn_error inner = {0};
    size_t size = 0;
    enum qn_status status = files.ops->read_small(files.self, bus_url_parameter(url, name),
                                                  ret_text, text_bytes - 1, &size, &inner);

    if (status != QN_STATUS_OK)
        return error_set(error, status, "bus: parameter \"%s\": %s", name, inner.text);
    ret_text[size] = '\0';
    if (strlen(ret_text) != size || size == 0)
        return error_set(error, QN_STATUS_INVALID, "bus: parameter \"%s\": %.120s is %s", name,
                         bus_url_parameter(url, name), size == 0 ? "empty" : "not a text");
    return QN_STATUS_OK;
}

/* The library does not name a file that it cannot read; so it is looked at here first. */
static enum qn_status check_file(const struct bus_url *url, const char *name, const char **ret_path,
                                 struct qn_error *error)
{
    struct files files = files_posix();
    struct qn_error inner = {0};
    struct file file = {0};
    const char *path = bus_url_parameter(url, name);

    if (path == NULL)
        return QN_STATUS_OK;
    enum qn_status status = files.ops->open(files.self, path, &file, &inner);
    if (status != QN_STATUS_OK)
        return error_set(error, status, "bus: parameter \"%s\": %s", name, inner.text);
    files.ops->close(files.self, &file);
    if (file.size_bytes == 0)
        return error_set(error, QN_STATUS_INVALID, "bus: parameter \"%s\": %.120s is empty", name,
                         path);
    *ret_path = path;
    return QN_STATUS_OK;
}

/* The file's first line, without what surrounds it. */
static enum qn_status read_secret(const struct bus_url *url, const char *name,
                                  struct nats_login *login, struct qn_error *error)
{
    enum qn_status status = read_file(url, name, login->secret, sizeof login->secret, error);

    if (status != QN_STATUS_OK)
        return status;
    login->secret[strcspn(login->secret, "\r\n")] = '\0';
    if (login->secret[0] == '\0')
        return error_set(error, QN_STATUS_INVALID, "bus: parameter \"%s\": %.120s: no secret in it",
                         name, bus_url_parameter(url, name));
    return QN_STATUS_OK;
}

static enum qn_status check_ways(const struct bus_url *url, struct qn_error *error)
{
    bool has_password = url->password != NULL;
    bool has_password_file = bus_url_parameter(url, "password_file") != NULL;
    bool has_token = url->user != NULL && !has_password && !has_password_file;
    int ways = has_password + has_password_file + has_token +
               (bus_url_parameter(url, "token_file") != NULL) +
               (bus_url_parameter(url, "creds") != NULL) + (bus_url_parameter(url, "nkey") != NULL);
    const char *tls = bus_url_parameter(url, "tls");

    if (ways > 1)
        return error_set(error, QN_STATUS_INVALID,
                         "bus: url: more than one of password, password_file, token, token_file, "
                         "creds and nkey");
    if (has_password_file && url->user == NULL)
        return error_set(error, QN_STATUS_INVALID,
                         "bus: url: parameter \"password_file\" wants user@ before the host");
    if (tls != NULL && strcmp(tls, "1") != 0)
        return error_set(error, QN_STATUS_INVALID, "bus: url: parameter \"tls\" is not 1");
    if ((bus_url_parameter(url, "cert") == NULL) != (bus_url_parameter(url, "key") == NULL))
        return error_set(error, QN_STATUS_INVALID,
                         "bus: url: parameters \"cert\" and \"key\" go together");
    return QN_STATUS_OK;
}

static enum qn_status read_nkey(const struct bus_url *url, struct nats_login *login,
                                struct qn_error *error)
{
    char text[NATS_LOGIN_SECRET_BYTES];

    login->nkey = bus_url_parameter(url, "nkey");
    if (login->nkey == NULL)
        return QN_STATUS_OK;
    enum qn_status status = read_file(url, "nkey", text, sizeof text, error);
    if (status == QN_STATUS_OK && !nkey_public_of_seed(text, login->nkey_public))
        status = error_set(error, QN_STATUS_INVALID,
                           "bus: parameter \"nkey\": %.120s: no seed of a user (SU...) in it",
                           login->nkey);
    explicit_bzero(text, sizeof text);
    return status;
}

static enum qn_status read_password_or_token(const struct bus_url *url, struct nats_login *login,
                                             struct qn_error *error)
{
    bool has_password_file = bus_url_parameter(url, "password_file") != NULL;

    if (has_password_file || url->password != NULL)
        login->user = url->user;
    if (has_password_file)
        return read_secret(url, "password_file", login, error);
    if (bus_url_parameter(url, "token_file") != NULL)
        return read_secret(url, "token_file", login, error);
    const char *secret = url->password != NULL ? url->password : url->user;
    if (secret != NULL && strlen(secret) >= sizeof login->secret)
        return error_set(error, QN_STATUS_INVALID, "bus: url: password or token too long");
    (void)snprintf(login->secret, sizeof login->secret, "%s", secret == NULL ? "" : secret);
    return QN_STATUS_OK;
}

static void name_account(struct nats_login *login)
{
    char *text = login->account;
    size_t bytes = sizeof login->account;

    if (login->user != NULL)
        (void)snprintf(text, bytes, "\"%.64s\"", login->user);
    else if (login->secret[0] != '\0')
        (void)snprintf(text, bytes, "the account of the token");
    else if (login->nkey != NULL)
        (void)snprintf(text, bytes, "nkey %s", login->nkey_public);
    else if (login->creds != NULL)
        (void)snprintf(text, bytes, "the account of %.64s", login->creds);
    else if (login->cert != NULL)
        (void)snprintf(text, bytes, "the account of %.64s", login->cert);
    else
        (void)snprintf(text, bytes, "who names no account");
}

enum qn_status nats_login_read(const struct bus_url *url, struct nats_login *ret_login,
                               struct qn_error *error)
{
    enum qn_status status = bus_url_check_parameters(url, parameters, COUNT_OF(parameters), error);

    *ret_login = (struct nats_login){.user = NULL};
    if (status == QN_STATUS_OK)
        status = check_ways(url, error);
    if (status == QN_STATUS_OK)
        status = read_password_or_token(url, ret_login, error);
    if (status == QN_STATUS_OK)
        status = read_nkey(url, ret_login, error);
    if (status == QN_STATUS_OK)
        status = check_file(url, "creds", &ret_login->creds, error);
    if (status == QN_STATUS_OK)
        status = check_file(url, "ca", &ret_login->ca, error);
    if (status == QN_STATUS_OK)
        status = check_file(url, "cert", &ret_login->cert, error);
    if (status == QN_STATUS_OK)
        status = check_file(url, "key", &ret_login->key, error);
    ret_login->is_tls = strcmp(url->scheme, "tls") == 0 || bus_url_parameter(url, "tls") != NULL ||
                        ret_login->ca != NULL || ret_login->cert != NULL;
    name_account(ret_login);
    return status;
}

/* "(conn.c:1905): Authorization Violation" -> what follows the place */
static const char *without_place(const char *detail)
{
    const char *place_end = detail[0] == '(' ? strstr(detail, "): ") : NULL;

    return place_end == NULL ? detail : place_end + 3;
}

enum qn_status nats_login_explain(const struct nats_login *login, enum qn_status status,
                                  const char *servers, const char *detail, struct qn_error *error)
{
    detail = without_place(detail);
    if (status == QN_STATUS_NOT_PERMITTED)
        return error_set(error, status,
                         "bus: %.80s does not let in %.72s (%.40s): check the user, password, "
                         "token or key",
                         servers, login->account, detail);
    if (status == QN_STATUS_CONFIG && strcasestr(detail, "secure connection") != NULL)
        return error_set(error, status, "bus: %.80s: %s", servers,
                         login->is_tls ? "we want TLS (tls://, tls=, ca=, cert=), it has none"
                                       : "it wants TLS: tls://, or ca=FILE");
    /* By TLS 1.3 the server looks at our certificate when we believe to be through. */
    if (status == QN_STATUS_UNAVAILABLE && login->is_tls && strstr(detail, "got ''") != NULL)
        return error_set(error, QN_STATUS_CONFIG,
                         "bus: %.80s ended the connection after TLS: it may not take %s", servers,
                         login->cert == NULL ? "clients without a certificate (cert=, key=)"
                                             : "our certificate (cert=)");
    return error_set(error, status, "bus: connect to %.80s: %.140s", servers, detail);
}

void nats_login_done(struct nats_login *login)
{
    explicit_bzero(login->secret, sizeof login->secret);
}
