/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/timeline.h"

#include "base/check.h"
#include <stdlib.h>

struct timeline_event {
    uint64_t at_us, order, tag;
    timeline_fire *fire;
    void *owner;
};

void timeline_init(struct timeline *timeline)
{
    *timeline = (struct timeline){.now_us = 0};
}

void timeline_done(struct timeline *timeline)
{
    free(timeline->heap);
    timeline->heap = NULL;
}

static bool is_before(const struct timeline_event *a, const struct timeline_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void swap(struct timeline_event *a, struct timeline_event *b)
{
    struct timeline_event kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_up(struct timeline_event *heap, size_t at)
{
    while (at > 0 && is_before(&heap[at], &heap[(at - 1) / 2])) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct timeline_event *heap, size_t count)
{
    size_t at = 0;

    for (;;) {
        size_t least = at, left = 2 * at + 1, right = 2 * at + 2;
        if (left < count && is_before(&heap[left], &heap[least]))
            least = left;
        if (right < count && is_before(&heap[right], &heap[least]))
            least = right;
        if (least == at)
            return;
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

void timeline_at(struct timeline *timeline, uint64_t at_us, timeline_fire *fire, void *owner,
                 uint64_t tag)
{
    if (timeline->count == timeline->capacity) {
        timeline->capacity = timeline->capacity == 0 ? 256 : timeline->capacity * 2;
        timeline->heap = realloc(timeline->heap, timeline->capacity * sizeof *timeline->heap);
        CHECK(timeline->heap != NULL);
    }
    timeline->heap[timeline->count] = (struct timeline_event){
        .at_us = at_us < timeline->now_us ? timeline->now_us : at_us,
        .order = timeline->order++,
        .tag = tag,
        .fire = fire,
        .owner = owner,
    };
    sift_up(timeline->heap, timeline->count++);
}

bool timeline_step(struct timeline *timeline, uint64_t until_us)
{
    if (timeline->count == 0 || timeline->heap[0].at_us > until_us) {
        timeline->now_us = until_us > timeline->now_us ? until_us : timeline->now_us;
        return false;
    }
    struct timeline_event event = timeline->heap[0];
    timeline->heap[0] = timeline->heap[--timeline->count];
    sift_down(timeline->heap, timeline->count);
    timeline->now_us = event.at_us;
    event.fire(event.owner, event.tag);
    return true;
}
