/* SPDX-License-Identifier: Apache-2.0
 * What the shell knows of a copy beside the node's judgement: its load under way, its drain, its
 * search counter, and room for the news that other threads send about it. Taken when a load starts,
 * given back when the load failed or the memory is unmapped; at most LIMIT_SEGMENTS_PER_NODE_MAX.
 */
#ifndef AGENT_HOLDING_H
#define AGENT_HOLDING_H

#include "qnode/types.h"
#include "segstore/loader.h"
#include <pthread.h>

/* News for the node thread; lies in what it tells of, so that sending it never fails. */
struct agent_event {
    enum agent_event_kind {
        AGENT_EVENT_LOAD_DONE, /* of struct holding */
        AGENT_EVENT_DRAINED,   /* likewise */
        AGENT_EVENT_UNMAPPED,  /* likewise */
        AGENT_EVENT_SEARCHED,  /* of struct search_batch */
    } kind;
};

struct agent;

struct holding {
    struct agent *agent;
    int64_t segment_id;
    uint64_t searches;
    struct agent_event load_done, drained, unmapped;
    uint64_t rss_before, rss_after;

    /* The loader frees its load right after on_done, on its own thread; who looks at `load` holds
     * the lock, and it is NULL from on_done on. */
    pthread_mutex_t load_lock;
    struct load *load;
    bool load_over;
    struct segment *loaded; /* the result, between on_done and its event */
    struct qn_error load_error;

    bool drained_taken;    /* the news of the drain that stands was given to the node */
    bool drain_wanted;     /* asked again before the news of an undone drain came */
    unsigned stale_drains; /* drains undone whose news is still on its way */

    struct holding *next; /* free list, or the chain of its hash slot */
};

struct holdings;

struct holdings *holdings_new(void);
struct holdings *holdings_free(struct holdings *holdings);
/* A fresh one for the id, which has none; NULL when LIMIT_SEGMENTS_PER_NODE_MAX are taken. */
struct holding *holdings_take(struct holdings *holdings, int64_t segment_id);
struct holding *holdings_find(const struct holdings *holdings, int64_t segment_id);
void holdings_give(struct holdings *holdings, struct holding *holding);

/* Bytes read so far while it loads, else 0. Any thread. */
uint64_t holding_progress_bytes(struct holding *holding);
void holding_cancel_load(struct holding *holding);

#endif
