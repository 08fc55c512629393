/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/published.h"

#include "tests/sim/world.h"
#include <inttypes.h>
#include <string.h>

static struct published *published_of(struct world *world, const struct process *coordinator)
{
    struct published *published = &world->published[coordinator == world->rival ? 1 : 0];

    if (published->incarnation != coordinator->incarnation)
        *published = (struct published){.incarnation = coordinator->incarnation};
    return published;
}

static bool names(const struct collection_view *view, int64_t segment_id)
{
    for (size_t i = 0; i < view->items_count; i++)
        if (view->items[i].segment_id == segment_id)
            return true;
    return false;
}

static void check_copies(struct world *world, const struct process *coordinator,
                         const struct view_item *item)
{
    for (size_t c = 0; c < item->copies_count; c++)
        if (!commands_has_served(world, item->copies[c].node_id, item->segment_id,
                                 item->copies[c].epoch))
            world_fail(world, "K13",
                       "a view of %s names segment %" PRId64 " on node %" PRId64
                       ", which never said that it serves it",
                       coordinator->name, item->segment_id, item->copies[c].node_id);
}

void published_view(struct world *world, const struct process *coordinator,
                    const struct collection_view *view)
{
    struct published *published = published_of(world, coordinator);
    int number = world_collection_number(world, view->collection_id);

    if (number < 0 || view->pages > 1)
        return;
    const struct collection *collection = &world->collections[number];
    for (size_t s = 0; s < collection->segments_count; s++) {
        uint64_t *unnamed_us = &published->unnamed_us[number * OPTIONS_SEGMENTS_MAX + (int)s];
        if (names(view, collection->segments[s].segment_id))
            *unnamed_us = 0;
        else if (*unnamed_us == 0)
            *unnamed_us = process_clock_us(coordinator);
    }
    for (size_t i = 0; i < view->items_count; i++)
        check_copies(world, coordinator, &view->items[i]);
}

void published_note(struct world *world, const struct collection_view *view)
{
    int number = world_collection_number(world, view->collection_id);

    if (number < 0)
        return;
    struct published_newest *newest = &world->newest_views[number];
    int order = qn_epoch_compare(view->version, newest->version);
    if (order < 0)
        return;
    if (order > 0)
        *newest = (struct published_newest){.version = view->version};
    for (size_t i = 0; i < view->items_count; i++) {
        int index = world_segment_index(world, view->items[i].segment_id);
        if (index >= 0)
            newest->named |= 1u << index % OPTIONS_SEGMENTS_MAX;
    }
}

bool published_names(const struct world *world, int index)
{
    return (world->newest_views[index / OPTIONS_SEGMENTS_MAX].named >>
                index % OPTIONS_SEGMENTS_MAX &
            1) != 0;
}

void published_release(struct world *world, const struct process *coordinator,
                       const struct release_segments *release)
{
    const struct published *published = published_of(world, coordinator);
    uint64_t wait_us = UINT64_C(1000) * (LIMIT_SEARCH_MS_MAX + LIMIT_RELEASE_GRACE_MS - 1);

    for (size_t i = 0; i < release->segments_count; i++) {
        int index = world_segment_index(world, release->segments[i].segment_id);
        if (release->segments[i].ground != GROUND_CEASED || index < 0)
            continue;
        uint64_t since_us = published->unnamed_us[index];
        if (since_us == 0 || process_clock_us(coordinator) - since_us < wait_us)
            world_fail(world, "K13", "%s releases segment %" PRId64 " as ceased %s",
                       coordinator->name, release->segments[i].segment_id,
                       since_us == 0 ? "while its view names it" : "too soon");
    }
}
