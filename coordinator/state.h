/* SPDX-License-Identifier: Apache-2.0
 * What the coordinator must not forget, as rows; and the port that keeps them. SQLite in production
 * (state_sqlite.c, the only file that includes sqlite3), memory in the simulator. */
#ifndef COORDINATOR_STATE_H
#define COORDINATOR_STATE_H

#include "base/limits.h"
#include "qnode/types.h"

enum state_kind {
    STATE_COUNTER,    /* key: "term" or "version"; value */
    STATE_COLLECTION, /* key: collection_id */
    STATE_SEGMENT,    /* key: segment_id */
    STATE_COPY,       /* key: (segment_id, node_id): a copy that is wanted there */
    STATE_MOVE,       /* key: move_id */
};

struct state_counter {
    char name[16];
    uint64_t value;
};

struct state_collection {
    int64_t collection_id;
    char name[LIMIT_NAME_BYTES], folder[LIMIT_PATH_BYTES];
    enum qn_metric metric;
    uint32_t dim;
    uint64_t readable_version;
    bool ceasing; /* released by the operator: no view names its segments, copies are on their way
                     out */
};

struct state_segment {
    int64_t segment_id, collection_id, partition_id;
    enum qn_segment_state state;
    char path[LIMIT_PATH_BYTES];
    struct qn_hash content_hash;
    uint64_t mem_size, num_rows, delete_generation;
};

struct state_copy {
    int64_t segment_id, node_id;
    struct qn_epoch epoch;
    char replica[LIMIT_NAME_BYTES];
};

struct state_move {
    uint64_t move_id;
    int64_t segment_id, src_node_id, dst_node_id;
    struct qn_epoch src_epoch, dst_epoch;
    uint32_t phase; /* enum handoff_phase */
    char reason[192];
    uint64_t bytes, started_wall_ms, loaded_wall_ms, changed_wall_ms, finished_wall_ms;
    uint64_t released_bytes, rss_before, rss_after, waited_ms;
    uint32_t attempts;
};

struct state_row {
    enum state_kind kind;
    bool removed; /* delete the row of this key */
    union {
        struct state_counter counter;
        struct state_collection collection;
        struct state_segment segment;
        struct state_copy copy;
        struct state_move move;
    };
};

/* Contract: load() gives every row once, in any order, before anything else. commit() makes all
 * rows durable in one transaction before it returns OK, or none of them; where two rows have one
 * key the later one holds. One thread. */
struct state_ops {
    const char *name;
    enum qn_status (*load)(void *self, void (*on_row)(void *owner, const struct state_row *row),
                           void *owner, struct qn_error *error);
    enum qn_status (*commit)(void *self, const struct state_row *rows, size_t rows_count,
                             struct qn_error *error);
    void (*close)(void *self);
};

struct state {
    const struct state_ops *ops;
    void *self;
};

/* Opens or creates the file; CONFIG if it is not ours, or another coordinator holds it; CORRUPT if
 * it is damaged. */
enum qn_status state_sqlite_open(const char *path, struct state *ret_state, struct qn_error *error);

#endif
