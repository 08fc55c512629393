/* SPDX-License-Identifier: Apache-2.0
 * K4: has the healed world settled? Compared from outside: what the operator asked for, what the
 * coordinator keeps as wanted, what the agents report, what the last view says. */
#include "coordinator/handoff.h"
#include "tests/sim/checkers.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct why {
    char *text;
    size_t capacity;
};

__attribute__((format(printf, 2, 3))) static bool no(const struct why *why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why->text, why->capacity, format, arguments);
    va_end(arguments);
    return false;
}

static bool are_all_alive(struct world *world, const struct why *why)
{
    for (unsigned i = 0; i < world->processes_count; i++)
        if (!world->processes[i].is_alive && !world->processes[i].is_retired)
            return no(why, "%s is not running", world->processes[i].name);
    return true;
}

static const struct state_row *find_wanted(struct world *world, int64_t segment_id, int64_t node_id)
{
    const struct state_memory *state = &world->leader->state;

    for (size_t i = 0; i < state->count; i++)
        if (state->rows[i].kind == STATE_COPY && state->rows[i].copy.segment_id == segment_id &&
            state->rows[i].copy.node_id == node_id)
            return &state->rows[i];
    return NULL;
}

static size_t wanted_on(struct world *world, int64_t node_id)
{
    const struct state_memory *state = &world->leader->state;
    size_t count = 0;

    for (size_t i = 0; i < state->count; i++)
        count += state->rows[i].kind == STATE_COPY && state->rows[i].copy.node_id == node_id;
    return count;
}

static bool is_agent_settled(struct world *world, unsigned number, const struct why *why)
{
    const struct observed_agent *agent = &world->observer.agents[number];
    int64_t node_id = world->processes[1 + number].node_id;

    if (agent->digest != agent->list_digest)
        return no(why, "agent %" PRId64 " has not reported its copies", node_id);
    for (size_t i = 0; i < agent->copies_count; i++) {
        const struct observed_copy *copy = &agent->copies[i];
        const struct state_row *wanted = find_wanted(world, copy->segment_id, node_id);
        if (wanted == NULL)
            return no(why, "agent %" PRId64 " has an orphan of segment %" PRId64, node_id,
                      copy->segment_id);
        if (copy->state != QN_COPY_SERVING)
            return no(why, "agent %" PRId64 ": segment %" PRId64 " is %s", node_id,
                      copy->segment_id, qn_copy_state_name(copy->state));
        if (qn_epoch_compare(copy->epoch, wanted->copy.epoch) != 0)
            return no(why, "agent %" PRId64 ": segment %" PRId64 " has another epoch", node_id,
                      copy->segment_id);
    }
    if (agent->copies_count != wanted_on(world, node_id))
        return no(why, "agent %" PRId64 " has %zu copies, wanted are %zu", node_id,
                  agent->copies_count, wanted_on(world, node_id));
    return true;
}

bool checkers_move_is_running(const struct state_row *row)
{
    return !handoff_phase_is_final(row->move.phase);
}

bool checkers_move_is_done(const struct state_row *row)
{
    return row->move.phase == HANDOFF_DONE;
}

static bool is_move_running(struct world *world, const struct why *why)
{
    const struct state_memory *state = &world->leader->state;

    for (size_t i = 0; i < state->count; i++)
        if (state->rows[i].kind == STATE_MOVE && checkers_move_is_running(&state->rows[i]))
            return !no(why, "move %" PRIu64 " of segment %" PRId64 " runs in phase %u: %s",
                       state->rows[i].move.move_id, state->rows[i].move.segment_id,
                       state->rows[i].move.phase, state->rows[i].move.reason);
    return false;
}

static size_t wanted_copies_of(struct world *world, int64_t segment_id)
{
    size_t count = 0;

    for (unsigned a = 0; a < world->options.agents; a++)
        if (find_wanted(world, segment_id, world->processes[1 + a].node_id) != NULL)
            count++;
    return count;
}

static bool is_view_right(struct world *world, uint32_t number, size_t wanted_count,
                          const struct why *why)
{
    const struct observed_view *view = &world->observer.views[number];

    if (!view->is_known && wanted_count > 0)
        return no(why, "no view of collection %u", number);
    if (view->items_count != wanted_count || view->copies_count != wanted_count)
        return no(why, "the view of collection %u has %zu items in %zu copies, not %zu", number,
                  view->items_count, view->copies_count, wanted_count);
    if (wanted_count > 0 &&
        !collection_is_same(&world->collections[number], view->readable_version))
        return no(why, "the view of collection %u is of another edition", number);
    for (size_t i = 0; i < view->copies_count; i++)
        if (find_wanted(world, view->copies[i][0], view->copies[i][1]) == NULL)
            return no(why, "the view says segment %" PRId64 " is on %" PRId64, view->copies[i][0],
                      view->copies[i][1]);
    return true;
}

static bool is_collection_settled(struct world *world, uint32_t number, const struct why *why)
{
    const struct collection *collection = &world->collections[number];
    size_t wanted_count = 0;

    if (world->operator.acknowledged[number] != world->operator.wants_loaded[number])
        return no(why, "the operator's wish for collection %u is not acknowledged", number);
    for (size_t s = 0; s < collection->segments_count; s++) {
        const struct collection_segment *segment = &collection->segments[s];
        size_t want = world->operator.wants_loaded[number] &&
                      collection_is_readable(collection, collection->readable_version, s);
        size_t have = wanted_copies_of(world, segment->segment_id);
        wanted_count += want;
        if (have != want)
            return no(why, "segment %" PRId64 " has %zu wanted copies, should have %zu",
                      segment->segment_id, have, want);
    }
    return is_view_right(world, number, wanted_count, why);
}

bool checkers_is_converged(struct world *world, char *ret_why, size_t capacity)
{
    struct why why = {ret_why, capacity};

    if (!are_all_alive(world, &why) || is_move_running(world, &why))
        return false;
    for (uint32_t c = 0; c < world->options.collections; c++)
        if (!is_collection_settled(world, c, &why))
            return false;
    for (unsigned a = 0; a < world->options.agents; a++)
        if (!is_agent_settled(world, a, &why))
            return false;
    return true;
}
