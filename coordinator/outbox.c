/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/outbox.h"

#include "coordinator/grow.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One step may publish the views of all collections. */
static const size_t arena_cap_bytes = (size_t)1 << 30;

void outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){0};
    arena_init(&outbox->arena, arena_cap_bytes);
}

void outbox_reset(struct outbox *outbox)
{
    arena_reset(&outbox->arena);
    outbox->rows_count = 0;
    outbox->sends_count = 0;
    outbox->notes_count = 0;
    outbox->manifest_folder = NULL;
    outbox->failure = NULL;
}

void outbox_done(struct outbox *outbox)
{
    arena_done(&outbox->arena);
    free(outbox->rows);
    free(outbox->sends);
    free(outbox->notes);
    *outbox = (struct outbox){0};
}

struct state_row *outbox_row(struct outbox *outbox, enum state_kind kind)
{
    outbox->rows = grow_for_one(outbox->rows, outbox->rows_count, &outbox->rows_capacity,
                                sizeof *outbox->rows);
    struct state_row *row = &outbox->rows[outbox->rows_count++];
    memset(row, 0, sizeof *row);
    row->kind = kind;
    return row;
}

struct outbox_send *outbox_message(struct outbox *outbox, enum outbox_subject subject, int64_t id,
                                   enum message_kind kind)
{
    outbox->sends = grow_for_one(outbox->sends, outbox->sends_count, &outbox->sends_capacity,
                                 sizeof *outbox->sends);
    struct outbox_send *send = &outbox->sends[outbox->sends_count++];
    memset(send, 0, sizeof *send);
    send->subject = subject;
    send->id = id;
    send->reply_to = "";
    send->message.kind = kind;
    send->message.cluster = "";
    send->message.sender = "";
    send->message.reply_to = "";
    return send;
}

void *outbox_alloc(struct outbox *outbox, size_t count, size_t item_bytes)
{
    count = count == 0 ? 1 : count;
    return grow_need(arena_calloc(&outbox->arena, count, item_bytes), count * item_bytes);
}

const char *outbox_strdup(struct outbox *outbox, const char *text)
{
    size_t length = strlen(text);

    return grow_need(arena_strndup(&outbox->arena, text, length), length + 1);
}

void outbox_note(struct outbox *outbox, bool warning, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    outbox->notes = grow_for_one(outbox->notes, outbox->notes_count, &outbox->notes_capacity,
                                 sizeof *outbox->notes);
    outbox->notes[outbox->notes_count++] =
        (struct outbox_note){.warning = warning, .text = outbox_strdup(outbox, text)};
}
