/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/transport.h"

#include "base/error.h"
#include <stdlib.h>
#include <string.h>

static bool has_scheme(const char *url, const char *scheme)
{
    return strncmp(url, scheme, strlen(scheme)) == 0;
}

static void release_copy(struct bus_message *message)
{
    free(message);
}

struct bus_message *bus_message_copy(const struct bus_message *message)
{
    size_t subject_bytes = strlen(message->subject) + 1;
    struct bus_message *copy = malloc(sizeof *copy + subject_bytes + message->size);

    if (copy == NULL)
        return NULL;
    char *text = (char *)(copy + 1);
    memcpy(text, message->subject, subject_bytes);
    if (message->size > 0)
        memcpy(text + subject_bytes, message->bytes, message->size);
    *copy = (struct bus_message){.subject = text,
                                 .bytes = (const uint8_t *)text + subject_bytes,
                                 .size = message->size,
                                 .no_responders = message->no_responders,
                                 .release = release_copy};
    return copy;
}

enum qn_status transport_open(const char *url, const char *name, uint64_t connect_ms,
                              struct transport *ret_transport, struct qn_error *error)
{
    if (has_scheme(url, "inproc://"))
        return transport_inproc_open(url, ret_transport, error);
    if (has_scheme(url, "nats://") || has_scheme(url, "tls://"))
        return transport_nats_open(url, name, connect_ms, ret_transport, error);
    if (has_scheme(url, "kafka://"))
        return transport_kafka_open(url, name, connect_ms, ret_transport, error);
    return error_set(error, QN_STATUS_INVALID,
                     "bus: the url is not nats://host:port, tls://host:port, kafka://host:port or "
                     "inproc://name");
}

enum qn_status transport_flush(const struct transport *transport, uint64_t timeout_ms)
{
    return transport->ops->flush == NULL ? QN_STATUS_OK
                                         : transport->ops->flush(transport->self, timeout_ms);
}

enum qn_status transport_refused(const struct transport *transport, const char *subject,
                                 uint64_t within_ms, struct qn_error *error)
{
    if (transport->ops->refused == NULL)
        return QN_STATUS_OK;
    return transport->ops->refused(transport->self, subject, within_ms, error);
}

enum qn_status transport_retain(const struct transport *transport, const char *pattern,
                                struct qn_error *error)
{
    if (transport->ops->retain == NULL)
        return error_set(error, QN_STATUS_UNSUPPORTED, "the bus retains nothing");
    return transport->ops->retain(transport->self, pattern, error);
}

uint64_t transport_dropped(const struct transport *transport)
{
    return transport->ops->dropped == NULL ? 0 : transport->ops->dropped(transport->self);
}

void transport_cork(const struct transport *transport)
{
    if (transport->ops->cork != NULL)
        transport->ops->cork(transport->self);
}

void transport_uncork(const struct transport *transport)
{
    if (transport->ops->uncork != NULL)
        transport->ops->uncork(transport->self);
}
