/* SPDX-License-Identifier: Apache-2.0
 * The transport port: publish bytes on a subject, subscribe to a subject (NATS wildcards: `*` one
 * token, a final `>` the rest). Delivery is a hint: messages may be lost, repeated, late or out of
 * order (C1). Implementations: transport_inproc.c, transport_nats.c,
 * transport_kafka.c, the simulator's net. */
#ifndef CHANNEL_TRANSPORT_H
#define CHANNEL_TRANSPORT_H

#include "qnode/types.h"

/* A received message. Its bytes are not aligned. Whoever holds it calls release exactly once. */
struct bus_message {
    const char *subject;
    const uint8_t *bytes;
    size_t size;
    /* The bus says that nobody subscribes to where a message with this reply subject went: subject
     * is that reply subject, size is 0. */
    bool no_responders;
    void (*release)(struct bus_message *message);
    struct bus_message *next; /* for the holder's lists */
};

/* A copy in one piece of memory, which its release frees. NULL: no memory. */
struct bus_message *bus_message_copy(const struct bus_message *message);

/* Runs on the bus library's thread (inproc: on a publisher's): hand over (push to a ring) and
 * return. Owns the message, which may outlive the transport. */
typedef void bus_handler(void *owner, struct bus_message *message);

/* Contract: publish() copies `bytes` before it returns and never blocks for long; any thread.
 * reply_subject may be NULL; if it is given and nobody subscribes to `subject`, the subscriber of
 * reply_subject gets a no_responders message (as far as the bus can tell). OK means handed to the
 * bus, nothing more. BUSY: its buffer is full. UNAVAILABLE: no server at the moment. INVALID:
 * larger than max_payload, or a subject that is none (subject.h). NOT_PERMITTED: the server is
 * known to refuse us the subject; mostly that is said after the fact (refused()). subscribe(): for
 * the life of the transport; a subscription's handler is called by one thread at a time, those of
 * two subscriptions may run at once; a handler may publish; none runs after close() has returned.
 * NOT_PERMITTED: the server refuses it. is_connected(): a hint for people. close(): from no
 * handler; drains, then frees.
 *
 * The last six may be NULL: not on this bus. Callers use the functions below.
 * flush(): waits until the server has seen what was published and subscribed to before, at most
 * timeout_ms: what it refuses is known then. TIMEOUT, UNAVAILABLE. Not from a handler.
 * refused(): NOT_PERMITTED, with words for people, if the server refused us this subject (or the
 * pattern of a subscription) within the last within_ms; subject NULL: if it refused to let us in.
 * Does not block.
 * retain(): the bus keeps the newest message on each subject that matches the pattern and gives it
 * to whoever subscribes later, before anything newer; called once, kept up when a server comes
 * back. UNSUPPORTED: this bus does not; else its trouble. dropped(): messages for our subscriptions
 * that the bus library threw away since open. cork(), uncork(): what is published between them, by
 * any thread, may leave together with the uncork, so keep it short; as many of one as of the other.
 */
struct transport_ops {
    const char *name;
    enum qn_status (*publish)(void *self, const char *subject, const char *reply_subject,
                              const void *bytes, size_t size);
    enum qn_status (*subscribe)(void *self, const char *subject, bus_handler *on_message,
                                void *owner, struct qn_error *error);
    size_t (*max_payload)(void *self);
    bool (*is_connected)(void *self);
    void (*close)(void *self);
    enum qn_status (*flush)(void *self, uint64_t timeout_ms);
    enum qn_status (*refused)(void *self, const char *subject, uint64_t within_ms,
                              struct qn_error *error);
    enum qn_status (*retain)(void *self, const char *pattern, struct qn_error *error);
    uint64_t (*dropped)(void *self);
    void (*cork)(void *self);
    void (*uncork)(void *self);
};

struct transport {
    const struct transport_ops *ops;
    void *self;
};

/* url: nats:// or tls:// (nats_login.h), kafka:// (kafka_options.h), or inproc://name. name: shown
 * by the server, e.g. "qnoded 7". UNAVAILABLE when the server cannot be reached within connect_ms,
 * NOT_PERMITTED when it does not let us in. */
enum qn_status transport_open(const char *url, const char *name, uint64_t connect_ms,
                              struct transport *ret_transport, struct qn_error *error);

/* The last members of the port; a bus that lacks one has nothing to wait for, refuses nothing,
 * retains nothing (UNSUPPORTED), drops nothing. */
enum qn_status transport_flush(const struct transport *transport, uint64_t timeout_ms);
enum qn_status transport_refused(const struct transport *transport, const char *subject,
                                 uint64_t within_ms, struct qn_error *error);
enum qn_status transport_retain(const struct transport *transport, const char *pattern,
                                struct qn_error *error);
uint64_t transport_dropped(const struct transport *transport);
void transport_cork(const struct transport *transport);
void transport_uncork(const struct transport *transport);

enum qn_status transport_inproc_open(const char *url, struct transport *ret_transport,
                                     struct qn_error *error);
enum qn_status transport_nats_open(const char *url, const char *name, uint64_t connect_ms,
                                   struct transport *ret_transport, struct qn_error *error);
enum qn_status transport_kafka_open(const char *url, const char *name, uint64_t connect_ms,
                                    struct transport *ret_transport, struct qn_error *error);

#endif
