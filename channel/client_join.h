/* SPDX-License-Identifier: Apache-2.0
 * Searches of many threads on one handle, made one request where that pays. */
#ifndef CHANNEL_CLIENT_JOIN_H
#define CHANNEL_CLIENT_JOIN_H

#include "channel/client_calls.h"
#include "channel/client_window.h"
#include "qnode/search.h"
#include <pthread.h>

struct join_call;

struct client_joins {
    pthread_mutex_t lock;           /* of all that follows */
    struct join_call *first, *last; /* those that wait */
    struct client_crowd crowd;
    struct client_window window;
};

void client_joins_init(struct client_joins *joins);
void client_joins_done(struct client_joins *joins);

/* As qn_search, of a checked request, on a call taken for it. */
enum qn_status client_join_search(struct qn_client *client, struct client_call *call,
                                  const struct qn_search_request *request,
                                  struct qn_search_result *ret_result, struct qn_error *error);

#endif
