/* SPDX-License-Identifier: Apache-2.0
 * One search on the caller's thread (client_query.c). */
#ifndef CHANNEL_CLIENT_QUERY_H
#define CHANNEL_CLIENT_QUERY_H

#include "channel/client_calls.h"
#include "qnode/search.h"

/* As qn_search, of a checked request, on a call taken for it (or renewed). Leaves call->load. */
enum qn_status client_query_run(struct qn_client *client, struct client_call *call,
                                const struct qn_search_request *request,
                                struct qn_search_result *ret_result, struct qn_error *error);

#endif
