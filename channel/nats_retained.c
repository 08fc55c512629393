/* SPDX-License-Identifier: Apache-2.0
 * Retained views on NATS (nats_views.h has the texts). A subscriber gets what is retained before
 * what is newer: subscribing takes the subscriber's turn, subscribes, hands over what the stream
 * has, and gives the turn back; live messages wait for it on their thread. After an outage the
 * keeper does the same, because views may have come while we were away. So a reader takes a view
 * twice, or an old one after a newer one: harmless, (term, version) decides. */
#include "channel/nats_bus.h"

#include "base/error.h"
#include "channel/subject.h"
#include <stdlib.h>

enum { MESSAGES_MAX = 1 << 20 /* in one go: reading ends though the stream grows */ };

static enum qn_status request(struct nats_bus *bus, const char *subject, const char *text,
                              struct bus_message **ret_message, uint64_t *ret_sequence)
{
    struct nats_wire *wire = nats_bus_take_wire(bus);

    if (wire == NULL)
        return QN_STATUS_UNAVAILABLE;
    enum qn_status status = nats_wire_request(wire, subject, text, ret_message, ret_sequence);
    nats_bus_give_back_wire(bus);
    return status;
}

/* The subscriber's turn is ours. */
void nats_retained_hand_over(struct nats_bus *bus, const struct nats_subscriber *subscriber)
{
    char text[NATS_VIEWS_TEXT_BYTES];
    uint64_t sequence = 0;

    for (int i = 0; i < MESSAGES_MAX && !atomic_load(&bus->is_stopping); i++) {
        struct bus_message *message;
        uint64_t wanted = sequence + 1;
        nats_views_get_text(&subscriber->views, wanted, text);
        if (request(bus, subscriber->views.get, text, &message, &sequence) != QN_STATUS_OK)
            return;              /* no more, no stream, no JetStream, no server */
        if (sequence < wanted) { /* an error of JetStream's, in words */
            message->release(message);
            return;
        }
        if (subject_matches(subscriber->subject, message->subject))
            subscriber->on_message(subscriber->owner, message);
        else
            message->release(message);
    }
}

/* ret_answer: NULL if only its status matters; else the caller releases it. */
static enum qn_status ask_stream(struct nats_bus *bus, const char *subject, const char *text,
                                 struct bus_message **ret_answer, struct qn_error *error)
{
    struct bus_message *message;
    uint64_t sequence, asked_ms = nats_bus_now_ms();
    enum qn_status status = request(bus, subject, text, &message, &sequence);

    if (status == QN_STATUS_OK) {
        status = nats_views_check_answer((const char *)message->bytes, message->size, error);
        if (status == QN_STATUS_OK && ret_answer != NULL)
            *ret_answer = message;
        else
            message->release(message);
        return status;
    }
    if (nats_bus_refused(bus, subject, nats_bus_now_ms() - asked_ms, error) != QN_STATUS_OK)
        return QN_STATUS_NOT_PERMITTED;
    if (status == QN_STATUS_NO_RESPONDERS)
        return error_set(error, QN_STATUS_UNSUPPORTED, "the bus server has no JetStream");
    return error_set(error, status, "JetStream: %s", qn_status_text(status));
}

/* It is there with another configuration. */
static enum qn_status amend_stream(struct nats_bus *bus, const struct nats_views *views,
                                   struct qn_error *error)
{
    struct bus_message *info;
    char *text = NULL;
    enum qn_status status = ask_stream(bus, views->info, "", &info, error);

    if (status != QN_STATUS_OK)
        return status;
    status = nats_views_amend(views, (const char *)info->bytes, info->size, &text, error);
    info->release(info);
    if (text != NULL)
        status = ask_stream(bus, views->update, text, NULL, error);
    free(text);
    return status;
}

enum qn_status nats_retained_make_stream(struct nats_bus *bus, const struct nats_views *views,
                                         struct qn_error *error)
{
    char text[NATS_VIEWS_TEXT_BYTES];

    nats_views_stream_text(views, text);
    enum qn_status status = ask_stream(bus, views->create, text, NULL, error);
    return status == QN_STATUS_CONFLICT ? amend_stream(bus, views, error) : status;
}
