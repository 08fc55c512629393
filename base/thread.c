/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include "base/error.h"
#include <stdio.h>

static _Thread_local enum thread_role role_mine;

enum qn_status thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *owner,
                            struct qn_error *error)
{
    char short_name[16];
    int failure = pthread_create(thread, NULL, run, owner);

    if (failure != 0)
        return error_errno(error, failure, "start thread %s", name);
    (void)snprintf(short_name, sizeof short_name, "%s", name);
    (void)pthread_setname_np(*thread, short_name);
    return QN_STATUS_OK;
}

void thread_role_set(enum thread_role role)
{
    role_mine = role;
}

bool thread_role_is(enum thread_role role)
{
    return role_mine == role || role_mine == THREAD_ROLE_NONE;
}
