/* SPDX-License-Identifier: Apache-2.0
 * Arrays that grow. Without memory the coordinator ends at once: a step cannot be undone half way,
 * its state is durable, its supervisor starts it again, and agents keep serving meanwhile (C9). */
#ifndef COORDINATOR_GROW_H
#define COORDINATOR_GROW_H

#include <stddef.h>

/* Exit code for the supervisor, here and where a commit failed: start it again (EX_TEMPFAIL). */
enum { GROW_EXIT_AGAIN = 75 };

/* items with room for at least one more than count. */
void *grow_for_one(void *items, size_t count, size_t *capacity, size_t item_bytes);
/* Zeroed; never NULL. */
void *grow_calloc(size_t count, size_t item_bytes);
char *grow_strdup(const char *text);
/* memory; never NULL: without it the process ends with GROW_EXIT_AGAIN and says how much was
 * wanted. */
void *grow_need(void *memory, size_t wanted_bytes);

#endif
