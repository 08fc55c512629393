/* SPDX-License-Identifier: Apache-2.0
 * The second file that includes libnats, after channel/transport_nats.c: a comparison with the bare
 * library cannot go through our transport, whose price is what is asked for. It is a bench; no
 * program that serves links it. */
#include "bench/bare_nats.h"

#include "base/error.h"
#include <nats/nats.h>
#include <stdlib.h>

enum { REQUEST_MS = 2000 };

struct bare {
    natsConnection *connection;
    natsSubscription *subscription; /* freed with the process: see transport_nats.c on destroying */
};

static enum qn_status check(natsStatus status, const char *doing, struct qn_error *error)
{
    if (status == NATS_OK)
        return QN_STATUS_OK;
    return error_set(error, status == NATS_TIMEOUT ? QN_STATUS_TIMEOUT : QN_STATUS_UNAVAILABLE,
                     "%s: %s", doing, natsStatus_GetText(status));
}

enum qn_status bare_open(const char *url, struct bare **ret_bare, struct qn_error *error)
{
    struct bare *bare = calloc(1, sizeof *bare);
    natsOptions *options = NULL;

    if (bare == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "bare connection");
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = natsOptions_SetURL(options, url);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, true);
    if (status == NATS_OK)
        status = natsConnection_Connect(&bare->connection, options);
    natsOptions_Destroy(options);
    if (status != NATS_OK) {
        free(bare);
        return check(status, "connect", error);
    }
    *ret_bare = bare;
    return QN_STATUS_OK;
}

static void on_request(natsConnection *connection, natsSubscription *subscription, natsMsg *request,
                       void *closure)
{
    static const char reply[BARE_REPLY_BYTES];

    (void)subscription;
    (void)closure;
    (void)natsConnection_Publish(connection, natsMsg_GetReply(request), reply, sizeof reply);
    natsMsg_Destroy(request);
}

enum qn_status bare_echo(struct bare *bare, const char *subject, struct qn_error *error)
{
    natsStatus status =
        natsConnection_Subscribe(&bare->subscription, bare->connection, subject, on_request, NULL);

    if (status == NATS_OK)
        status = natsConnection_Flush(bare->connection);
    return check(status, "subscribe", error);
}

enum qn_status bare_request(struct bare *bare, const char *subject, const void *bytes, size_t size,
                            struct qn_error *error)
{
    natsMsg *reply = NULL;
    natsStatus status =
        natsConnection_Request(&reply, bare->connection, subject, bytes, (int)size, REQUEST_MS);

    natsMsg_Destroy(reply);
    return check(status, "request by the bare library (is qnode-bench echo running?)", error);
}

void bare_close(struct bare *bare)
{
    if (bare == NULL)
        return;
    natsConnection_Destroy(bare->connection);
    free(bare);
}
