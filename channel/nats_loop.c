/* SPDX-License-Identifier: Apache-2.0
 * While the thread may be in poll(), is_asleep is set: who changes anything that it should know of
 * clears it and writes to the eventfd, once. */
#include "channel/nats_loop.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct nats_loop {
    struct nats_loop_owner owner;
    pthread_t thread;
    int wake_fd;
    atomic_int socket; /* -1: none */
    atomic_bool is_unsent, is_asleep, is_stopping;
    uint64_t stuck_since_ms; /* the thread's; 0: the socket takes what we write */
    size_t left_bytes;
    int last_socket; /* that these two tell of */
};

static uint64_t now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}

static void wake(struct nats_loop *loop)
{
    uint64_t one = 1;

    if (atomic_exchange(&loop->is_asleep, false))
        (void)!write(loop->wake_fd, &one, sizeof one);
}

/* A server that stops reading would have us keep all that is published. */
static void end_if_stuck(struct nats_loop *loop, int socket, size_t left_bytes)
{
    if (left_bytes == 0 || loop->stuck_since_ms == 0 || left_bytes < loop->left_bytes)
        loop->stuck_since_ms = left_bytes == 0 ? 0 : now_ms();
    else if (now_ms() - loop->stuck_since_ms >= loop->owner.write_deadline_ms)
        (void)shutdown(socket, SHUT_RDWR);
    loop->left_bytes = left_bytes;
}

/* How many bytes wait for the socket. */
static size_t write_some(struct nats_loop *loop, int socket)
{
    size_t left_bytes = 0;

    if (socket != loop->last_socket) {
        loop->stuck_since_ms = 0;
        loop->left_bytes = 0;
        loop->last_socket = socket;
    }
    if (socket >= 0 && atomic_load(&loop->is_unsent))
        left_bytes = loop->owner.write(loop->owner.self);
    if (socket >= 0)
        end_if_stuck(loop, socket, left_bytes);
    return left_bytes;
}

/* True: the socket has something for us. */
static bool sleep_until_ready(struct nats_loop *loop, int socket, size_t left_bytes)
{
    const bool is_stuck = left_bytes > 0;
    struct pollfd descriptors[2] = {
        {.fd = loop->wake_fd, .events = POLLIN},
        {.fd = socket, .events = (short)(POLLIN | (is_stuck ? POLLOUT : 0))},
    };
    uint64_t drained;

    atomic_store(&loop->is_asleep, true);
    if (atomic_load(&loop->socket) != socket || atomic_load(&loop->is_stopping) ||
        (!is_stuck && socket >= 0 && atomic_load(&loop->is_unsent))) {
        atomic_store(&loop->is_asleep, false);
        return false;
    }
    if (poll(descriptors, 2, is_stuck ? (int)loop->owner.write_deadline_ms / 4 : -1) < 0)
        return false;
    atomic_store(&loop->is_asleep, false);
    if (descriptors[0].revents != 0)
        (void)!read(loop->wake_fd, &drained, sizeof drained);
    return (descriptors[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
           atomic_load(&loop->socket) == socket;
}

static void *run(void *owner)
{
    struct nats_loop *loop = owner;

    while (!atomic_load(&loop->is_stopping)) {
        int socket = atomic_load(&loop->socket);
        size_t left_bytes = write_some(loop, socket);
        if (sleep_until_ready(loop, socket, left_bytes))
            loop->owner.read(loop->owner.self);
    }
    return NULL;
}

enum qn_status nats_loop_open(const struct nats_loop_owner *owner, struct nats_loop **ret_loop,
                              struct qn_error *error)
{
    struct nats_loop *loop = calloc(1, sizeof *loop);

    if (loop == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "bus: out of memory");
    loop->owner = *owner;
    atomic_init(&loop->socket, -1);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        (void)error_errno(error, errno, "bus: eventfd");
        free(loop);
        return error == NULL ? QN_STATUS_IO : error->status;
    }
    enum qn_status status = thread_start(&loop->thread, "bus io", run, loop, error);
    if (status != QN_STATUS_OK) {
        (void)close(loop->wake_fd);
        free(loop);
        return status;
    }
    *ret_loop = loop;
    return QN_STATUS_OK;
}

void nats_loop_close(struct nats_loop *loop)
{
    if (loop == NULL)
        return;
    atomic_store(&loop->is_stopping, true);
    wake(loop);
    (void)pthread_join(loop->thread, NULL);
    (void)close(loop->wake_fd);
    free(loop);
}

void nats_loop_watch(struct nats_loop *loop, int socket)
{
    atomic_store(&loop->socket, socket);
    wake(loop);
}

void nats_loop_forget(struct nats_loop *loop)
{
    atomic_store(&loop->socket, -1);
    wake(loop);
}

void nats_loop_set_unsent(struct nats_loop *loop, bool is_unsent)
{
    atomic_store(&loop->is_unsent, is_unsent);
}

bool nats_loop_is_unsent(struct nats_loop *loop)
{
    return atomic_load(&loop->is_unsent);
}

void nats_loop_kick(struct nats_loop *loop)
{
    if (atomic_load(&loop->is_unsent))
        wake(loop);
}
