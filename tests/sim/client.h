/* SPDX-License-Identifier: Apache-2.0
 * A client: drives channel/client_search.h with encoded bytes over the net and hands each result to
 * the checkers. */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "channel/client_search.h"
#include "tests/sim/options.h"
#include "tests/sim/views.h"

enum { CLIENT_QUERIES_MAX = 24, CLIENT_DIM_MAX = 8 };

struct world;
struct process;

struct sim_search {
    struct sim_search *next;
    struct sim_client *client;
    uint64_t serial, first_request_id, wake_ms;
    uint32_t collection_number;
    struct qn_search_request request;
    float queries[CLIENT_QUERIES_MAX * CLIENT_DIM_MAX];
    int64_t partition_id;
    bool must_complete;
    struct view_kept *view;
    struct arena arena;
    struct client_search *search;
};

struct sim_client {
    struct world *world;
    struct process *process;
    char hex[16];
    struct views views[OPTIONS_COLLECTIONS_MAX];
    struct sim_search *searches;
    uint64_t serials_count, view_requests_count;
    struct arena decode_arena, encode_arena;
    bool must_complete; /* K4: the healed world answers COMPLETE, always */
};

void sim_client_init(struct sim_client *client, struct world *world, struct process *process);
void sim_client_done(struct sim_client *client);
/* Begins a search drawn from the world's seed. */
void sim_client_begin(struct sim_client *client, uint32_t collection_number);

#endif
