/* SPDX-License-Identifier: Apache-2.0
 * The asks of a release: one question to all witnesses at once, and what an answer is worth (C6).
 * Why they are asked so: see the head of node_release.c. */
#include "agent/node_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- asks ------------------------------------------------------------------------------------ */

void node_ask_open(struct node *node, struct node_release *release)
{
    release->nonce = ++node->nonce;
    release->answered_mask = 0;
    release->ask_sent = false;
}

uint32_t node_ask_mask(const struct node_release *release)
{
    return (1u << release->witnesses_count) - 1;
}

void node_ask_send(struct node_turn *turn, struct node_copy *copy)
{
    struct node_release *release = &copy->release;
    uint64_t now_ms = turn->node->now_ms;

    for (uint32_t i = 0; i < release->witnesses_count; i++) {
        struct node_action *action;

        if (release->answered_mask & 1u << i)
            continue;
        action = node_say_action(turn, NODE_ACTION_SEND, copy->segment_id);
        action->subject = NODE_SUBJECT_ASK;
        node_say_trace(action, copy);
        action->node_id = release->witnesses[i].node_id;
        action->message_kind = MESSAGE_COPY_STATUS_REQUEST;
        action->copy_status_request = (struct copy_status_request){
            .node_id = turn->node->node_id,
            .segment_id = release->witnesses[i].segment_id,
            .nonce = release->nonce,
        };
    }
    if (!release->ask_sent)
        release->ask_deadline_ms = now_ms + NODE_ASK_GIVE_UP_MS;
    release->ask_sent = true;
    release->asked_ms = now_ms;
}

/* ---- answers --------------------------------------------------------------------------------- */

struct verdict {
    enum qn_status status; /* OK: this witness lets the copy go */
    char text[128];
};

static struct verdict judge(const struct node_turn *turn, const struct node_copy *copy,
                            const struct witness *witness, const struct message *message)
{
    const struct copy_status *answer = &message->copy_status;
    const struct qn_epoch epoch = answer->epoch, named = witness->epoch;
    struct verdict verdict = {.status = QN_STATUS_HELD};
    char *text = verdict.text;

    if (message->term > turn->node->term) {
        verdict.status = QN_STATUS_TERM_STALE;
        (void)snprintf(text, sizeof verdict.text, "knows term %" PRIu64 " > %" PRIu64,
                       message->term, turn->node->term);
    } else if (answer->state != QN_COPY_SERVING) {
        (void)snprintf(text, sizeof verdict.text, "answers %s", qn_copy_state_name(answer->state));
    } else if (witness->has_content_hash &&
               !qn_hash_equal(&answer->content_hash, &witness->content_hash)) {
        (void)snprintf(text, sizeof verdict.text, "has other content");
    } else if (qn_epoch_compare(epoch, named) < 0) {
        (void)snprintf(text, sizeof verdict.text,
                       "has epoch %" PRIu64 ".%" PRIu64 " < %" PRIu64 ".%" PRIu64, epoch.term,
                       epoch.version, named.term, named.version);
    } else if (answer->delete_generation < witness->delete_generation) {
        (void)snprintf(text, sizeof verdict.text, "has delete generation %" PRIu64 " < %" PRIu64,
                       answer->delete_generation, witness->delete_generation);
    } else if (copy->release.ground == GROUND_MOVED &&
               strcmp(answer->replica != NULL ? answer->replica : "", copy->replica) != 0) {
        (void)snprintf(text, sizeof verdict.text, "is of another replica");
    } else {
        verdict.status = QN_STATUS_OK;
    }
    return verdict;
}

static void ask_answered_by_all(struct node_turn *turn, struct node_copy *copy)
{
    copy->release.nonce = 0;
    if (copy->release.second_ask)
        node_release_unmap(turn, copy);
    else
        copy->release.confirmed = true;
}

static struct node_copy *asking(struct node *node, uint64_t nonce)
{
    for (uint32_t i = 0; i < node->releasing_count; i++) {
        struct node_copy *copy = &node->copies[node->releasing[i]];

        if (copy->release.nonce == nonce)
            return copy;
    }
    return NULL;
}

void node_ask_answer(struct node_turn *turn, const struct message *message)
{
    const struct copy_status *answer = &message->copy_status;
    struct node_copy *copy = answer->nonce != 0 ? asking(turn->node, answer->nonce) : NULL;

    if (copy == NULL || answer->asker_boot != turn->node->boot)
        return;
    for (uint32_t i = 0; i < copy->release.witnesses_count; i++) {
        const struct witness *witness = &copy->release.witnesses[i];
        struct verdict verdict;

        if (witness->node_id != answer->node_id || witness->segment_id != answer->segment_id)
            continue;
        verdict = judge(turn, copy, witness, message);
        if (verdict.status != QN_STATUS_OK) {
            (void)node_say_text(node_release_hold(turn, copy, verdict.status, answer->node_id),
                                "node %" PRId64 " %s", answer->node_id, verdict.text);
            return;
        }
        copy->release.answered_mask |= 1u << i;
    }
    if (copy->release.answered_mask == node_ask_mask(&copy->release))
        ask_answered_by_all(turn, copy);
}
