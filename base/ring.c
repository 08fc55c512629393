/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/check.h"
#include <stdatomic.h>
#include <stdlib.h>

struct ring_slot {
    _Atomic uint64_t turn; /* == position: free to push; == position + 1: holds an item */
    void *item;
};

enum qn_status ring_init(struct ring *ring, uint64_t slots_count, struct waiter *waiter)
{
    CHECK(slots_count >= 2 && (slots_count & (slots_count - 1)) == 0);
    ring->slots = calloc(slots_count, sizeof *ring->slots);
    if (ring->slots == NULL)
        return QN_STATUS_NO_MEMORY;
    for (uint64_t i = 0; i < slots_count; i++)
        atomic_init(&ring->slots[i].turn, i);
    ring->mask = slots_count - 1;
    ring->waiter = waiter;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    return QN_STATUS_OK;
}

void ring_done(struct ring *ring)
{
    free(ring->slots);
    ring->slots = NULL;
}

bool ring_push(struct ring *ring, void *item)
{
    uint64_t position = atomic_load_explicit(&ring->head, memory_order_relaxed);

    CHECK(item != NULL);
    for (;;) {
        struct ring_slot *slot = &ring->slots[position & ring->mask];
        int64_t lag = (int64_t)(atomic_load_explicit(&slot->turn, memory_order_acquire) - position);
        if (lag < 0)
            return false;
        if (lag > 0) {
            position = atomic_load_explicit(&ring->head, memory_order_relaxed);
            continue;
        }
        if (!atomic_compare_exchange_weak_explicit(&ring->head, &position, position + 1,
                                                   memory_order_relaxed, memory_order_relaxed))
            continue;
        slot->item = item;
        atomic_store_explicit(&slot->turn, position + 1, memory_order_release);
        if (ring->waiter != NULL)
            waiter_wake_one(ring->waiter);
        return true;
    }
}

void *ring_pop(struct ring *ring)
{
    uint64_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    for (;;) {
        struct ring_slot *slot = &ring->slots[position & ring->mask];
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        int64_t lag = (int64_t)(turn - (position + 1));
        if (lag < 0)
            return NULL;
        if (lag > 0) {
            position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
            continue;
        }
        if (!atomic_compare_exchange_weak_explicit(&ring->tail, &position, position + 1,
                                                   memory_order_relaxed, memory_order_relaxed))
            continue;
        void *item = slot->item;
        atomic_store_explicit(&slot->turn, position + ring->mask + 1, memory_order_release);
        return item;
    }
}

uint64_t ring_count(struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    return head > tail ? head - tail : 0;
}
