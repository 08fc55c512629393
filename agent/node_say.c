/* SPDX-License-Identifier: Apache-2.0
 * Actions of the judgement, written into the step's bounded list. */
#include "agent/node_internal.h"

#include "base/check.h"
#include <stdio.h>
#include <string.h>

/* One place is kept for the REPORT at the end of the step. */
uint32_t node_say_room(const struct node_turn *turn)
{
    return LIMIT_ACTIONS_PER_STEP - 1 - turn->actions->count;
}

struct node_action *node_say_action(struct node_turn *turn, enum node_action_kind kind,
                                    int64_t segment_id)
{
    struct node_action *action = &turn->actions->items[turn->actions->count];

    CHECK(turn->actions->count < LIMIT_ACTIONS_PER_STEP);
    turn->actions->count++;
    memset(action, 0, sizeof *action);
    action->kind = kind;
    action->segment_id = segment_id;
    return action;
}

struct node_action *node_say_event(struct node_turn *turn, enum message_kind kind)
{
    struct node_action *action = node_say_action(turn, NODE_ACTION_SEND, 0);

    action->subject = NODE_SUBJECT_EVENT;
    action->message_kind = kind;
    return action;
}

struct node_action *node_say_answer(struct node_turn *turn, enum message_kind kind)
{
    struct node_action *action = node_say_event(turn, kind);
    const struct message *command = turn->command;

    if (command == NULL)
        return action;
    action->request_id = command->request_id;
    action->traceparent = command->traceparent;
    if (command->reply_to != NULL && command->reply_to[0] != '\0')
        action->reply_to = command->reply_to;
    return action;
}

void node_say_take_trace(const struct node_turn *turn, struct node_copy *copy)
{
    const char *given = turn->command == NULL ? NULL : turn->command->traceparent;

    (void)snprintf(copy->traceparent, sizeof copy->traceparent, "%s", given == NULL ? "" : given);
}

void node_say_trace(struct node_action *action, const struct node_copy *copy)
{
    if (action->traceparent == NULL)
        action->traceparent = copy->traceparent;
}

static const char *write_text(struct node_action *action, const char *format, va_list arguments)
{
    (void)vsnprintf(action->text, sizeof action->text, format, arguments);
    return action->text;
}

const char *node_say_text(struct node_action *action, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)write_text(action, format, arguments);
    va_end(arguments);
    return action->text;
}

void node_say_refused(struct node_turn *turn, int64_t segment_id, enum qn_status status,
                      const char *format, ...)
{
    const struct node_copy *held = segment_id == 0 ? NULL : node_find(turn->node, segment_id);
    struct node_action *action = node_say_answer(turn, MESSAGE_COMMAND_REFUSED);
    struct command_refused *refused = &action->command_refused;
    va_list arguments;

    turn->node->counters.commands_refused++;
    action->segment_id = segment_id;
    refused->segment_id = segment_id;
    refused->epoch = held != NULL ? held->epoch : (struct qn_epoch){0, 0};
    refused->status = status;
    refused->command_term = turn->command->term;
    va_start(arguments, format);
    refused->text = write_text(action, format, arguments);
    va_end(arguments);
}
