/* SPDX-License-Identifier: Apache-2.0
 * The transport port on NATS: what outlives one connection of the library (nats_wire.h).
 * Subscriptions are kept here, so that the keeper can make them again on another wire. What the
 * server refuses it says later, in words: they are kept until somebody asks. */
#include "channel/nats_bus.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/prng.h"
#include "base/thread.h"
#include "channel/nats_backoff.h"
#include "channel/nats_fork.h"
#include "channel/subject.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENT_WAIT_MS = 200, /* for a refusal that the server has sent and we have not seen */
    CONNECT_TRY_MS = 2000,
    CONNECT_PAUSE_DIVISOR = 8, /* of the back-off, while opening: somebody waits */
};

uint64_t nats_bus_now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}

/* ---- events: the library's threads ---- */

static void on_connected(void *owner)
{
    struct nats_bus *bus = owner;

    atomic_store(&bus->is_back, true);
    waiter_wake(&bus->waiter);
}

static void on_trouble(void *owner, const char *text)
{
    struct nats_bus *bus = owner;
    struct nats_refusal refusal;

    if (nats_refusal_parse(text, &refusal)) {
        refusal.at_ms = nats_bus_now_ms();
        nats_refusals_add(&bus->refusals, &refusal);
    } else {
        atomic_store(&bus->shut_out_ms, nats_bus_now_ms());
    }
    atomic_fetch_add(&bus->troubles_total, 1);
}

static void on_closed(void *owner)
{
    struct nats_bus *bus = owner;

    atomic_store(&bus->is_lost, true);
    waiter_wake(&bus->waiter);
}

/* ---- the wire of the moment ---- */

enum qn_status nats_bus_open_wire(struct nats_bus *bus, struct nats_wire **ret_wire,
                                  struct qn_error *error)
{
    struct bus_url *url = malloc(sizeof *url);
    struct nats_login login = {.user = NULL};
    struct nats_wire_options options = {
        .url = url,
        .login = &login,
        .name = bus->name,
        .try_ms = CONNECT_TRY_MS,
        .events = {bus, on_connected, on_trouble, on_closed},
    };

    if (url == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "bus: out of memory");
    enum qn_status status = bus_url_parse(bus->url, url, error);
    if (status == QN_STATUS_OK)
        status = nats_login_read(url, &login, error);
    if (status == QN_STATUS_OK)
        status = nats_fork_renew(error);
    if (status == QN_STATUS_OK) {
        if (bus->account[0] == '\0')
            memcpy(bus->account, login.account, sizeof bus->account);
        status = nats_wire_open(&options, ret_wire, error);
    }
    nats_login_done(&login);
    explicit_bzero(url, sizeof *url);
    free(url);
    return status;
}

struct nats_wire *nats_bus_take_wire(struct nats_bus *bus)
{
    (void)pthread_rwlock_rdlock(&bus->wire_lock);
    struct nats_wire *wire = bus->wire;
    if (wire == NULL)
        (void)pthread_rwlock_unlock(&bus->wire_lock);
    return wire;
}

void nats_bus_give_back_wire(struct nats_bus *bus)
{
    (void)pthread_rwlock_unlock(&bus->wire_lock);
}

void nats_bus_set_wire(struct nats_bus *bus, struct nats_wire *wire)
{
    (void)pthread_rwlock_wrlock(&bus->wire_lock);
    bus->wire = wire;
    (void)pthread_rwlock_unlock(&bus->wire_lock);
}

/* ---- the port ---- */

static enum qn_status nats_publish(void *self, const char *subject, const char *reply_subject,
                                   const void *bytes, size_t size)
{
    struct nats_bus *bus = self;

    if (size > INT32_MAX || !subject_is_valid(subject) ||
        (reply_subject != NULL && !subject_is_valid(reply_subject)))
        return QN_STATUS_INVALID;
    struct nats_wire *wire = nats_bus_take_wire(bus);
    if (wire == NULL)
        return QN_STATUS_UNAVAILABLE;
    enum qn_status status = nats_wire_publish(wire, subject, reply_subject, bytes, size);
    if (atomic_load(&bus->corks) == 0)
        nats_wire_push(wire);
    nats_bus_give_back_wire(bus);
    return status;
}

static void nats_cork(void *self)
{
    struct nats_bus *bus = self;

    (void)atomic_fetch_add(&bus->corks, 1);
}

/* What somebody published while it saw our cork is in the buffer by now. */
static void nats_uncork(void *self)
{
    struct nats_bus *bus = self;

    if (atomic_fetch_sub(&bus->corks, 1) != 1)
        return;
    struct nats_wire *wire = nats_bus_take_wire(bus);
    if (wire == NULL)
        return;
    nats_wire_push(wire);
    nats_bus_give_back_wire(bus);
}

enum qn_status nats_bus_flush(struct nats_bus *bus, uint64_t timeout_ms)
{
    uint64_t troubles = atomic_load(&bus->troubles_total);
    struct nats_wire *wire = nats_bus_take_wire(bus);

    if (wire == NULL)
        return QN_STATUS_UNAVAILABLE;
    enum qn_status status = nats_wire_flush(wire, timeout_ms);
    bool said_no = nats_wire_said_no(wire);
    nats_bus_give_back_wire(bus);
    /* The library tells us of it on another thread than the one that has seen the answer. */
    for (int i = 0; said_no && i < EVENT_WAIT_MS && atomic_load(&bus->troubles_total) == troubles;
         i++)
        clock_nap_us(1000);
    return status;
}

static enum qn_status nats_flush(void *self, uint64_t timeout_ms)
{
    return nats_bus_flush(self, timeout_ms);
}

static enum qn_status say_refused(const struct nats_bus *bus, const struct nats_refusal *refusal,
                                  struct qn_error *error)
{
    return error_set(error, QN_STATUS_NOT_PERMITTED,
                     "the bus server refuses %.72s to %s %.80s: give the account that permission "
                     "(PROTOCOL.md, Security)",
                     bus->account, refusal->is_subscription ? "subscribe to" : "publish on",
                     refusal->subject);
}

enum qn_status nats_bus_refused(struct nats_bus *bus, const char *subject, uint64_t within_ms,
                                struct qn_error *error)
{
    uint64_t now = nats_bus_now_ms();
    uint64_t since_ms = now > within_ms ? now - within_ms : 0;
    struct nats_refusal refusal;

    if (subject == NULL) {
        uint64_t at_ms = atomic_load(&bus->shut_out_ms);
        if (at_ms == 0 || at_ms < since_ms)
            return QN_STATUS_OK;
        return error_set(error, QN_STATUS_NOT_PERMITTED,
                         "the bus server does not let in %.72s: check the user, password, token "
                         "or key",
                         bus->account);
    }
    if (atomic_load(&bus->troubles_total) == 0 ||
        !nats_refusals_find(&bus->refusals, subject, since_ms, &refusal))
        return QN_STATUS_OK;
    return say_refused(bus, &refusal, error);
}

static enum qn_status nats_refused(void *self, const char *subject, uint64_t within_ms,
                                   struct qn_error *error)
{
    return nats_bus_refused(self, subject, within_ms, error);
}

static size_t nats_max_payload(void *self)
{
    struct nats_bus *bus = self;
    struct nats_wire *wire = nats_bus_take_wire(bus);

    if (wire != NULL) {
        atomic_store(&bus->payload_max, nats_wire_max_payload(wire));
        nats_bus_give_back_wire(bus);
    }
    return atomic_load(&bus->payload_max);
}

static bool nats_is_connected(void *self)
{
    struct nats_bus *bus = self;
    struct nats_wire *wire = nats_bus_take_wire(bus);
    bool is_connected = wire != NULL && nats_wire_is_connected(wire);

    if (wire != NULL)
        nats_bus_give_back_wire(bus);
    return is_connected;
}

static uint64_t nats_dropped(void *self)
{
    struct nats_bus *bus = self;
    uint64_t dropped = atomic_load(&bus->dropped_before);

    (void)pthread_mutex_lock(&bus->lock);
    struct nats_wire *wire = nats_bus_take_wire(bus);
    if (wire != NULL) {
        dropped += nats_wire_dropped(wire);
        nats_bus_give_back_wire(bus);
    }
    (void)pthread_mutex_unlock(&bus->lock);
    return dropped;
}

static enum qn_status nats_retain(void *self, const char *pattern, struct qn_error *error)
{
    struct nats_bus *bus = self;
    struct nats_views views;

    if (!nats_views_of(pattern, &views))
        return error_set(error, QN_STATUS_UNSUPPORTED, "retain: \"%.64s\" is not kept", pattern);
    (void)pthread_mutex_lock(&bus->lock);
    bus->retained = views;
    (void)pthread_mutex_unlock(&bus->lock);
    return nats_retained_make_stream(bus, &views, error);
}

/* ---- opening and closing ---- */

static void bus_free(struct nats_bus *bus)
{
    while (bus->subscribers != NULL) {
        struct nats_subscriber *subscriber = bus->subscribers;
        bus->subscribers = subscriber->next;
        nats_subscriber_free(subscriber);
    }
    nats_refusals_done(&bus->refusals);
    (void)pthread_mutex_destroy(&bus->lock);
    (void)pthread_rwlock_destroy(&bus->wire_lock);
    explicit_bzero(bus->url, sizeof bus->url);
    free(bus);
}

/* A callback that the library still owes us would find the bus freed: better leaked. */
static void bus_end(struct nats_bus *bus)
{
    if (bus->is_owed)
        explicit_bzero(bus->url, sizeof bus->url);
    else
        bus_free(bus);
}

static void nats_close(void *self)
{
    struct nats_bus *bus = self;

    atomic_store(&bus->is_stopping, true);
    waiter_wake(&bus->waiter);
    (void)pthread_join(bus->keeper, NULL);
    bus->is_owed |= !nats_wire_close(bus->wire);
    bus_end(bus);
}

static const struct transport_ops ops = {
    .name = "nats",
    .publish = nats_publish,
    .subscribe = nats_subscriber_add,
    .max_payload = nats_max_payload,
    .is_connected = nats_is_connected,
    .close = nats_close,
    .flush = nats_flush,
    .refused = nats_refused,
    .retain = nats_retain,
    .dropped = nats_dropped,
    .cork = nats_cork,
    .uncork = nats_uncork,
};

/* Tries again until connect_ms are over: the server may be starting. */
static enum qn_status open_patiently(struct nats_bus *bus, uint64_t connect_ms,
                                     struct qn_error *error)
{
    uint64_t deadline_ms = nats_bus_now_ms() + connect_ms;
    struct prng prng;

    prng_init(&prng, clock_wall_ms() ^ (uint64_t)(uintptr_t)bus);
    for (unsigned attempt = 1;; attempt++) {
        uint64_t pause_ms = nats_backoff_ms(attempt, prng_next(&prng)) / CONNECT_PAUSE_DIVISOR;
        enum qn_status status = nats_bus_open_wire(bus, &bus->wire, error);
        bool may_change = status == QN_STATUS_UNAVAILABLE || status == QN_STATUS_TIMEOUT;
        uint64_t now_ms = nats_bus_now_ms();
        if (!may_change || now_ms >= deadline_ms)
            return status;
        uint64_t left_ms = deadline_ms - now_ms;
        clock_nap_us((pause_ms < left_ms ? pause_ms : left_ms) * 1000);
    }
}

enum qn_status transport_nats_open(const char *url, const char *name, uint64_t connect_ms,
                                   struct transport *ret_transport, struct qn_error *error)
{
    if (strlen(url) >= BUS_URL_BYTES)
        return error_set(error, QN_STATUS_INVALID, "bus: url of more than %d bytes",
                         BUS_URL_BYTES - 1);
    struct nats_bus *bus = aligned_alloc(_Alignof(struct nats_bus), sizeof *bus);
    if (bus == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "bus: out of memory");
    memset(bus, 0, sizeof *bus);
    (void)snprintf(bus->url, sizeof bus->url, "%s", url);
    (void)snprintf(bus->name, sizeof bus->name, "%s", name);
    (void)pthread_mutex_init(&bus->lock, NULL);
    (void)pthread_rwlock_init(&bus->wire_lock, NULL);
    nats_refusals_init(&bus->refusals);
    waiter_init(&bus->waiter);
    enum qn_status status = open_patiently(bus, connect_ms, error);
    if (status == QN_STATUS_OK) {
        status = thread_start(&bus->keeper, "bus keeper", nats_keeper_run, bus, error);
        if (status != QN_STATUS_OK)
            bus->is_owed = !nats_wire_close(bus->wire);
    }
    if (status != QN_STATUS_OK) {
        bus_end(bus);
        return status;
    }
    *ret_transport = (struct transport){.ops = &ops, .self = bus};
    return QN_STATUS_OK;
}
