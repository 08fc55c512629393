/* SPDX-License-Identifier: Apache-2.0
 * Each subscriber's copy of a message has its own fate. Without "reordered" and "late" the messages
 * from one process to another keep their order, as one NATS connection does. */
#include "tests/sim/net.h"

#include "base/check.h"
#include "channel/message.h"
#include "tests/sim/heap.h"
#include "tests/sim/world.h"
#include <stdlib.h>
#include <string.h>

enum { NET_BACKLOG_MAX_US = 400000 }; /* of an overloaded bus; then it refuses */

struct net_delivery {
    struct bus_message message; /* first: release gets its address */
    struct net *net;
    struct net_delivery *previous, *next;
    struct process *to;
    uint64_t taken_us;
    bool is_lost;
    uint32_t incarnation;
    bus_handler *on_message;
    void *owner;
    char subject[256];
    unsigned char bytes[]; /* the message begins at an odd place */
};

void net_init(struct net *net, struct world *world)
{
    *net = (struct net){.world = world};
}

static void unlink_delivery(struct net_delivery *delivery)
{
    if (delivery->previous != NULL)
        delivery->previous->next = delivery->next;
    else
        delivery->net->in_flight = delivery->next;
    if (delivery->next != NULL)
        delivery->next->previous = delivery->previous;
}

void net_done(struct net *net)
{
    while (net->in_flight != NULL) {
        struct net_delivery *delivery = net->in_flight;
        unlink_delivery(delivery);
        free(delivery);
    }
}

static void release_delivery(struct bus_message *message)
{
    free(message);
}

/* What the bus holds for a subject reaches who listens there when it arrives: also a process that
 * was started again meanwhile. */
static void find_again(struct net_delivery *delivery)
{
    struct net *net = delivery->net;

    for (size_t i = 0; i < net->subscriptions_count; i++) {
        const struct net_subscription *to = &net->subscriptions[i];
        if (to->process != delivery->to || !net_matches(to->pattern, delivery->subject))
            continue;
        delivery->incarnation = to->process->incarnation;
        delivery->on_message = to->on_message;
        delivery->owner = to->owner;
        return;
    }
}

static void deliver(void *owner, uint64_t tag)
{
    struct net_delivery *delivery = owner;
    struct process *to = delivery->to;

    (void)tag;
    unlink_delivery(delivery);
    if (to->is_alive && to->incarnation != delivery->incarnation)
        find_again(delivery);
    if (delivery->is_lost || !to->is_alive || to->incarnation != delivery->incarnation) {
        free(delivery);
        return;
    }
    to->world->stats.delivered++;
    observer_on_arrival(to->world, to, delivery->subject, &delivery->message);
    delivery->on_message(delivery->owner, &delivery->message);
    process_wake(to);
}

static struct net_delivery *new_delivery(struct net *net, const struct net_subscription *to,
                                         const char *subject, const void *bytes, size_t size)
{
    struct net_delivery *delivery = malloc(sizeof *delivery + size + 1);

    CHECK(delivery != NULL && strlen(subject) < sizeof delivery->subject);
    *delivery = (struct net_delivery){
        .net = net,
        .next = net->in_flight,
        .to = to->process,
        .taken_us = net->world->timeline.now_us,
        .incarnation = to->process->incarnation,
        .on_message = to->on_message,
        .owner = to->owner,
    };
    memcpy(delivery->subject, subject, strlen(subject) + 1);
    if (size > 0)
        memcpy(delivery->bytes + 1, bytes, size);
    delivery->message = (struct bus_message){
        .subject = delivery->subject,
        .bytes = delivery->bytes + 1,
        .size = size,
        .release = release_delivery,
    };
    if (net->in_flight != NULL)
        net->in_flight->previous = delivery;
    net->in_flight = delivery;
    return delivery;
}

static bool happens(struct net *net, uint32_t per_mille)
{
    return per_mille > 0 && prng_below(&net->world->prng_net, 1000) < per_mille;
}

static bool is_overloaded(const struct net *net)
{
    return net->slow_until_us > net->world->timeline.now_us;
}

/* One by one through a bus that has too much to do. */
static uint64_t queue_us(struct net *net)
{
    uint64_t now_us = net->world->timeline.now_us;

    if (!is_overloaded(net))
        return now_us;
    net->world->stats.overloaded++;
    net->busy_until_us = net->busy_until_us > now_us ? net->busy_until_us : now_us;
    net->busy_until_us += net->per_copy_us;
    return net->busy_until_us;
}

static uint64_t arrival_us(struct net *net, const struct process *from, const struct process *to)
{
    struct world *world = net->world;
    uint64_t *last_us = &net->last_at_us[from->index][to->index];
    uint64_t at_us = queue_us(net) + 30 + prng_below(&world->prng_net, world->options.delay_max_us);

    if (happens(net, world->options.late_per_mille)) {
        world->stats.late++;
        return at_us + prng_below(&world->prng_net, 20000000);
    }
    if (happens(net, world->options.reordered_per_mille)) {
        world->stats.reordered++;
        return at_us + prng_below(&world->prng_net, 1 + 20 * world->options.delay_max_us);
    }
    *last_us = at_us > *last_us ? at_us : *last_us;
    return *last_us;
}

static void send_copy(struct net *net, const struct process *from,
                      const struct net_subscription *to, struct net_delivery *delivery)
{
    timeline_at(&net->world->timeline, arrival_us(net, from, to->process), deliver, delivery, 0);
}

static bool is_lost(struct net *net, const struct process *from, const struct process *to,
                    const char *subject)
{
    struct world *world = net->world;

    if (net->cut_until_us[from->index][to->index] > world->timeline.now_us) {
        world->stats.cut++;
        trace_line(&world->trace, "  cut   %s to %s: %s", from->name, to->name, subject);
        return true;
    }
    if (!happens(net, world->options.lost_per_mille))
        return false;
    world->stats.lost++;
    trace_line(&world->trace, "  lost  %s to %s: %s", from->name, to->name, subject);
    return true;
}

static void send(struct net *net, const struct process *from, const struct net_subscription *to,
                 const char *subject, const void *bytes, size_t size)
{
    if (is_lost(net, from, to->process, subject))
        return;
    send_copy(net, from, to, new_delivery(net, to, subject, bytes, size));
    while (happens(net, net->world->options.repeated_per_mille)) {
        net->world->stats.repeated++;
        send_copy(net, from, to, new_delivery(net, to, subject, bytes, size));
    }
}

static void report_no_responders(struct net *net, const struct process *from,
                                 const char *reply_subject)
{
    for (size_t i = 0; i < net->subscriptions_count; i++) {
        const struct net_subscription *to = &net->subscriptions[i];
        if (!net_matches(to->pattern, reply_subject) ||
            is_lost(net, from, to->process, reply_subject))
            continue;
        struct net_delivery *delivery = new_delivery(net, to, reply_subject, NULL, 0);
        delivery->message.no_responders = true;
        net->world->stats.no_responders++;
        send_copy(net, from, to, delivery);
    }
}

/* The lists of a world are short: a coordinator has room for a few items only, and now for more,
 * now for less of them, as if it came back to another server. */
static size_t net_max_payload(void *self)
{
    const struct process *process = self;
    const struct world *world = process->world;
    uint32_t bytes = world->options.payload_bytes;

    if (bytes > 0 && process->kind == PROCESS_COORDINATOR)
        return bytes / (world->timeline.now_us / NET_NARROW_US % 2 == 0 ? 3 : 4);
    return bytes == 0 ? LIMIT_MESSAGE_BYTES_MAX : bytes;
}

/* BUSY from a bus that is full; else true in *ret_is_lost when it is down. */
static enum qn_status admit(struct net *net, const struct process *from, const char *subject,
                            bool *ret_is_lost)
{
    struct world *world = net->world;

    *ret_is_lost = net->down_until_us > world->timeline.now_us;
    if (*ret_is_lost) {
        world->stats.bus_down++;
        trace_line(&world->trace, "  down  %s: %s", from->name, subject);
        return QN_STATUS_OK;
    }
    bool is_refused = happens(net, world->options.refused_per_mille);
    bool is_backlog =
        is_overloaded(net) && net->busy_until_us > world->timeline.now_us + NET_BACKLOG_MAX_US;
    if (!is_refused && !is_backlog)
        return QN_STATUS_OK;
    *(is_refused ? &world->stats.refused : &world->stats.overload_refused) += 1;
    trace_line(&world->trace, "  busy  %s: %s", from->name, subject);
    return QN_STATUS_BUSY;
}

static enum qn_status net_publish(void *self, const char *subject, const char *reply_subject,
                                  const void *bytes, size_t size)
{
    struct process *from = self;
    struct net *net = &from->world->net;
    bool is_heard_by_any = false, is_lost;

    HEAP_OUTSIDE;
    if (size > net_max_payload(from))
        return QN_STATUS_INVALID;
    if (!process_is_heard(from))
        return QN_STATUS_OK;
    from->world->stats.messages++;
    observer_on_publish(from->world, from, subject, bytes, size);
    enum qn_status status = admit(net, from, subject, &is_lost);
    if (status != QN_STATUS_OK || is_lost)
        return status;
    for (size_t i = 0; i < net->subscriptions_count; i++) {
        if (!net_matches(net->subscriptions[i].pattern, subject))
            continue;
        is_heard_by_any = true;
        send(net, from, &net->subscriptions[i], subject, bytes, size);
    }
    if (!is_heard_by_any && reply_subject != NULL && reply_subject[0] != 0)
        report_no_responders(net, from, reply_subject);
    return QN_STATUS_OK;
}

static enum qn_status net_subscribe(void *self, const char *subject, bus_handler *on_message,
                                    void *owner, struct qn_error *error)
{
    struct process *process = self;
    struct net *net = &process->world->net;
    struct net_subscription *slot = &net->subscriptions[net->subscriptions_count];

    (void)error;
    CHECK(net->subscriptions_count < NET_SUBSCRIPTIONS_MAX);
    CHECK(strlen(subject) < sizeof slot->pattern);
    if (!process->is_alive)
        return QN_STATUS_OK;
    *slot = (struct net_subscription){.on_message = on_message, .owner = owner, .process = process};
    memcpy(slot->pattern, subject, strlen(subject) + 1);
    net->subscriptions_count++;
    return QN_STATUS_OK;
}

static bool net_is_connected(void *self)
{
    const struct process *process = self;

    return process->world->net.down_until_us <= process->world->timeline.now_us;
}

static void net_close(void *self)
{
    struct process *process = self;

    net_forget(&process->world->net, process);
}

struct transport net_transport(struct process *process)
{
    static const struct transport_ops ops = {
        .name = "sim",
        .publish = net_publish,
        .subscribe = net_subscribe,
        .max_payload = net_max_payload,
        .is_connected = net_is_connected,
        .close = net_close,
    };

    return (struct transport){.ops = &ops, .self = process};
}

void net_forget(struct net *net, const struct process *process)
{
    size_t kept_count = 0;

    for (size_t i = 0; i < net->subscriptions_count; i++)
        if (net->subscriptions[i].process != process)
            net->subscriptions[kept_count++] = net->subscriptions[i];
    net->subscriptions_count = kept_count;
}

void net_cut(struct net *net, const struct process *from, const struct process *to,
             uint64_t until_us)
{
    uint64_t *cut_us = &net->cut_until_us[from->index][to->index];

    *cut_us = until_us > *cut_us ? until_us : *cut_us;
}

void net_crash(struct net *net, uint64_t suffix_us, uint64_t down_until_us)
{
    uint64_t now_us = net->world->timeline.now_us;

    net->down_until_us = down_until_us;
    for (struct net_delivery *d = net->in_flight; d != NULL; d = d->next) {
        if (d->is_lost || d->taken_us + suffix_us < now_us)
            continue;
        d->is_lost = true;
        net->world->stats.suffix_lost++;
    }
}

void net_slow(struct net *net, uint64_t per_copy_us, uint64_t until_us)
{
    net->per_copy_us = per_copy_us;
    net->slow_until_us = until_us;
}

void net_heal(struct net *net)
{
    memset(net->cut_until_us, 0, sizeof net->cut_until_us);
    net->down_until_us = net->slow_until_us = 0;
}

bool net_matches(const char *pattern, const char *subject)
{
    while (*pattern != 0 && *subject != 0) {
        if (strcmp(pattern, ">") == 0)
            return true;
        if (*pattern == '*') {
            pattern++;
            subject += strcspn(subject, ".");
        } else if (*pattern++ != *subject++) {
            return false;
        }
    }
    return *pattern == 0 && *subject == 0;
}
