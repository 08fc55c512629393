/* SPDX-License-Identifier: Apache-2.0
 * Subscriptions outlive the wire that they are made on: the keeper makes them again on the next. */
#include "channel/nats_bus.h"

#include "base/error.h"
#include "channel/subject.h"
#include <stdio.h>
#include <stdlib.h>

enum { SUBSCRIBE_FLUSH_MS = 1000 };

/* The library subscribes again on its own after an outage; the server may let through by then what
 * it refused. Its caller was told no, and may be gone. */
static void on_arrival(void *owner, struct bus_message *message)
{
    struct nats_subscriber *subscriber = owner;

    if (atomic_load_explicit(&subscriber->is_refused, memory_order_acquire)) {
        message->release(message);
        return;
    }
    if (subscriber->is_retained)
        (void)pthread_mutex_lock(&subscriber->turn);
    subscriber->on_message(subscriber->owner, message);
    if (subscriber->is_retained)
        (void)pthread_mutex_unlock(&subscriber->turn);
}

enum qn_status nats_subscriber_on(struct nats_wire *wire, struct nats_subscriber *subscriber,
                                  struct qn_error *error)
{
    return nats_wire_subscribe(wire, subscriber->subject, on_arrival, subscriber, error);
}

static struct nats_subscriber *subscriber_new(const char *subject, bus_handler *on_message,
                                              void *owner)
{
    struct nats_subscriber *subscriber = calloc(1, sizeof *subscriber);

    if (subscriber == NULL)
        return NULL;
    (void)snprintf(subscriber->subject, sizeof subscriber->subject, "%s", subject);
    subscriber->on_message = on_message;
    subscriber->owner = owner;
    subscriber->is_retained = nats_views_of(subject, &subscriber->views);
    (void)pthread_mutex_init(&subscriber->turn, NULL);
    return subscriber;
}

void nats_subscriber_free(struct nats_subscriber *subscriber)
{
    (void)pthread_mutex_destroy(&subscriber->turn);
    free(subscriber);
}

/* Known to the server before anyone acts on it; while there is no connection that has to wait. */
static enum qn_status add(struct nats_bus *bus, struct nats_subscriber *subscriber,
                          struct qn_error *error)
{
    uint64_t started_ms = nats_bus_now_ms();
    enum qn_status status = QN_STATUS_OK;
    bool is_connected = false;

    (void)pthread_mutex_lock(&bus->lock);
    subscriber->next = bus->subscribers;
    bus->subscribers = subscriber;
    struct nats_wire *wire = nats_bus_take_wire(bus);
    if (wire != NULL) {
        status = nats_subscriber_on(wire, subscriber, error);
        is_connected = nats_wire_is_connected(wire);
        nats_bus_give_back_wire(bus);
    }
    (void)pthread_mutex_unlock(&bus->lock);
    if (is_connected)
        (void)nats_bus_flush(bus, SUBSCRIBE_FLUSH_MS);
    if (status == QN_STATUS_OK)
        status = nats_bus_refused(bus, subscriber->subject, nats_bus_now_ms() - started_ms, error);
    if (status != QN_STATUS_OK)
        atomic_store(&subscriber->is_refused, true);
    return status;
}

enum qn_status nats_subscriber_add(void *self, const char *subject, bus_handler *on_message,
                                   void *owner, struct qn_error *error)
{
    struct nats_bus *bus = self;

    if (!subject_pattern_is_valid(subject))
        return error_set(error, QN_STATUS_INVALID, "subscribe: \"%.64s\" is no subject", subject);
    struct nats_subscriber *subscriber = subscriber_new(subject, on_message, owner);
    if (subscriber == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "subscribe to %s", subject);
    if (!subscriber->is_retained)
        return add(bus, subscriber, error);
    (void)pthread_mutex_lock(&subscriber->turn);
    enum qn_status status = add(bus, subscriber, error);
    if (status == QN_STATUS_OK)
        nats_retained_hand_over(bus, subscriber);
    (void)pthread_mutex_unlock(&subscriber->turn);
    return status;
}
