/* SPDX-License-Identifier: Apache-2.0
 * NATS by libnats (nats.c; this file, nats_message.h and nats_socket.h alone include it): one
 * connection, any number of asynchronous subscriptions, each with its delivery thread of the
 * library. It is longer than our files are because of that "only".
 *
 * - SetSendAsap: without it every publish waits a millisecond for the flusher.
 * - Debian's libnats 3.4.1 corrupts the heap when a subscription is destroyed while messages
 *   arrive. So: subscriptions live as long as the connection, and close() drains them, waits until
 *   the library says that the last handler has returned (its completion callback), and destroys
 *   them after the connection is closed. Never from a callback.
 * - The library's callbacks may run after natsConnection_Close: close() waits for the closed
 *   callback, which is the last one, before it frees what they point to. Callbacks end with one
 *   atomic store; close() looks each millisecond, because a wake-up would touch freed memory.
 * - nats_Close is never called: received messages may outlive the transport (in rings), and
 *   natsMsg_Destroy needs the library. What stays are its three threads, until the process ends.
 * - Destroying a message wakes the library's garbage thread: 8 us of a round trip. So small
 * messages are copied, and the originals destroyed some at a time by the thread that delivered
 * them.
 * - While it connects again the library holds the connection's lock until the server greets it
 *   (seconds, if that one is mute). So nothing is asked of it meanwhile: publish is UNAVAILABLE.
 * - The library reconnects by itself, to the next server of its list (the URL's and those that the
 *   servers name), but gives up for ever when one refuses our login twice: on_closed says so, and
 *   nats_bus.c opens another wire.
 * - A server in lame duck mode says so and ends our connection a little later; the library then
 *   goes to the next one. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/prng.h"
#include "channel/nats_backoff.h"
#include "channel/nats_message.h"
#include "channel/nats_socket.h"
#include "channel/nats_wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PENDING_MESSAGES_MAX = 16384,
    PENDING_BYTES_MAX = 16 << 20,
    PING_INTERVAL_MS = 5000,
    WRITE_DEADLINE_MS = 2000, /* a server that does not read for that long is taken for dead */
    LOCK_SPINS = 0, /* of the library's mutexes: whoever holds one may be in a system call */
    REQUEST_MS = 1000,
    DRAIN_MS = 2000,
    CLOSED_WAIT_MS = 5000,
    SMALL_BYTES = 8 << 10, /* a message up to here is copied */
    KEPT_MESSAGES = 16,
};

struct nats_wire {
    natsConnection *connection;
    struct nats_wire_events events;
    struct nats_subscription *subscriptions; /* nats_bus.c adds under its lock */
    struct prng prng;                        /* the reconnecting thread's */
    atomic_bool is_down;                     /* between the library's callbacks that say so */
    atomic_int_fast64_t payload_max;
    atomic_bool closed; /* the library's last callback was called */
    struct nats_socket socket;
};

struct nats_subscription {
    natsSubscription *subscription;
    bus_handler *on_message;
    void *owner;
    struct nats_subscription *next;
    natsMsg *kept[KEPT_MESSAGES]; /* copied, to be destroyed; the delivering thread's */
    size_t kept_count;
    atomic_bool done; /* no handler runs, none will */
};

static enum qn_status status_of(natsStatus status)
{
    static const uint8_t statuses[] = {
        [NATS_OK] = QN_STATUS_OK,
        [NATS_MAX_PAYLOAD] = QN_STATUS_INVALID,
        [NATS_INVALID_ARG] = QN_STATUS_INVALID,
        [NATS_INVALID_SUBJECT] = QN_STATUS_INVALID,
        [NATS_INSUFFICIENT_BUFFER] = QN_STATUS_BUSY,
        [NATS_NO_MEMORY] = QN_STATUS_NO_MEMORY,
        [NATS_CONNECTION_AUTH_FAILED] = QN_STATUS_NOT_PERMITTED,
        [NATS_TIMEOUT] = QN_STATUS_TIMEOUT,
        [NATS_SSL_ERROR] = QN_STATUS_CONFIG,
        [NATS_SECURE_CONNECTION_WANTED] = QN_STATUS_CONFIG,
        [NATS_SECURE_CONNECTION_REQUIRED] = QN_STATUS_CONFIG,
        [NATS_NO_RESPONDERS] = QN_STATUS_NO_RESPONDERS,
    };

    if (status == NATS_OK || ((size_t)status < sizeof statuses && statuses[status] != 0))
        return (enum qn_status)statuses[status];
    return QN_STATUS_UNAVAILABLE;
}

/* ---- callbacks: the library's threads ---- */

static void destroy_kept(struct nats_subscription *subscription)
{
    while (subscription->kept_count > 0)
        natsMsg_Destroy(subscription->kept[--subscription->kept_count]);
}

static void on_received(natsConnection *connection, natsSubscription *subscription,
                        natsMsg *received, void *closure)
{
    struct nats_subscription *target = closure;
    bool is_small = natsMsg_GetDataLength(received) <= SMALL_BYTES;
    struct bus_message view = nats_message_view(received);
    struct bus_message *message = is_small ? bus_message_copy(&view) : nats_message_wrap(received);

    (void)connection, (void)subscription;
    if (message != NULL)
        target->on_message(target->owner, message);
    if (is_small)
        target->kept[target->kept_count++] = received;
    if (target->kept_count == KEPT_MESSAGES)
        destroy_kept(target);
}

static void on_complete(void *closure)
{
    struct nats_subscription *subscription = closure;

    atomic_store(&subscription->done, true);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure)
{
    struct nats_wire *wire = closure;
    const char *text = nats_GetLastError(NULL);

    (void)connection, (void)subscription;
    LOG_DEBUG("bus", "%s: %s", natsStatus_GetText(status), text == NULL ? "" : text);
    if (status == NATS_NOT_PERMITTED || status == NATS_CONNECTION_AUTH_FAILED)
        wire->events.on_trouble(wire->events.owner, text == NULL ? "" : text);
}

static void on_disconnected(natsConnection *connection, void *closure)
{
    struct nats_wire *wire = closure;

    (void)connection;
    atomic_store(&wire->is_down, true);
    LOG_DEBUG("bus", "disconnected");
}

static void on_reconnected(natsConnection *connection, void *closure)
{
    struct nats_wire *wire = closure;

    (void)connection;
    atomic_store(&wire->is_down, false);
    LOG_DEBUG("bus", "connected again");
    wire->events.on_connected(wire->events.owner);
}

static void on_lame_duck(natsConnection *connection, void *closure)
{
    (void)connection, (void)closure;
    LOG_DEBUG("bus", "the server is about to go: another one is next");
}

static void on_closed(natsConnection *connection, void *closure)
{
    struct nats_wire *wire = closure;

    (void)connection;
    wire->events.on_closed(wire->events.owner);
    atomic_store(&wire->closed, true);
}

/* The library has tried all servers that it knows. */
static int64_t reconnect_delay_ms(natsConnection *connection, int attempts, void *closure)
{
    struct nats_wire *wire = closure;

    (void)connection;
    return (int64_t)nats_backoff_ms((unsigned)attempts, prng_next(&wire->prng));
}

/* ---- what nats_bus.c calls ---- */

enum qn_status nats_wire_publish(struct nats_wire *wire, const char *subject,
                                 const char *reply_subject, const void *bytes, size_t size)
{
    natsStatus status;

    if (atomic_load(&wire->is_down))
        return QN_STATUS_UNAVAILABLE;
    if (!nats_socket_begin(&wire->socket))
        return QN_STATUS_BUSY;
    if (reply_subject == NULL)
        status = natsConnection_Publish(wire->connection, subject, bytes, (int)size);
    else
        status = natsConnection_PublishRequest(wire->connection, subject, reply_subject, bytes,
                                               (int)size);
    nats_socket_end(&wire->socket);
    return status_of(status);
}

void nats_wire_push(struct nats_wire *wire)
{
    nats_socket_push(&wire->socket);
}

enum qn_status nats_wire_subscribe(struct nats_wire *wire, const char *subject,
                                   bus_handler *on_message, void *owner, struct qn_error *error)
{
    struct nats_subscription *subscription = calloc(1, sizeof *subscription);

    if (subscription == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "subscribe to %s", subject);
    subscription->on_message = on_message;
    subscription->owner = owner;
    natsStatus status = natsConnection_Subscribe(&subscription->subscription, wire->connection,
                                                 subject, on_received, subscription);
    if (status != NATS_OK) {
        free(subscription);
        return error_set(error, status_of(status), "subscribe to %s: %s", subject,
                         natsStatus_GetText(status));
    }
    /* Fails only if the connection was closed for ever meanwhile: then nothing arrives any more. */
    status =
        natsSubscription_SetOnCompleteCB(subscription->subscription, on_complete, subscription);
    if (status != NATS_OK)
        atomic_store(&subscription->done, true);
    (void)natsSubscription_SetPendingLimits(subscription->subscription, PENDING_MESSAGES_MAX,
                                            PENDING_BYTES_MAX);
    subscription->next = wire->subscriptions;
    wire->subscriptions = subscription;
    return status == NATS_OK ? QN_STATUS_OK
                             : error_set(error, QN_STATUS_UNAVAILABLE, "subscribe to %s: %s",
                                         subject, natsStatus_GetText(status));
}

enum qn_status nats_wire_flush(struct nats_wire *wire, uint64_t timeout_ms)
{
    if (atomic_load(&wire->is_down))
        return QN_STATUS_UNAVAILABLE;
    return status_of(natsConnection_FlushTimeout(wire->connection, (int64_t)timeout_ms));
}

bool nats_wire_is_connected(struct nats_wire *wire)
{
    return !atomic_load(&wire->is_down) &&
           natsConnection_Status(wire->connection) == NATS_CONN_STATUS_CONNECTED;
}

size_t nats_wire_max_payload(struct nats_wire *wire)
{
    if (!atomic_load(&wire->is_down))
        atomic_store(&wire->payload_max, natsConnection_GetMaxPayload(wire->connection));
    int64_t bytes = atomic_load(&wire->payload_max);
    return bytes > 0 ? (size_t)bytes : 0;
}

uint64_t nats_wire_dropped(struct nats_wire *wire)
{
    uint64_t total = 0;

    for (struct nats_subscription *at = wire->subscriptions; at != NULL; at = at->next) {
        int64_t dropped = 0;
        if (natsSubscription_GetDropped(at->subscription, &dropped) == NATS_OK)
            total += (uint64_t)dropped;
    }
    return total;
}

bool nats_wire_said_no(struct nats_wire *wire)
{
    const char *text; /* changes under our hands: not read */

    return !atomic_load(&wire->is_down) &&
           natsConnection_GetLastError(wire->connection, &text) == NATS_NOT_PERMITTED;
}

enum qn_status nats_wire_request(struct nats_wire *wire, const char *subject, const char *text,
                                 struct bus_message **ret_message, uint64_t *ret_sequence)
{
    natsMsg *received = NULL;
    const char *value;
    natsStatus status =
        natsConnection_RequestString(&received, wire->connection, subject, text, REQUEST_MS);

    if (status != NATS_OK)
        return status_of(status);
    if (natsMsgHeader_Get(received, "Status", &value) == NATS_OK) {
        natsMsg_Destroy(received);
        return QN_STATUS_NOT_FOUND;
    }
    struct bus_message *message = nats_message_wrap(received);
    if (message == NULL)
        return QN_STATUS_NO_MEMORY;
    if (natsMsgHeader_Get(received, "Nats-Subject", &value) == NATS_OK)
        message->subject = value;
    if (natsMsgHeader_Get(received, "Nats-Sequence", &value) == NATS_OK)
        *ret_sequence = strtoull(value, NULL, 10);
    *ret_message = message;
    return QN_STATUS_OK;
}

/* Lets the handlers finish what has arrived; waits for the last one however long it takes. */
static void finish_subscriptions(struct nats_wire *wire)
{
    int64_t drain_ms = nats_wire_is_connected(wire) ? DRAIN_MS : 1;

    for (struct nats_subscription *at = wire->subscriptions; at != NULL; at = at->next)
        if (natsSubscription_DrainTimeout(at->subscription, drain_ms) != NATS_OK)
            (void)natsSubscription_Unsubscribe(at->subscription);
    for (struct nats_subscription *at = wire->subscriptions; at != NULL; at = at->next) {
        (void)natsSubscription_WaitForDrainCompletion(at->subscription, 2 * DRAIN_MS);
        while (!atomic_load(&at->done))
            clock_nap_us(1000);
    }
}

bool nats_wire_close(struct nats_wire *wire)
{
    if (wire == NULL)
        return true;
    finish_subscriptions(wire);
    natsConnection_Close(wire->connection);
    nats_socket_close(&wire->socket);
    while (wire->subscriptions != NULL) {
        struct nats_subscription *subscription = wire->subscriptions;
        wire->subscriptions = subscription->next;
        destroy_kept(subscription);
        natsSubscription_Destroy(subscription->subscription);
        free(subscription);
    }
    natsConnection_Destroy(wire->connection);
    for (int i = 0; i < CLOSED_WAIT_MS && !atomic_load(&wire->closed); i++)
        clock_nap_us(1000);
    if (!atomic_load(&wire->closed))
        return false; /* the callback is late or lost: better leaked than used later */
    free(wire);
    return true;
}

/* ---- opening ---- */

#define SET(call)                                                                                  \
    if (status == NATS_OK)                                                                         \
    status = natsOptions_##call

static natsStatus set_login(natsOptions *options, const struct nats_login *login)
{
    natsStatus status = NATS_OK;

    if (login->user != NULL)
        SET(SetUserInfo(options, login->user, login->secret));
    if (login->user == NULL && login->secret[0] != '\0')
        SET(SetToken(options, login->secret));
    if (login->creds != NULL)
        SET(SetUserCredentialsFromFiles(options, login->creds, NULL));
    if (login->nkey != NULL)
        SET(SetNKeyFromSeed(options, login->nkey_public, login->nkey));
    if (login->is_tls)
        SET(SetSecure(options, true));
    if (login->ca != NULL)
        SET(LoadCATrustedCertificates(options, login->ca));
    if (login->cert != NULL)
        SET(LoadCertificatesChain(options, login->cert, login->key));
    return status;
}

static natsStatus set_options(natsOptions *options, const struct nats_wire_options *wanted,
                              struct nats_wire *wire)
{
    const struct bus_url *url = wanted->url;
    const char *servers[BUS_URL_SERVERS_MAX];

    memcpy(servers, url->server, sizeof servers);
    natsStatus status = natsOptions_SetServers(options, servers, (int)url->servers_count);
    SET(SetTimeout(options, (int64_t)wanted->try_ms));
    SET(SetName(options, wanted->name));
    SET(SetSendAsap(options, true));
    SET(SetMaxReconnect(options, -1));
    SET(SetCustomReconnectDelay(options, reconnect_delay_ms, wire));
    SET(SetPingInterval(options, PING_INTERVAL_MS));
    SET(SetWriteDeadline(options, WRITE_DEADLINE_MS));
    SET(SetErrorHandler(options, on_error, wire));
    SET(SetDisconnectedCB(options, on_disconnected, wire));
    SET(SetReconnectedCB(options, on_reconnected, wire));
    SET(SetLameDuckModeCB(options, on_lame_duck, wire));
    SET(SetClosedCB(options, on_closed, wire));
    if (status == NATS_OK)
        status = nats_socket_set(&wire->socket, options);
    return status == NATS_OK ? set_login(options, wanted->login) : status;
}
#undef SET

/* What the library and ours are made of, before it connects. */
static natsStatus prepare(struct nats_wire *wire, const struct nats_wire_options *options,
                          natsOptions *set, struct qn_error *error)
{
    wire->events = options->events;
    prng_init(&wire->prng, (uint64_t)nats_NowInNanoSeconds() ^ (uint64_t)(uintptr_t)wire);
    if (!options->login->is_tls &&
        nats_socket_open(&wire->socket, WRITE_DEADLINE_MS, error) != QN_STATUS_OK)
        return NATS_NO_MEMORY;
    return set_options(set, options, wire);
}

enum qn_status nats_wire_open(const struct nats_wire_options *options, struct nats_wire **ret_wire,
                              struct qn_error *error)
{
    struct nats_wire *wire = calloc(1, sizeof *wire);
    natsOptions *set = NULL;
    natsStatus status = wire == NULL ? NATS_NO_MEMORY : nats_Open(LOCK_SPINS);

    if (status == NATS_OK)
        status = natsOptions_Create(&set);
    if (status == NATS_OK)
        status = prepare(wire, options, set, error);
    if (status == NATS_OK)
        status = natsConnection_Connect(&wire->connection, set);
    const char *detail = nats_GetLastError(NULL);
    natsOptions_Destroy(set);
    if (status == NATS_OK) {
        *ret_wire = wire;
        return QN_STATUS_OK;
    }
    if (wire != NULL)
        nats_socket_close(&wire->socket);
    free(wire);
    return nats_login_explain(options->login, status_of(status), options->url->servers,
                              detail == NULL ? natsStatus_GetText(status) : detail, error);
}
