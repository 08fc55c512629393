/* SPDX-License-Identifier: Apache-2.0
 * The segments of a node by id. Belongs to the node thread; never more than
 * LIMIT_SEGMENTS_PER_NODE_MAX. */
#ifndef SEGSTORE_STORE_H
#define SEGSTORE_STORE_H

#include "segstore/segment.h"

struct store;

/* NULL when out of memory. */
struct store *store_new(void);
/* Frees the table and every segment in it. Takes NULL, returns NULL. */
struct store *store_free(struct store *store);
/* Takes the segment; false when full. The id is not there yet. */
bool store_insert(struct store *store, struct segment *segment);
/* NULL if it is not here. */
struct segment *store_find(const struct store *store, int64_t segment_id);
/* Hands the segment back; NULL if it is not here. */
struct segment *store_remove(struct store *store, int64_t segment_id);
size_t store_count(const struct store *store);
/* Sum of the segments' resident bytes. */
uint64_t store_resident_bytes(const struct store *store);
/* Visits all, in no order: cursor starts at 0; NULL at the end. No insert or remove on the way. */
struct segment *store_next(const struct store *store, size_t *cursor);

#endif
