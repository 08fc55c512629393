/* SPDX-License-Identifier: Apache-2.0
 * The judgement of the coordinator: one event in (with its times), rows and messages out. The shell
 * commits the rows before it sends anything; if it cannot, it must not step again. No clock, file,
 * socket, thread or random; memory only for tables that grow with what is known (grow.h).
 *
 * It listens for CORE_LISTEN_MS, takes a term above its store's and above all that it heard, and
 * commands from then on. A node that knows a higher term ends it: outbox.failure. */
#ifndef COORDINATOR_STEP_H
#define COORDINATOR_STEP_H

#include "coordinator/core.h"
#include "segstore/manifest.h"

enum step_event_kind {
    STEP_TICK,     /* time passes; at least each CORE_TICK_MS */
    STEP_MESSAGE,  /* a decoded message: report, receipt, API request */
    STEP_MANIFEST, /* message: the request again; manifest, or NULL and error */
};

struct step_event {
    enum step_event_kind kind;
    uint64_t now_ms, wall_ms;
    size_t payload_max; /* bytes of a message that the bus takes now; 0: any */
    bool deaf;          /* STEP_TICK: the bus is away, as far as the transport knows */
    const struct message *message;
    const struct manifest *manifest;
    const struct qn_error *error;
};

/* outbox: reset by the caller; what is in it points into itself. */
void coordinator_step(struct core *core, const struct step_event *event, struct outbox *outbox);

#endif
