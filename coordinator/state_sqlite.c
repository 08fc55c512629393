/* SPDX-License-Identifier: Apache-2.0
 * The state in one SQLite file: a table per kind of row, one transaction per commit, flushed before
 * it returns (WAL, synchronous=FULL). The file stays locked while it is open, so that two
 * coordinators never share one. */
#include "coordinator/state_columns.h"

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
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *put[STATE_KINDS], *remove[STATE_KINDS], *begin, *commit, *rollback;
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
    case SQLITE_NOMEM:
        return error_set(error, QN_STATUS_NO_MEMORY, "state %s: %s: out of memory", store->path,
                         doing);
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

static int64_t integer_of(const void *from, size_t bytes)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;

    CHECK(bytes == sizeof wide || bytes == sizeof narrow || bytes == sizeof(bool));
    if (bytes == sizeof wide) {
        memcpy(&wide, from, sizeof wide);
        return (int64_t)wide;
    }
    if (bytes == sizeof(bool))
        return *(const bool *)from;
    memcpy(&narrow, from, sizeof narrow);
    return narrow;
}

static void set_integer(void *to, size_t bytes, int64_t value)
{
    uint32_t narrow = (uint32_t)value;

    if (bytes == sizeof value)
        memcpy(to, &value, sizeof value);
    else if (bytes == sizeof(bool))
        *(bool *)to = value != 0;
    else
        memcpy(to, &narrow, sizeof narrow);
}

static void bind(sqlite3_stmt *statement, int at, const struct state_column *column,
                 const struct state_row *row)
{
    const char *from = (const char *)row + column->offset;
    int code = SQLITE_ERROR;

    switch (column->type) {
    case STATE_COLUMN_INTEGER:
        code = sqlite3_bind_int64(statement, at, integer_of(from, column->bytes));
        break;
    case STATE_COLUMN_TEXT:
        code = sqlite3_bind_text(statement, at, from, -1, SQLITE_STATIC);
        break;
    case STATE_COLUMN_HASH:
        code = sqlite3_bind_blob(statement, at, from, (int)column->bytes, SQLITE_STATIC);
        break;
    }
    CHECK(code == SQLITE_OK);
}

static void fetch(sqlite3_stmt *statement, int at, const struct state_column *column,
                  struct state_row *row)
{
    char *to = (char *)row + column->offset;
    const void *bytes;

    switch (column->type) {
    case STATE_COLUMN_INTEGER:
        set_integer(to, column->bytes, sqlite3_column_int64(statement, at));
        break;
    case STATE_COLUMN_TEXT:
        bytes = sqlite3_column_text(statement, at);
        (void)snprintf(to, column->bytes, "%s", bytes == NULL ? "" : (const char *)bytes);
        break;
    case STATE_COLUMN_HASH:
        bytes = sqlite3_column_blob(statement, at);
        if (sqlite3_column_bytes(statement, at) == (int)column->bytes)
            memcpy(to, bytes, column->bytes);
        break;
    }
}

/* ---- the port -------------------------------------------------------------------------------- */

static enum qn_status load_kind(struct store *store, enum state_kind kind,
                                void (*on_row)(void *owner, const struct state_row *row),
                                void *owner, struct qn_error *error)
{
    struct state_row *row = grow_calloc(1, sizeof *row);
    const struct state_table *table = state_columns(kind);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, state_columns_load(table).text, -1, &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        memset(row, 0, sizeof *row);
        row->kind = kind;
        for (size_t i = 0; i < table->columns_count; i++)
            fetch(statement, (int)i, &table->columns[i], row);
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
    for (int kind = 0; kind < STATE_KINDS; kind++) {
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
    const struct state_table *table = state_columns(row->kind);
    sqlite3_stmt *statement = row->removed ? store->remove[row->kind] : store->put[row->kind];
    size_t count = row->removed ? table->keys_count : table->columns_count;

    for (size_t i = 0; i < count; i++)
        bind(statement, (int)i + 1, &table->columns[i], row);
    return step_once(statement);
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
    for (int kind = 0; kind < STATE_KINDS; kind++) {
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
    for (int kind = 0; kind < STATE_KINDS && status == QN_STATUS_OK; kind++) {
        const struct state_table *table = state_columns((enum state_kind)kind);
        status = prepare(store, state_columns_put(table).text, &store->put[kind], error);
        if (status == QN_STATUS_OK)
            status = prepare(store, state_columns_remove(table).text, &store->remove[kind], error);
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
    for (int kind = 0; kind < STATE_KINDS && status == QN_STATUS_OK; kind++)
        status = run(store, state_columns_create(state_columns((enum state_kind)kind)).text, error);
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
