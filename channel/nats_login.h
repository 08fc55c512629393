/* SPDX-License-Identifier: Apache-2.0
 * How we log in to NATS, from the URL and the files that it names:
 *
 *   nats://[user:password@|token@]host:port[,host:port...][?name=value...]; tls:// wants TLS
 *
 *   creds=FILE           a .creds file: JWT and seed (decentralised security)
 *   nkey=FILE            the seed of a user's nkey
 *   password_file=FILE   the password of user@
 *   token_file=FILE      a token
 *   tls=1                TLS, as tls:// says it
 *   ca=FILE              certificates to trust, PEM; implies TLS
 *   cert=FILE, key=FILE  our certificate and its key, PEM; implies TLS
 *
 * At most one of password, token, creds, nkey. */
#ifndef CHANNEL_NATS_LOGIN_H
#define CHANNEL_NATS_LOGIN_H

#include "channel/bus_url.h"
#include "channel/nkey.h"

enum { NATS_LOGIN_SECRET_BYTES = 1024, NATS_LOGIN_ACCOUNT_BYTES = 96 };

/* NULL or empty: not that way. Paths and names point into the URL. */
struct nats_login {
    const char *user;
    char secret[NATS_LOGIN_SECRET_BYTES]; /* the password, or without a user the token */
    const char *creds, *nkey;
    char nkey_public[NKEY_PUBLIC_BYTES];
    bool is_tls;
    const char *ca, *cert, *key;
    char account[NATS_LOGIN_ACCOUNT_BYTES]; /* for people: "agent7", no secret */
};

/* Reads the files. INVALID, NOT_FOUND, IO: names the parameter and the file, never a secret. */
enum qn_status nats_login_read(const struct bus_url *url, struct nats_login *ret_login,
                               struct qn_error *error);
/* Sets the error of a connection that could not be made; detail: the library's words. */
enum qn_status nats_login_explain(const struct nats_login *login, enum qn_status status,
                                  const char *servers, const char *detail, struct qn_error *error);
/* Wipes the secret. */
void nats_login_done(struct nats_login *login);

#endif
