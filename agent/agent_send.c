/* SPDX-License-Identifier: Apache-2.0
 * Messages out: envelope, encode, publish. A message that the bus does not take is lost, which C1
 * allows; it is said at debug level. */
#include "agent/agent_internal.h"

#include "base/log.h"
#include "channel/codec.h"
#include <inttypes.h>

static const char room[] = "agent";

static void fill_envelope(struct agent *agent, struct message *message)
{
    message->cluster = agent->cluster;
    message->sender = agent->sender;
    message->boot = agent->state.boot;
    message->term = node_term(agent->node);
    if (message->reply_to == NULL)
        message->reply_to = "";
    arena_reset(&agent->send_arena);
}

size_t agent_message_bytes(struct agent *agent, struct message *message)
{
    fill_envelope(agent, message);
    return codec_size(message, &agent->send_arena);
}

static bool encode(struct agent *agent, struct message *message, const uint8_t **ret_bytes,
                   size_t *ret_size)
{
    struct qn_error error = {0};

    fill_envelope(agent, message);
    if (codec_encode(message, &agent->send_arena, ret_bytes, ret_size, &error) == QN_STATUS_OK)
        return true;
    LOG_WARNING(room, "cannot encode %s: %s", message_kind_name(message->kind), error.text);
    return false;
}

static void publish(struct agent *agent, const char *subject, const uint8_t *bytes, size_t size)
{
    const struct transport *transport = &agent->options.transport;
    enum qn_status status = transport->ops->publish(transport->self, subject, NULL, bytes, size);

    if (status != QN_STATUS_OK)
        LOG_DEBUG(room, "publish on %s: %s", subject, qn_status_text(status));
}

void agent_send(struct agent *agent, const char *subject, struct message *message)
{
    const uint8_t *bytes;
    size_t size;

    if (encode(agent, message, &bytes, &size))
        publish(agent, subject, bytes, size);
}

/* For the requester, if it wants one, and for all. */
static void send_receipt(struct agent *agent, struct message *message, const char *reply_to)
{
    const uint8_t *bytes;
    size_t size;

    if (!encode(agent, message, &bytes, &size))
        return;
    publish(agent, agent->event_subject.text, bytes, size);
    if (reply_to != NULL && reply_to[0] != '\0')
        publish(agent, reply_to, bytes, size);
}

static void log_released(const struct segment_released *released)
{
    LOG_INFO(room,
             "segment %" PRId64 " released: %" PRIu64 " bytes, anon %" PRIu64 " -> %" PRIu64
             ", NUMA node %" PRIu32 ", waited %" PRIu64 " ms",
             released->segment_id, released->bytes, released->rss_before, released->rss_after,
             released->numa_node, released->waited_ms);
}

static void log_action(const struct node_action *action)
{
    switch (action->message_kind) {
    case MESSAGE_SEGMENT_LOADED:
        LOG_INFO(room,
                 "segment %" PRId64 " %s: %" PRIu64 " bytes, NUMA node %" PRIu32 ", %" PRIu64 " ms",
                 action->segment_loaded.segment_id,
                 action->segment_loaded.adopted ? "adopted" : "loaded",
                 action->segment_loaded.bytes, action->segment_loaded.numa_node,
                 action->segment_loaded.took_ms);
        break;
    case MESSAGE_SEGMENT_RELEASED:
        log_released(&action->segment_released);
        break;
    case MESSAGE_LOAD_FAILED:
        LOG_WARNING(room, "segment %" PRId64 " not loaded: %s: %s", action->load_failed.segment_id,
                    qn_status_name(action->load_failed.status), action->text);
        break;
    case MESSAGE_RELEASE_HELD:
        LOG_WARNING(room, "segment %" PRId64 " not released: %s: %s",
                    action->release_held.segment_id, qn_status_name(action->release_held.status),
                    action->text);
        break;
    case MESSAGE_LEAVING:
        LOG_INFO(room, "segment %" PRId64 " is leaving: %s", action->leaving.segment_id,
                 action->text);
        break;
    case MESSAGE_COMMAND_REFUSED:
        LOG_WARNING(room, "command refused: segment %" PRId64 ": %s: %s",
                    action->command_refused.segment_id,
                    qn_status_name(action->command_refused.status), action->text);
        break;
    default:
        LOG_DEBUG(room, "sends %s", message_kind_name(action->message_kind));
        break;
    }
}

static bool fill_body(struct message *message, const struct node_action *action)
{
    message->kind = action->message_kind;
    switch (action->message_kind) {
    case MESSAGE_COPY_STATUS_REQUEST:
        message->copy_status_request = action->copy_status_request;
        return true;
    case MESSAGE_COPY_STATUS:
        message->copy_status = action->copy_status;
        return true;
    case MESSAGE_SEGMENT_LOADED:
        message->segment_loaded = action->segment_loaded;
        return true;
    case MESSAGE_SEGMENT_RELEASED:
        message->segment_released = action->segment_released;
        return true;
    case MESSAGE_LOAD_FAILED:
        message->load_failed = action->load_failed;
        message->load_failed.text = action->text;
        return true;
    case MESSAGE_RELEASE_HELD:
        message->release_held = action->release_held;
        message->release_held.text = action->text;
        return true;
    case MESSAGE_LEAVING:
        message->leaving = action->leaving;
        return true;
    case MESSAGE_COMMAND_REFUSED:
        message->command_refused = action->command_refused;
        message->command_refused.text = action->text;
        return true;
    default:
        return false;
    }
}

void agent_send_action(struct agent *agent, const struct node_action *action)
{
    struct message message = {.request_id = action->request_id, .traceparent = action->traceparent};

    log_action(action);
    if (!fill_body(&message, action)) {
        LOG_ERROR(room, "the node sends %s, which no agent sends",
                  message_kind_name(action->message_kind));
        return;
    }
    if (action->subject == NODE_SUBJECT_ASK) {
        struct subject subject = subject_ask(agent->cluster, action->node_id);
        if (message.kind == MESSAGE_COPY_STATUS_REQUEST)
            message.reply_to = agent->ask_subject.text;
        agent_send(agent, subject.text, &message);
    } else if (action->subject == NODE_SUBJECT_EVENT) {
        send_receipt(agent, &message, action->reply_to);
    } else if (action->reply_to != NULL && action->reply_to[0] != '\0') {
        agent_send(agent, action->reply_to, &message);
    }
}

void agent_refuse_command(struct agent *agent, const struct message *command, enum qn_status status,
                          const char *text)
{
    struct message message = {
        .request_id = command->request_id,
        .traceparent = command->traceparent,
        .kind = MESSAGE_COMMAND_REFUSED,
        .command_refused = {.status = status, .text = text, .command_term = command->term},
    };

    agent->commands_refused++;
    LOG_WARNING(room, "command of %s refused: %s: %s", command->sender, qn_status_name(status),
                text);
    send_receipt(agent, &message, command->reply_to);
}
