/* SPDX-License-Identifier: Apache-2.0
 * All open moves of a step: each takes its arrow, those that are ready leave their source's row and
 * the view together, and the sources that must go are asked. */
#include "coordinator/handoff_internal.h"

#include "base/check.h"
#include "coordinator/command.h"
#include "coordinator/view.h"
#include <stdlib.h>

struct batch {
    struct catalog_move **moves;
    size_t count;
};

static int by_route(const void *a, const void *b)
{
    const struct catalog_move *left = *(struct catalog_move *const *)a;
    const struct catalog_move *right = *(struct catalog_move *const *)b;
    const int64_t lefts[] = {left->collection_id, left->row.src_node_id, left->row.dst_node_id,
                             left->row.segment_id};
    const int64_t rights[] = {right->collection_id, right->row.src_node_id, right->row.dst_node_id,
                              right->row.segment_id};

    for (size_t i = 0; i < COUNT_OF(lefts); i++)
        if (lefts[i] != rights[i])
            return lefts[i] < rights[i] ? -1 : 1;
    return 0;
}

static struct batch collect(struct core *core, unsigned due, size_t count_max)
{
    const struct idmap *moves = &core->catalog.moves;
    size_t room = core->catalog.open_moves_count;
    struct batch batch = {.moves = outbox_alloc(core->out, room, sizeof(struct catalog_move *))};

    for (size_t i = 0; i < moves->count && batch.count < count_max; i++) {
        struct catalog_move *move = moves->entries[i].item;
        if (move->open && move->due == due)
            batch.moves[batch.count++] = move;
    }
    if (batch.count > 1)
        qsort(batch.moves, batch.count, sizeof batch.moves[0], by_route);
    return batch;
}

/* Moves of one collection leave their sources: the rows, the view without them, the change info. */
static void release_together(struct core *core, struct catalog_move **moves, size_t count)
{
    struct catalog_collection *collection =
        catalog_collection(&core->catalog, moves[0]->collection_id);

    CHECK(collection != NULL);
    if (!view_is_known(core, collection))
        return; /* ready again in the next step */
    if (view_update(core, collection, collection->version.term == 0))
        view_publish(core, collection);
    struct qn_epoch follows = collection->version;
    for (size_t i = 0; i < count; i++)
        handoff_enter_releasing(core, moves[i], follows);
    (void)view_update(core, collection, true);
    struct message *message =
        &outbox_message(core->out, OUTBOX_QUERY, moves[0]->collection_id, MESSAGE_CHANGE_INFO)
             ->message;
    command_fill_change(core, moves, count, &message->change_info);
    message->change_info.version = collection->version;
    message->change_info.follows = follows;
    view_publish(core, collection);
}

static void release_ready(struct core *core)
{
    struct batch batch = collect(core, CATALOG_MOVE_READY, HANDOFF_RELEASES_PER_STEP);
    size_t count;

    for (size_t at = 0; at < batch.count; at += count) {
        count = 1;
        while (at + count < batch.count &&
               batch.moves[at + count]->collection_id == batch.moves[at]->collection_id)
            count++;
        count = command_change_fit(core, batch.moves + at, count);
        release_together(core, batch.moves + at, count);
    }
}

static bool is_same_command(const struct catalog_move *a, const struct catalog_move *b)
{
    return a->collection_id == b->collection_id && a->row.src_node_id == b->row.src_node_id;
}

static void ask_sources(struct core *core)
{
    struct batch batch = collect(core, CATALOG_MOVE_ASKS, SIZE_MAX);
    size_t count;

    for (size_t at = 0; at < batch.count; at += count) {
        count = 1;
        while (at + count < batch.count && count < CORE_COMMAND_SEGMENTS &&
               is_same_command(batch.moves[at + count], batch.moves[at]))
            count++;
        count = command_change_fit(core, batch.moves + at, count);
        command_change(core, batch.moves + at, count);
        for (size_t i = 0; i < count; i++)
            handoff_asked(core, batch.moves[at + i]);
    }
}

void handoff_run(struct core *core)
{
    const struct idmap *moves = &core->catalog.moves;

    if (core->catalog.open_moves_count == 0)
        return;
    /* A move that closes may take an older, finished one out of the list: the next comes next time.
     */
    for (size_t i = 0; i < moves->count; i++) {
        struct catalog_move *move = moves->entries[i].item;
        if (!move->open)
            continue;
        move->due = CATALOG_MOVE_WAITS;
        handoff_step(core, move);
    }
    release_ready(core);
    ask_sources(core);
}
