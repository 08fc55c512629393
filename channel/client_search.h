/* SPDX-License-Identifier: Apache-2.0
 * One search as a step function: views, answers, losses and time in; requests and a verdict out.
 * Pure: no clock, no bus, no thread. client_query.c drives it from the caller's thread. Memory is
 * the arena's (bounded).
 *
 * A search ends on the view it began with, unless readable_version changes under it: then it starts
 * again on the new one, and nothing of the old is kept (C4). Placement changes (same
 * readable_version) only add places to ask. */
#ifndef CHANNEL_CLIENT_SEARCH_H
#define CHANNEL_CLIENT_SEARCH_H

#include "base/arena.h"
#include "channel/message.h"
#include "qnode/search.h"

enum {
    CLIENT_SEARCH_RESEND_MS = 100,    /* no answer: ask the same copy again (C1: idempotent) */
    CLIENT_SEARCH_DEADLINE_MS = 5000, /* of a request that names none */
    CLIENT_SEARCH_TRIES_MAX = 64,     /* requests per search and node */
};

/* What to do after a step, taken one by one with client_search_next until false. */
struct client_search_action {
    enum client_search_action_kind {
        CLIENT_SEARCH_SEND,     /* request to node_id, under request_id */
        CLIENT_SEARCH_ASK_VIEW, /* ask the coordinator for the view of the collection */
        CLIENT_SEARCH_DONE,     /* client_search_result may be called */
    } kind;
    int64_t node_id;
    uint64_t request_id;
    struct search_request request; /* points into the search's arena and the caller's queries */
};

struct client_search;

/* The search in the arena; NULL when the arena is exhausted. ids: request ids are first_request_id,
 * first_request_id + 1, ...: the caller reserves CLIENT_SEARCH_IDS of them. view: all pages joined,
 * or NULL if none is known yet; like request it must stay valid until the search ends or another
 * view is given. */
enum { CLIENT_SEARCH_IDS = 1 << 16 };
struct client_search *client_search_new(struct arena *arena,
                                        const struct qn_search_request *request,
                                        const struct collection_view *view,
                                        uint64_t first_request_id, uint64_t now_ms);
/* A newer (or the first) view. Older ones are ignored. */
void client_search_on_view(struct client_search *search, const struct collection_view *view,
                           uint64_t now_ms);
/* The coordinator has no such collection: a search without a view ends UNKNOWN at once. */
void client_search_on_absent(struct client_search *search, uint64_t now_ms);
/* A part of an answer; the hits are copied. Unknown, late and repeated ones are ignored. */
void client_search_on_answer(struct client_search *search, uint64_t request_id,
                             const struct search_answer *answer, uint64_t now_ms);
/* The bus says that nobody listens there. */
void client_search_on_no_responders(struct client_search *search, uint64_t request_id,
                                    uint64_t now_ms);
void client_search_on_tick(struct client_search *search, uint64_t now_ms);
/* When to call client_search_on_tick at the latest. */
uint64_t client_search_wake_ms(const struct client_search *search);
bool client_search_next(struct client_search *search, struct client_search_action *ret_action);
/* The longest that an agent's answer says of itself: from the request's arrival until a worker
 * began, and from then on. 0: none has come. */
void client_search_load(const struct client_search *search, uint32_t *ret_queue_us,
                        uint32_t *ret_search_us);
/* After DONE. Allocates the result's arrays with malloc. */
enum qn_status client_search_result(struct client_search *search,
                                    struct qn_search_result *ret_result);

#endif
