/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/agent_node_pair.h"

#include "agent/node_internal.h"
#include <string.h>

static struct node_actions actions;

/* ---- the pair ------------------------------------------------------------------------------- */

void pair_post(struct pair *pair, int to, const struct message *message)
{
    assert_true(pair->letters_count < PAIR_LETTERS_MAX);
    pair->letters[pair->letters_count++] =
        (struct pair_letter){.to = to, .event = NODE_EVENT_MESSAGE, .message = *message};
}

static void post_internal(struct pair *pair, int to, enum node_event_kind event)
{
    assert_true(pair->letters_count < PAIR_LETTERS_MAX);
    pair->letters[pair->letters_count++] =
        (struct pair_letter){.to = to, .internal = true, .event = event};
}

/* An UNDRAIN makes a DRAINED that is under way void: so does the agent's shell. */
static void forget_drained(struct pair *pair, int node)
{
    for (size_t i = 0; i < pair->letters_count; i++)
        if (pair->letters[i].to == node && pair->letters[i].event == NODE_EVENT_DRAINED)
            pair->letters[i--] = pair->letters[--pair->letters_count];
}

static void send(struct pair *pair, int from, const struct node_action *action)
{
    struct message message = {
        .boot = RIG_BOOT, .term = RIG_TERM, .kind = action->message_kind, .reply_to = ""};

    if (action->subject != NODE_SUBJECT_ASK)
        return;
    if (action->message_kind == MESSAGE_COPY_STATUS) {
        message.copy_status = action->copy_status;
        message.copy_status.replica = "r1"; /* the node's own text may change */
    } else {
        message.copy_status_request = action->copy_status_request;
    }
    assert_int_equal(action->node_id, 2 - from); /* nodes are 1 and 2: the other one */
    pair_post(pair, 1 - from, &message);
}

static void step(struct pair *pair, int to, struct node_event event)
{
    event.now_ms = pair->now_ms;
    event.segment_id = PAIR_SEGMENT;
    node_step(pair->nodes[to], &event, &actions);
    for (uint32_t i = 0; i < actions.count; i++) {
        const struct node_action *action = &actions.items[i];

        if (action->kind == NODE_ACTION_SEND)
            send(pair, to, action);
        else if (action->kind == NODE_ACTION_LOAD)
            post_internal(pair, to, NODE_EVENT_LOADED);
        else if (action->kind == NODE_ACTION_DRAIN)
            post_internal(pair, to, NODE_EVENT_DRAINED);
        else if (action->kind == NODE_ACTION_UNMAP)
            post_internal(pair, to, NODE_EVENT_UNMAPPED);
        else if (action->kind == NODE_ACTION_UNDRAIN)
            forget_drained(pair, to);
    }
}

/* ---- choices --------------------------------------------------------------------------------- */

uint64_t pair_wake_ms(const struct pair *pair)
{
    uint64_t a = node_wake_ms(pair->nodes[0]), b = node_wake_ms(pair->nodes[1]);

    return a < b ? a : b;
}

/* Three choices per letter (comes, is lost, comes and stays), and one more: time passes. */
bool pair_may(const struct pair *pair, size_t choice)
{
    if (choice == PAIR_WAYS * pair->letters_count)
        return pair->waits_left > 0 && pair_wake_ms(pair) != UINT64_MAX;
    switch (choice % PAIR_WAYS) {
    case PAIR_IS_LOST:
        return !pair->letters[choice / PAIR_WAYS].internal && pair->losses_left > 0;
    case PAIR_COMES_TWICE:
        return !pair->letters[choice / PAIR_WAYS].internal && pair->repeats_left > 0;
    default:
        return true;
    }
}

void pair_take(struct pair *pair, size_t choice)
{
    struct pair_letter letter;
    size_t i = choice / PAIR_WAYS;

    if (i == pair->letters_count) {
        pair->waits_left--;
        pair->now_ms = pair_wake_ms(pair) > pair->now_ms ? pair_wake_ms(pair) : pair->now_ms;
        for (int n = 0; n < 2; n++)
            step(pair, n, (struct node_event){.kind = NODE_EVENT_TICK});
        return;
    }
    letter = pair->letters[i];
    pair->losses_left -= choice % PAIR_WAYS == PAIR_IS_LOST;
    pair->repeats_left -= choice % PAIR_WAYS == PAIR_COMES_TWICE;
    if (choice % PAIR_WAYS != PAIR_COMES_TWICE)
        pair->letters[i] = pair->letters[--pair->letters_count];
    if (choice % PAIR_WAYS != PAIR_IS_LOST)
        step(pair, letter.to,
             (struct node_event){.kind = letter.event, .message = &letter.message});
}

/* ---- the start ------------------------------------------------------------------------------- */

/* Both nodes serve the segment, nobody was told anything yet. */
void pair_open(struct pair *pair)
{
    static struct segment_load_info segment;
    struct message load = {.term = RIG_TERM, .kind = MESSAGE_LOAD_SEGMENTS};

    memset(pair, 0, sizeof *pair);
    segment = rig_segment(PAIR_SEGMENT, 1);
    load.load_segments.segments = &segment;
    load.load_segments.segments_count = 1;
    for (int i = 0; i < 2; i++) {
        struct node_options options = {.node_id = i + 1,
                                       .boot = RIG_BOOT,
                                       .term = RIG_TERM,
                                       .budget_bytes = 4096,
                                       .release_grace_ms = PAIR_GRACE_MS,
                                       .numa_count = 1};

        pair->nodes[i] = node_new(&options);
        assert_non_null(pair->nodes[i]);
        step(pair, i, (struct node_event){.kind = NODE_EVENT_MESSAGE, .message = &load});
        pair_take(pair, 0);
    }
}

void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++)
        pair->nodes[i] = node_free(pair->nodes[i]);
}

/* A new judgement is a few MiB of fresh pages, too dear for each path: the few bytes that a path
 * can change are put back instead. One segment takes one slot of copies. */
static void node_restart(struct node *node, const struct node *start)
{
    bool released = node->released.next != start->released.next;

    memcpy(node, start, offsetof(struct node, copies[1]));
    node->floor = start->floor;
    if (!released)
        return;
    node->released = start->released;
    node->hints = start->hints;
}

void pair_restart(struct pair *pair, const struct pair *start)
{
    pair->now_ms = 0;
    pair->letters_count = 0;
    for (int i = 0; i < 2; i++)
        node_restart(pair->nodes[i], start->nodes[i]);
}
