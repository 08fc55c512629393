/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/kafka_resolve.h"

#include <netdb.h>
#include <pthread.h>

/* The process's, as fork() is. Look-ups read; a fork writes, and goes before later look-ups. */
#define LOOK_UPS_LOCK PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
static pthread_rwlock_t look_ups = LOOK_UPS_LOCK;
static pthread_once_t guarded = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    (void)pthread_rwlock_wrlock(&look_ups);
}

static void after_fork(void)
{
    (void)pthread_rwlock_unlock(&look_ups);
}

/* The thread that locked it has another id here, and could not unlock it. */
static void in_child(void)
{
    look_ups = (pthread_rwlock_t)LOOK_UPS_LOCK;
}

static void guard(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

int kafka_resolve(const char *node, const char *service, const struct addrinfo *hints,
                  struct addrinfo **found, void *opaque)
{
    (void)opaque;
    if (node == NULL && service == NULL) {
        freeaddrinfo(*found);
        return 0;
    }
    (void)pthread_once(&guarded, guard);
    (void)pthread_rwlock_rdlock(&look_ups);
    int code = getaddrinfo(node, service, hints, found);
    (void)pthread_rwlock_unlock(&look_ups);
    return code;
}
