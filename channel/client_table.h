/* SPDX-License-Identifier: Apache-2.0
 * A small map from ids to indices, in an arena: open addressing, only ever added to. */
#ifndef CHANNEL_CLIENT_TABLE_H
#define CHANNEL_CLIENT_TABLE_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

enum { CLIENT_TABLE_NONE = UINT32_MAX };

struct client_table_slot {
    int64_t key;
    uint32_t value; /* CLIENT_TABLE_NONE: free */
};

struct client_table {
    struct client_table_slot *slots;
    uint32_t slots_count; /* a power of two, or 0 */
    uint32_t used_count;
};

/* Empties it and makes room for expected_count keys; false: the arena is exhausted. */
bool client_table_init(struct client_table *table, struct arena *arena, size_t expected_count);
/* CLIENT_TABLE_NONE if it is not there. */
uint32_t client_table_find(const struct client_table *table, int64_t key);
/* The first value of a key stays. False: the arena is exhausted. */
bool client_table_add(struct client_table *table, struct arena *arena, int64_t key, uint32_t value);

#endif
