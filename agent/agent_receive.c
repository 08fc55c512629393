/* SPDX-License-Identifier: Apache-2.0
 * Control and ask: bytes -> message -> the node's judgement. A command of a higher term is acted on
 * only when that term is on disk (C2); if the disk refuses, so do we, and the process lives. */
#include "agent/agent_internal.h"

#include "base/check.h"
#include "base/log.h"
#include "channel/codec.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

static const char room[] = "agent";

static bool inbox_takes(enum inbox_kind inbox, enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_NONE: /* a newer body: refused by name, not dropped */
        return inbox != INBOX_ASK;
    case MESSAGE_LOAD_SEGMENTS:
    case MESSAGE_RELEASE_SEGMENTS:
    case MESSAGE_CHANGE_INFO:
    case MESSAGE_REPORT_REQUEST:
        return inbox == INBOX_CONTROL;
    case MESSAGE_COPY_STATUS_REQUEST:
    case MESSAGE_COPY_STATUS:
        return inbox == INBOX_ASK;
    case MESSAGE_SEARCH_REQUEST:
        return inbox == INBOX_SEARCH;
    default:
        return false;
    }
}

bool agent_admits(struct agent *agent, enum inbox_kind inbox, const struct message *message)
{
    if (strcmp(message->cluster, agent->cluster) == 0 && inbox_takes(inbox, message->kind))
        return true;
    LOG_DEBUG(room, "dropped %s of %s, cluster %s", message_kind_name(message->kind),
              message->sender, message->cluster);
    (void)atomic_fetch_add(&agent->dropped_total, 1);
    return false;
}

bool agent_lacks(const struct message *message)
{
    return message->needs_count > 0 || message->kind == MESSAGE_NONE;
}

static bool make_term_durable(struct agent *agent, uint64_t term, struct qn_error *error)
{
    struct agent_state state = agent->state;

    state.term = term;
    if (agent_state_write(&agent->options.files, agent->state_path, &state, error) != QN_STATUS_OK)
        return false;
    agent->state.term = term; /* not the whole: workers read its boot */
    return true;
}

static bool wants_term(const struct node_actions *actions)
{
    return actions->count == 1 && actions->items[0].kind == NODE_ACTION_PERSIST_TERM;
}

static void judge(struct agent *agent, enum inbox_kind inbox, const struct message *message)
{
    struct node_event event = {.kind = NODE_EVENT_MESSAGE, .message = message};
    struct qn_error error = {0};

    event.now_ms = agent_uptime_ms(agent);
    node_step(agent->node, &event, agent->actions);
    if (!wants_term(agent->actions)) {
        agent_execute(agent);
        return;
    }
    uint64_t term = agent->actions->items[0].term;
    if (!make_term_durable(agent, term, &error)) {
        LOG_ERROR(room, "term %" PRIu64 " not durable: %s", term, error.text);
        if (inbox == INBOX_CONTROL)
            agent_refuse_command(agent, message, QN_STATUS_IO, error.text);
        return;
    }
    LOG_INFO(room, "term %" PRIu64, term);
    agent_step(agent, &(struct node_event){
                          .kind = NODE_EVENT_TERM_DURABLE, .now_ms = event.now_ms, .term = term});
    event.now_ms = agent_uptime_ms(agent); /* the disk took its time */
    node_step(agent->node, &event, agent->actions);
    CHECK(!wants_term(agent->actions));
    agent_execute(agent);
}

static void receive_decoded(struct agent *agent, enum inbox_kind inbox,
                            const struct message *message)
{
    if (!agent_admits(agent, inbox, message))
        return;
    if (!agent_lacks(message)) {
        judge(agent, inbox, message);
        return;
    }
    if (inbox == INBOX_CONTROL)
        agent_refuse_command(agent, message, QN_STATUS_UNSUPPORTED,
                             message->kind == MESSAGE_NONE
                                 ? "the body is unknown to this build"
                                 : "needs a feature unknown to this build");
    else
        (void)atomic_fetch_add(&agent->dropped_total, 1);
}

void agent_receive(struct agent *agent, enum inbox_kind inbox, struct bus_message *message)
{
    struct message decoded;
    struct qn_error error = {0};

    arena_reset(&agent->decode_arena);
    enum qn_status status =
        codec_decode(message->bytes, message->size, &agent->decode_arena, &decoded, &error);
    if (status == QN_STATUS_OK) {
        receive_decoded(agent, inbox, &decoded);
    } else if (inbox == INBOX_CONTROL && decoded.kind != MESSAGE_NONE &&
               agent_admits(agent, inbox, &decoded)) {
        /* Without memory it is no fault of the sender's (or it wants more than a message may). */
        status = status == QN_STATUS_NO_MEMORY ? status : QN_STATUS_INVALID;
        agent_refuse_command(agent, &decoded, status, error.text);
    } else {
        LOG_DEBUG(room, "dropped a message on %s: %s", message->subject, error.text);
        (void)atomic_fetch_add(&agent->dropped_total, 1);
    }
    message->release(message);
}
