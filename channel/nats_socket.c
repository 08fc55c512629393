/* SPDX-License-Identifier: Apache-2.0
 * Who writes. What the library wants written it puts into its buffer and says so (on_watch_writes).
 * A thread that publishes writes itself, after publishing, unless a cork (nats_bus.c) leaves it to
 * the one who uncorks; for all else, PING and PONG and SUB and what the socket did not take, the
 * loop's thread is woken. Nothing is forgotten: whoever leaves something to a publisher saw it
 * counted in `publishing`, and that one looks after it has taken itself off the count.
 *
 * With TLS the library stays by itself: it frees the TLS session on whatever thread finds the
 * connection broken, while ours might be reading. */
#include "channel/nats_socket.h"

#include "base/clock.h"
#include <string.h>

enum {
    UNSENT_BYTES_MAX = 4 << 20, /* more of it holds publishers up */
    UNSENT_WAIT_MS = 2000,      /* so long */
};

/* ---- what the library tells: any thread, with the connection's lock ---- */

static natsStatus on_attach(void **user, void *closure, natsConnection *connection, natsSock fd)
{
    struct nats_socket *socket = closure;

    socket->connection = connection;
    *user = socket;
    nats_loop_watch(socket->loop, (int)fd);
    return NATS_OK;
}

static natsStatus on_watch_reads(void *user, bool add)
{
    struct nats_socket *socket = user;

    if (!add)
        nats_loop_forget(socket->loop);
    return NATS_OK;
}

static natsStatus on_watch_writes(void *user, bool add)
{
    struct nats_socket *socket = user;

    nats_loop_set_unsent(socket->loop, add);
    if (add && atomic_load(&socket->publishing) == 0)
        nats_loop_kick(socket->loop);
    return NATS_OK;
}

/* May come when all of ours is gone: from a thread of the library that closes the connection. The
 * socket was forgotten before (on_watch_reads). */
static natsStatus on_detach(void *user)
{
    (void)user;
    return NATS_OK;
}

natsStatus nats_socket_set(struct nats_socket *socket, natsOptions *options)
{
    if (socket->loop == NULL)
        return NATS_OK;
    return natsOptions_SetEventLoop(options, socket, on_attach, on_watch_reads, on_watch_writes,
                                    on_detach);
}

/* ---- reading and writing ---- */

static void read_some(void *self)
{
    struct nats_socket *socket = self;

    natsConnection_ProcessReadEvent(socket->connection);
}

/* The library takes the socket for closed when it is told to write and has nothing to write. */
static void write_unsent(struct nats_socket *socket)
{
    (void)pthread_mutex_lock(&socket->writing);
    if (nats_loop_is_unsent(socket->loop))
        natsConnection_ProcessWriteEvent(socket->connection);
    (void)pthread_mutex_unlock(&socket->writing);
}

static size_t write_some(void *self)
{
    struct nats_socket *socket = self;

    write_unsent(socket);
    if (!nats_loop_is_unsent(socket->loop))
        return 0;
    int bytes = natsConnection_Buffered(socket->connection);
    return bytes > 0 ? (size_t)bytes : 0;
}

enum qn_status nats_socket_open(struct nats_socket *socket, uint64_t write_deadline_ms,
                                struct qn_error *error)
{
    struct nats_loop_owner owner = {.self = socket,
                                    .read = read_some,
                                    .write = write_some,
                                    .write_deadline_ms = write_deadline_ms};
    enum qn_status status = nats_loop_open(&owner, &socket->loop, error);

    if (status == QN_STATUS_OK)
        (void)pthread_mutex_init(&socket->writing, NULL);
    return status;
}

void nats_socket_close(struct nats_socket *socket)
{
    if (socket->loop == NULL)
        return;
    nats_loop_close(socket->loop);
    socket->loop = NULL;
    (void)pthread_mutex_destroy(&socket->writing);
}

bool nats_socket_begin(struct nats_socket *socket)
{
    if (socket->loop == NULL)
        return true;
    for (int waited_ms = 0; nats_loop_is_unsent(socket->loop) &&
                            natsConnection_Buffered(socket->connection) > UNSENT_BYTES_MAX;
         waited_ms++) {
        if (waited_ms >= UNSENT_WAIT_MS)
            return false;
        nats_loop_kick(socket->loop);
        clock_nap_us(1000);
    }
    (void)atomic_fetch_add(&socket->publishing, 1);
    return true;
}

void nats_socket_end(struct nats_socket *socket)
{
    if (socket->loop != NULL)
        (void)atomic_fetch_sub(&socket->publishing, 1);
}

void nats_socket_push(struct nats_socket *socket)
{
    if (socket->loop == NULL || !nats_loop_is_unsent(socket->loop))
        return;
    write_unsent(socket);
    nats_loop_kick(socket->loop); /* for what it did not take */
}
