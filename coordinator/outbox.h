/* SPDX-License-Identifier: Apache-2.0
 * What one step of the judgement asks the shell to do: first commit the rows, all or none, then
 * send the messages in order. Everything in it lives until outbox_reset. */
#ifndef COORDINATOR_OUTBOX_H
#define COORDINATOR_OUTBOX_H

#include "base/arena.h"
#include "channel/message.h"
#include "coordinator/state.h"

enum outbox_subject {
    OUTBOX_CONTROL,  /* id: node */
    OUTBOX_QUERY,    /* id: collection; a page of a view has a subject of its own */
    OUTBOX_REPLY,    /* reply_to */
    OUTBOX_ANNOUNCE, /* to other coordinators */
};

struct outbox_send {
    enum outbox_subject subject;
    int64_t id;
    const char *reply_to;
    struct message message; /* all of the envelope but its request is filled in */
};

struct outbox_note {
    bool warning;
    const char *text;
};

struct outbox {
    struct arena arena;
    struct state_row *rows;
    size_t rows_count, rows_capacity;
    struct outbox_send *sends;
    size_t sends_count, sends_capacity;
    struct outbox_note *notes;
    size_t notes_count, notes_capacity;
    /* Not NULL: read this manifest and step again (STEP_MANIFEST) with the same message. */
    const char *manifest_folder;
    /* Not NULL: another coordinator holds a higher term; stop for good. */
    const char *failure;
};

void outbox_init(struct outbox *outbox);
void outbox_reset(struct outbox *outbox);
void outbox_done(struct outbox *outbox);

/* A zeroed row to fill; valid until the next one. */
struct state_row *outbox_row(struct outbox *outbox, enum state_kind kind);
/* A zeroed message to fill; valid until the next one. */
struct outbox_send *outbox_message(struct outbox *outbox, enum outbox_subject subject, int64_t id,
                                   enum message_kind kind);
/* Zeroed; never NULL (see grow.h). */
void *outbox_alloc(struct outbox *outbox, size_t count, size_t item_bytes);
const char *outbox_strdup(struct outbox *outbox, const char *text);
void outbox_note(struct outbox *outbox, bool warning, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
