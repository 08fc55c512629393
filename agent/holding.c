/* SPDX-License-Identifier: Apache-2.0
 * A fixed array with a free list, found by chained hashing. */
#include "agent/holding.h"

#include "base/check.h"
#include "base/limits.h"
#include <stdlib.h>

enum { CHAINS_COUNT = LIMIT_SEGMENTS_PER_NODE_MAX };

_Static_assert((CHAINS_COUNT & (CHAINS_COUNT - 1)) == 0, "chains are masked");

struct holdings {
    struct holding *chains[CHAINS_COUNT];
    struct holding *idle;
    struct holding items[LIMIT_SEGMENTS_PER_NODE_MAX];
};

struct holdings *holdings_new(void)
{
    struct holdings *holdings = calloc(1, sizeof *holdings);

    if (holdings == NULL)
        return NULL;
    for (size_t i = LIMIT_SEGMENTS_PER_NODE_MAX; i-- > 0;) {
        holdings->items[i].next = holdings->idle;
        holdings->idle = &holdings->items[i];
    }
    return holdings;
}

struct holdings *holdings_free(struct holdings *holdings)
{
    free(holdings);
    return NULL;
}

static struct holding **chain_of(const struct holdings *holdings, int64_t segment_id)
{
    uint64_t mixed = (uint64_t)segment_id * UINT64_C(0x9e3779b97f4a7c15);

    return (struct holding **)&holdings->chains[(mixed >> 32) & (CHAINS_COUNT - 1)];
}

struct holding *holdings_find(const struct holdings *holdings, int64_t segment_id)
{
    struct holding *holding = *chain_of(holdings, segment_id);

    while (holding != NULL && holding->segment_id != segment_id)
        holding = holding->next;
    return holding;
}

struct holding *holdings_take(struct holdings *holdings, int64_t segment_id)
{
    struct holding *holding = holdings->idle;
    struct holding **chain = chain_of(holdings, segment_id);

    CHECK(holdings_find(holdings, segment_id) == NULL);
    if (holding == NULL)
        return NULL;
    holdings->idle = holding->next;
    *holding = (struct holding){
        .segment_id = segment_id,
        .load_done = {AGENT_EVENT_LOAD_DONE},
        .drained = {AGENT_EVENT_DRAINED},
        .unmapped = {AGENT_EVENT_UNMAPPED},
        .next = *chain,
    };
    CHECK(pthread_mutex_init(&holding->load_lock, NULL) == 0);
    *chain = holding;
    return holding;
}

void holdings_give(struct holdings *holdings, struct holding *holding)
{
    struct holding **at = chain_of(holdings, holding->segment_id);

    CHECK(holding->load == NULL && holding->loaded == NULL);
    while (*at != holding) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = holding->next;
    (void)pthread_mutex_destroy(&holding->load_lock);
    holding->next = holdings->idle;
    holdings->idle = holding;
}

uint64_t holding_progress_bytes(struct holding *holding)
{
    uint64_t bytes = 0;

    (void)pthread_mutex_lock(&holding->load_lock);
    if (holding->load != NULL)
        bytes = load_progress_bytes(holding->load);
    (void)pthread_mutex_unlock(&holding->load_lock);
    return bytes;
}

void holding_cancel_load(struct holding *holding)
{
    (void)pthread_mutex_lock(&holding->load_lock);
    if (holding->load != NULL)
        load_cancel(holding->load);
    (void)pthread_mutex_unlock(&holding->load_lock);
}
