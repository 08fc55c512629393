/* SPDX-License-Identifier: Apache-2.0
 * One connection of libnats, from its opening to its end: the library's face for nats_bus.c, so
 * that one file alone (transport_nats.c) includes the library. What outlives a connection
 * (subscriptions, what the server refused, retained views) is nats_bus.c's. */
#ifndef CHANNEL_NATS_WIRE_H
#define CHANNEL_NATS_WIRE_H

#include "channel/nats_login.h"
#include "channel/transport.h"

struct nats_wire;

/* On threads of the library; they note what has happened and return. None runs after
 * nats_wire_close has returned true. */
struct nats_wire_events {
    void *owner;
    void (*on_connected)(void *owner);                 /* again, after an outage */
    void (*on_trouble)(void *owner, const char *text); /* what the server refuses, in its words */
    void (*on_closed)(void *owner);                    /* the library gave up: this wire is dead */
};

struct nats_wire_options {
    const struct bus_url *url;
    const struct nats_login *login;
    const char *name;
    uint64_t try_ms;
    struct nats_wire_events events;
};

/* One attempt. UNAVAILABLE, TIMEOUT: another may succeed; CONFIG: TLS; NOT_PERMITTED: our login. */
enum qn_status nats_wire_open(const struct nats_wire_options *options, struct nats_wire **ret_wire,
                              struct qn_error *error);
/* Lets handlers finish what has arrived. From no handler. False: the library still owes us a
 * callback, so the owner of the events must outlive it. */
bool nats_wire_close(struct nats_wire *wire);

/* These are as the port says; subjects are valid. What is published leaves with the next push, at
 * the latest when the wire's own thread comes to it. */
enum qn_status nats_wire_publish(struct nats_wire *wire, const char *subject,
                                 const char *reply_subject, const void *bytes, size_t size);
void nats_wire_push(struct nats_wire *wire);
enum qn_status nats_wire_subscribe(struct nats_wire *wire, const char *subject,
                                   bus_handler *on_message, void *owner, struct qn_error *error);
enum qn_status nats_wire_flush(struct nats_wire *wire, uint64_t timeout_ms);
bool nats_wire_is_connected(struct nats_wire *wire);
size_t nats_wire_max_payload(struct nats_wire *wire);
uint64_t nats_wire_dropped(struct nats_wire *wire);
/* The last thing the server said is a refusal, whose on_trouble may still be on its way. */
bool nats_wire_said_no(struct nats_wire *wire);

/* Asks and waits for one answer. A message that comes from a stream has the subject it was
 * published on, and its number there in *ret_sequence. NOT_FOUND: the stream has none;
 * NO_RESPONDERS. */
enum qn_status nats_wire_request(struct nats_wire *wire, const char *subject, const char *text,
                                 struct bus_message **ret_message, uint64_t *ret_sequence);

#endif
