/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sweep/ports.h"

#include "base/check.h"
#include "base/error.h"
#include "base/waiter.h"
#include <stdatomic.h>
#include <string.h>

enum { BUSES_MAX = 8, SUBSCRIPTIONS_MAX = 8 };

static const char url[] = "inproc://sweep";

struct bus;

struct bus_subscription {
    struct bus *bus;
    bus_handler *on_message;
    void *owner;
};

struct bus {
    bool is_open;
    struct transport real;
    enum fault_party party;
    struct bus_subscription subscriptions[SUBSCRIPTIONS_MAX];
    size_t subscriptions_count;
};

/* One process, one stage: what the linker leads here has no other way to it. */
static struct {
    uint64_t now_us, messages_count;
    ports_pass *pass;
    void *owner;
    struct bus buses[BUSES_MAX];
    struct state state;
} ports;

void ports_begin(ports_pass *pass, void *owner)
{
    memset(&ports, 0, sizeof ports);
    ports.now_us = 1000000;
    ports.pass = pass;
    ports.owner = owner;
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t now_us(void *self)
{
    (void)self;
    return ports.now_us;
}

uint64_t ports_now_us(void)
{
    return ports.now_us;
}

void ports_set_now_us(uint64_t at_us)
{
    ports.now_us = at_us > ports.now_us ? at_us : ports.now_us;
}

uint64_t ports_messages_count(void)
{
    return ports.messages_count;
}

struct clock ports_clock(void)
{
    return (struct clock){.now_us = now_us};
}

struct clock __wrap_clock_monotonic(void);
void __wrap_waiter_wait(struct waiter *waiter, uint32_t ticket, uint64_t timeout_us);
int __wrap_waiter_wait_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                             uint64_t deadline_us);

struct clock __wrap_clock_monotonic(void)
{
    return ports_clock();
}

static void pass_until(uint64_t until_us)
{
    enum fault_party before = fault_enter(FAULT_PARTY_NOBODY);

    ports.pass(ports.owner, until_us);
    (void)fault_enter(before);
}

void __wrap_waiter_wait(struct waiter *waiter, uint32_t ticket, uint64_t timeout_us)
{
    (void)ticket;
    pass_until(ports.now_us + timeout_us);
    waiter_cancel(waiter);
}

int __wrap_waiter_wait_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                             uint64_t deadline_us)
{
    (void)waiter;
    while (!ready(owner)) {
        if (ports.now_us >= deadline_us)
            return 0;
        pass_until(deadline_us);
    }
    return 1;
}

/* ---- bus ------------------------------------------------------------------------------------- */

static enum qn_status bus_publish(void *self, const char *subject, const char *reply_subject,
                                  const void *bytes, size_t size)
{
    static const enum qn_status refusals[] = {QN_STATUS_BUSY, QN_STATUS_IO, QN_STATUS_UNAVAILABLE};
    struct bus *bus = self;

    if (fault_strikes(FAULT_PUBLISH))
        return refusals[fault_calls_count() % COUNT_OF(refusals)];
    return bus->real.ops->publish(bus->real.self, subject, reply_subject, bytes, size);
}

/* Whoever publishes lends its thread to those who listen. */
static void on_message(void *owner, struct bus_message *message)
{
    const struct bus_subscription *subscription = owner;
    enum fault_party before = fault_enter(subscription->bus->party);

    ports.messages_count++;
    subscription->on_message(subscription->owner, message);
    (void)fault_enter(before);
}

static enum qn_status bus_subscribe(void *self, const char *subject, bus_handler *handler,
                                    void *owner, struct qn_error *error)
{
    struct bus *bus = self;
    struct bus_subscription *subscription = &bus->subscriptions[bus->subscriptions_count];

    if (fault_strikes(FAULT_SUBSCRIBE))
        return error_set(error, QN_STATUS_UNAVAILABLE, "subscribe to %s: connection lost", subject);
    CHECK(bus->subscriptions_count < SUBSCRIPTIONS_MAX);
    *subscription = (struct bus_subscription){bus, handler, owner};
    enum qn_status status =
        bus->real.ops->subscribe(bus->real.self, subject, on_message, subscription, error);
    bus->subscriptions_count += status == QN_STATUS_OK;
    return status;
}

static size_t bus_max_payload(void *self)
{
    (void)self;
    return PORTS_PAYLOAD_BYTES;
}

static bool bus_is_connected(void *self)
{
    (void)self;
    return true;
}

static void bus_close(void *self)
{
    struct bus *bus = self;

    bus->real.ops->close(bus->real.self);
    bus->is_open = false;
}

enum qn_status ports_open_bus(enum fault_party party, struct transport *ret_transport,
                              struct qn_error *error)
{
    static const struct transport_ops ops = {
        .name = "sweep",
        .publish = bus_publish,
        .subscribe = bus_subscribe,
        .max_payload = bus_max_payload,
        .is_connected = bus_is_connected,
        .close = bus_close,
    };
    struct bus *bus = ports.buses;

    while (bus->is_open)
        CHECK(++bus < ports.buses + BUSES_MAX);
    *bus = (struct bus){.party = party};
    enum qn_status status = transport_inproc_open(url, &bus->real, error);
    if (status != QN_STATUS_OK)
        return status;
    bus->is_open = true;
    *ret_transport = (struct transport){.ops = &ops, .self = bus};
    return QN_STATUS_OK;
}

enum qn_status __wrap_transport_open(const char *asked_url, const char *name, uint64_t connect_ms,
                                     struct transport *ret_transport, struct qn_error *error);

/* Only the client library opens a bus by itself. */
enum qn_status __wrap_transport_open(const char *asked_url, const char *name, uint64_t connect_ms,
                                     struct transport *ret_transport, struct qn_error *error)
{
    (void)asked_url, (void)name, (void)connect_ms;
    return ports_open_bus(FAULT_PARTY_CLIENT, ret_transport, error);
}

/* ---- the coordinator's state ----------------------------------------------------------------- */

static enum qn_status state_load(void *self,
                                 void (*on_row)(void *owner, const struct state_row *row),
                                 void *owner, struct qn_error *error)
{
    (void)self;
    return ports.state.ops->load(ports.state.self, on_row, owner, error);
}

static enum qn_status state_commit(void *self, const struct state_row *rows, size_t rows_count,
                                   struct qn_error *error)
{
    (void)self;
    if (fault_strikes(FAULT_COMMIT))
        return error_set(error, QN_STATUS_IO, "commit of %zu rows: no space left", rows_count);
    return ports.state.ops->commit(ports.state.self, rows, rows_count, error);
}

static void state_close(void *self)
{
    (void)self;
    ports.state.ops->close(ports.state.self);
}

struct state ports_state(struct state real)
{
    static const struct state_ops ops = {"sweep", state_load, state_commit, state_close};

    ports.state = real;
    return (struct state){.ops = &ops, .self = &ports.state};
}

static enum qn_status no_rows(void *self, void (*on_row)(void *owner, const struct state_row *row),
                              void *owner, struct qn_error *error)
{
    (void)self, (void)on_row, (void)owner, (void)error;
    return QN_STATUS_OK;
}

static enum qn_status forget(void *self, const struct state_row *rows, size_t rows_count,
                             struct qn_error *error)
{
    (void)self, (void)rows, (void)rows_count, (void)error;
    return QN_STATUS_OK;
}

static void close_nothing(void *self)
{
    (void)self;
}

struct state ports_forgetful_state(void)
{
    static const struct state_ops ops = {"forgetful", no_rows, forget, close_nothing};

    return (struct state){.ops = &ops};
}
