/* SPDX-License-Identifier: Apache-2.0
 * The state in one SQLite file: a table per kind of row, one transaction per commit, flushed before
 * it returns (WAL, synchronous=FULL). The file stays locked while it is open, so that two
 * coordinators never share one. Longer than most files because only one may include sqlite3. */
#include "coordinator/state.h"

#include "base/check.h"
#include "base/error.h"
#include "coordinator/grow.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    APPLICATION_ID = 0x716e6331, /* "qnc1" */
    SCHEMA_VERSION = 1,
    KINDS = STATE_MOVE + 1,
};

static const char schema[] =
    "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE collection(collection_id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " folder TEXT NOT NULL, metric INTEGER NOT NULL, dim INTEGER NOT NULL,"
    " readable_version INTEGER NOT NULL, ceasing INTEGER NOT NULL);"
    "CREATE TABLE segment(segment_id INTEGER PRIMARY KEY, collection_id INTEGER NOT NULL,"
    " partition_id INTEGER NOT NULL, state INTEGER NOT NULL, path TEXT NOT NULL,"
    " content_hash BLOB NOT NULL, mem_size INTEGER NOT NULL, num_rows INTEGER NOT NULL,"
    " delete_generation INTEGER NOT NULL);"
    "CREATE TABLE copy(segment_id INTEGER NOT NULL, node_id INTEGER NOT NULL,"
    " term INTEGER NOT NULL, version INTEGER NOT NULL, replica TEXT NOT NULL,"
    " PRIMARY KEY(segment_id, node_id)) WITHOUT ROWID;"
    "CREATE TABLE move(move_id INTEGER PRIMARY KEY, segment_id INTEGER NOT NULL,"
    " src_node_id INTEGER NOT NULL, dst_node_id INTEGER NOT NULL, src_term INTEGER NOT NULL,"
    " src_version INTEGER NOT NULL, dst_term INTEGER NOT NULL, dst_version INTEGER NOT NULL,"
    " phase INTEGER NOT NULL, reason TEXT NOT NULL, bytes INTEGER NOT NULL,"
    " started_wall_ms INTEGER NOT NULL, loaded_wall_ms INTEGER NOT NULL,"
    " changed_wall_ms INTEGER NOT NULL, finished_wall_ms INTEGER NOT NULL,"
    " released_bytes INTEGER NOT NULL, rss_before INTEGER NOT NULL, rss_after INTEGER NOT NULL,"
    " waited_ms INTEGER NOT NULL, attempts INTEGER NOT NULL);";

/* Columns are bound and read in the order of their tables. */
static const struct {
    const char *put, *remove, *load;
} statements[KINDS] = {
    [STATE_COUNTER] = {"INSERT OR REPLACE INTO counter VALUES(?,?)",
                       "DELETE FROM counter WHERE name=?", "SELECT * FROM counter"},
    [STATE_COLLECTION] = {"INSERT OR REPLACE INTO collection VALUES(?,?,?,?,?,?,?)",
                          "DELETE FROM collection WHERE collection_id=?",
                          "SELECT * FROM collection"},
    [STATE_SEGMENT] = {"INSERT OR REPLACE INTO segment VALUES(?,?,?,?,?,?,?,?,?)",
                       "DELETE FROM segment WHERE segment_id=?", "SELECT * FROM segment"},
    [STATE_COPY] = {"INSERT OR REPLACE INTO copy VALUES(?,?,?,?,?)",
                    "DELETE FROM copy WHERE segment_id=? AND node_id=?", "SELECT * FROM copy"},
    [STATE_MOVE] = {"INSERT OR REPLACE INTO move VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    "DELETE FROM move WHERE move_id=?", "SELECT * FROM move"},
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *put[KINDS], *remove[KINDS], *begin, *commit, *rollback;
    char path[LIMIT_PATH_BYTES];
};

/* ---- errors ---------------------------------------------------------------------------------- */

static enum qn_status fail(const struct store *store, const char *doing, struct qn_error *error)
{
    switch (sqlite3_errcode(store->db) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(error, QN_STATUS_CONFIG, "state %s: another coordinator holds it",
                         store->path);
    case SQLITE_NOTADB:
        return error_set(error, QN_STATUS_CONFIG, "state %s: not a coordinator's state (%s)",
                         store->path, sqlite3_errmsg(store->db));
    case SQLITE_CORRUPT:
        return error_set(error, QN_STATUS_CORRUPT, "state %s: %s: %s", store->path, doing,
                         sqlite3_errmsg(store->db));
    default:
        return error_set(error, QN_STATUS_IO, "state %s: %s: %s", store->path, doing,
                         sqlite3_errmsg(store->db));
    }
}

static enum qn_status run(struct store *store, const char *sql, struct qn_error *error)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(store, sql, error);
    return QN_STATUS_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Writes or reads the columns of one statement in order. */
struct cursor {
    sqlite3_stmt *statement;
    int next;
};

static void put_int(struct cursor *cursor, uint64_t value)
{
    CHECK(sqlite3_bind_int64(cursor->statement, ++cursor->next, (int64_t)value) == SQLITE_OK);
}

static void put_text(struct cursor *cursor, const char *text)
{
    CHECK(sqlite3_bind_text(cursor->statement, ++cursor->next, text, -1, SQLITE_STATIC) ==
          SQLITE_OK);
}

static void put_hash(struct cursor *cursor, const struct qn_hash *hash)
{
    CHECK(sqlite3_bind_blob(cursor->statement, ++cursor->next, hash->bytes, sizeof hash->bytes,
                            SQLITE_STATIC) == SQLITE_OK);
}

static uint64_t get_int(struct cursor *cursor)
{
    return (uint64_t)sqlite3_column_int64(cursor->statement, cursor->next++);
}

static void get_text(struct cursor *cursor, char *ret_text, size_t text_bytes)
{
    const unsigned char *text = sqlite3_column_text(cursor->statement, cursor->next++);

    (void)snprintf(ret_text, text_bytes, "%s", text == NULL ? "" : (const char *)text);
}

static void get_hash(struct cursor *cursor, struct qn_hash *ret_hash)
{
    const void *bytes = sqlite3_column_blob(cursor->statement, cursor->next);

    if (sqlite3_column_bytes(cursor->statement, cursor->next) == (int)sizeof ret_hash->bytes)
        memcpy(ret_hash->bytes, bytes, sizeof ret_hash->bytes);
    cursor->next++;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void put_key(struct cursor *cursor, const struct state_row *row)
{
    switch (row->kind) {
    case STATE_COUNTER:
        put_text(cursor, row->counter.name);
        break;
    case STATE_COLLECTION:
        put_int(cursor, (uint64_t)row->collection.collection_id);
        break;
    case STATE_SEGMENT:
        put_int(cursor, (uint64_t)row->segment.segment_id);
        break;
    case STATE_COPY:
        put_int(cursor, (uint64_t)row->copy.segment_id);
        put_int(cursor, (uint64_t)row->copy.node_id);
        break;
    case STATE_MOVE:
        put_int(cursor, row->move.move_id);
        break;
    }
}

static void put_collection(struct cursor *cursor, const struct state_collection *row)
{
    put_text(cursor, row->name);
    put_text(cursor, row->folder);
    put_int(cursor, (uint64_t)row->metric);
    put_int(cursor, row->dim);
    put_int(cursor, row->readable_version);
    put_int(cursor, row->ceasing);
}

static void put_segment(struct cursor *cursor, const struct state_segment *row)
{
    put_int(cursor, (uint64_t)row->collection_id);
    put_int(cursor, (uint64_t)row->partition_id);
    put_int(cursor, (uint64_t)row->state);
    put_text(cursor, row->path);
    put_hash(cursor, &row->content_hash);
    put_int(cursor, row->mem_size);
    put_int(cursor, row->num_rows);
    put_int(cursor, row->delete_generation);
}

static void put_move(struct cursor *cursor, const struct state_move *row)
{
    put_int(cursor, (uint64_t)row->segment_id);
    put_int(cursor, (uint64_t)row->src_node_id);
    put_int(cursor, (uint64_t)row->dst_node_id);
    put_int(cursor, row->src_epoch.term);
    put_int(cursor, row->src_epoch.version);
    put_int(cursor, row->dst_epoch.term);
    put_int(cursor, row->dst_epoch.version);
    put_int(cursor, row->phase);
    put_text(cursor, row->reason);
    put_int(cursor, row->bytes);
    put_int(cursor, row->started_wall_ms);
    put_int(cursor, row->loaded_wall_ms);
    put_int(cursor, row->changed_wall_ms);
    put_int(cursor, row->finished_wall_ms);
    put_int(cursor, row->released_bytes);
    put_int(cursor, row->rss_before);
    put_int(cursor, row->rss_after);
    put_int(cursor, row->waited_ms);
    put_int(cursor, row->attempts);
}

static void put_rest(struct cursor *cursor, const struct state_row *row)
{
    switch (row->kind) {
    case STATE_COUNTER:
        put_int(cursor, row->counter.value);
        break;
    case STATE_COLLECTION:
        put_collection(cursor, &row->collection);
        break;
    case STATE_SEGMENT:
        put_segment(cursor, &row->segment);
        break;
    case STATE_COPY:
        put_int(cursor, row->copy.epoch.term);
        put_int(cursor, row->copy.epoch.version);
        put_text(cursor, row->copy.replica);
        break;
    case STATE_MOVE:
        put_move(cursor, &row->move);
        break;
    }
}

static void get_collection(struct cursor *cursor, struct state_collection *row)
{
    row->collection_id = (int64_t)get_int(cursor);
    get_text(cursor, row->name, sizeof row->name);
    get_text(cursor, row->folder, sizeof row->folder);
    row->metric = (enum qn_metric)get_int(cursor);
    row->dim = (uint32_t)get_int(cursor);
    row->readable_version = get_int(cursor);
    row->ceasing = get_int(cursor) != 0;
}

static void get_segment(struct cursor *cursor, struct state_segment *row)
{
    row->segment_id = (int64_t)get_int(cursor);
    row->collection_id = (int64_t)get_int(cursor);
    row->partition_id = (int64_t)get_int(cursor);
    row->state = (enum qn_segment_state)get_int(cursor);
    get_text(cursor, row->path, sizeof row->path);
    get_hash(cursor, &row->content_hash);
    row->mem_size = get_int(cursor);
    row->num_rows = get_int(cursor);
    row->delete_generation = get_int(cursor);
}

static void get_copy(struct cursor *cursor, struct state_copy *row)
{
    row->segment_id = (int64_t)get_int(cursor);
    row->node_id = (int64_t)get_int(cursor);
    row->epoch.term = get_int(cursor);
    row->epoch.version = get_int(cursor);
    get_text(cursor, row->replica, sizeof row->replica);
}

static void get_move(struct cursor *cursor, struct state_move *row)
{
    row->move_id = get_int(cursor);
    row->segment_id = (int64_t)get_int(cursor);
    row->src_node_id = (int64_t)get_int(cursor);
    row->dst_node_id = (int64_t)get_int(cursor);
    row->src_epoch.term = get_int(cursor);
    row->src_epoch.version = get_int(cursor);
    row->dst_epoch.term = get_int(cursor);
    row->dst_epoch.version = get_int(cursor);
    row->phase = (uint32_t)get_int(cursor);
    get_text(cursor, row->reason, sizeof row->reason);
    row->bytes = get_int(cursor);
    row->started_wall_ms = get_int(cursor);
    row->loaded_wall_ms = get_int(cursor);
    row->changed_wall_ms = get_int(cursor);
    row->finished_wall_ms = get_int(cursor);
    row->released_bytes = get_int(cursor);
    row->rss_before = get_int(cursor);
    row->rss_after = get_int(cursor);
    row->waited_ms = get_int(cursor);
    row->attempts = (uint32_t)get_int(cursor);
}

static void get_row(struct cursor *cursor, struct state_row *row)
{
    switch (row->kind) {
    case STATE_COUNTER:
        get_text(cursor, row->counter.name, sizeof row->counter.name);
        row->counter.value = get_int(cursor);
        break;
    case STATE_COLLECTION:
        get_collection(cursor, &row->collection);
        break;
    case STATE_SEGMENT:
        get_segment(cursor, &row->segment);
        break;
    case STATE_COPY:
        get_copy(cursor, &row->copy);
        break;
    case STATE_MOVE:
        get_move(cursor, &row->move);
        break;
    }
}

/* ---- the port -------------------------------------------------------------------------------- */

static enum qn_status load_kind(struct store *store, enum state_kind kind,
                                void (*on_row)(void *owner, const struct state_row *row),
                                void *owner, struct qn_error *error)
{
    struct state_row *row = grow_calloc(1, sizeof *row);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, statements[kind].load, -1, &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        struct cursor cursor = {.statement = statement};
        memset(row, 0, sizeof *row);
        row->kind = kind;
        get_row(&cursor, row);
        on_row(owner, row);
    }
    enum qn_status status = code == SQLITE_DONE ? QN_STATUS_OK : fail(store, "load", error);
    (void)sqlite3_finalize(statement);
    free(row);
    return status;
}

static enum qn_status load(void *self, void (*on_row)(void *owner, const struct state_row *row),
                           void *owner, struct qn_error *error)
{
    for (int kind = 0; kind < KINDS; kind++) {
        enum qn_status status = load_kind(self, (enum state_kind)kind, on_row, owner, error);
        if (status != QN_STATUS_OK)
            return status;
    }
    return QN_STATUS_OK;
}

static bool step_once(sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;

    return sqlite3_reset(statement) == SQLITE_OK && done;
}

static bool write_row(struct store *store, const struct state_row *row)
{
    struct cursor cursor = {.statement =
                                row->removed ? store->remove[row->kind] : store->put[row->kind]};

    put_key(&cursor, row);
    if (!row->removed)
        put_rest(&cursor, row);
    return step_once(cursor.statement);
}

static enum qn_status commit(void *self, const struct state_row *rows, size_t rows_count,
                             struct qn_error *error)
{
    struct store *store = self;
    bool done = step_once(store->begin);

    for (size_t i = 0; i < rows_count && done; i++)
        done = write_row(store, &rows[i]);
    if (done && step_once(store->commit))
        return QN_STATUS_OK;
    enum qn_status status = fail(store, "commit", error);
    if (sqlite3_get_autocommit(store->db) == 0)
        (void)step_once(store->rollback);
    return status;
}

static void close_store(void *self)
{
    struct store *store = self;

    if (store == NULL)
        return;
    for (int kind = 0; kind < KINDS; kind++) {
        (void)sqlite3_finalize(store->put[kind]);
        (void)sqlite3_finalize(store->remove[kind]);
    }
    (void)sqlite3_finalize(store->begin);
    (void)sqlite3_finalize(store->commit);
    (void)sqlite3_finalize(store->rollback);
    (void)sqlite3_close(store->db);
    free(store);
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum qn_status prepare(struct store *store, const char *sql, sqlite3_stmt **ret_statement,
                              struct qn_error *error)
{
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL) !=
        SQLITE_OK)
        return fail(store, sql, error);
    return QN_STATUS_OK;
}

static enum qn_status prepare_all(struct store *store, struct qn_error *error)
{
    enum qn_status status = prepare(store, "BEGIN IMMEDIATE", &store->begin, error);

    if (status == QN_STATUS_OK)
        status = prepare(store, "COMMIT", &store->commit, error);
    if (status == QN_STATUS_OK)
        status = prepare(store, "ROLLBACK", &store->rollback, error);
    for (int kind = 0; kind < KINDS && status == QN_STATUS_OK; kind++) {
        status = prepare(store, statements[kind].put, &store->put[kind], error);
        if (status == QN_STATUS_OK)
            status = prepare(store, statements[kind].remove, &store->remove[kind], error);
    }
    return status;
}

static enum qn_status read_number(struct store *store, const char *sql, int64_t *ret_value,
                                  struct qn_error *error)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        enum qn_status status = fail(store, sql, error);
        (void)sqlite3_finalize(statement);
        return status;
    }
    *ret_value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return QN_STATUS_OK;
}

static enum qn_status create(struct store *store, struct qn_error *error)
{
    char text[128];
    enum qn_status status = run(store, "BEGIN IMMEDIATE", error);

    (void)snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                   APPLICATION_ID, SCHEMA_VERSION);
    if (status == QN_STATUS_OK)
        status = run(store, schema, error);
    if (status == QN_STATUS_OK)
        status = run(store, text, error);
    if (status == QN_STATUS_OK)
        status = run(store, "COMMIT", error);
    return status;
}

static enum qn_status check_file(struct store *store, struct qn_error *error)
{
    int64_t tables, application, version;
    enum qn_status status =
        read_number(store, "SELECT count(*) FROM sqlite_schema", &tables, error);

    if (status == QN_STATUS_OK)
        status = read_number(store, "PRAGMA application_id", &application, error);
    if (status == QN_STATUS_OK)
        status = read_number(store, "PRAGMA user_version", &version, error);
    if (status != QN_STATUS_OK)
        return status;
    if (tables == 0)
        return create(store, error);
    if (application != APPLICATION_ID)
        return error_set(error, QN_STATUS_CONFIG, "state %s: not a coordinator's state",
                         store->path);
    if (version != SCHEMA_VERSION)
        return error_set(error, QN_STATUS_CONFIG, "state %s: schema %lld, this build knows %d",
                         store->path, (long long)version, SCHEMA_VERSION);
    return QN_STATUS_OK;
}

/* "ok", or the first line of what is wrong. */
static enum qn_status check_pages(struct store *store, struct qn_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum qn_status status = QN_STATUS_OK;

    if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        status = fail(store, "check", error);
    else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
        status = error_set(error, QN_STATUS_CORRUPT, "state %s: damaged: %s", store->path,
                           (const char *)sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    return status;
}

static enum qn_status open_store(struct store *store, struct qn_error *error)
{
    enum qn_status status;

    if (sqlite3_open_v2(store->path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return store->db == NULL
                   ? error_set(error, QN_STATUS_NO_MEMORY, "state %s: no memory", store->path)
                   : fail(store, "open", error);
    /* The first read takes the lock, and it is kept. */
    status = run(store, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL", error);
    if (status == QN_STATUS_OK)
        status = run(store, "PRAGMA synchronous=FULL; BEGIN EXCLUSIVE; COMMIT", error);
    if (status == QN_STATUS_OK)
        status = check_pages(store, error);
    if (status == QN_STATUS_OK)
        status = check_file(store, error);
    if (status == QN_STATUS_OK)
        status = prepare_all(store, error);
    return status;
}

enum qn_status state_sqlite_open(const char *path, struct state *ret_state, struct qn_error *error)
{
    static const struct state_ops ops = {
        .name = "sqlite", .load = load, .commit = commit, .close = close_store};

    if (strlen(path) >= LIMIT_PATH_BYTES)
        return error_set(error, QN_STATUS_CONFIG, "state: the path is longer than %d bytes",
                         LIMIT_PATH_BYTES - 1);
    struct store *store = grow_calloc(1, sizeof *store);
    (void)snprintf(store->path, sizeof store->path, "%s", path);
    enum qn_status status = open_store(store, error);
    if (status != QN_STATUS_OK) {
        close_store(store);
        return status;
    }
    *ret_state = (struct state){.ops = &ops, .self = store};
    return QN_STATUS_OK;
}
