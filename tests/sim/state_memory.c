/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/state_memory.h"

#include "base/check.h"
#include "base/error.h"
#include "tests/sim/heap.h"
#include "tests/sim/world.h"
#include <stdlib.h>
#include <string.h>

void state_memory_init(struct state_memory *memory, struct process *process)
{
    *memory = (struct state_memory){.process = process};
}

void state_memory_done(struct state_memory *memory)
{
    free(memory->rows);
    memory->rows = NULL;
}

static bool is_same_key(const struct state_row *a, const struct state_row *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case STATE_COUNTER:
        return strcmp(a->counter.name, b->counter.name) == 0;
    case STATE_COLLECTION:
        return a->collection.collection_id == b->collection.collection_id;
    case STATE_SEGMENT:
        return a->segment.segment_id == b->segment.segment_id;
    case STATE_COPY:
        return a->copy.segment_id == b->copy.segment_id && a->copy.node_id == b->copy.node_id;
    case STATE_MOVE:
        return a->move.move_id == b->move.move_id;
    }
    return false;
}

void state_memory_copy(struct state_memory *memory, const struct state_memory *from)
{
    struct state_row *rows = calloc(from->count + 1, sizeof *rows);

    CHECK(rows != NULL);
    if (from->count > 0)
        memcpy(rows, from->rows, from->count * sizeof *rows);
    free(memory->rows);
    memory->rows = rows;
    memory->count = from->count;
    memory->capacity = from->count + 1;
}

static void count_move(struct state_memory *memory, const struct state_row *before,
                       const struct state_row *row)
{
    struct world *world = memory->process->world;

    if (row->kind != STATE_MOVE || row->removed || checkers_move_is_running(row) ||
        (before != NULL && !checkers_move_is_running(before)))
        return;
    *(checkers_move_is_done(row) ? &world->stats.moves_done : &world->stats.moves_undone) += 1;
    memory->moves_done += checkers_move_is_done(row) ? 1 : 0;
}

static void apply(struct state_memory *memory, const struct state_row *row)
{
    size_t at = 0;

    while (at < memory->count && !is_same_key(&memory->rows[at], row))
        at++;
    count_move(memory, at < memory->count ? &memory->rows[at] : NULL, row);
    if (row->removed) {
        if (at < memory->count)
            memory->rows[at] = memory->rows[--memory->count];
        return;
    }
    if (at == memory->capacity) {
        memory->capacity = memory->capacity < 32 ? 64 : memory->capacity * 2;
        memory->rows = realloc(memory->rows, memory->capacity * sizeof *memory->rows);
        CHECK(memory->rows != NULL);
    }
    memory->rows[at] = *row;
    memory->count = at == memory->count ? at + 1 : memory->count;
}

static enum qn_status memory_load(void *self,
                                  void (*on_row)(void *owner, const struct state_row *row),
                                  void *owner, struct qn_error *error)
{
    struct state_memory *memory = self;

    (void)error;
    for (size_t i = 0; i < memory->count; i++)
        on_row(owner, &memory->rows[i]);
    return QN_STATUS_OK;
}

static void apply_all(struct state_memory *memory, const struct state_row *rows, size_t rows_count)
{
    for (size_t i = 0; i < rows_count; i++)
        apply(memory, &rows[i]);
}

static enum qn_status memory_commit(void *self, const struct state_row *rows, size_t rows_count,
                                    struct qn_error *error)
{
    struct state_memory *memory = self;
    struct world *world = memory->process->world;

    HEAP_OUTSIDE;
    if (!process_is_heard(memory->process))
        return QN_STATUS_OK;
    if (world->options.commit_failed_per_mille > 0 &&
        prng_below(&world->prng_disk, 1000) < world->options.commit_failed_per_mille) {
        world->stats.commit_failed++;
        trace_line(&world->trace, "  %s: commit failed", memory->process->name);
        /* Who is told of a failure does not know whether it is durable after all. */
        if (prng_below(&world->prng_disk, 2) == 0) {
            world->stats.commit_doubtful++;
            apply_all(memory, rows, rows_count);
        }
        return error_set(error, QN_STATUS_IO, "the simulated state failed");
    }
    apply_all(memory, rows, rows_count);
    trace_line(&world->trace, "  %s: commit of %zu rows", memory->process->name, rows_count);
    return QN_STATUS_OK;
}

static void memory_close(void *self)
{
    (void)self;
}

struct state state_memory_port(struct state_memory *memory)
{
    static const struct state_ops ops = {"sim", memory_load, memory_commit, memory_close};

    return (struct state){.ops = &ops, .self = memory};
}
