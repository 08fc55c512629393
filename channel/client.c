/* SPDX-License-Identifier: Apache-2.0
 * Opening and closing of a client handle, and what its calls share. */
#include "channel/client.h"

#include "base/check.h"
#include "base/error.h"
#include "channel/codec.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { CONNECT_DEFAULT_MS = 2000, REFUSED_FLUSH_MS = 1000 };

enum qn_status client_check_fork(const struct qn_client *client, struct qn_error *error)
{
    pid_t pid = getpid();

    if (pid == client->pid)
        return QN_STATUS_OK;
    return error_set(error, QN_STATUS_FORKED,
                     "client handle was opened by process %d and is used in its child %d: "
                     "call qn_client_reopen there",
                     (int)client->pid, (int)pid);
}

static void on_reply(void *owner, struct bus_message *message)
{
    struct qn_client *client = owner;

    if (!client_calls_is_view_id(client_calls_id_of(message->subject))) {
        client_calls_route(&client->calls, message);
        return;
    }
    client_views_offer(&client->views, message);
    client_calls_poke_all(&client->calls);
}

static void on_query(void *owner, struct bus_message *message)
{
    struct qn_client *client = owner;

    client_feed_offer(client, QN_FEED_QUERY, message);
    client_views_offer(&client->views, message);
    client_calls_poke_all(&client->calls);
}

static enum qn_status subscribe(struct qn_client *client, struct qn_error *error)
{
    struct subject replies = subject_reply_all(client->cluster, client->id);
    struct subject queries = subject_query_all(client->cluster);
    const struct transport *transport = &client->transport;
    enum qn_status status =
        transport->ops->subscribe(transport->self, replies.text, on_reply, client, error);

    if (status != QN_STATUS_OK)
        return status;
    return transport->ops->subscribe(transport->self, queries.text, on_query, client, error);
}

static enum qn_status name_client(struct qn_client *client, struct qn_error *error)
{
    uint8_t random[CLIENT_ID_BYTES];
    uint64_t seed;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random ||
        getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return error_errno(error, errno, "client: random id");
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(client->id + 2 * i, 3, "%02x", random[i]);
    (void)snprintf(client->sender, sizeof client->sender, "client/%s", client->id);
    if (client_views_init(&client->views, seed) != QN_STATUS_OK)
        return error_set(error, QN_STATUS_NO_MEMORY, "client: views");
    return QN_STATUS_OK;
}

static enum qn_status check_options(const struct qn_client_options *options, struct qn_error *error)
{
    if (options == NULL || options->url == NULL)
        return error_set(error, QN_STATUS_INVALID, "client: url is missing");
    if (options->cluster == NULL || !subject_cluster_is_valid(options->cluster))
        return error_set(error, QN_STATUS_INVALID,
                         "client: cluster \"%.64s\" is not 1 to 64 of A-Z a-z 0-9 _ -",
                         options->cluster == NULL ? "" : options->cluster);
    return QN_STATUS_OK;
}

/* In a forked child only what no other thread can have been changing when the process was copied:
 * the rest stays with the child until it ends. */
static void client_free(struct qn_client *client, bool is_child)
{
    if (!is_child) {
        client_calls_done(&client->calls);
        client_views_done(&client->views);
        client_joins_done(&client->joins);
        (void)pthread_mutex_destroy(&client->feeds_lock);
    }
    free(client->url);
    free(client->cluster);
    free(client);
}

static enum qn_status open_bus(struct qn_client *client, struct qn_error *error)
{
    enum qn_status status = name_client(client, error);

    if (status == QN_STATUS_OK)
        status = transport_open(client->url, client->sender, client->connect_ms, &client->transport,
                                error);
    if (status != QN_STATUS_OK)
        return status;
    status = subscribe(client, error);
    if (status != QN_STATUS_OK)
        client->transport.ops->close(client->transport.self);
    return status;
}

enum qn_status qn_client_open(const struct qn_client_options *options,
                              struct qn_client **ret_client, struct qn_error *error)
{
    enum qn_status status = check_options(options, error);

    if (status != QN_STATUS_OK)
        return status;
    struct qn_client *client = aligned_alloc(_Alignof(struct qn_client), sizeof *client);
    if (client == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "client");
    memset(client, 0, sizeof *client);
    client_calls_init(&client->calls);
    client_joins_init(&client->joins);
    CHECK(pthread_mutex_init(&client->feeds_lock, NULL) == 0);
    client->pid = getpid();
    client->connect_ms = options->connect_ms == 0 ? CONNECT_DEFAULT_MS : options->connect_ms;
    client->clock = clock_monotonic();
    if (options->traceparent != NULL && traceparent_is_valid(options->traceparent))
        memcpy(client->traceparent, options->traceparent, sizeof client->traceparent);
    client->url = strdup(options->url);
    client->cluster = strdup(options->cluster);
    if (client->url == NULL || client->cluster == NULL)
        status = error_set(error, QN_STATUS_NO_MEMORY, "client");
    else
        status = open_bus(client, error);
    if (status != QN_STATUS_OK)
        client_free(client, false);
    else
        *ret_client = client;
    return status;
}

enum qn_status qn_client_reopen(struct qn_client *client, struct qn_error *error)
{
    if (client->pid == getpid())
        return error_set(error, QN_STATUS_INVALID,
                         "client: process %d opened this handle itself, it is not a forked one",
                         (int)client->pid);
    if (strncmp(client->url, "inproc:", strlen("inproc:")) == 0)
        return error_set(error, QN_STATUS_UNSUPPORTED, "client: %.64s does not leave process %d",
                         client->url, (int)client->pid);
    /* Threads of the parent may have held any lock and changed any of these when the process was
     * copied: all is made anew and nothing freed. The calls of those threads are not ours. */
    client_calls_init(&client->calls);
    client_joins_init(&client->joins);
    memset(&client->views, 0, sizeof client->views);
    CHECK(pthread_mutex_init(&client->feeds_lock, NULL) == 0);
    memset(client->feeds, 0, sizeof client->feeds);
    client->feeds_subscribed = 0;
    atomic_store(&client->view_asks_count, 0);
    enum qn_status status = open_bus(client, error);
    if (status == QN_STATUS_OK)
        client->pid = getpid();
    else
        client_views_done(&client->views);
    return status;
}

void qn_client_close(struct qn_client *client)
{
    if (client == NULL)
        return;
    bool is_child = getpid() != client->pid;
    /* The connection is the parent's to end, and the bus's threads are not in the child. */
    if (!is_child)
        client->transport.ops->close(client->transport.self);
    client_free(client, is_child);
}

enum qn_status client_publish(struct qn_client *client, struct arena *arena,
                              const struct subject *subject, struct message *message,
                              struct qn_error *error)
{
    const char *reply_to =
        message->reply_to != NULL && message->reply_to[0] != '\0' ? message->reply_to : NULL;
    const uint8_t *bytes;
    size_t size;

    message->cluster = client->cluster;
    message->sender = client->sender;
    if (message->traceparent == NULL)
        message->traceparent = client->traceparent;
    arena_reset(arena);
    enum qn_status status = codec_encode(message, arena, &bytes, &size, error);
    if (status != QN_STATUS_OK)
        return status;
    size_t most = client->transport.ops->max_payload(client->transport.self);
    if (size > most)
        return error_set(error, QN_STATUS_INVALID,
                         "a %s takes %zu bytes, the bus takes at most %zu (max_payload)",
                         message_kind_name(message->kind), size, most);
    status = client->transport.ops->publish(client->transport.self, subject->text, reply_to, bytes,
                                            size);
    if (status != QN_STATUS_OK)
        (void)error_set(error, status, "publish %zu bytes on %.100s: %s", size, subject->text,
                        qn_status_text(status));
    if (status == QN_STATUS_NOT_PERMITTED) /* the bus has the words for it */
        (void)transport_refused(&client->transport, subject->text, REFUSED_FLUSH_MS, error);
    return status;
}

enum qn_status client_check_refused(struct qn_client *client, const struct subject *subject,
                                    uint64_t since_ms, struct qn_error *error)
{
    (void)transport_flush(&client->transport, REFUSED_FLUSH_MS);
    return transport_refused(&client->transport, subject->text,
                             clock_now_ms(&client->clock) - since_ms, error);
}

enum qn_status qn_send(struct qn_client *client, const char *subject, struct message *message,
                       struct qn_error *error)
{
    enum qn_status status = client_check_fork(client, error);
    struct subject to;
    struct arena arena;

    if (status != QN_STATUS_OK)
        return status;
    if (!subject_is_valid(subject))
        return error_set(error, QN_STATUS_INVALID, "send: subject \"%.64s\" is not valid", subject);
    (void)snprintf(to.text, sizeof to.text, "%s", subject);
    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    uint64_t started_ms = clock_now_ms(&client->clock);
    status = client_publish(client, &arena, &to, message, error);
    arena_done(&arena);
    return status == QN_STATUS_OK ? client_check_refused(client, &to, started_ms, error) : status;
}
