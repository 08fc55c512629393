/* SPDX-License-Identifier: Apache-2.0
 * The columns of each kind of row, as one list: the state file's schema and its statements follow
 * from it. Changing it needs a new schema version. */
#ifndef COORDINATOR_STATE_COLUMNS_H
#define COORDINATOR_STATE_COLUMNS_H

#include "coordinator/state.h"

enum { STATE_KINDS = STATE_MOVE + 1 };

enum state_column_type { STATE_COLUMN_INTEGER, STATE_COLUMN_TEXT, STATE_COLUMN_HASH };

struct state_column {
    const char *name;
    enum state_column_type type;
    size_t offset, bytes; /* in struct state_row; integers of 1, 4 or 8 bytes */
};

struct state_table {
    const char *name;
    const struct state_column *columns;
    size_t columns_count;
    size_t keys_count; /* the first columns are the key */
};

const struct state_table *state_columns(enum state_kind kind);

struct state_sql {
    size_t used_bytes;
    char text[1024];
};

/* Statements; parameters are the columns, or the key's, in order. */
struct state_sql state_columns_create(const struct state_table *table);
struct state_sql state_columns_put(const struct state_table *table);
struct state_sql state_columns_remove(const struct state_table *table);
struct state_sql state_columns_load(const struct state_table *table);

#endif
