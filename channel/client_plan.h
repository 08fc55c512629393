/* SPDX-License-Identifier: Apache-2.0
 * Inside of client_search: what is to be searched, where it can be asked, and which requests are on
 * their way. Shared by client_search.c (steps), client_plan.c (choice of copies) and
 * client_answer.c (judgement of answers); nobody else includes it.
 *
 *     item      a readable segment of the view, filtered by partitions
 *     place     a copy of an item on a node: where the item can be asked
 *     request   some places of one node, asked together under one request id
 *
 * An item is settled when it is covered (an answer counted) or final (nobody can answer it). It is
 * idle when it is not settled and no request that we still trust names it: the plan then chooses
 * places for it. Nothing here points into a view or an answer: both may go after the step. */
#ifndef CHANNEL_CLIENT_PLAN_H
#define CHANNEL_CLIENT_PLAN_H

#include "channel/client_search.h"
#include "channel/client_table.h"
#include "channel/client_unite.h"

enum {
    CLIENT_PLAN_RETRY_MS = 50,       /* NOT_HERE, MOVED: the same copy again */
    CLIENT_PLAN_RETRY_MAX_MS = 1000, /* doubling to here when it keeps refusing */
    CLIENT_PLAN_BUSY_MS = 20,        /* BUSY: doubling from here */
    CLIENT_PLAN_BUSY_MAX_MS = 320,
    CLIENT_PLAN_LOST_MS = 100,      /* nobody listens there: it may start again */
    CLIENT_PLAN_PATIENCE_MS = 1000, /* default of patience_ms */
    CLIENT_PLAN_ASK_VIEW_MS = 50,
    CLIENT_PLAN_ASK_VIEW_MAX_MS = 400,
    CLIENT_PLAN_SILENCE_MAX_MS = 1000,
    CLIENT_PLAN_REPLICAS_MAX = 64, /* labels told apart; the rest counts as one more */
    CLIENT_PLAN_PLACES_MAX = 2 * LIMIT_COPIES_PER_SEGMENT_MAX,
    CLIENT_PLAN_ENVELOPE_BYTES = 2048, /* of a request, beyond queries and ids */
};

struct client_item;

struct client_node {
    int64_t node_id;
    uint32_t requests_count; /* sent, <= CLIENT_SEARCH_TRIES_MAX */
    bool is_silent;          /* a request of its is doubtful, and it has not answered since */
    uint64_t lost_until_ms;  /* nobody listened there */
    struct client_place *chosen_first, *chosen_last; /* while a plan is made */
    uint32_t chosen_count;
    struct client_node *next_chosen;
};

struct client_place {
    struct client_item *item;
    struct client_node *node;
    struct client_place *next;        /* of the item */
    struct client_place *next_chosen; /* of the node, while a plan is made */
    uint64_t not_before_ms;
    uint32_t replica;    /* index of the label */
    uint32_t refusals;   /* in a row */
    enum qn_status said; /* last refusal; OK: none */
    bool is_listed;      /* in the newest view */
    bool is_open;        /* a request that names it is on its way */
    bool is_final;       /* it can never answer */
};

struct client_item {
    int64_t segment_id;
    uint64_t delete_generation;
    struct qn_hash content_hash;
    struct client_place *places;
    uint32_t places_count;
    uint32_t trusted_count; /* open requests that name it and are not doubtful */
    bool is_covered, is_final;
    uint64_t absent_since_ms; /* every place said that it is not there; 0: some may have it */
    enum qn_status reason;    /* of the last try */
    int64_t asked_last;       /* node id; 0: no copy known */
};

/* Parts of one answer as they come in; they belong together if they cover the same segments. */
struct client_parts {
    uint32_t parts, parts_in, queries_in;
    uint8_t seen[(LIMIT_QUERIES_PER_REQUEST_MAX + 8) / 8];
    uint8_t covered[LIMIT_SEGMENTS_PER_REQUEST_MAX / 8];
    const struct refusal *refused;
    size_t refused_count;
    uint32_t *counts;    /* nq; UINT32_MAX: not yet in */
    struct qn_hit *hits; /* nq x k */
    struct client_parts *next_free;
};

struct client_request {
    uint64_t id;
    struct client_node *node;
    struct client_place **places; /* in the order of segment_ids */
    int64_t *segment_ids;
    size_t count;
    uint32_t silences;
    uint64_t silent_at_ms;
    bool is_open;
    bool is_doubtful; /* silent twice: its items look elsewhere; its answer still counts */
    bool is_repeat;   /* what it asks was asked before */
    bool is_queued;   /* to be taken by client_search_next */
    struct client_parts *parts;
    struct client_request *next_queued;
    struct client_request *next_open;
};

struct client_search {
    struct arena *arena;
    struct qn_search_request asked;
    uint64_t first_request_id;
    uint64_t now_ms, started_ms, deadline_ms;
    uint32_t margin_ms;     /* agents stop this long before the deadline */
    enum qn_status failure; /* of the whole search: its result is this status */

    bool has_view;
    bool is_absent;                /* the coordinator knows of none */
    struct qn_epoch view_version;  /* the newest that was given */
    struct qn_epoch begun_version; /* the one the search is about */
    uint64_t readable_version;
    enum qn_metric metric;
    bool has_overlap;

    struct client_item *items;
    uint32_t items_count, items_capacity;
    uint32_t settled_count, covered_count, idle_count;
    struct client_table items_by_segment; /* made when a second view comes */
    struct client_table partitions;
    struct client_node **nodes;
    uint32_t nodes_count, nodes_capacity;
    struct client_table nodes_by_id;
    const char *replicas[CLIENT_PLAN_REPLICAS_MAX];
    uint32_t replicas_count, replica_preferred;

    struct client_request **requests; /* by id - first_request_id, open or not */
    uint32_t requests_count, requests_capacity;
    struct client_request *open;
    struct client_request *queue_first, *queue_last;
    struct client_parts *parts_free;
    struct client_unite unite;

    uint64_t plan_at_ms;   /* some idle item can be asked then */
    uint64_t silent_at_ms; /* no request falls silent before */
    uint64_t asked_view_ms;
    uint32_t view_asks; /* since a view came */
    bool wants_view, asks_view;
    bool is_done, is_done_told;
    uint32_t sent_count, retried_count;
    uint32_t queue_us, search_us; /* the longest that an answer told of */
};

/* client_view.c */

/* Starts from scratch on this view: drops requests and hits. False: the arena is exhausted. */
bool client_view_begin(struct client_search *search, const struct collection_view *view);
/* The same readable_version placed otherwise: adds places. */
void client_view_place(struct client_search *search, const struct collection_view *view);
/* The place of the item on the node, added if there is none; NULL: bound or arena exhausted. */
struct client_place *client_view_add_place(struct client_search *search, struct client_item *item,
                                           int64_t node_id, uint32_t replica);

/* client_plan.c */

/* Chooses places for the idle items and queues requests. */
void client_plan_run(struct client_search *search);
/* Sends the request (again). */
void client_plan_queue(struct client_search *search, struct client_request *request);
/* The request no longer counts for its items: the plan may look elsewhere. */
void client_plan_doubt(struct client_search *search, struct client_request *request);
/* It is over: its places may be asked again. */
void client_plan_close(struct client_search *search, struct client_request *request);
/* The place said no. */
void client_plan_refuse(struct client_search *search, struct client_place *place,
                        const struct refusal *refusal);
void client_plan_cover(struct client_search *search, struct client_item *item);
static inline bool client_item_is_settled(const struct client_item *item)
{
    return item->is_covered || item->is_final;
}
static inline bool client_item_is_idle(const struct client_item *item)
{
    return !client_item_is_settled(item) && item->trusted_count == 0;
}

/* client_answer.c */

/* Takes a part of an answer to an open request; closes the request when it is over. */
void client_answer_take(struct client_search *search, struct client_request *request,
                        const struct search_answer *answer);

#endif
