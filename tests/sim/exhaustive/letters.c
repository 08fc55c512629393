/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/letters.h"

#include "base/check.h"
#include <stdio.h>

struct letter letter_command(const struct exhaust_world *world, unsigned command)
{
    const struct exhaust_command *told = &world->commands[command];

    return (struct letter){.kind = LETTER_COMMAND,
                           .to = (uint8_t)(told->to - 1),
                           .command = (uint8_t)command,
                           .term = told->term != 0 ? told->term : EXHAUST_TERM};
}

static uint8_t small(uint64_t value)
{
    CHECK(value <= UINT8_MAX);
    return (uint8_t)value;
}

static void write_ask_or_answer(const struct node_action *action, struct letter *letter)
{
    letter->to = small((uint64_t)action->node_id - 1);
    if (action->message_kind == MESSAGE_COPY_STATUS_REQUEST) {
        letter->kind = LETTER_ASK;
        letter->nonce = small(action->copy_status_request.nonce);
        return;
    }
    letter->kind = LETTER_ANSWER;
    letter->nonce = small(action->copy_status.nonce);
    letter->asker_boot = small(action->copy_status.asker_boot);
    letter->copy_state = small(action->copy_status.state);
    letter->epoch_term = small(action->copy_status.epoch.term);
    letter->epoch_version = small(action->copy_status.epoch.version);
}

bool letter_from_action(const struct node_action *action, unsigned from, uint64_t boot,
                        uint64_t term, struct letter *ret_letter)
{
    *ret_letter = (struct letter){.to = (uint8_t)from, .from = (uint8_t)from};
    switch (action->kind) {
    case NODE_ACTION_LOAD:
        ret_letter->kind = LETTER_LOADED;
        return true;
    case NODE_ACTION_DRAIN:
        ret_letter->kind = LETTER_DRAINED;
        return true;
    case NODE_ACTION_UNMAP:
        ret_letter->kind = LETTER_UNMAPPED;
        return true;
    case NODE_ACTION_SEND:
        if (action->subject != NODE_SUBJECT_ASK)
            return false;
        ret_letter->from_boot = small(boot);
        ret_letter->term = small(term);
        write_ask_or_answer(action, ret_letter);
        return true;
    default:
        return false;
    }
}

enum node_event_kind letter_event(const struct letter *letter)
{
    switch (letter->kind) {
    case LETTER_LOADED:
        return NODE_EVENT_LOADED;
    case LETTER_DRAINED:
        return NODE_EVENT_DRAINED;
    case LETTER_UNMAPPED:
        return NODE_EVENT_UNMAPPED;
    default:
        return NODE_EVENT_MESSAGE;
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

static void open_load(const struct exhaust_command *command, struct letter_message *opened)
{
    opened->load = exhaust_segment(command->epoch);
    opened->message.kind = MESSAGE_LOAD_SEGMENTS;
    opened->message.load_segments.segments = &opened->load;
    opened->message.load_segments.segments_count = 1;
}

static void open_release(const struct exhaust_command *command, struct letter_message *opened)
{
    struct segment_release *release = &opened->release;

    *release = (struct segment_release){.segment_id = EXHAUST_SEGMENT,
                                        .epoch = command->epoch,
                                        .ground = GROUND_FORCE,
                                        .operator_name = "ann"};
    if (command->verb == EXHAUST_RELEASE) {
        release->ground = GROUND_MOVED;
        release->witnesses = opened->witnesses;
        release->operator_name = "";
    }
    for (unsigned i = 0; i < EXHAUST_WITNESSES_MAX && command->witnesses[i] != 0; i++) {
        opened->witnesses[i] = (struct witness){.node_id = command->witnesses[i],
                                                .segment_id = EXHAUST_SEGMENT,
                                                .epoch = command->witness_epoch};
        release->witnesses_count++;
    }
    opened->message.kind = MESSAGE_RELEASE_SEGMENTS;
    opened->message.release_segments.segments = release;
    opened->message.release_segments.segments_count = 1;
}

static void open_ask(const struct letter *letter, struct message *message)
{
    message->kind = MESSAGE_COPY_STATUS_REQUEST;
    message->copy_status_request = (struct copy_status_request){
        .node_id = letter->from + 1, .segment_id = EXHAUST_SEGMENT, .nonce = letter->nonce};
}

static void open_answer(const struct letter *letter, struct message *message)
{
    struct qn_epoch epoch = {letter->epoch_term, letter->epoch_version};
    bool here = letter->copy_state != QN_COPY_ABSENT;

    message->kind = MESSAGE_COPY_STATUS;
    message->copy_status = (struct copy_status){
        .node_id = letter->from + 1,
        .segment_id = EXHAUST_SEGMENT,
        .nonce = letter->nonce,
        .asker_boot = letter->asker_boot,
        .state = (enum qn_copy_state)letter->copy_state,
        .epoch = epoch,
        .replica = here ? exhaust_segment(epoch).replica : "",
    };
    if (here)
        message->copy_status.content_hash = exhaust_segment(epoch).content_hash;
}

void letter_open(const struct letter *letter, const struct exhaust_world *world,
                 struct letter_message *ret_opened)
{
    const struct exhaust_command *command = &world->commands[letter->command];

    *ret_opened = (struct letter_message){
        .message = {.boot = letter->from_boot, .term = letter->term, .reply_to = ""}};
    if (letter->kind == LETTER_ASK)
        open_ask(letter, &ret_opened->message);
    else if (letter->kind == LETTER_ANSWER)
        open_answer(letter, &ret_opened->message);
    else if (letter->kind == LETTER_COMMAND && command->verb == EXHAUST_LOAD)
        open_load(command, ret_opened);
    else if (letter->kind == LETTER_COMMAND)
        open_release(command, ret_opened);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void describe_command(const struct exhaust_command *command, unsigned term,
                             char ret_text[64])
{
    unsigned epoch_term = (unsigned)command->epoch.term;
    unsigned version = (unsigned)command->epoch.version;

    if (command->verb == EXHAUST_LOAD)
        (void)snprintf(ret_text, 64, "told %u: load %u.%u", command->to, epoch_term, version);
    else if (command->verb == EXHAUST_FORCE)
        (void)snprintf(ret_text, 64, "told %u by term %u: FORCE away %u.%u", command->to, term,
                       epoch_term, version);
    else if (command->witnesses[1] != 0)
        (void)snprintf(ret_text, 64, "told %u: release %u.%u, witnesses %u and %u", command->to,
                       epoch_term, version, command->witnesses[0], command->witnesses[1]);
    else
        (void)snprintf(ret_text, 64, "told %u: release %u.%u, witness %u.%u at %u", command->to,
                       epoch_term, version, (unsigned)command->witness_epoch.term,
                       (unsigned)command->witness_epoch.version, command->witnesses[0]);
}

/* The number tells something only where it meets those of another boot. */
static void describe_ask(const struct exhaust_world *world, unsigned boot, unsigned nonce,
                         char ret_text[16])
{
    if (world->restarts > 0)
        (void)snprintf(ret_text, 16, "ask %u.%u", boot, nonce);
    else
        (void)snprintf(ret_text, 16, nonce == LETTER_NONCE_VOID ? "closed ask" : "ask");
}

void letter_describe(const struct letter *letter, const struct exhaust_world *world,
                     char ret_text[64])
{
    unsigned to = letter->to + 1u, from = letter->from + 1u;
    char ask[16];

    switch (letter->kind) {
    case LETTER_COMMAND:
        describe_command(&world->commands[letter->command], letter->term, ret_text);
        break;
    case LETTER_ASK:
        describe_ask(world, letter->from_boot, letter->nonce, ask);
        (void)snprintf(ret_text, 64, "%u -> %u: %s", from, to, ask);
        break;
    case LETTER_ANSWER:
        describe_ask(world, letter->asker_boot, letter->nonce, ask);
        (void)snprintf(ret_text, 64, "%u -> %u: to %s: %s %u.%u", from, to, ask,
                       qn_copy_state_name((enum qn_copy_state)letter->copy_state),
                       letter->epoch_term, letter->epoch_version);
        break;
    case LETTER_LOADED:
        (void)snprintf(ret_text, 64, "%u: loaded", to);
        break;
    case LETTER_DRAINED:
        (void)snprintf(ret_text, 64, "%u: the last reader is gone", to);
        break;
    default:
        (void)snprintf(ret_text, 64, "%u: unmapped", to);
        break;
    }
}
