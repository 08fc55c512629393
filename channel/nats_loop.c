/* SPDX-License-Identifier: Apache-2.0
 * Who changes anything that the thread should know of calls it: it looks at everything once more
 * before it sleeps again, and if it may be in poll() already, the eventfd is written to, once. It
 * does not look for as long as something is unsent: that may be another's to write, or nobody's.
 *
 * The library forgets a socket before it closes it. So under `lock` the number that is watched is
 * that very socket; poll() without it may see another one that got the number: nothing is read
 * then. Only if it runs out of memory while it connects again does the library close one that it
 * has not forgotten. */
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

enum loop_state { LOOP_LOOKS, LOOP_SLEEPS, LOOP_IS_CALLED };

struct nats_loop {
    struct nats_loop_owner owner;
    pthread_t thread;
    int wake_fd;
    atomic_int state;  /* enum loop_state */
    atomic_int socket; /* -1: none; changed under lock */
    atomic_bool is_unsent, is_stopping;
    pthread_mutex_t lock;    /* of the next two, too */
    uint64_t stuck_since_ms; /* 0: the socket takes what we write */
    size_t left_bytes;
};

static uint64_t now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}

static void call(struct nats_loop *loop)
{
    uint64_t one = 1;

    if (atomic_exchange(&loop->state, LOOP_IS_CALLED) == LOOP_SLEEPS)
        (void)!write(loop->wake_fd, &one, sizeof one);
}

static void set_socket(struct nats_loop *loop, int socket)
{
    (void)pthread_mutex_lock(&loop->lock);
    atomic_store(&loop->socket, socket);
    loop->stuck_since_ms = 0;
    loop->left_bytes = 0;
    call(loop);
    (void)pthread_mutex_unlock(&loop->lock);
}

/* Its number was closed when poll() looked. If somebody has called since, it may be another's, who
 * watches it: then the next look tells. */
static void forget_closed(struct nats_loop *loop, int socket)
{
    (void)pthread_mutex_lock(&loop->lock);
    if (atomic_load(&loop->state) == LOOP_SLEEPS && atomic_load(&loop->socket) == socket)
        atomic_store(&loop->socket, -1);
    (void)pthread_mutex_unlock(&loop->lock);
}

/* A server that stops reading would have us keep all that is published. */
static void end_if_stuck_locked(struct nats_loop *loop, int socket, size_t left_bytes)
{
    if (atomic_load(&loop->socket) != socket)
        return;
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

    if (socket < 0)
        return 0;
    if (atomic_load(&loop->is_unsent))
        left_bytes = loop->owner.write(loop->owner.self);
    (void)pthread_mutex_lock(&loop->lock);
    end_if_stuck_locked(loop, socket, left_bytes);
    (void)pthread_mutex_unlock(&loop->lock);
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
    int looks = LOOP_LOOKS;
    uint64_t drained;

    if (!atomic_compare_exchange_strong(&loop->state, &looks, LOOP_SLEEPS) ||
        poll(descriptors, 2, is_stuck ? (int)loop->owner.write_deadline_ms / 4 : -1) < 0)
        return false;
    if (descriptors[0].revents != 0)
        (void)!read(loop->wake_fd, &drained, sizeof drained);
    if (descriptors[1].revents & POLLNVAL)
        forget_closed(loop, socket);
    return (descriptors[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
           atomic_load(&loop->socket) == socket;
}

static void *run(void *owner)
{
    struct nats_loop *loop = owner;

    for (;;) {
        atomic_store(&loop->state, LOOP_LOOKS); /* who calls from here on is heard */
        if (atomic_load(&loop->is_stopping))
            return NULL;
        int socket = atomic_load(&loop->socket);
        size_t left_bytes = write_some(loop, socket);
        if (sleep_until_ready(loop, socket, left_bytes))
            loop->owner.read(loop->owner.self);
    }
}

static void loop_free(struct nats_loop *loop)
{
    if (loop->wake_fd >= 0)
        (void)close(loop->wake_fd);
    (void)pthread_mutex_destroy(&loop->lock);
    free(loop);
}

enum qn_status nats_loop_open(const struct nats_loop_owner *owner, struct nats_loop **ret_loop,
                              struct qn_error *error)
{
    struct nats_loop *loop = calloc(1, sizeof *loop);

    if (loop == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "bus: out of memory");
    loop->owner = *owner;
    atomic_init(&loop->socket, -1);
    (void)pthread_mutex_init(&loop->lock, NULL);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum qn_status status = loop->wake_fd < 0
                                ? error_errno(error, errno, "bus: eventfd")
                                : thread_start(&loop->thread, "bus io", run, loop, error);
    if (status != QN_STATUS_OK) {
        loop_free(loop);
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
    call(loop);
    (void)pthread_join(loop->thread, NULL);
    loop_free(loop);
}

void nats_loop_watch(struct nats_loop *loop, int socket)
{
    set_socket(loop, socket);
}

void nats_loop_forget(struct nats_loop *loop)
{
    set_socket(loop, -1);
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
        call(loop);
}
