/* SPDX-License-Identifier: Apache-2.0
 * Two inboxes, so that a flood of API requests cannot push out reports: the bus's threads push, the
 * thread that polls pops. */
#include "coordinator/coordinator.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/ring.h"
#include "channel/codec.h"
#include "channel/origin.h"
#include "channel/subject.h"
#include "coordinator/grow.h"
#include "coordinator/step.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { API_SLOTS = 1024, TURN_MESSAGES = 256 };

struct coordinator {
    struct coordinator_options options;
    char cluster[LIMIT_NAME_BYTES];
    struct core *core;
    struct outbox outbox;
    struct arena decode_arena, encode_arena;
    struct waiter waiter;
    struct ring reports, requests;
    uint64_t tick_us;       /* the next tick is due */
    uint64_t dropped_total; /* messages that could not be decoded, or came on a wrong subject */
    bool stopped, stepped_down;
    char failure[512];
    /* of the step whose messages are sent: each is told once */
    bool said_too_long[MESSAGE_COORD_ANSWER + 1];
    const char *refused; /* reply_to; its further pages are spared */
};

/* ---- in -------------------------------------------------------------------------------------- */

static void push(struct ring *ring, struct bus_message *message)
{
    if (message->no_responders || message->size > LIMIT_MESSAGE_BYTES_MAX ||
        !ring_push(ring, message))
        message->release(message);
}

static void on_report(void *owner, struct bus_message *message)
{
    push(&((struct coordinator *)owner)->reports, message);
}

static void on_request(void *owner, struct bus_message *message)
{
    push(&((struct coordinator *)owner)->requests, message);
}

static enum qn_status subscribe(struct coordinator *coordinator, struct qn_error *error)
{
    const struct transport *transport = &coordinator->options.transport;
    const char *cluster = coordinator->cluster;
    const struct {
        struct subject subject;
        bus_handler *handler;
    } wanted[] = {{subject_report_all(cluster), on_report},
                  {subject_event_all(cluster), on_report},
                  {subject_announce(cluster), on_report},
                  {subject_coord(cluster), on_request}};
    enum qn_status status = QN_STATUS_OK;

    for (size_t i = 0; status == QN_STATUS_OK && i < COUNT_OF(wanted); i++)
        status = transport->ops->subscribe(transport->self, wanted[i].subject.text,
                                           wanted[i].handler, coordinator, error);
    return status;
}

/* ---- out ------------------------------------------------------------------------------------- */

static void stop(struct coordinator *coordinator, const char *what, const char *why)
{
    coordinator->stopped = true;
    (void)snprintf(coordinator->failure, sizeof coordinator->failure, "%s%s", what, why);
}

static struct subject subject_of(const struct coordinator *coordinator,
                                 const struct outbox_send *send)
{
    struct subject subject = {0};

    if (send->subject == OUTBOX_CONTROL)
        return subject_control(coordinator->cluster, send->id);
    if (send->message.kind == MESSAGE_COLLECTION_VIEW)
        return subject_query_page(coordinator->cluster, send->id,
                                  send->message.collection_view.page);
    if (send->subject == OUTBOX_QUERY)
        return subject_query(coordinator->cluster, send->id);
    if (send->subject == OUTBOX_ANNOUNCE)
        return subject_announce(coordinator->cluster);
    (void)snprintf(subject.text, sizeof subject.text, "%s", send->reply_to);
    return subject;
}

static void say(const struct coordinator *coordinator, bool warning, const char *text)
{
    if (coordinator->options.on_note != NULL)
        coordinator->options.on_note(coordinator->options.owner, warning, text);
}

/* False, and a note, when it cannot be encoded or the bus takes nothing so long. A message that is
 * lost otherwise is one that the bus might have lost (C1). */
static bool publish(struct coordinator *coordinator, const struct subject *subject,
                    const struct message *message, struct qn_error *error)
{
    const struct transport *transport = &coordinator->options.transport;
    size_t most = transport->ops->max_payload(transport->self), size;
    const uint8_t *bytes;
    char text[sizeof error->text + 64];

    arena_reset(&coordinator->encode_arena);
    enum qn_status status = codec_encode(message, &coordinator->encode_arena, &bytes, &size, error);
    if (status == QN_STATUS_OK && size > most)
        status =
            error_set(error, QN_STATUS_UNSUPPORTED,
                      "it takes %zu bytes, the bus takes at most %zu (max_payload)", size, most);
    if (status == QN_STATUS_OK) {
        (void)transport->ops->publish(transport->self, subject->text, NULL, bytes, size);
        return true;
    }
    (void)snprintf(text, sizeof text, "%s is not sent: %s", message_kind_name(message->kind),
                   error->text);
    if (!coordinator->said_too_long[message->kind])
        say(coordinator, true, text);
    coordinator->said_too_long[message->kind] = true;
    return false;
}

/* Lists are cut as the bus takes them, so this is one item that no page holds. Who asked for it is
 * told so, rather than left to wait, and spared the other pages. */
static void send_one(struct coordinator *coordinator, const struct outbox_send *send)
{
    struct subject subject = subject_of(coordinator, send);
    struct qn_error error = {0};

    if (coordinator->refused != NULL && strcmp(coordinator->refused, send->reply_to) == 0)
        return;
    if (subject.text[0] == '\0' || publish(coordinator, &subject, &send->message, &error) ||
        send->message.kind != MESSAGE_COORD_ANSWER)
        return;
    coordinator->refused = send->reply_to;
    struct message refusal = send->message;
    struct qn_error again = {0};
    refusal.coord_answer =
        (struct coord_answer){.status = error.status, .text = error.text, .pages = 1};
    (void)publish(coordinator, &subject, &refusal, &again);
}

/* First durable, then said. */
static void carry_out(struct coordinator *coordinator)
{
    const struct outbox *outbox = &coordinator->outbox;
    const struct state *state = &coordinator->options.state;
    struct qn_error error = {0};

    if (outbox->rows_count > 0 &&
        state->ops->commit(state->self, outbox->rows, outbox->rows_count, &error) != QN_STATUS_OK) {
        stop(coordinator, "state is not durable: ", error.text);
        return;
    }
    if (outbox->failure != NULL) {
        coordinator->stepped_down = true;
        stop(coordinator, "stepped down: ", outbox->failure);
        return;
    }
    memset(coordinator->said_too_long, 0, sizeof coordinator->said_too_long);
    coordinator->refused = NULL;
    for (size_t i = 0; i < outbox->sends_count; i++)
        send_one(coordinator, &outbox->sends[i]);
    for (size_t i = 0; i < outbox->notes_count; i++)
        say(coordinator, outbox->notes[i].warning, outbox->notes[i].text);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static uint64_t wall_ms(const struct coordinator *coordinator)
{
    if (coordinator->options.wall_ms == NULL)
        return clock_wall_ms();
    return coordinator->options.wall_ms(coordinator->options.owner);
}

static void step(struct coordinator *coordinator, struct step_event *event)
{
    const struct transport *bus = &coordinator->options.transport;

    event->now_ms = clock_now_ms(&coordinator->options.clock);
    event->wall_ms = wall_ms(coordinator);
    event->payload_max = bus->ops->max_payload(bus->self); /* another one after a reconnect */
    outbox_reset(&coordinator->outbox);
    coordinator_step(coordinator->core, event, &coordinator->outbox);
    carry_out(coordinator);
}

static void read_and_step(struct coordinator *coordinator, const struct message *message)
{
    struct step_event event = {.kind = STEP_MANIFEST, .message = message};
    struct manifest *manifest = NULL;
    struct qn_error error = {0};
    enum qn_status status = coordinator->options.read_manifest(
        coordinator->options.owner, coordinator->outbox.manifest_folder, &manifest, &error);

    error.status = status;
    event.manifest = status == QN_STATUS_OK ? manifest : NULL;
    event.error = &error;
    step(coordinator, &event);
    (void)manifest_free(manifest);
}

static void receive(struct coordinator *coordinator, struct bus_message *received)
{
    struct message message;
    struct qn_error error = {0};

    arena_reset(&coordinator->decode_arena);
    if (codec_decode(received->bytes, received->size, &coordinator->decode_arena, &message,
                     &error) == QN_STATUS_OK &&
        origin_is_right(coordinator->cluster, received->subject, &message)) {
        struct step_event event = {.kind = STEP_MESSAGE, .message = &message};
        step(coordinator, &event);
        if (!coordinator->stopped && coordinator->outbox.manifest_folder != NULL)
            read_and_step(coordinator, &message);
    } else {
        coordinator->dropped_total++;
    }
    received->release(received);
}

/* False when the ring is empty. */
static bool receive_next(struct coordinator *coordinator, struct ring *ring)
{
    struct bus_message *message = ring_pop(ring);
    if (message != NULL)
        receive(coordinator, message);
    return message != NULL;
}

static void tick_if_due(struct coordinator *coordinator)
{
    const struct transport *bus = &coordinator->options.transport;
    struct step_event event = {.kind = STEP_TICK, .deaf = !bus->ops->is_connected(bus->self)};
    uint64_t now_us = clock_now_us(&coordinator->options.clock);

    if (now_us < coordinator->tick_us)
        return;
    coordinator->tick_us = now_us + (uint64_t)CORE_TICK_MS * 1000;
    step(coordinator, &event);
}

uint64_t coordinator_poll(struct coordinator *coordinator)
{
    bool more = true;

    while (more && !coordinator->stopped) {
        more = false;
        for (int i = 0; i < TURN_MESSAGES && !coordinator->stopped; i++) {
            bool reports = receive_next(coordinator, &coordinator->reports);
            bool requests =
                !coordinator->stopped && receive_next(coordinator, &coordinator->requests);
            more = reports || requests;
            if (!more)
                break;
        }
        if (!coordinator->stopped)
            tick_if_due(coordinator);
    }
    return coordinator->stopped ? 0 : coordinator->tick_us;
}

const char *coordinator_failure(const struct coordinator *coordinator)
{
    return coordinator->stopped ? coordinator->failure : NULL;
}

bool coordinator_stepped_down(const struct coordinator *coordinator)
{
    return coordinator->stepped_down;
}

/* ---- waiting --------------------------------------------------------------------------------- */

void coordinator_wait(struct coordinator *coordinator, uint64_t until_us)
{
    uint32_t ticket = waiter_prepare(&coordinator->waiter);
    uint64_t now_us = clock_now_us(&coordinator->options.clock);

    if (now_us >= until_us || ring_count(&coordinator->reports) > 0 ||
        ring_count(&coordinator->requests) > 0)
        waiter_cancel(&coordinator->waiter);
    else
        waiter_wait(&coordinator->waiter, ticket, until_us - now_us);
}

/* ---- open and close -------------------------------------------------------------------------- */

struct rows {
    struct state_row *rows;
    size_t count, capacity;
};

static void keep_row(void *owner, const struct state_row *row)
{
    struct rows *rows = owner;

    rows->rows = grow_for_one(rows->rows, rows->count, &rows->capacity, sizeof *rows->rows);
    rows->rows[rows->count++] = *row;
}

static enum qn_status restore(struct coordinator *coordinator, struct qn_error *error)
{
    const struct state *state = &coordinator->options.state;
    struct rows rows = {0};
    enum qn_status status = state->ops->load(state->self, keep_row, &rows, error);

    if (status == QN_STATUS_OK)
        status = core_restore(coordinator->core, rows.rows, rows.count, error);
    free(rows.rows);
    return status;
}

static struct coordinator *coordinator_new(const struct coordinator_options *options)
{
    struct coordinator *coordinator = aligned_alloc(64, sizeof *coordinator);

    if (coordinator == NULL)
        return NULL;
    *coordinator = (struct coordinator){.options = *options};
    (void)snprintf(coordinator->cluster, sizeof coordinator->cluster, "%s", options->cluster);
    coordinator->core = core_new(&(struct core_options){
        .cluster = coordinator->cluster,
        .boot = options->boot,
        .overlap_ms = options->overlap_ms == 0 ? 1000 : options->overlap_ms,
        .command_ttl_ms = options->command_ttl_ms == 0 ? 10000 : options->command_ttl_ms,
        .ceased_wait_ms = options->ceased_wait_ms == 0
                              ? LIMIT_SEARCH_MS_MAX + LIMIT_RELEASE_GRACE_MS
                              : options->ceased_wait_ms,
    });
    outbox_init(&coordinator->outbox);
    arena_init(&coordinator->decode_arena, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&coordinator->encode_arena, LIMIT_DECODE_ARENA_BYTES);
    waiter_init(&coordinator->waiter);
    return coordinator;
}

enum qn_status coordinator_open(const struct coordinator_options *options,
                                struct coordinator **ret_coordinator, struct qn_error *error)
{
    *ret_coordinator = NULL;
    if (!subject_cluster_is_valid(options->cluster))
        return error_set(error, QN_STATUS_CONFIG, "cluster \"%s\": not a name of a cluster",
                         options->cluster);
    struct coordinator *coordinator = coordinator_new(options);
    if (coordinator == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "no memory for a coordinator");
    enum qn_status status =
        ring_init(&coordinator->reports, LIMIT_INBOX_SLOTS, &coordinator->waiter);
    if (status == QN_STATUS_OK)
        status = ring_init(&coordinator->requests, API_SLOTS, &coordinator->waiter);
    if (status != QN_STATUS_OK)
        (void)error_set(error, status, "no memory for the inboxes of a coordinator");
    else
        status = restore(coordinator, error);
    if (status != QN_STATUS_OK) {
        coordinator_close(coordinator);
        return status;
    }
    /* Last: from the first subscription on, the bus knows where the coordinator lies. */
    *ret_coordinator = coordinator;
    return subscribe(coordinator, error);
}

static void drain(struct ring *ring)
{
    struct bus_message *message;

    while (ring->slots != NULL && (message = ring_pop(ring)) != NULL)
        message->release(message);
    ring_done(ring);
}

void coordinator_close(struct coordinator *coordinator)
{
    if (coordinator == NULL)
        return;
    drain(&coordinator->reports);
    drain(&coordinator->requests);
    (void)core_free(coordinator->core);
    outbox_done(&coordinator->outbox);
    arena_done(&coordinator->decode_arena);
    arena_done(&coordinator->encode_arena);
    free(coordinator);
}
