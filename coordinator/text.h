/* SPDX-License-Identifier: Apache-2.0
 * Sentences for people, put together piece by piece; cut with "..." when they grow too long. */
#ifndef COORDINATOR_TEXT_H
#define COORDINATOR_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    size_t used_bytes;
    char bytes[4096]; /* always ends in a zero */
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "52.1 MiB" */
void text_add_bytes(struct text *text, uint64_t bytes);
/* "node 1", "nodes 1, 2, 5"; ids sorted, long lists are cut */
void text_add_nodes(struct text *text, const int64_t *node_ids, size_t count);

#endif
