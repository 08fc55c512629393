/* SPDX-License-Identifier: Apache-2.0
 * The judgement's front: takes an event apart, checks what a command must pass (needs, term,
 * expiry, size), answers asks, and keeps the rules that hold after each step. */
#include "agent/node_internal.h"

#include "agent/life.h"
#include "base/check.h"
#include "base/hash.h"
#include <inttypes.h>
#include <stdlib.h>

struct node *node_new(const struct node_options *options)
{
    struct node *node = calloc(1, sizeof *node);

    if (node == NULL)
        return NULL;
    node->node_id = options->node_id;
    node->boot = options->boot;
    node->term = options->term;
    node->release_grace_ms = options->release_grace_ms;
    ledger_init(&node->ledger, options->budget_bytes, options->numa_count,
                options->numa_total_bytes);
    node_tables_init(node);
    return node;
}

struct node *node_free(struct node *node)
{
    free(node);
    return NULL;
}

/* ---- moves ----------------------------------------------------------------------------------- */

void node_move(struct node_turn *turn, struct node_copy *copy, enum qn_copy_state next)
{
    CHECK(life_may_follow(copy->state, next));
    copy->state = next;
    turn->changed = true;
}

void node_drop(struct node_turn *turn, struct node_copy *copy)
{
    node_move(turn, copy, QN_COPY_ABSENT);
    CHECK(copy->mem_size <= turn->node->copies_bytes);
    turn->node->copies_bytes -= copy->mem_size;
    node_tables_remove(turn->node, copy);
}

/* ---- what a command must pass ------------------------------------------------------------ */

/* No feature has a number yet, so whoever needs one needs more than is here (C10). */
static bool needs_are_known(struct node_turn *turn)
{
    const struct message *command = turn->command;

    if (command->needs_count == 0)
        return true;
    node_say_refused(turn, 0, QN_STATUS_UNSUPPORTED, "feature %" PRIu32 " is not known here",
                     command->needs[0]);
    return false;
}

static bool term_is_allowed(struct node_turn *turn)
{
    struct node *node = turn->node;
    uint64_t term = turn->command->term;

    if (term == 0) {
        node_say_refused(turn, 0, QN_STATUS_INVALID, "a command must carry its term");
        return false;
    }
    if (term >= node->term && term - node->term <= UINT64_C(1) << LIMIT_TERM_JUMP_LOG2)
        return true;
    node->counters.terms_refused++;
    if (term < node->term)
        node_say_refused(turn, 0, QN_STATUS_TERM_STALE,
                         "term %" PRIu64 " is stale: %" PRIu64 " is known", term, node->term);
    else
        node_say_refused(turn, 0, QN_STATUS_TERM_STALE,
                         "term %" PRIu64 " is more than 2^%d ahead of %" PRIu64, term,
                         (int)LIMIT_TERM_JUMP_LOG2, node->term);
    return false;
}

static struct not_after expiry_of(const struct message *command)
{
    switch (command->kind) {
    case MESSAGE_LOAD_SEGMENTS:
        return command->load_segments.not_after;
    case MESSAGE_RELEASE_SEGMENTS:
        return command->release_segments.not_after;
    default:
        return command->change_info.not_after;
    }
}

static bool has_not_expired(struct node_turn *turn)
{
    struct node *node = turn->node;
    struct not_after not_after = expiry_of(turn->command);

    if (not_after.boot == 0 ||
        (not_after.boot == node->boot && node->now_ms <= not_after.uptime_ms))
        return true;
    node->counters.expired++;
    node_say_refused(turn, 0, QN_STATUS_EXPIRED,
                     "not after %" PRIu64 " ms of boot %" PRIu64 ": it is %" PRIu64
                     " ms of boot %" PRIu64,
                     not_after.uptime_ms, not_after.boot, node->now_ms, node->boot);
    return false;
}

static size_t segments_named(const struct node *node, const struct message *command)
{
    const struct change_info *change = &command->change_info;
    size_t count = 0;

    if (command->kind == MESSAGE_LOAD_SEGMENTS)
        return command->load_segments.segments_count;
    if (command->kind == MESSAGE_RELEASE_SEGMENTS)
        return command->release_segments.segments_count;
    for (size_t i = 0; i < change->infos_count; i++)
        if (change->infos[i].offline_node_id == node->node_id)
            count += change->infos[i].offline_segments_count;
    return count;
}

static bool fits_one_step(struct node_turn *turn)
{
    size_t count = segments_named(turn->node, turn->command);

    if (count <= LIMIT_SEGMENTS_PER_COMMAND_MAX)
        return true;
    node_say_refused(turn, 0, QN_STATUS_INVALID,
                     "%zu segments in one command, at most %d (LIMIT_SEGMENTS_PER_COMMAND_MAX)",
                     count, (int)LIMIT_SEGMENTS_PER_COMMAND_MAX);
    return false;
}

static_assert((int)LIMIT_SEGMENTS_PER_COMMAND_MAX * 3 < (int)LIMIT_ACTIONS_PER_STEP,
              "a load says at most 3 things of a segment: UNDRAIN, ReleaseHeld, SegmentLoaded");

/* False: the term must be durable first, and nothing else was done. */
static bool command_step(struct node_turn *turn)
{
    const struct message *command = turn->command;

    if (!needs_are_known(turn) || !term_is_allowed(turn))
        return true;
    if (command->term > turn->node->term) {
        node_say_action(turn, NODE_ACTION_PERSIST_TERM, 0)->term = command->term;
        return false;
    }
    if (!has_not_expired(turn) || !fits_one_step(turn))
        return true;
    if (command->kind == MESSAGE_LOAD_SEGMENTS)
        node_load_command(turn);
    else if (command->kind == MESSAGE_RELEASE_SEGMENTS)
        node_change_release_command(turn);
    else
        node_change_info_command(turn);
    return true;
}

/* ---- asks ------------------------------------------------------------------------------------ */

/* Always answered, by what is held now; only a node that stays may witness. The terms of asks are
 * not commands': they change nothing here. */
static void answer_ask(struct node_turn *turn)
{
    struct node *node = turn->node;
    const struct message *message = turn->command;
    const struct copy_status_request *request = &message->copy_status_request;
    const struct node_copy *copy = node_find(node, request->segment_id);
    struct node_action *action = node_say_action(turn, NODE_ACTION_SEND, request->segment_id);
    struct copy_status *answer = &action->copy_status;

    node->counters.asks_answered++;
    action->subject = NODE_SUBJECT_ASK;
    action->node_id = request->node_id;
    action->request_id = message->request_id;
    action->traceparent = message->traceparent;
    action->message_kind = MESSAGE_COPY_STATUS;
    *answer = (struct copy_status){
        .node_id = node->node_id,
        .segment_id = request->segment_id,
        .nonce = request->nonce,
        .asker_boot = message->boot,
        .state = QN_COPY_ABSENT,
        .replica = "",
    };
    if (copy == NULL)
        return;
    answer->state = copy->state;
    if (node->leaving && copy->state == QN_COPY_SERVING)
        answer->state = QN_COPY_LEAVING;
    answer->epoch = copy->epoch;
    answer->content_hash = copy->content_hash;
    answer->delete_generation = copy->delete_generation;
    answer->replica = copy->replica;
}

/* ---- the step -------------------------------------------------------------------------------- */

static bool message_step(struct node_turn *turn, const struct message *message)
{
    turn->command = message;
    switch (message->kind) {
    case MESSAGE_LOAD_SEGMENTS:
    case MESSAGE_RELEASE_SEGMENTS:
    case MESSAGE_CHANGE_INFO:
        return command_step(turn);
    case MESSAGE_REPORT_REQUEST:
        turn->report = needs_are_known(turn);
        return true;
    case MESSAGE_COPY_STATUS_REQUEST:
        if (needs_are_known(turn))
            answer_ask(turn);
        return true;
    case MESSAGE_COPY_STATUS:
        turn->command = NULL;
        node_ask_answer(turn, message);
        return true;
    default:
        return true;
    }
}

static bool event_step(struct node_turn *turn, const struct node_event *event)
{
    struct node *node = turn->node;

    switch (event->kind) {
    case NODE_EVENT_MESSAGE:
        return message_step(turn, event->message);
    case NODE_EVENT_TERM_DURABLE:
        node->term = event->term > node->term ? event->term : node->term;
        break;
    case NODE_EVENT_LOADED:
        node_load_done(turn, event);
        break;
    case NODE_EVENT_LOAD_FAILED:
        node_load_failed(turn, event);
        break;
    case NODE_EVENT_DRAINED:
        node_release_drained(turn, event);
        break;
    case NODE_EVENT_UNMAPPED:
        node_release_unmapped(turn, event);
        break;
    case NODE_EVENT_SHUTDOWN:
        node->leaving = true;
        turn->report = true;
        break;
    case NODE_EVENT_TICK:
        break;
    }
    return true;
}

static void check_sums(const struct node *node)
{
    const struct ledger *ledger = &node->ledger;

    CHECK(ledger->used_bytes + ledger->reserved_bytes <= ledger->budget_bytes);
    CHECK(ledger->used_bytes + ledger->reserved_bytes ==
          node->copies_bytes + ledger->scratch_bytes);
}

void node_step(struct node *node, const struct node_event *event, struct node_actions *ret_actions)
{
    struct node_turn turn = {.node = node, .actions = ret_actions};

    ret_actions->count = 0;
    if (event->now_ms > node->now_ms)
        node->now_ms = event->now_ms;
    if (!event_step(&turn, event))
        return;
    turn.command = NULL;
    node_release_pump(&turn);
    if (turn.changed || turn.report)
        (void)node_say_action(&turn, NODE_ACTION_REPORT, 0);
    check_sums(node);
}

uint64_t node_wake_ms(const struct node *node)
{
    return node_release_wake_ms(node);
}

/* ---- what is known --------------------------------------------------------------------------- */

const struct node_copy *node_find(const struct node *node, int64_t segment_id)
{
    return node_tables_find((struct node *)(uintptr_t)node, segment_id);
}

size_t node_copies_count(const struct node *node)
{
    return node->copies_count;
}

const struct node_copy *node_copy_at(const struct node *node, size_t index)
{
    CHECK(index < node->copies_count);
    return &node->copies[node->order[index]];
}

uint64_t node_term(const struct node *node)
{
    return node->term;
}

const struct ledger *node_ledger(const struct node *node)
{
    return &node->ledger;
}

bool node_reserve_scratch(struct node *node, uint64_t bytes)
{
    return ledger_take_scratch(&node->ledger, bytes);
}

void node_release_scratch(struct node *node, uint64_t bytes)
{
    ledger_give_scratch(&node->ledger, bytes);
}

const struct node_counters *node_counters(const struct node *node)
{
    return &node->counters;
}

uint64_t node_copies_digest(const struct node *node)
{
    uint64_t digest = 0;

    for (size_t i = 0; i < node->copies_count; i++) {
        const struct node_copy *copy = node_copy_at(node, i);
        uint64_t words[] = {digest, (uint64_t)copy->segment_id, (uint64_t)copy->state,
                            copy->epoch.term, copy->epoch.version};

        digest = hash64(words, sizeof words);
    }
    return digest;
}
