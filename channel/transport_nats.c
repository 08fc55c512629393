/* SPDX-License-Identifier: Apache-2.0
 * NATS by libnats (nats.c; the only file that includes it). One connection, any number of
 * asynchronous subscriptions, each with its delivery thread of the library.
 *
 * - SetSendAsap: without it every publish waits a millisecond for the flusher.
 * - Debian's libnats 3.4.1 corrupts the heap when a subscription is destroyed while messages
 * arrive. So: subscriptions live as long as the transport, and close() drains them, waits until the
 *   library says that the last handler has returned (its completion callback), and destroys them
 *   after the connection is closed. Never from a callback.
 * - The library's callbacks may run after natsConnection_Close: close() waits for the closed
 *   callback, which is the last one, before it frees what they point to. Callbacks end with one
 *   atomic store; close() looks each millisecond, because a wake-up would touch freed memory.
 * - nats_Close is never called: received messages may outlive the transport (in rings), and
 *   natsMsg_Destroy needs the library. What stays are its three threads, until the process ends.
 * - Publishing while disconnected goes to a buffer of the library (8 MiB, then BUSY). */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "channel/subject.h"
#include "channel/transport.h"
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    PENDING_MESSAGES_MAX = 65536,
    PENDING_BYTES_MAX = 64 << 20,
    RECONNECT_WAIT_MS = 100,
    RECONNECT_JITTER_MS = 100,
    PING_INTERVAL_MS = 5000,
    WRITE_DEADLINE_MS = 2000, /* a server that does not read for that long is taken for dead */
    CONNECT_TRY_MS = 2000,
    CONNECT_PAUSE_MS = 20,
    SUBSCRIBE_FLUSH_MS = 1000,
    DRAIN_MS = 2000,
    CLOSED_WAIT_MS = 5000,
    SERVERS_MAX = 16,
    URL_BYTES_MAX = 1024,
};

struct nats_transport {
    natsConnection *connection;
    pthread_mutex_t lock; /* the list of subscriptions */
    struct nats_subscription *subscriptions;
    atomic_uint_fast64_t errors_total, disconnects_total, reconnects_total;
    atomic_bool closed; /* the library's last callback was called */
};

struct nats_subscription {
    natsSubscription *subscription;
    bus_handler *on_message;
    void *owner;
    struct nats_subscription *next;
    atomic_bool done; /* no handler runs, none will */
};

struct nats_message {
    struct bus_message message; /* first: release() finds the rest */
    natsMsg *received;
};

static uint64_t now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}

static enum qn_status status_of(natsStatus status)
{
    switch (status) {
    case NATS_OK:
        return QN_STATUS_OK;
    case NATS_MAX_PAYLOAD:
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT:
        return QN_STATUS_INVALID;
    case NATS_INSUFFICIENT_BUFFER:
        return QN_STATUS_BUSY;
    case NATS_NO_MEMORY:
        return QN_STATUS_NO_MEMORY;
    default:
        return QN_STATUS_UNAVAILABLE;
    }
}

/* ---- callbacks: the library's threads ---- */

static void release_message(struct bus_message *message)
{
    struct nats_message *nats_message = (struct nats_message *)message;

    natsMsg_Destroy(nats_message->received);
    free(nats_message);
}

static void on_received(natsConnection *connection, natsSubscription *subscription,
                        natsMsg *received, void *closure)
{
    struct nats_subscription *target = closure;
    struct nats_message *wrapped = malloc(sizeof *wrapped);

    (void)connection;
    (void)subscription;
    if (wrapped == NULL) {
        natsMsg_Destroy(received);
        return;
    }
    *wrapped = (struct nats_message){
        .message = {.subject = natsMsg_GetSubject(received),
                    .bytes = (const uint8_t *)natsMsg_GetData(received),
                    .size = (size_t)natsMsg_GetDataLength(received),
                    .no_responders = natsMsg_IsNoResponders(received),
                    .release = release_message},
        .received = received,
    };
    target->on_message(target->owner, &wrapped->message);
}

static void on_complete(void *closure)
{
    struct nats_subscription *subscription = closure;

    atomic_store(&subscription->done, true);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure)
{
    struct nats_transport *nats = closure;

    (void)connection;
    (void)subscription;
    atomic_fetch_add(&nats->errors_total, 1);
    LOG_DEBUG("bus", "%s", natsStatus_GetText(status));
}

static void on_disconnected(natsConnection *connection, void *closure)
{
    struct nats_transport *nats = closure;

    (void)connection;
    atomic_fetch_add(&nats->disconnects_total, 1);
    LOG_DEBUG("bus", "disconnected");
}

static void on_reconnected(natsConnection *connection, void *closure)
{
    struct nats_transport *nats = closure;

    (void)connection;
    atomic_fetch_add(&nats->reconnects_total, 1);
    LOG_DEBUG("bus", "connected again");
}

static void on_closed(natsConnection *connection, void *closure)
{
    struct nats_transport *nats = closure;

    (void)connection;
    atomic_store(&nats->closed, true);
}

/* ---- the port ---- */

static enum qn_status nats_publish(void *self, const char *subject, const char *reply_subject,
                                   const void *bytes, size_t size)
{
    struct nats_transport *nats = self;

    if (size > INT32_MAX || !subject_is_valid(subject) ||
        (reply_subject != NULL && !subject_is_valid(reply_subject)))
        return QN_STATUS_INVALID;
    if (reply_subject == NULL)
        return status_of(natsConnection_Publish(nats->connection, subject, bytes, (int)size));
    return status_of(
        natsConnection_PublishRequest(nats->connection, subject, reply_subject, bytes, (int)size));
}

static enum qn_status nats_subscribe(void *self, const char *subject, bus_handler *on_message,
                                     void *owner, struct qn_error *error)
{
    struct nats_transport *nats = self;

    if (!subject_pattern_is_valid(subject))
        return error_set(error, QN_STATUS_INVALID, "subscribe: \"%.64s\" is no subject", subject);
    struct nats_subscription *subscription = calloc(1, sizeof *subscription);
    if (subscription == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "subscribe to %s", subject);
    subscription->on_message = on_message;
    subscription->owner = owner;
    natsStatus status = natsConnection_Subscribe(&subscription->subscription, nats->connection,
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
    (void)pthread_mutex_lock(&nats->lock);
    subscription->next = nats->subscriptions;
    nats->subscriptions = subscription;
    (void)pthread_mutex_unlock(&nats->lock);
    /* Known to the server before anyone acts on it; while disconnected that has to wait. */
    if (natsConnection_Status(nats->connection) == NATS_CONN_STATUS_CONNECTED)
        (void)natsConnection_FlushTimeout(nats->connection, SUBSCRIBE_FLUSH_MS);
    if (status != NATS_OK)
        return error_set(error, QN_STATUS_UNAVAILABLE, "subscribe to %s: %s", subject,
                         natsStatus_GetText(status));
    return QN_STATUS_OK;
}

static size_t nats_max_payload(void *self)
{
    struct nats_transport *nats = self;
    int64_t bytes = natsConnection_GetMaxPayload(nats->connection);

    return bytes > 0 ? (size_t)bytes : 0;
}

static bool nats_is_connected(void *self)
{
    struct nats_transport *nats = self;

    return natsConnection_Status(nats->connection) == NATS_CONN_STATUS_CONNECTED;
}

/* Lets the handlers finish what has arrived; waits for the last one however long it takes. */
static void finish_subscriptions(struct nats_transport *nats)
{
    int64_t drain_ms = nats_is_connected(nats) ? DRAIN_MS : 1;

    for (struct nats_subscription *at = nats->subscriptions; at != NULL; at = at->next)
        if (natsSubscription_DrainTimeout(at->subscription, drain_ms) != NATS_OK)
            (void)natsSubscription_Unsubscribe(at->subscription);
    for (struct nats_subscription *at = nats->subscriptions; at != NULL; at = at->next) {
        (void)natsSubscription_WaitForDrainCompletion(at->subscription, 2 * DRAIN_MS);
        while (!atomic_load(&at->done))
            clock_nap_us(1000);
    }
}

static void nats_close(void *self)
{
    struct nats_transport *nats = self;
    uint64_t deadline_ms = now_ms() + CLOSED_WAIT_MS;

    finish_subscriptions(nats);
    natsConnection_Close(nats->connection);
    while (nats->subscriptions != NULL) {
        struct nats_subscription *subscription = nats->subscriptions;
        nats->subscriptions = subscription->next;
        natsSubscription_Destroy(subscription->subscription);
        free(subscription);
    }
    natsConnection_Destroy(nats->connection);
    while (!atomic_load(&nats->closed) && now_ms() < deadline_ms)
        clock_nap_us(1000);
    LOG_DEBUG("bus", "closed: %lu errors, %lu disconnects, %lu reconnects",
              (unsigned long)nats->errors_total, (unsigned long)nats->disconnects_total,
              (unsigned long)nats->reconnects_total);
    if (!atomic_load(&nats->closed))
        return; /* the library lost its callback (out of memory): better leaked than used later */
    (void)pthread_mutex_destroy(&nats->lock);
    free(nats);
}

static const struct transport_ops ops = {
    .name = "nats",
    .publish = nats_publish,
    .subscribe = nats_subscribe,
    .max_payload = nats_max_payload,
    .is_connected = nats_is_connected,
    .close = nats_close,
};

/* ---- opening ---- */

/* nats://a:1,b:2 -> "nats://a:1", "b:2": the library wants a list. text is cut up. */
static natsStatus set_servers(natsOptions *options, char *text)
{
    const char *servers[SERVERS_MAX];
    int count = 0;
    char *rest = NULL;

    for (char *at = strtok_r(text, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest)) {
        if (count == SERVERS_MAX)
            return NATS_INVALID_ARG;
        servers[count++] = at;
    }
    return natsOptions_SetServers(options, servers, count);
}

static natsStatus set_options(natsOptions *options, char *url, const char *name,
                              struct nats_transport *nats)
{
    natsStatus status = set_servers(options, url);

#define SET(call)                                                                                  \
    if (status == NATS_OK)                                                                         \
    status = natsOptions_##call
    SET(SetName(options, name));
    SET(SetSendAsap(options, true));
    SET(SetMaxReconnect(options, -1));
    SET(SetReconnectWait(options, RECONNECT_WAIT_MS));
    SET(SetReconnectJitter(options, RECONNECT_JITTER_MS, RECONNECT_JITTER_MS));
    SET(SetPingInterval(options, PING_INTERVAL_MS));
    SET(SetWriteDeadline(options, WRITE_DEADLINE_MS));
    SET(SetErrorHandler(options, on_error, nats));
    SET(SetDisconnectedCB(options, on_disconnected, nats));
    SET(SetReconnectedCB(options, on_reconnected, nats));
    SET(SetClosedCB(options, on_closed, nats));
#undef SET
    return status;
}

/* Tries again until connect_ms are over: the server may be starting. */
static natsStatus connect_patiently(natsOptions *options, uint64_t connect_ms,
                                    natsConnection **ret_connection)
{
    uint64_t deadline_ms = now_ms() + connect_ms;
    natsStatus status;

    for (;;) {
        uint64_t now = now_ms();
        uint64_t left_ms = now < deadline_ms ? deadline_ms - now : 1;
        int64_t try_ms = left_ms < CONNECT_TRY_MS ? (int64_t)left_ms : CONNECT_TRY_MS;

        (void)natsOptions_SetTimeout(options, try_ms);
        status = natsConnection_Connect(ret_connection, options);
        if (status == NATS_OK || status == NATS_NO_MEMORY || status == NATS_INVALID_ARG ||
            now_ms() + CONNECT_PAUSE_MS >= deadline_ms)
            return status;
        clock_nap_us(CONNECT_PAUSE_MS * 1000);
    }
}

/* For error texts: what stands before an @ is a password. */
static const char *url_without_user(const char *url)
{
    const char *at = strrchr(url, '@');

    return at == NULL ? url : at + 1;
}

enum qn_status transport_nats_open(const char *url, const char *name, uint64_t connect_ms,
                                   struct transport *ret_transport, struct qn_error *error)
{
    char servers[URL_BYTES_MAX];
    natsOptions *options = NULL;
    natsStatus status = NATS_NO_MEMORY;
    struct nats_transport *nats = NULL;

    if (strlen(url) >= sizeof servers)
        return error_set(error, QN_STATUS_INVALID, "bus: url of more than %d bytes", URL_BYTES_MAX);
    memcpy(servers, url, strlen(url) + 1);
    nats = calloc(1, sizeof *nats);
    if (nats != NULL)
        status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = set_options(options, servers, name, nats);
    if (status == NATS_OK)
        status = connect_patiently(options, connect_ms, &nats->connection);
    natsOptions_Destroy(options);
    if (status != NATS_OK) {
        free(nats);
        return error_set(error, status_of(status), "bus: connect to %s: %s", url_without_user(url),
                         natsStatus_GetText(status));
    }
    (void)pthread_mutex_init(&nats->lock, NULL);
    *ret_transport = (struct transport){.ops = &ops, .self = nats};
    return QN_STATUS_OK;
}
