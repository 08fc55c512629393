/* SPDX-License-Identifier: Apache-2.0
 * Pins. The node thread pins before it hands a search to a worker; the worker unpins when it is
 * done. Only the node thread pins, drains, un-drains and frees, so the one race is between the node
 * thread and the last unpin.
 *
 * `pins` is one word: the number of readers, and in the top bit "draining". The last unpin of a
 * draining segment and segment_drain itself decide by the value their atomic operation returned, so
 * exactly one of them calls on_drained. Once the counter is zero the segment belongs to the node
 * thread again: an unpin must not touch it after its own decrement. Therefore it reads the callback
 * before, while its pin still keeps the segment alive, and the callback must only post the news
 * (the pointer may be compared, not followed, if the owner ever un-drains). A slow unpin may read
 * the callback of an earlier drain, so a segment has one callback for life.
 *
 * Un-draining takes the bit away. Whether the news is on its way is told by the count that the same
 * atomic operation saw: zero means that somebody called on_drained; the owner waits for it before
 * it drains or frees again, else an old message could be taken for a new one. */
#include "segstore/segment.h"

#include "base/check.h"
#include "base/thread.h"
#include <stdatomic.h>
#include <stdlib.h>

static const uint64_t draining_bit = UINT64_C(1) << 63;

void segment_pin(struct segment *segment)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    uint64_t before = atomic_fetch_add_explicit(&segment->pins, 1, memory_order_relaxed);
    CHECK(!(before & draining_bit));
}

void segment_unpin(struct segment *segment)
{
    uint64_t before = atomic_load_explicit(&segment->pins, memory_order_acquire);
    void (*on_drained)(void *, struct segment *) = NULL;
    void *owner = NULL;

    do {
        CHECK((before & ~draining_bit) > 0);
        if (before & draining_bit) {
            on_drained = segment->on_drained;
            owner = segment->on_drained_owner;
        }
    } while (!atomic_compare_exchange_weak_explicit(&segment->pins, &before, before - 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    if (before == (draining_bit | 1))
        on_drained(owner, segment);
}

void segment_drain(struct segment *segment, void (*on_drained)(void *, struct segment *),
                   void *owner)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    CHECK(on_drained != NULL);
    CHECK(!(atomic_load(&segment->pins) & draining_bit));
    CHECK(segment->on_drained == NULL ||
          (segment->on_drained == on_drained && segment->on_drained_owner == owner));
    if (segment->on_drained == NULL) {
        segment->on_drained_owner = owner;
        segment->on_drained = on_drained;
    }
    uint64_t before = atomic_fetch_or_explicit(&segment->pins, draining_bit, memory_order_acq_rel);
    if (before == 0)
        on_drained(owner, segment);
}

bool segment_undrain(struct segment *segment)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    uint64_t before =
        atomic_fetch_and_explicit(&segment->pins, ~draining_bit, memory_order_acq_rel);
    CHECK(before & draining_bit);
    return before == draining_bit;
}

uint64_t segment_pins_count(const struct segment *segment)
{
    return atomic_load_explicit(&segment->pins, memory_order_acquire) & ~draining_bit;
}

struct segment *segment_free(struct segment *segment)
{
    if (segment == NULL)
        return NULL;
    CHECK(segment_pins_count(segment) == 0);
    if (segment->memory != NULL)
        segment->files.ops->unmap(segment->files.self, segment->memory,
                                  segment->facts.resident_bytes);
    free(segment);
    return NULL;
}
