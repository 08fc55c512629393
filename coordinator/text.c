/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/text.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NODES_SHOWN_MAX = 32 };

void text_add(struct text *text, const char *format, ...)
{
    static const char cut[] = "...";
    size_t room = sizeof text->bytes - text->used_bytes;
    va_list arguments;

    if (room <= 1)
        return;
    va_start(arguments, format);
    int wanted = vsnprintf(text->bytes + text->used_bytes, room, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        return;
    if ((size_t)wanted < room) {
        text->used_bytes += (size_t)wanted;
        return;
    }
    memcpy(text->bytes + sizeof text->bytes - sizeof cut, cut, sizeof cut);
    text->used_bytes = sizeof text->bytes - 1;
}

void text_add_bytes(struct text *text, uint64_t bytes)
{
    char buffer[TEXT_BYTES];

    text_add(text, "%s", text_bytes(bytes, buffer));
}

void text_add_nodes(struct text *text, const int64_t *node_ids, size_t count)
{
    text_add(text, count == 1 ? "node" : "nodes");
    for (size_t i = 0; i < count && i < NODES_SHOWN_MAX; i++)
        text_add(text, "%s %" PRId64, i == 0 ? "" : ",", node_ids[i]);
    if (count > NODES_SHOWN_MAX)
        text_add(text, " and %zu more", count - NODES_SHOWN_MAX);
}
