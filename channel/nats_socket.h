/* SPDX-License-Identifier: Apache-2.0
 * The socket of one connection of libnats, read and written by us (its "external event loop"): so
 * we decide what leaves together. With transport_nats.c all that knows the library. */
#ifndef CHANNEL_NATS_SOCKET_H
#define CHANNEL_NATS_SOCKET_H

#include "channel/nats_loop.h"
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>

struct nats_socket {
    natsConnection *connection; /* set when it is attached, before the first read */
    struct nats_loop *loop;     /* NULL: the library reads and writes by itself */
    pthread_mutex_t writing;
    atomic_uint publishing; /* threads that publish and will see to it that it is written */
};

/* A server that takes nothing for write_deadline_ms is given up. */
enum qn_status nats_socket_open(struct nats_socket *socket, uint64_t write_deadline_ms,
                                struct qn_error *error);
/* After natsConnection_Close, before natsConnection_Destroy. */
void nats_socket_close(struct nats_socket *socket);
/* No-op without nats_socket_open. */
natsStatus nats_socket_set(struct nats_socket *socket, natsOptions *options);

/* Around the library's publish. False: the server is too slow, nothing is to be published now. */
bool nats_socket_begin(struct nats_socket *socket);
void nats_socket_end(struct nats_socket *socket);
/* Writes what was published. */
void nats_socket_push(struct nats_socket *socket);

#endif
