/* SPDX-License-Identifier: Apache-2.0
 * The bus of the world: the transport port with delays, losses, repeats, reordering and cuts. It
 * carries the encoded bytes, at odd addresses, and nothing else. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "channel/transport.h"
#include "tests/sim/timeline.h"

enum { NET_PROCESSES_MAX = 16, NET_SUBSCRIPTIONS_MAX = 256, NET_NARROW_US = 4000000 };

struct world;
struct process;

struct net_subscription {
    char pattern[256];
    bus_handler *on_message;
    void *owner;
    struct process *process;
};

struct net_delivery;

struct net {
    struct world *world;
    struct net_subscription subscriptions[NET_SUBSCRIPTIONS_MAX];
    size_t subscriptions_count;
    struct net_delivery *in_flight;                              /* double linked, no order */
    uint64_t last_at_us[NET_PROCESSES_MAX][NET_PROCESSES_MAX];   /* keeps order per pair */
    uint64_t cut_until_us[NET_PROCESSES_MAX][NET_PROCESSES_MAX]; /* from, to */
    uint64_t down_until_us;                                      /* the bus itself is away */
    uint64_t slow_until_us, per_copy_us; /* overloaded: each copy takes so long, one by one */
    uint64_t busy_until_us;              /* with the copies that it took so far */
};

void net_init(struct net *net, struct world *world);
void net_done(struct net *net);
struct transport net_transport(struct process *process);
/* A process is gone: nothing reaches it any more. */
void net_forget(struct net *net, const struct process *process);
/* Messages from one process to the other vanish until then. */
void net_cut(struct net *net, const struct process *from, const struct process *to,
             uint64_t until_us);
/* The bus crashes: what it took in the last suffix_us is lost for all, and until then it is down:
 * what is published is lost, too. Subscriptions come back with it, as client libraries see to. */
void net_crash(struct net *net, uint64_t suffix_us, uint64_t down_until_us);
/* Overload: until then each copy of a message takes so long, and a backlog is refused. */
void net_slow(struct net *net, uint64_t per_copy_us, uint64_t until_us);
void net_heal(struct net *net);
/* NATS rules: `*` is one token, a final `>` the rest. */
bool net_matches(const char *pattern, const char *subject);

#endif
