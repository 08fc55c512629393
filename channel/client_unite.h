/* SPDX-License-Identifier: Apache-2.0
 * Unites sorted lists of hits, query by query: distinct by primary key, the better one kept, before
 * the cut to k (C4). Adding lists one after the other gives what adding all at once would: a hit
 * that was cut had k better keys before it, and those are only ever replaced by better ones. */
#ifndef CHANNEL_CLIENT_UNITE_H
#define CHANNEL_CLIENT_UNITE_H

#include "base/arena.h"
#include "qnode/types.h"

struct client_unite {
    uint32_t nq, k;
    uint32_t *counts;       /* nq */
    struct qn_hit *hits;    /* nq x k: those of query q start at q * k, best first */
    struct qn_hit *scratch; /* k */
    int64_t *seen_keys;     /* set of the keys in scratch */
    uint32_t *seen_stamps;  /* a slot is taken if it bears the stamp of now */
    uint32_t seen_mask, stamp;
};

/* False: the arena is exhausted. nq, k >= 1. */
bool client_unite_init(struct client_unite *unite, struct arena *arena, uint32_t nq, uint32_t k);
void client_unite_reset(struct client_unite *unite);
/* Adds a list, best first, to a query. */
void client_unite_add(struct client_unite *unite, enum qn_metric metric, uint32_t query,
                      const struct qn_hit *hits, uint32_t hits_count);
/* True if the list is ordered best first (and so holds no NaN). */
bool client_unite_is_sorted(enum qn_metric metric, const struct qn_hit *hits, uint32_t hits_count);

#endif
