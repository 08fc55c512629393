/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/state_columns.h"

#include "base/check.h"
#include <string.h>

#define COLUMN(member, column_name, column_type)                                                   \
    {                                                                                              \
        column_name, STATE_COLUMN_##column_type, offsetof(struct state_row, member),               \
            sizeof(((struct state_row *)0)->member)                                                \
    }

static const struct state_column counter[] = {
    COLUMN(counter.name, "name", TEXT),
    COLUMN(counter.value, "value", INTEGER),
};

static const struct state_column collection[] = {
    COLUMN(collection.collection_id, "collection_id", INTEGER),
    COLUMN(collection.name, "name", TEXT),
    COLUMN(collection.folder, "folder", TEXT),
    COLUMN(collection.metric, "metric", INTEGER),
    COLUMN(collection.dim, "dim", INTEGER),
    COLUMN(collection.readable_version, "readable_version", INTEGER),
    COLUMN(collection.ceasing, "ceasing", INTEGER),
};

static const struct state_column segment[] = {
    COLUMN(segment.segment_id, "segment_id", INTEGER),
    COLUMN(segment.collection_id, "collection_id", INTEGER),
    COLUMN(segment.partition_id, "partition_id", INTEGER),
    COLUMN(segment.state, "state", INTEGER),
    COLUMN(segment.path, "path", TEXT),
    COLUMN(segment.content_hash, "content_hash", HASH),
    COLUMN(segment.mem_size, "mem_size", INTEGER),
    COLUMN(segment.num_rows, "num_rows", INTEGER),
    COLUMN(segment.delete_generation, "delete_generation", INTEGER),
};

static const struct state_column copy[] = {
    COLUMN(copy.segment_id, "segment_id", INTEGER), COLUMN(copy.node_id, "node_id", INTEGER),
    COLUMN(copy.epoch.term, "term", INTEGER),       COLUMN(copy.epoch.version, "version", INTEGER),
    COLUMN(copy.replica, "replica", TEXT),
};

static const struct state_column move[] = {
    COLUMN(move.move_id, "move_id", INTEGER),
    COLUMN(move.segment_id, "segment_id", INTEGER),
    COLUMN(move.src_node_id, "src_node_id", INTEGER),
    COLUMN(move.dst_node_id, "dst_node_id", INTEGER),
    COLUMN(move.src_epoch.term, "src_term", INTEGER),
    COLUMN(move.src_epoch.version, "src_version", INTEGER),
    COLUMN(move.dst_epoch.term, "dst_term", INTEGER),
    COLUMN(move.dst_epoch.version, "dst_version", INTEGER),
    COLUMN(move.phase, "phase", INTEGER),
    COLUMN(move.reason, "reason", TEXT),
    COLUMN(move.bytes, "bytes", INTEGER),
    COLUMN(move.started_wall_ms, "started_wall_ms", INTEGER),
    COLUMN(move.loaded_wall_ms, "loaded_wall_ms", INTEGER),
    COLUMN(move.changed_wall_ms, "changed_wall_ms", INTEGER),
    COLUMN(move.finished_wall_ms, "finished_wall_ms", INTEGER),
    COLUMN(move.released_bytes, "released_bytes", INTEGER),
    COLUMN(move.rss_before, "rss_before", INTEGER),
    COLUMN(move.rss_after, "rss_after", INTEGER),
    COLUMN(move.waited_ms, "waited_ms", INTEGER),
    COLUMN(move.attempts, "attempts", INTEGER),
};

static const struct state_table tables[STATE_KINDS] = {
    [STATE_COUNTER] = {"counter", counter, COUNT_OF(counter), 1},
    [STATE_COLLECTION] = {"collection", collection, COUNT_OF(collection), 1},
    [STATE_SEGMENT] = {"segment", segment, COUNT_OF(segment), 1},
    [STATE_COPY] = {"copy", copy, COUNT_OF(copy), 2},
    [STATE_MOVE] = {"move", move, COUNT_OF(move), 1},
};

const struct state_table *state_columns(enum state_kind kind)
{
    CHECK((unsigned)kind < STATE_KINDS);
    return &tables[kind];
}

/* ---- statements ------------------------------------------------------------------------------ */

static void add(struct state_sql *sql, const char *text)
{
    size_t bytes = strlen(text);

    CHECK(sql->used_bytes + bytes < sizeof sql->text);
    memcpy(sql->text + sql->used_bytes, text, bytes + 1);
    sql->used_bytes += bytes;
}

struct state_sql state_columns_create(const struct state_table *table)
{
    static const char *const types[] = {[STATE_COLUMN_INTEGER] = " INTEGER NOT NULL, ",
                                        [STATE_COLUMN_TEXT] = " TEXT NOT NULL, ",
                                        [STATE_COLUMN_HASH] = " BLOB NOT NULL, "};
    struct state_sql sql = {0};

    add(&sql, "CREATE TABLE ");
    add(&sql, table->name);
    add(&sql, "(");
    for (size_t i = 0; i < table->columns_count; i++) {
        add(&sql, table->columns[i].name);
        add(&sql, types[table->columns[i].type]);
    }
    add(&sql, "PRIMARY KEY(");
    for (size_t i = 0; i < table->keys_count; i++) {
        add(&sql, i == 0 ? "" : ", ");
        add(&sql, table->columns[i].name);
    }
    add(&sql, ")) WITHOUT ROWID");
    return sql;
}

struct state_sql state_columns_put(const struct state_table *table)
{
    struct state_sql sql = {0};

    add(&sql, "INSERT OR REPLACE INTO ");
    add(&sql, table->name);
    for (size_t i = 0; i < table->columns_count; i++)
        add(&sql, i == 0 ? " VALUES(?" : ", ?");
    add(&sql, ")");
    return sql;
}

struct state_sql state_columns_remove(const struct state_table *table)
{
    struct state_sql sql = {0};

    add(&sql, "DELETE FROM ");
    add(&sql, table->name);
    for (size_t i = 0; i < table->keys_count; i++) {
        add(&sql, i == 0 ? " WHERE " : " AND ");
        add(&sql, table->columns[i].name);
        add(&sql, " = ?");
    }
    return sql;
}

struct state_sql state_columns_load(const struct state_table *table)
{
    struct state_sql sql = {0};

    add(&sql, "SELECT * FROM ");
    add(&sql, table->name);
    return sql;
}
