/* SPDX-License-Identifier: Apache-2.0
 * The keeper: one thread for what must not be done on the library's. When the library gives a
 * connection up for ever (its login was refused twice, as while an operator changes accounts), the
 * keeper opens another wire, with the files of the URL read again, and subscribes all on it. After
 * every outage it restores what a server may have lost. */
#include "channel/nats_bus.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/prng.h"
#include "channel/nats_backoff.h"

static int is_stopping(void *owner)
{
    return atomic_load(&((struct nats_bus *)owner)->is_stopping);
}

static int has_news(void *owner)
{
    struct nats_bus *bus = owner;

    return atomic_load(&bus->is_stopping) || atomic_load(&bus->is_lost) ||
           atomic_load(&bus->is_back);
}

/* False: it may not come up after all; then it is tried again. */
static bool move_to(struct nats_bus *bus, struct nats_wire *wire)
{
    enum qn_status status = QN_STATUS_OK;

    (void)pthread_mutex_lock(&bus->lock);
    for (struct nats_subscriber *at = bus->subscribers; status == QN_STATUS_OK && at != NULL;
         at = at->next)
        if (!atomic_load(&at->is_refused))
            status = nats_subscriber_on(wire, at, NULL);
    if (status == QN_STATUS_OK)
        nats_bus_set_wire(bus, wire);
    (void)pthread_mutex_unlock(&bus->lock);
    return status == QN_STATUS_OK;
}

/* The library gave up. Nobody else closes or replaces the wire. */
static void replace_wire(struct nats_bus *bus, struct prng *prng)
{
    struct nats_wire *wire = bus->wire;
    struct clock clock = clock_monotonic();

    nats_bus_set_wire(bus, NULL);
    atomic_fetch_add(&bus->dropped_before, nats_wire_dropped(wire));
    bus->is_owed |= !nats_wire_close(wire);
    for (unsigned attempt = 1; !atomic_load(&bus->is_stopping); attempt++) {
        struct qn_error error = {0};
        uint64_t pause_us = nats_backoff_ms(attempt, prng_next(prng)) * 1000;
        (void)waiter_wait_until(&bus->waiter, is_stopping, bus, clock_now_us(&clock) + pause_us);
        atomic_store(&bus->is_lost, false);
        enum qn_status status =
            is_stopping(bus) ? QN_STATUS_CANCELLED : nats_bus_open_wire(bus, &wire, &error);
        if (status == QN_STATUS_NOT_PERMITTED)
            atomic_store(&bus->shut_out_ms, nats_bus_now_ms());
        if (status != QN_STATUS_OK) {
            LOG_DEBUG("bus", "%s", error.text);
            continue;
        }
        if (move_to(bus, wire)) {
            atomic_store(&bus->is_back, true);
            return;
        }
        bus->is_owed |= !nats_wire_close(wire);
    }
}

/* After an outage: the server may be another one, or have lost what it kept. */
static void restore(struct nats_bus *bus)
{
    struct qn_error error = {0};

    (void)pthread_mutex_lock(&bus->lock);
    struct nats_views views = bus->retained;
    struct nats_subscriber *at = bus->subscribers;
    (void)pthread_mutex_unlock(&bus->lock);
    if (views.stream[0] != '\0' && nats_retained_make_stream(bus, &views, &error) != QN_STATUS_OK)
        LOG_DEBUG("bus", "%s", error.text);
    for (; at != NULL; at = at->next) {
        if (!at->is_retained || atomic_load(&at->is_refused))
            continue;
        (void)pthread_mutex_lock(&at->turn);
        nats_retained_hand_over(bus, at);
        (void)pthread_mutex_unlock(&at->turn);
    }
}

void *nats_keeper_run(void *owner)
{
    struct nats_bus *bus = owner;
    struct prng prng;

    prng_init(&prng, clock_wall_ms() ^ (uint64_t)(uintptr_t)bus);
    while (!atomic_load(&bus->is_stopping)) {
        if (!waiter_wait_until(&bus->waiter, has_news, bus, UINT64_MAX))
            continue;
        if (atomic_load(&bus->is_lost) && !atomic_load(&bus->is_stopping))
            replace_wire(bus, &prng);
        if (atomic_exchange(&bus->is_back, false))
            restore(bus);
    }
    return NULL;
}
