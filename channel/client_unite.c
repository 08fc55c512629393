/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_unite.h"

#include <string.h>

bool client_unite_init(struct client_unite *unite, struct arena *arena, uint32_t nq, uint32_t k)
{
    uint32_t slots_count = 16;

    while (slots_count < k * 2)
        slots_count *= 2;
    *unite = (struct client_unite){.nq = nq, .k = k, .seen_mask = slots_count - 1};
    unite->counts = arena_calloc(arena, nq, sizeof *unite->counts);
    unite->hits = arena_alloc(arena, (size_t)nq * k * sizeof *unite->hits);
    unite->scratch = arena_alloc(arena, k * sizeof *unite->scratch);
    unite->seen_keys = arena_alloc(arena, slots_count * sizeof *unite->seen_keys);
    unite->seen_stamps = arena_calloc(arena, slots_count, sizeof *unite->seen_stamps);
    return unite->counts != NULL && unite->hits != NULL && unite->scratch != NULL &&
           unite->seen_keys != NULL && unite->seen_stamps != NULL;
}

void client_unite_reset(struct client_unite *unite)
{
    memset(unite->counts, 0, unite->nq * sizeof *unite->counts);
}

/* True if the key was not yet seen under this stamp. */
static bool see(struct client_unite *unite, int64_t key)
{
    uint64_t mixed = (uint64_t)key * UINT64_C(0x9E3779B97F4A7C15);
    uint32_t at = (uint32_t)(mixed >> 32) & unite->seen_mask;

    while (unite->seen_stamps[at] == unite->stamp) {
        if (unite->seen_keys[at] == key)
            return false;
        at = (at + 1) & unite->seen_mask;
    }
    unite->seen_stamps[at] = unite->stamp;
    unite->seen_keys[at] = key;
    return true;
}

static void next_stamp(struct client_unite *unite)
{
    if (++unite->stamp != 0)
        return;
    memset(unite->seen_stamps, 0, (unite->seen_mask + 1) * sizeof *unite->seen_stamps);
    unite->stamp = 1;
}

void client_unite_add(struct client_unite *unite, enum qn_metric metric, uint32_t query,
                      const struct qn_hit *hits, uint32_t hits_count)
{
    struct qn_hit *mine = unite->hits + (size_t)query * unite->k;
    uint32_t mine_count = unite->counts[query];
    uint32_t a = 0, b = 0, kept_count = 0;

    next_stamp(unite);
    while (kept_count < unite->k && (a < mine_count || b < hits_count)) {
        bool takes_mine =
            b == hits_count || (a < mine_count && !qn_hit_before(metric, &hits[b], &mine[a]));
        const struct qn_hit *next = takes_mine ? &mine[a++] : &hits[b++];
        if (see(unite, next->primary_key))
            unite->scratch[kept_count++] = *next;
    }
    memcpy(mine, unite->scratch, kept_count * sizeof *mine);
    unite->counts[query] = kept_count;
}

bool client_unite_is_sorted(enum qn_metric metric, const struct qn_hit *hits, uint32_t hits_count)
{
    for (uint32_t i = 0; i < hits_count; i++)
        if (hits[i].distance != hits[i].distance ||
            (i > 0 && qn_hit_before(metric, &hits[i], &hits[i - 1])))
            return false;
    return true;
}
