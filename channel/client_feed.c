/* SPDX-License-Identifier: Apache-2.0
 * Feeds: reports, receipts and the query channel as a stream of decoded messages. A bus cannot be
 * unsubscribed from, so the client subscribes once to each kind, at the first feed that wants it,
 * and hands each open feed a copy. A full feed loses what comes and counts it. */
#include "channel/client.h"

#include "base/check.h"
#include "base/error.h"
#include "channel/codec.h"
#include <stdlib.h>
#include <string.h>

enum { FEED_BYTES_MAX = 64 << 20 };

struct feed_item {
    size_t size;
    uint8_t bytes[]; /* the message, then its subject */
};

struct qn_feed {
    struct ring ring;
    struct waiter waiter;
    struct qn_client *client;
    pid_t pid; /* of the process that opened it: the client's may be another one since */
    unsigned what;
    _Atomic size_t bytes_waiting;
    _Atomic uint64_t dropped;
    struct arena arena; /* of the message that the caller holds */
    struct message message;
    struct feed_item *held;
    struct qn_feed_item item;
    struct qn_error error;
};

static bool feed_push(struct qn_feed *feed, const struct bus_message *message)
{
    size_t bytes_waiting = atomic_fetch_add(&feed->bytes_waiting, message->size) + message->size;

    if (bytes_waiting > FEED_BYTES_MAX || message->size > LIMIT_MESSAGE_BYTES_MAX)
        return false;
    size_t subject_bytes = strlen(message->subject) + 1;
    struct feed_item *item = malloc(sizeof *item + message->size + subject_bytes);
    if (item == NULL)
        return false;
    item->size = message->size;
    if (message->size > 0)
        memcpy(item->bytes, message->bytes, message->size);
    memcpy(item->bytes + message->size, message->subject, subject_bytes);
    if (ring_push(&feed->ring, item))
        return true;
    free(item);
    return false;
}

void client_feed_offer(struct qn_client *client, unsigned what, const struct bus_message *message)
{
    if (message->no_responders)
        return;
    (void)pthread_mutex_lock(&client->feeds_lock);
    for (size_t i = 0; i < CLIENT_FEEDS_MAX; i++) {
        struct qn_feed *feed = client->feeds[i];
        if (feed == NULL || !(feed->what & what) || feed_push(feed, message))
            continue;
        atomic_fetch_sub(&feed->bytes_waiting, message->size);
        atomic_fetch_add(&feed->dropped, 1);
    }
    (void)pthread_mutex_unlock(&client->feeds_lock);
}

static void on_report(void *owner, struct bus_message *message)
{
    client_feed_offer(owner, QN_FEED_REPORTS, message);
    message->release(message);
}

static void on_event(void *owner, struct bus_message *message)
{
    client_feed_offer(owner, QN_FEED_EVENTS, message);
    message->release(message);
}

static void on_any(void *owner, struct bus_message *message)
{
    client_feed_offer(owner, QN_FEED_ALL, message);
    message->release(message);
}

/* Subscribes to what no feed wanted so far; the lock is not held while the bus is called. */
static enum qn_status subscribe_once(struct qn_client *client, unsigned what,
                                     struct qn_error *error)
{
    const struct transport *transport = &client->transport;
    const struct {
        unsigned what;
        struct subject subject;
        bus_handler *on_message;
    } kinds[] = {
        {QN_FEED_REPORTS, subject_report_all(client->cluster), on_report},
        {QN_FEED_EVENTS, subject_event_all(client->cluster), on_event},
        {QN_FEED_ALL, subject_all(client->cluster), on_any},
    };
    enum qn_status status = QN_STATUS_OK;

    (void)pthread_mutex_lock(&client->feeds_lock);
    unsigned missing = what & ~client->feeds_subscribed;
    client->feeds_subscribed |= missing;
    (void)pthread_mutex_unlock(&client->feeds_lock);
    for (size_t i = 0; i < COUNT_OF(kinds) && status == QN_STATUS_OK; i++) {
        if (!(missing & kinds[i].what))
            continue;
        status = transport->ops->subscribe(transport->self, kinds[i].subject.text,
                                           kinds[i].on_message, client, error);
        if (status == QN_STATUS_OK)
            missing &= ~kinds[i].what;
    }
    if (status != QN_STATUS_OK) {
        (void)pthread_mutex_lock(&client->feeds_lock);
        client->feeds_subscribed &= ~missing;
        (void)pthread_mutex_unlock(&client->feeds_lock);
    }
    return status;
}

static bool feed_add(struct qn_client *client, struct qn_feed *feed)
{
    bool is_added = false;

    (void)pthread_mutex_lock(&client->feeds_lock);
    for (size_t i = 0; i < CLIENT_FEEDS_MAX && !is_added; i++) {
        if (client->feeds[i] != NULL)
            continue;
        client->feeds[i] = feed;
        is_added = true;
    }
    (void)pthread_mutex_unlock(&client->feeds_lock);
    return is_added;
}

static void feed_free(struct qn_feed *feed)
{
    struct feed_item *item;

    while ((item = ring_pop(&feed->ring)) != NULL)
        free(item);
    free(feed->held);
    ring_done(&feed->ring);
    arena_done(&feed->arena);
    free(feed);
}

enum qn_status qn_feed_open(struct qn_client *client, unsigned what, struct qn_feed **ret_feed,
                            struct qn_error *error)
{
    enum qn_status status = client_check_fork(client, error);

    if (status != QN_STATUS_OK)
        return status;
    if (what != QN_FEED_ALL &&
        (what == 0 || what & ~(unsigned)(QN_FEED_REPORTS | QN_FEED_EVENTS | QN_FEED_QUERY)))
        return error_set(error, QN_STATUS_INVALID, "feed: what is %#x", what);
    struct qn_feed *feed = aligned_alloc(_Alignof(struct qn_feed), sizeof *feed);
    if (feed == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "feed");
    memset(feed, 0, sizeof *feed);
    feed->client = client;
    feed->pid = client->pid;
    feed->what = what;
    waiter_init(&feed->waiter);
    arena_init(&feed->arena, LIMIT_DECODE_ARENA_BYTES);
    if (ring_init(&feed->ring, LIMIT_INBOX_SLOTS, &feed->waiter) != QN_STATUS_OK) {
        free(feed);
        return error_set(error, QN_STATUS_NO_MEMORY, "feed");
    }
    if (!feed_add(client, feed)) {
        feed_free(feed);
        return error_set(error, QN_STATUS_BUSY, "feed: %d are open on this client",
                         CLIENT_FEEDS_MAX);
    }
    status = subscribe_once(client, what, error);
    if (status != QN_STATUS_OK)
        qn_feed_close(feed);
    else
        *ret_feed = feed;
    return status;
}

static int has_item(void *owner)
{
    struct qn_feed *feed = owner;

    return ring_count(&feed->ring) > 0;
}

static void hold(struct qn_feed *feed, struct feed_item *item)
{
    arena_reset(&feed->arena);
    free(feed->held);
    feed->held = item;
    feed->error.text[0] = '\0';
    enum qn_status status =
        codec_decode(item->bytes, item->size, &feed->arena, &feed->message, &feed->error);
    atomic_fetch_sub(&feed->bytes_waiting, item->size);
    feed->item = (struct qn_feed_item){
        .subject = (const char *)item->bytes + item->size,
        .size = item->size,
        .message = status == QN_STATUS_OK ? &feed->message : NULL,
        .trouble = feed->error.text,
    };
}

static bool hold_next(struct qn_feed *feed, uint64_t deadline_us)
{
    for (;;) {
        struct feed_item *item = ring_pop(&feed->ring);
        if (item != NULL) {
            hold(feed, item);
            return true;
        }
        if (!waiter_wait_until(&feed->waiter, has_item, feed, deadline_us))
            return false;
    }
}

static uint64_t deadline_of(const struct qn_feed *feed, uint32_t timeout_ms)
{
    return clock_now_us(&feed->client->clock) + (uint64_t)timeout_ms * 1000;
}

const struct qn_feed_item *qn_feed_next_item(struct qn_feed *feed, uint32_t timeout_ms)
{
    if (feed->pid != getpid())
        return NULL;
    return hold_next(feed, deadline_of(feed, timeout_ms)) ? &feed->item : NULL;
}

const struct message *qn_feed_next(struct qn_feed *feed, uint32_t timeout_ms)
{
    if (feed->pid != getpid())
        return NULL;
    uint64_t deadline_us = deadline_of(feed, timeout_ms);
    while (hold_next(feed, deadline_us)) {
        if (feed->item.message != NULL)
            return feed->item.message;
        atomic_fetch_add(&feed->dropped, 1);
    }
    return NULL;
}

uint64_t qn_feed_dropped(const struct qn_feed *feed)
{
    return atomic_load(&feed->dropped);
}

void qn_feed_close(struct qn_feed *feed)
{
    if (feed == NULL)
        return;
    struct qn_client *client = feed->client;
    if (feed->pid != getpid())
        return; /* it may have been in use when the process was copied */
    (void)pthread_mutex_lock(&client->feeds_lock);
    for (size_t i = 0; i < CLIENT_FEEDS_MAX; i++)
        if (client->feeds[i] == feed)
            client->feeds[i] = NULL;
    (void)pthread_mutex_unlock(&client->feeds_lock);
    feed_free(feed);
}
