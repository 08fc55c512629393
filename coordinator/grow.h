/* SPDX-License-Identifier: Apache-2.0
 * Arrays that grow. Without memory the coordinator stops (CHECK): its state is durable and its
 * supervisor starts it again; agents keep serving meanwhile (C9). */
#ifndef COORDINATOR_GROW_H
#define COORDINATOR_GROW_H

#include <stddef.h>

/* items with room for at least one more than count. */
void *grow_for_one(void *items, size_t count, size_t *capacity, size_t item_bytes);
/* Zeroed; never NULL. */
void *grow_calloc(size_t count, size_t item_bytes);
char *grow_strdup(const char *text);

#endif
