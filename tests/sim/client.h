/* SPDX-License-Identifier: Apache-2.0
 * A client: a real handle of the client library. Each of its searches is a blocking qn_search on a
 * fiber (seams.h) whose result goes to the checkers. Now and then it asks the coordinator
 * something or reads a feed (client_asks.h), or closes the handle and opens another one. */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "base/prng.h"
#include "qnode/search.h"
#include "tests/sim/options.h"

enum {
    CLIENT_QUERIES_MAX = 24,
    CLIENT_DIM_MAX = 8,
    CLIENT_REST_MS = 5000, /* deadline in the settled world */
};

struct world;
struct process;
struct sim_search;

struct sim_client {
    struct world *world;
    struct process *process;
    struct prng prng; /* ids, turns, restarts and questions */
    struct qn_client *handle;
    struct sim_search *searches; /* running */
    uint32_t others_running;     /* questions and feeds */
    uint64_t serials_count;
    /* The newest view that an answer of this handle was about. */
    struct qn_epoch answered[OPTIONS_COLLECTIONS_MAX];
    uint64_t first_answer_us[OPTIONS_COLLECTIONS_MAX]; /* ever; 0: none */
    bool must_complete; /* K4: the healed world answers COMPLETE, always */
};

void sim_client_init(struct sim_client *client, struct world *world, struct process *process);
/* Ends what still runs, unheard and unjudged. */
void sim_client_done(struct sim_client *client);
/* Begins a search drawn from the world's seed. */
void sim_client_begin(struct sim_client *client, uint32_t collection_number);

#endif
