/* SPDX-License-Identifier: Apache-2.0
 * The thread that reads one connection of the NATS library and writes what nobody else has written.
 * It knows the socket only; reading and writing are its owner's functions. */
#ifndef CHANNEL_NATS_LOOP_H
#define CHANNEL_NATS_LOOP_H

#include "qnode/types.h"
#include <stdbool.h>
#include <stddef.h>

struct nats_loop;

/* Called by the loop's thread. read(): once per readiness. write(): what waits, as far as the
 * socket takes it; returns how many bytes are left. */
struct nats_loop_owner {
    void *self;
    void (*read)(void *self);
    size_t (*write)(void *self);
    /* A socket that takes nothing for that long is shut down: its server is taken for dead. */
    uint64_t write_deadline_ms;
};

/* Starts the thread; it watches nothing yet. */
enum qn_status nats_loop_open(const struct nats_loop_owner *owner, struct nats_loop **ret_loop,
                              struct qn_error *error);
/* Ends the thread; from no function of the owner. NULL is taken. */
void nats_loop_close(struct nats_loop *loop);

/* These never block; any thread. */
void nats_loop_watch(struct nats_loop *loop, int socket);
/* The socket is about to be closed. */
void nats_loop_forget(struct nats_loop *loop);
/* Something waits to be written, or nothing does any more. The thread is not woken by this. */
void nats_loop_set_unsent(struct nats_loop *loop, bool is_unsent);
bool nats_loop_is_unsent(struct nats_loop *loop);
/* Wakes the thread, if something waits to be written. */
void nats_loop_kick(struct nats_loop *loop);

#endif
