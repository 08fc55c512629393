/* SPDX-License-Identifier: Apache-2.0
 * How a copy goes (C6, C7): LEAVING, ask, grace, drain, ask again, unmap, receipt.
 *
 * Why LEAVING. Two nodes hold a segment and two commands cross: each is told to go, with the other
 * as its witness. If a copy on its way out still called itself SERVING, both would hear yes and
 * both would go. So a copy becomes LEAVING before it asks, still answers searches, and answers
 * every ask with LEAVING, which counts as no. Look at any copy that did go: at some moment after it
 * began to leave, its witness was SERVING. So the witness began to leave later, if at all, and who
 * leaves last finds nobody that is SERVING and stays. The argument holds for rings of any number of
 * nodes, and it uses no clock. The cost: of two crossing releases both may be held, and the
 * coordinator asks anew; that is why a held release is forgotten at once and not retried here.
 *
 * Why the nonce. An answer tells what was true when it was sent. "SERVING" from the ask of a
 * release that was held since, or from before our own LEAVING, may be long untrue, and late
 * messages are the bus's right. So each ask has a number of its own within this boot, an answer
 * counts only for the ask that is open, and closing an ask (answered, held, called off) voids
 * whatever is under way. The repeats of an ask carry its number: they are the same question, asked
 * after the same LEAVING. A node that restarts counts from 1 again, hence asker_boot.
 *
 * Why asked twice. Between the first yes and the unmapping lie the grace and the drain, seconds
 * when a search is long. The witness may leave (its own release finds us LEAVING and is held, but
 * FORCE asks nobody), restart empty, or shut down. The second ask goes out when the last reader is
 * gone and shortens that window to one round trip. Why not only then? Because a release that must
 * be held should be held before searches are turned away. After the second yes UNMAP is emitted and
 * nothing calls the release back: a load that comes now is told BUSY.
 *
 * What no ask can prove: that the witness's host lives on after its answer. That is replicas' work.
 *
 * Times bound the waiting only: an ask repeats every 200 ms and is given up after 2 s. When a step
 * has no room left, what is due stays due and node_wake_ms says now; the cursor makes the next step
 * begin where this one stopped, so that none is forgotten. */
#include "agent/node_internal.h"

#include "base/check.h"
#include <inttypes.h>

/* ---- held ------------------------------------------------------------------------------------ */

struct node_action *node_release_hold(struct node_turn *turn, struct node_copy *copy,
                                      enum qn_status status, int64_t witness_node_id)
{
    struct node_action *action;

    CHECK(!copy->unmapping);
    if (copy->state == QN_COPY_DRAINING)
        (void)node_say_action(turn, NODE_ACTION_UNDRAIN, copy->segment_id);
    node_move(turn, copy, QN_COPY_SERVING);
    node_tables_releasing_remove(turn->node, copy);
    copy->release = (struct node_release){.ground = GROUND_UNSPECIFIED};
    turn->node->counters.releases_held++;
    action = node_say_answer(turn, MESSAGE_RELEASE_HELD);
    node_say_trace(action, copy);
    action->segment_id = copy->segment_id;
    action->release_held = (struct release_held){
        .segment_id = copy->segment_id,
        .epoch = copy->epoch,
        .status = status,
        .text = action->text,
        .witness_node_id = witness_node_id,
    };
    return action;
}

void node_release_call_off(struct node_turn *turn, struct node_copy *copy, struct qn_epoch newer)
{
    (void)node_say_text(node_release_hold(turn, copy, QN_STATUS_EPOCH_STALE, 0),
                        "a newer load, epoch %" PRIu64 ".%" PRIu64 ", keeps the copy", newer.term,
                        newer.version);
}

static void hold_unanswered(struct node_turn *turn, struct node_copy *copy)
{
    uint32_t missing = node_ask_mask(&copy->release) & ~copy->release.answered_mask;
    int64_t witness = copy->release.witnesses[__builtin_ctz(missing)].node_id;

    (void)node_say_text(node_release_hold(turn, copy, QN_STATUS_TIMEOUT, witness),
                        "node %" PRId64 " did not answer within %d ms", witness,
                        (int)NODE_ASK_GIVE_UP_MS);
}

/* ---- begin ----------------------------------------------------------------------------------- */

/* A copy that moved must be replaced by nothing less than itself. */
static void witness_demand_own(struct witness *witness, const struct node_copy *copy)
{
    witness->has_content_hash = true;
    witness->content_hash = copy->content_hash;
    if (witness->delete_generation < copy->delete_generation)
        witness->delete_generation = copy->delete_generation;
}

/* For the log: a forced release is journalled with its operator (C6). */
static void say_why(struct node_action *action, const struct segment_release *request)
{
    if (request->ground == GROUND_FORCE)
        (void)node_say_text(action, "forced by %s", request->operator_name);
    else if (request->ground == GROUND_CEASED)
        (void)node_say_text(action, "ceased since %" PRIu64 ".%" PRIu64, request->since.term,
                            request->since.version);
    else
        (void)node_say_text(action, "moved to node %" PRId64, request->witnesses[0].node_id);
}

static void say_leaving(struct node_turn *turn, const struct node_copy *copy,
                        const struct segment_release *request)
{
    struct node_action *action = node_say_event(turn, MESSAGE_LEAVING);

    say_why(action, request);
    node_say_trace(action, copy);
    action->segment_id = copy->segment_id;
    action->leaving.segment_id = copy->segment_id;
    action->leaving.epoch = copy->epoch;
}

void node_release_begin(struct node_turn *turn, struct node_copy *copy,
                        const struct segment_release *request)
{
    struct node_release *release = &copy->release;

    node_say_take_trace(turn, copy);
    *release = (struct node_release){
        .ground = request->ground,
        .witnesses_count = (uint32_t)request->witnesses_count,
        .leaving_since_ms = turn->node->now_ms,
    };
    for (uint32_t i = 0; i < release->witnesses_count; i++) {
        release->witnesses[i] = request->witnesses[i];
        if (release->ground == GROUND_MOVED)
            witness_demand_own(&release->witnesses[i], copy);
    }
    if (copy->state == QN_COPY_LOADING) {
        copy->cancelling = true;
        say_why(node_say_action(turn, NODE_ACTION_CANCEL_LOAD, copy->segment_id), request);
        return;
    }
    node_move(turn, copy, QN_COPY_LEAVING);
    node_tables_releasing_add(turn->node, copy);
    say_leaving(turn, copy, request);
    if (release->witnesses_count == 0)
        release->confirmed = true;
    else
        node_ask_open(turn->node, release);
}

bool node_release_is_same(const struct node_copy *copy, const struct segment_release *request)
{
    const struct node_release *release = &copy->release;

    if (release->ground != request->ground || release->witnesses_count != request->witnesses_count)
        return false;
    for (uint32_t i = 0; i < release->witnesses_count; i++) {
        const struct witness *a = &release->witnesses[i], *b = &request->witnesses[i];

        if (a->node_id != b->node_id || a->segment_id != b->segment_id ||
            qn_epoch_compare(a->epoch, b->epoch) != 0)
            return false;
    }
    return true;
}

/* ---- drain and unmap ------------------------------------------------------------------------- */

/* A DRAINED that crossed an UNDRAIN finds the copy in another state, and is void. */
void node_release_drained(struct node_turn *turn, const struct node_event *event)
{
    struct node_copy *copy = node_tables_find(turn->node, event->segment_id);

    if (copy == NULL || copy->state != QN_COPY_DRAINING || copy->unmapping ||
        copy->release.second_ask)
        return;
    if (copy->release.witnesses_count == 0) {
        node_release_unmap(turn, copy);
        return;
    }
    copy->release.second_ask = true;
    node_ask_open(turn->node, &copy->release);
}

void node_release_unmap(struct node_turn *turn, struct node_copy *copy)
{
    CHECK(copy->state == QN_COPY_DRAINING || copy->cancelling);
    CHECK(!copy->unmapping);
    if (copy->state == QN_COPY_DRAINING)
        node_tables_releasing_remove(turn->node, copy);
    copy->unmapping = true;
    copy->release.unmap_ms = turn->node->now_ms;
    (void)node_say_action(turn, NODE_ACTION_UNMAP, copy->segment_id);
}

void node_release_unmapped(struct node_turn *turn, const struct node_event *event)
{
    struct node_copy *copy = node_tables_find(turn->node, event->segment_id);

    CHECK(copy != NULL);
    CHECK(copy->unmapping);
    ledger_release(&turn->node->ledger, copy->mem_size, copy->numa_node);
    node_release_finish(turn, copy, event->rss_before, event->rss_after);
}

void node_release_finish(struct node_turn *turn, struct node_copy *copy, uint64_t rss_before,
                         uint64_t rss_after)
{
    const struct node_release *release = &copy->release;
    struct node_action *action = node_say_event(turn, MESSAGE_SEGMENT_RELEASED);
    bool moved = release->ground == GROUND_MOVED;

    node_say_trace(action, copy);
    action->segment_id = copy->segment_id;
    action->segment_released = (struct segment_released){
        .segment_id = copy->segment_id,
        .epoch = copy->epoch,
        .bytes = copy->mem_size,
        .rss_before = rss_before,
        .rss_after = rss_after,
        .numa_node = copy->numa_node,
        .waited_ms = release->unmap_ms - release->leaving_since_ms,
        .ground = release->ground,
        .moved_to = moved ? release->witnesses[0].node_id : 0,
    };
    node_tables_remember(turn->node, &action->segment_released);
    if (moved)
        node_tables_hint(turn->node, copy->segment_id, release->witnesses[0].node_id);
    else
        node_tables_unhint(turn->node, copy->segment_id);
    node_drop(turn, copy);
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t later(uint64_t ms, uint64_t by_ms)
{
    return by_ms > UINT64_MAX - ms ? UINT64_MAX : ms + by_ms;
}

static uint64_t due_ms(const struct node *node, const struct node_copy *copy)
{
    const struct node_release *release = &copy->release;

    if (release->nonce != 0 && !release->ask_sent)
        return node->now_ms;
    if (release->nonce != 0) {
        uint64_t repeat_ms = later(release->asked_ms, NODE_ASK_REPEAT_MS);

        return repeat_ms < release->ask_deadline_ms ? repeat_ms : release->ask_deadline_ms;
    }
    if (copy->state == QN_COPY_LEAVING && release->confirmed)
        return later(release->leaving_since_ms, node->release_grace_ms);
    return UINT64_MAX;
}

static void proceed(struct node_turn *turn, struct node_copy *copy)
{
    const struct node_release *release = &copy->release;

    if (release->nonce == 0) {
        node_move(turn, copy, QN_COPY_DRAINING);
        (void)node_say_action(turn, NODE_ACTION_DRAIN, copy->segment_id);
    } else if (release->ask_sent && turn->node->now_ms >= release->ask_deadline_ms) {
        hold_unanswered(turn, copy);
    } else {
        node_ask_send(turn, copy);
    }
}

void node_release_pump(struct node_turn *turn)
{
    struct node *node = turn->node;
    uint32_t *cursor = &node->releasing_cursor;

    for (uint32_t left = node->releasing_count; left > 0; left--) {
        uint32_t count = node->releasing_count;
        struct node_copy *copy;

        if (*cursor >= count)
            *cursor = 0;
        copy = &node->copies[node->releasing[*cursor]];
        if (due_ms(node, copy) <= node->now_ms) {
            if (node_say_room(turn) < LIMIT_WITNESSES_MAX)
                return;
            proceed(turn, copy);
        }
        if (node->releasing_count == count)
            ++*cursor;
    }
}

uint64_t node_release_wake_ms(const struct node *node)
{
    uint64_t wake_ms = UINT64_MAX;

    for (uint32_t i = 0; i < node->releasing_count; i++) {
        uint64_t due = due_ms(node, &node->copies[node->releasing[i]]);

        if (due < wake_ms)
            wake_ms = due;
    }
    return wake_ms;
}
