/* SPDX-License-Identifier: Apache-2.0
 * The bus of the world: the transport port with delays, losses, repeats, reordering and cuts. It
 * carries the encoded bytes, at odd addresses, and nothing else. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "channel/transport.h"
#include "tests/sim/timeline.h"

enum { NET_PROCESSES_MAX = 16, NET_SUBSCRIPTIONS_MAX = 256 };

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
};

void net_init(struct net *net, struct world *world);
void net_done(struct net *net);
struct transport net_transport(struct process *process);
/* A process is gone: nothing reaches it any more. */
void net_forget(struct net *net, const struct process *process);
/* Messages from one process to the other vanish until then. */
void net_cut(struct net *net, const struct process *from, const struct process *to,
             uint64_t until_us);
void net_heal(struct net *net);
/* NATS rules: `*` is one token, a final `>` the rest. */
bool net_matches(const char *pattern, const char *subject);

#endif
