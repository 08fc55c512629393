/* SPDX-License-Identifier: Apache-2.0
 * What the files of the NATS transport share. Threads: any publishes (wire_lock, read); one
 * subscribes or moves to another wire at a time (lock); the library's threads run handlers and
 * events; the keeper sleeps until an event wakes it. No lock is held while a wire is opened or
 * closed; wire_lock is held for writing only to change the pointer. */
#ifndef CHANNEL_NATS_BUS_H
#define CHANNEL_NATS_BUS_H

#include "base/waiter.h"
#include "channel/nats_refusals.h"
#include "channel/nats_views.h"
#include "channel/nats_wire.h"
#include <pthread.h>
#include <stdatomic.h>

struct nats_subscriber {
    char subject[LIMIT_SUBJECT_BYTES];
    bus_handler *on_message;
    void *owner;
    bool is_retained;
    atomic_bool is_refused; /* its caller was told no: it stays so, whatever is allowed later */
    struct nats_views views;
    pthread_mutex_t turn; /* is_retained: of the one thread that may call the handler */
    struct nats_subscriber *next;
};

struct nats_bus {
    char url[BUS_URL_BYTES], name[LIMIT_NAME_BYTES];
    char account[NATS_LOGIN_ACCOUNT_BYTES];

    pthread_rwlock_t wire_lock;
    struct nats_wire *wire; /* NULL: between two */
    _Atomic size_t payload_max;
    atomic_uint corks;               /* threads that will push what all publish meanwhile */
    _Atomic uint64_t dropped_before; /* by wires that are gone */

    pthread_mutex_t lock; /* of what follows; subscribers are added at the head and stay */
    struct nats_subscriber *subscribers;
    struct nats_views retained; /* stream[0]: nothing is wanted */

    struct nats_refusals refusals;
    _Atomic uint64_t troubles_total;
    _Atomic uint64_t shut_out_ms; /* the server last did not let us in; 0: never */

    pthread_t keeper;
    bool
        is_owed; /* a wire was closed whose callbacks may still come (the keeper's; then close's) */
    struct waiter waiter; /* the keeper's */
    atomic_bool is_stopping, is_lost, is_back;
};

uint64_t nats_bus_now_ms(void);

/* The wire for a short use; give it back. NULL: there is none at the moment, nor anything to give
 * back. */
struct nats_wire *nats_bus_take_wire(struct nats_bus *bus);
void nats_bus_give_back_wire(struct nats_bus *bus);
void nats_bus_set_wire(struct nats_bus *bus, struct nats_wire *wire);
/* One attempt, with the files of the URL read again. */
enum qn_status nats_bus_open_wire(struct nats_bus *bus, struct nats_wire **ret_wire,
                                  struct qn_error *error);
enum qn_status nats_bus_flush(struct nats_bus *bus, uint64_t timeout_ms);
enum qn_status nats_bus_refused(struct nats_bus *bus, const char *subject, uint64_t within_ms,
                                struct qn_error *error);

/* nats_subscriber.c: the port's subscribe; the same on another wire (bus->lock); after the close.
 */
enum qn_status nats_subscriber_add(void *self, const char *subject, bus_handler *on_message,
                                   void *owner, struct qn_error *error);
enum qn_status nats_subscriber_on(struct nats_wire *wire, struct nats_subscriber *subscriber,
                                  struct qn_error *error);
void nats_subscriber_free(struct nats_subscriber *subscriber);

/* nats_retained.c: see its head. Whoever hands over has the subscriber's turn. */
void nats_retained_hand_over(struct nats_bus *bus, const struct nats_subscriber *subscriber);
enum qn_status nats_retained_make_stream(struct nats_bus *bus, const struct nats_views *views,
                                         struct qn_error *error);

/* nats_keeper.c: the thread's function. owner: the bus. */
void *nats_keeper_run(void *owner);

#endif
