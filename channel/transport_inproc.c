/* SPDX-License-Identifier: Apache-2.0
 * A bus inside one process, for tests, simulator and benches: hubs by name, which live as long as a
 * transport is open on them. The list of hubs is one of the house's few globals, because a name has
 * to mean the same hub to everyone.
 *
 * A message goes into the queue of each subscription that matches; then the publisher's thread
 * empties the queues that nobody else is emptying. So delivery is synchronous for a single thread,
 * a handler is called by one thread at a time, each subscription sees one order, and no lock is
 * held in a handler, which may publish. When its own message leads back to a queue that is being
 * emptied further up its stack, it waits there: two subscriptions that answer each other do not
 * nest. A queue that is full drops the message, like a slow consumer's on a real bus (C1).
 *
 * close() takes the subscriptions off the hub and then waits for the threads that are still in
 * their handlers. It looks each 200 us instead of being woken: a wake-up would touch memory that
 * close() is about to free, and this happens once in a transport's life. */
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "channel/subject.h"
#include "channel/transport.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MESSAGES_MAX = 65536, /* per subscription, as transport_nats.c */
    CLOSE_LOOK_US = 200,
};

static const char scheme[] = "inproc://";

/* What was published, shared by its receivers. */
struct payload {
    _Atomic size_t references;
    const char *subject;
    size_t size;
    bool no_responders;
    uint8_t bytes[]; /* the message, then the subject */
};

struct delivery {
    struct bus_message message; /* first: release() finds the delivery */
    struct payload *payload;
    struct delivery *next;
};

/* All but pattern, handler and owner under the hub's lock. */
struct subscription {
    char pattern[LIMIT_SUBJECT_BYTES];
    bus_handler *on_message;
    void *owner;
    struct inproc *transport;
    struct subscription *next; /* of the hub */
    struct delivery *first, **last;
    size_t queued;
    bool emptying;                      /* by one thread, until the queue is empty */
    struct subscription *next_to_empty; /* that thread's list */
};

struct hub {
    pthread_mutex_t lock;
    struct subscription *subscriptions;
    struct hub *next; /* under hubs_lock, like the references */
    size_t references;
    char name[LIMIT_NAME_BYTES + 1];
};

struct inproc {
    struct hub *hub;
};

static pthread_mutex_t hubs_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hub *hubs;

static struct hub *hub_ref(const char *name)
{
    (void)pthread_mutex_lock(&hubs_lock);
    struct hub *hub = hubs;
    while (hub != NULL && strcmp(hub->name, name) != 0)
        hub = hub->next;
    if (hub == NULL && (hub = calloc(1, sizeof *hub)) != NULL) {
        (void)pthread_mutex_init(&hub->lock, NULL);
        memcpy(hub->name, name, strlen(name) + 1);
        hub->next = hubs;
        hubs = hub;
    }
    if (hub != NULL)
        hub->references++;
    (void)pthread_mutex_unlock(&hubs_lock);
    return hub;
}

static void hub_unref(struct hub *hub)
{
    struct hub **link = &hubs;

    (void)pthread_mutex_lock(&hubs_lock);
    bool is_last = --hub->references == 0;
    while (is_last && *link != hub)
        link = &(*link)->next;
    if (is_last)
        *link = hub->next;
    (void)pthread_mutex_unlock(&hubs_lock);
    if (!is_last)
        return;
    CHECK(hub->subscriptions == NULL);
    (void)pthread_mutex_destroy(&hub->lock);
    free(hub);
}

static struct payload *payload_new(const char *subject, const void *bytes, size_t size)
{
    size_t subject_bytes = strlen(subject) + 1;
    struct payload *payload = malloc(sizeof *payload + size + subject_bytes);

    if (payload == NULL)
        return NULL;
    payload->references = 1;
    payload->size = size;
    payload->no_responders = false;
    payload->subject = memcpy(payload->bytes + size, subject, subject_bytes);
    if (size > 0)
        memcpy(payload->bytes, bytes, size);
    return payload;
}

static void payload_unref(struct payload *payload)
{
    if (atomic_fetch_sub_explicit(&payload->references, 1, memory_order_acq_rel) == 1)
        free(payload);
}

static void delivery_free(struct bus_message *message)
{
    struct delivery *delivery = (struct delivery *)message;

    payload_unref(delivery->payload);
    free(delivery);
}

/* False: dropped. */
static bool enqueue_locked(struct subscription *subscription, struct payload *payload)
{
    if (subscription->queued >= QUEUE_MESSAGES_MAX)
        return false;
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL)
        return false;
    atomic_fetch_add_explicit(&payload->references, 1, memory_order_relaxed);
    delivery->payload = payload;
    delivery->message = (struct bus_message){
        .subject = payload->subject,
        .bytes = payload->bytes,
        .size = payload->size,
        .no_responders = payload->no_responders,
        .release = delivery_free,
    };
    *subscription->last = delivery;
    subscription->last = &delivery->next;
    subscription->queued++;
    return true;
}

static struct delivery *dequeue_locked(struct subscription *subscription)
{
    struct delivery *delivery = subscription->first;

    if (delivery == NULL)
        return NULL;
    subscription->first = delivery->next;
    if (subscription->first == NULL)
        subscription->last = &subscription->first;
    subscription->queued--;
    return delivery;
}

/* Queues the payload wherever it matches; the count of matches. to_empty: subscriptions which the
 * caller must now empty, in order. */
static size_t hand_out_locked(struct hub *hub, struct payload *payload,
                              struct subscription **to_empty)
{
    size_t matches = 0;

    for (struct subscription *at = hub->subscriptions; at != NULL; at = at->next) {
        if (!subject_matches(at->pattern, payload->subject))
            continue;
        matches++;
        if (!enqueue_locked(at, payload) || at->emptying)
            continue;
        at->emptying = true;
        at->next_to_empty = NULL;
        *to_empty = at;
        to_empty = &at->next_to_empty;
    }
    return matches;
}

static void empty(struct hub *hub, struct subscription *subscription)
{
    struct delivery *delivery;

    (void)pthread_mutex_lock(&hub->lock);
    while ((delivery = dequeue_locked(subscription)) != NULL) {
        (void)pthread_mutex_unlock(&hub->lock);
        subscription->on_message(subscription->owner, &delivery->message);
        (void)pthread_mutex_lock(&hub->lock);
    }
    subscription->emptying = false;
    (void)pthread_mutex_unlock(&hub->lock);
}

/* The count of matches. */
static size_t deliver(struct hub *hub, struct payload *payload)
{
    struct subscription *to_empty = NULL;

    (void)pthread_mutex_lock(&hub->lock);
    size_t matches = hand_out_locked(hub, payload, &to_empty);
    (void)pthread_mutex_unlock(&hub->lock);
    payload_unref(payload);
    while (to_empty != NULL) {
        struct subscription *next = to_empty->next_to_empty;
        empty(hub, to_empty);
        to_empty = next;
    }
    return matches;
}

static enum qn_status inproc_publish(void *self, const char *subject, const char *reply_subject,
                                     const void *bytes, size_t size)
{
    struct inproc *inproc = self;

    if (size > LIMIT_MESSAGE_BYTES_MAX || !subject_is_valid(subject) ||
        (reply_subject != NULL && !subject_is_valid(reply_subject)))
        return QN_STATUS_INVALID;
    struct payload *payload = payload_new(subject, bytes, size);
    if (payload == NULL)
        return QN_STATUS_NO_MEMORY;
    if (deliver(inproc->hub, payload) > 0 || reply_subject == NULL)
        return QN_STATUS_OK;
    payload = payload_new(reply_subject, NULL, 0);
    if (payload == NULL)
        return QN_STATUS_NO_MEMORY;
    payload->no_responders = true;
    (void)deliver(inproc->hub, payload);
    return QN_STATUS_OK;
}

static enum qn_status inproc_subscribe(void *self, const char *subject, bus_handler *on_message,
                                       void *owner, struct qn_error *error)
{
    struct inproc *inproc = self;

    if (!subject_pattern_is_valid(subject))
        return error_set(error, QN_STATUS_INVALID, "subscribe: \"%.64s\" is no subject", subject);
    struct subscription *subscription = calloc(1, sizeof *subscription);
    if (subscription == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "subscribe to %s", subject);
    memcpy(subscription->pattern, subject, strlen(subject) + 1);
    subscription->on_message = on_message;
    subscription->owner = owner;
    subscription->transport = inproc;
    subscription->last = &subscription->first;
    (void)pthread_mutex_lock(&inproc->hub->lock);
    subscription->next = inproc->hub->subscriptions;
    inproc->hub->subscriptions = subscription;
    (void)pthread_mutex_unlock(&inproc->hub->lock);
    return QN_STATUS_OK;
}

static size_t inproc_max_payload(void *self)
{
    (void)self;
    return LIMIT_MESSAGE_BYTES_MAX;
}

static bool inproc_is_connected(void *self)
{
    (void)self;
    return true;
}

/* Takes one subscription of the transport off the hub; NULL when there is none left. */
static struct subscription *take_off(struct inproc *inproc)
{
    struct subscription **link = &inproc->hub->subscriptions;

    (void)pthread_mutex_lock(&inproc->hub->lock);
    while (*link != NULL && (*link)->transport != inproc)
        link = &(*link)->next;
    struct subscription *subscription = *link;
    if (subscription != NULL)
        *link = subscription->next;
    (void)pthread_mutex_unlock(&inproc->hub->lock);
    return subscription;
}

static void wait_until_empty(struct hub *hub, struct subscription *subscription)
{
    for (;;) {
        (void)pthread_mutex_lock(&hub->lock);
        bool emptying = subscription->emptying;
        (void)pthread_mutex_unlock(&hub->lock);
        if (!emptying)
            return;
        clock_nap_us(CLOSE_LOOK_US);
    }
}

static void inproc_close(void *self)
{
    struct inproc *inproc = self;
    struct subscription *subscription;

    while ((subscription = take_off(inproc)) != NULL) {
        wait_until_empty(inproc->hub, subscription);
        free(subscription);
    }
    hub_unref(inproc->hub);
    free(inproc);
}

static const struct transport_ops ops = {
    .name = "inproc",
    .publish = inproc_publish,
    .subscribe = inproc_subscribe,
    .max_payload = inproc_max_payload,
    .is_connected = inproc_is_connected,
    .close = inproc_close,
};

enum qn_status transport_inproc_open(const char *url, struct transport *ret_transport,
                                     struct qn_error *error)
{
    const char *name = url + strlen(scheme);

    if (strncmp(url, scheme, strlen(scheme)) != 0 || *name == '\0' ||
        strlen(name) > LIMIT_NAME_BYTES)
        return error_set(error, QN_STATUS_INVALID, "bus: \"%.64s\" is not inproc://name", url);
    struct inproc *inproc = calloc(1, sizeof *inproc);
    struct hub *hub = inproc == NULL ? NULL : hub_ref(name);
    if (hub == NULL) {
        free(inproc);
        return error_set(error, QN_STATUS_NO_MEMORY, "bus: %s", url);
    }
    inproc->hub = hub;
    *ret_transport = (struct transport){.ops = &ops, .self = inproc};
    return QN_STATUS_OK;
}
