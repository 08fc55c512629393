/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/catalog.h"

#include "base/check.h"
#include "base/error.h"
#include "coordinator/grow.h"
#include "coordinator/handoff.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct catalog_segment *segment_free(struct catalog_segment *segment)
{
    for (uint32_t i = 0; i < segment->wanted_count; i++)
        free(segment->wanted[i].replica);
    free(segment->wanted);
    free(segment->path);
    free(segment);
    return NULL;
}

static struct catalog_collection *collection_free(struct catalog_collection *collection)
{
    idmap_done(&collection->segments);
    free(collection);
    return NULL;
}

void catalog_done(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->segments.count; i++)
        (void)segment_free(catalog->segments.entries[i].item);
    for (size_t i = 0; i < catalog->collections.count; i++)
        (void)collection_free(catalog->collections.entries[i].item);
    for (size_t i = 0; i < catalog->moves.count; i++)
        free(catalog->moves.entries[i].item);
    idmap_done(&catalog->segments);
    idmap_done(&catalog->collections);
    idmap_done(&catalog->moves);
    *catalog = (struct catalog){0};
}

struct catalog_collection *catalog_collection(const struct catalog *catalog, int64_t id)
{
    return idmap_find(&catalog->collections, id);
}

struct catalog_collection *catalog_collection_called(const struct catalog *catalog,
                                                     const char *name)
{
    for (size_t i = 0; i < catalog->collections.count; i++) {
        struct catalog_collection *collection = catalog->collections.entries[i].item;
        if (strcmp(collection->row.name, name) == 0)
            return collection;
    }
    return NULL;
}

struct catalog_collection *catalog_collection_named(const struct catalog *catalog, const char *text)
{
    char *end;
    long long id = strtoll(text, &end, 10);
    struct catalog_collection *collection =
        *text == '\0' || *end != '\0' ? NULL : catalog_collection(catalog, id);

    return collection != NULL ? collection : catalog_collection_called(catalog, text);
}

struct catalog_segment *catalog_segment(const struct catalog *catalog, int64_t id)
{
    return idmap_find(&catalog->segments, id);
}

struct catalog_wanted *catalog_wanted(const struct catalog_segment *segment, int64_t node_id)
{
    for (uint32_t i = 0; i < segment->wanted_count; i++)
        if (segment->wanted[i].node_id == node_id)
            return &segment->wanted[i];
    return NULL;
}

static struct catalog_collection *hold_collection(struct catalog *catalog,
                                                  const struct state_collection *row)
{
    struct catalog_collection *collection = grow_calloc(1, sizeof *collection);

    collection->row = *row;
    collection->dirty = true;
    idmap_put(&catalog->collections, row->collection_id, collection);
    return collection;
}

static struct catalog_segment *hold_segment(struct catalog *catalog,
                                            struct catalog_collection *collection,
                                            const struct state_segment *row)
{
    struct catalog_segment *segment = grow_calloc(1, sizeof *segment);

    segment->segment_id = row->segment_id;
    segment->partition_id = row->partition_id;
    segment->state = row->state;
    segment->path = grow_strdup(row->path);
    segment->content_hash = row->content_hash;
    segment->mem_size = row->mem_size;
    segment->num_rows = row->num_rows;
    segment->delete_generation = row->delete_generation;
    segment->collection = collection;
    idmap_put(&catalog->segments, row->segment_id, segment);
    idmap_put(&collection->segments, row->segment_id, segment);
    return segment;
}

static struct catalog_wanted *hold_wanted(struct catalog_segment *segment,
                                          const struct state_copy *row)
{
    struct catalog_wanted *wanted = catalog_wanted(segment, row->node_id);

    if (wanted == NULL) {
        CHECK(segment->wanted_count < LIMIT_COPIES_PER_SEGMENT_MAX);
        size_t count = segment->wanted_count + 1;
        segment->wanted = grow_need(reallocarray(segment->wanted, count, sizeof *segment->wanted),
                                    count * sizeof *segment->wanted);
        wanted = &segment->wanted[segment->wanted_count++];
        *wanted = (struct catalog_wanted){.node_id = row->node_id};
        if (row->replica[0] != '\0')
            wanted->replica = grow_strdup(row->replica);
    }
    wanted->epoch = row->epoch;
    wanted->next_ms = 0;
    wanted->answered = false;
    segment->collection->dirty = true;
    return wanted;
}

static struct catalog_move *hold_move(struct catalog *catalog, const struct state_move *row)
{
    struct catalog_move *move = grow_calloc(1, sizeof *move);
    struct catalog_segment *segment = catalog_segment(catalog, row->segment_id);

    move->row = *row;
    move->open = !handoff_phase_is_final(row->phase);
    move->collection_id = segment == NULL ? 0 : segment->collection->row.collection_id;
    idmap_put(&catalog->moves, (int64_t)row->move_id, move);
    if (move->open) {
        segment->move = move;
        catalog->open_moves_count++;
    }
    return move;
}

static enum qn_status restore_row(struct catalog *catalog, const struct state_row *row,
                                  struct qn_error *error)
{
    struct catalog_collection *collection;
    struct catalog_segment *segment;

    switch (row->kind) {
    case STATE_COUNTER:
        return QN_STATUS_OK;
    case STATE_COLLECTION:
        (void)hold_collection(catalog, &row->collection);
        return QN_STATUS_OK;
    case STATE_SEGMENT:
        collection = catalog_collection(catalog, row->segment.collection_id);
        if (collection == NULL)
            return error_set(error, QN_STATUS_CORRUPT,
                             "state: segment %" PRId64 " of no collection",
                             row->segment.segment_id);
        (void)hold_segment(catalog, collection, &row->segment);
        return QN_STATUS_OK;
    case STATE_COPY:
        segment = catalog_segment(catalog, row->copy.segment_id);
        if (segment == NULL || segment->wanted_count == LIMIT_COPIES_PER_SEGMENT_MAX)
            return error_set(error, QN_STATUS_CORRUPT,
                             "state: copy on node %" PRId64
                             " of no segment, or one too many of segment %" PRId64,
                             row->copy.node_id, row->copy.segment_id);
        (void)hold_wanted(segment, &row->copy);
        return QN_STATUS_OK;
    case STATE_MOVE:
        segment = catalog_segment(catalog, row->move.segment_id);
        if (!handoff_phase_is_known(row->move.phase) ||
            (!handoff_phase_is_final(row->move.phase) && (segment == NULL || segment->move)))
            return error_set(error, QN_STATUS_CORRUPT,
                             "state: move %" PRIu64 " has no phase or no segment of its own",
                             row->move.move_id);
        (void)hold_move(catalog, &row->move);
        return QN_STATUS_OK;
    }
    return error_set(error, QN_STATUS_CORRUPT, "state: row of unknown kind %d", (int)row->kind);
}

enum qn_status catalog_restore(struct catalog *catalog, const struct state_row *rows, size_t count,
                               struct qn_error *error)
{
    static const enum state_kind order[] = {STATE_COLLECTION, STATE_SEGMENT, STATE_COPY,
                                            STATE_MOVE};

    for (size_t pass = 0; pass < COUNT_OF(order); pass++)
        for (size_t i = 0; i < count; i++) {
            if (rows[i].kind != order[pass])
                continue;
            enum qn_status status = restore_row(catalog, &rows[i], error);
            if (status != QN_STATUS_OK)
                return status;
        }
    return QN_STATUS_OK;
}

struct catalog_collection *catalog_add_collection(struct catalog *catalog,
                                                  const struct state_collection *row,
                                                  struct outbox *out)
{
    outbox_row(out, STATE_COLLECTION)->collection = *row;
    return hold_collection(catalog, row);
}

void catalog_put_collection(const struct catalog_collection *collection, struct outbox *out)
{
    outbox_row(out, STATE_COLLECTION)->collection = collection->row;
}

static void remove_segment(struct catalog *catalog, struct catalog_segment *segment,
                           struct outbox *out)
{
    CHECK(segment->move == NULL);
    while (segment->wanted_count > 0)
        catalog_unwant(segment, segment->wanted[segment->wanted_count - 1].node_id, out);
    struct state_row *row = outbox_row(out, STATE_SEGMENT);
    row->removed = true;
    row->segment.segment_id = segment->segment_id;
    (void)idmap_remove(&catalog->segments, segment->segment_id);
    (void)segment_free(segment);
}

void catalog_remove_collection(struct catalog *catalog, struct catalog_collection *collection,
                               struct outbox *out)
{
    for (size_t i = 0; i < collection->segments.count; i++)
        remove_segment(catalog, collection->segments.entries[i].item, out);
    struct state_row *row = outbox_row(out, STATE_COLLECTION);
    row->removed = true;
    row->collection.collection_id = collection->row.collection_id;
    (void)idmap_remove(&catalog->collections, collection->row.collection_id);
    (void)collection_free(collection);
}

struct catalog_segment *catalog_add_segment(struct catalog *catalog,
                                            struct catalog_collection *collection,
                                            const struct state_segment *row, struct outbox *out)
{
    outbox_row(out, STATE_SEGMENT)->segment = *row;
    return hold_segment(catalog, collection, row);
}

struct catalog_wanted *catalog_want(struct catalog_segment *segment, int64_t node_id,
                                    struct qn_epoch epoch, struct outbox *out)
{
    const struct catalog_wanted *before = catalog_wanted(segment, node_id);
    struct state_copy *row = &outbox_row(out, STATE_COPY)->copy;

    row->segment_id = segment->segment_id;
    row->node_id = node_id;
    row->epoch = epoch;
    if (before != NULL && before->replica != NULL)
        (void)snprintf(row->replica, sizeof row->replica, "%s", before->replica);
    return hold_wanted(segment, row);
}

void catalog_unwant(struct catalog_segment *segment, int64_t node_id, struct outbox *out)
{
    struct catalog_wanted *wanted = catalog_wanted(segment, node_id);

    if (wanted == NULL)
        return;
    struct state_row *row = outbox_row(out, STATE_COPY);
    row->removed = true;
    row->copy.segment_id = segment->segment_id;
    row->copy.node_id = node_id;
    free(wanted->replica);
    *wanted = segment->wanted[--segment->wanted_count];
    segment->collection->dirty = true;
}

struct catalog_move *catalog_add_move(struct catalog *catalog, struct catalog_segment *segment,
                                      const struct state_move *row, struct outbox *out)
{
    struct state_move numbered = *row;
    size_t count = catalog->moves.count;

    CHECK(segment->move == NULL && segment->segment_id == row->segment_id);
    numbered.move_id = count == 0 ? 1 : (uint64_t)catalog->moves.entries[count - 1].id + 1;
    struct catalog_move *move = hold_move(catalog, &numbered);
    catalog_put_move(move, out);
    return move;
}

void catalog_put_move(const struct catalog_move *move, struct outbox *out)
{
    outbox_row(out, STATE_MOVE)->move = move->row;
}

static void forget_oldest_finished(struct catalog *catalog, struct outbox *out)
{
    for (size_t i = 0; i < catalog->moves.count; i++) {
        struct catalog_move *move = catalog->moves.entries[i].item;
        if (move->open)
            continue;
        struct state_row *row = outbox_row(out, STATE_MOVE);
        row->removed = true;
        row->move.move_id = move->row.move_id;
        (void)idmap_remove(&catalog->moves, (int64_t)move->row.move_id);
        free(move);
        return;
    }
}

void catalog_close_move(struct catalog *catalog, struct catalog_move *move, struct outbox *out)
{
    struct catalog_segment *segment = catalog_segment(catalog, move->row.segment_id);

    CHECK(move->open && segment != NULL && segment->move == move);
    segment->move = NULL;
    move->open = false;
    catalog->open_moves_count--;
    catalog_put_move(move, out);
    if (catalog->moves.count - catalog->open_moves_count > CATALOG_FINISHED_MOVES_MAX)
        forget_oldest_finished(catalog, out);
}
