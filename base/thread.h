/* SPDX-License-Identifier: Apache-2.0
 * Threads with a name and a role; the role is checked where a structure belongs to one thread. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "qnode/types.h"
#include <pthread.h>

enum thread_role {
    THREAD_ROLE_NONE,
    THREAD_ROLE_NODE,
    THREAD_ROLE_WORKER,
    THREAD_ROLE_LOADER,
    THREAD_ROLE_COORDINATOR,
};

/* name: at most 15 bytes, shown by top -H. */
enum qn_status thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *owner,
                            struct qn_error *error);
/* A thread without a role (a test, the simulator) may play any. */
void thread_role_set(enum thread_role role);
bool thread_role_is(enum thread_role role);

#define CHECK_ROLE(role) CHECK(thread_role_is(role))

#endif
