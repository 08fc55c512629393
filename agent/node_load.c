/* SPDX-License-Identifier: Apache-2.0
 * Loads: admission, adoption of a copy that is here already, and the end of a load (C5, P2). */
#include "agent/node_internal.h"

#include "base/check.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void say_loaded(struct node_turn *turn, const struct node_copy *copy, bool adopted)
{
    struct node_action *action = node_say_answer(turn, MESSAGE_SEGMENT_LOADED);

    node_say_trace(action, copy);
    action->segment_id = copy->segment_id;
    action->segment_loaded = (struct segment_loaded){
        .segment_id = copy->segment_id,
        .epoch = copy->epoch,
        .bytes = copy->mem_size,
        .numa_node = copy->numa_node,
        .took_ms = copy->load_took_ms,
        .adopted = adopted,
    };
}

/* LoadFailed; the caller gives it a text. */
static struct node_action *say_failed(struct node_turn *turn, int64_t segment_id,
                                      struct qn_epoch epoch, enum qn_status status)
{
    struct node_action *action = node_say_answer(turn, MESSAGE_LOAD_FAILED);

    action->segment_id = segment_id;
    action->load_failed = (struct load_failed){
        .segment_id = segment_id, .epoch = epoch, .status = status, .text = action->text};
    return action;
}

static struct node_action *refuse(struct node_turn *turn, const struct segment_load_info *load,
                                  enum qn_status status)
{
    turn->node->counters.loads_refused++;
    return say_failed(turn, load->segment_id, load->epoch, status);
}

/* ---- a segment that is here ------------------------------------------------------------------ */

static void take_epoch(struct node_turn *turn, struct node_copy *copy,
                       const struct segment_load_info *load)
{
    copy->epoch = load->epoch;
    (void)snprintf(copy->replica, sizeof copy->replica, "%s", load->replica);
    node_say_take_trace(turn, copy);
    turn->changed = true;
}

static void adopt(struct node_turn *turn, struct node_copy *copy,
                  const struct segment_load_info *load)
{
    if (load->delete_generation > copy->delete_generation) {
        (void)node_say_text(refuse(turn, load, QN_STATUS_CONFLICT),
                            "segment %" PRId64 " is here at delete generation %" PRIu64
                            ", not %" PRIu64,
                            copy->segment_id, copy->delete_generation, load->delete_generation);
        return;
    }
    if (copy->cancelling || copy->unmapping) {
        node_say_refused(turn, copy->segment_id, QN_STATUS_BUSY,
                         "segment %" PRId64 " is being released and cannot be kept: ask again",
                         copy->segment_id);
        return;
    }
    if (copy->state == QN_COPY_LEAVING || copy->state == QN_COPY_DRAINING)
        node_release_call_off(turn, copy, load->epoch);
    take_epoch(turn, copy, load);
    if (copy->state == QN_COPY_SERVING)
        say_loaded(turn, copy, true);
}

static void load_held(struct node_turn *turn, struct node_copy *copy,
                      const struct segment_load_info *load)
{
    int order = qn_epoch_compare(load->epoch, copy->epoch);

    if (!qn_hash_equal(&load->content_hash, &copy->content_hash) ||
        load->collection_id != copy->collection_id || load->partition_id != copy->partition_id) {
        (void)node_say_text(refuse(turn, load, QN_STATUS_CONFLICT),
                            "segment %" PRId64
                            " is here with other content, collection or partition",
                            copy->segment_id);
        return;
    }
    if (order < 0)
        node_say_refused(turn, copy->segment_id, QN_STATUS_EPOCH_STALE,
                         "segment %" PRId64 " is here with epoch %" PRIu64 ".%" PRIu64 ": %" PRIu64
                         ".%" PRIu64 " is older",
                         copy->segment_id, copy->epoch.term, copy->epoch.version, load->epoch.term,
                         load->epoch.version);
    else if (order > 0)
        adopt(turn, copy, load);
    else if (copy->state == QN_COPY_SERVING)
        say_loaded(turn, copy, false);
}

/* ---- a segment that is not ------------------------------------------------------------------- */

static void start(struct node_turn *turn, const struct segment_load_info *load, unsigned numa_node)
{
    struct node *node = turn->node;
    struct node_copy *copy = node_tables_add(node, load->segment_id);
    struct node_action *action;

    CHECK(copy != NULL);
    copy->collection_id = load->collection_id;
    copy->partition_id = load->partition_id;
    copy->content_hash = load->content_hash;
    copy->mem_size = load->mem_size;
    copy->num_rows = load->num_rows;
    copy->delete_generation = load->delete_generation;
    copy->numa_node = numa_node;
    copy->load_started_ms = node->now_ms;
    take_epoch(turn, copy, load);
    node->copies_bytes += copy->mem_size;
    node_move(turn, copy, QN_COPY_LOADING);
    action = node_say_action(turn, NODE_ACTION_LOAD, load->segment_id);
    action->numa_node = numa_node;
    action->load = *load;
}

static void refuse_over_budget(struct node_turn *turn, const struct segment_load_info *load)
{
    const struct ledger *ledger = &turn->node->ledger;
    struct node_action *action = refuse(turn, load, QN_STATUS_OVER_BUDGET);

    action->load_failed.need_bytes = load->mem_size;
    action->load_failed.free_bytes = ledger_free_bytes(ledger);
    (void)node_say_text(action,
                        "segment %" PRId64 " needs %" PRIu64 " bytes, %" PRIu64 " free of %" PRIu64
                        " (%" PRIu64 " used, %" PRIu64 " reserved)",
                        load->segment_id, load->mem_size, ledger_free_bytes(ledger),
                        ledger->budget_bytes, ledger->used_bytes, ledger->reserved_bytes);
}

static void load_new(struct node_turn *turn, const struct segment_load_info *load)
{
    struct node *node = turn->node;
    unsigned numa_node;

    if (node->leaving)
        (void)node_say_text(refuse(turn, load, QN_STATUS_UNAVAILABLE),
                            "segment %" PRId64 ": this node shuts down", load->segment_id);
    else if (node_tables_epoch_is_over(node, load->segment_id, load->epoch))
        (void)node_say_text(refuse(turn, load, QN_STATUS_EPOCH_STALE),
                            "segment %" PRId64 ": the copy of epoch %" PRIu64 ".%" PRIu64
                            " was released or is older than what is remembered",
                            load->segment_id, load->epoch.term, load->epoch.version);
    else if (node->copies_count == LIMIT_SEGMENTS_PER_NODE_MAX)
        (void)node_say_text(refuse(turn, load, QN_STATUS_BUSY),
                            "segment %" PRId64 ": this node holds %d segments, its most",
                            load->segment_id, (int)LIMIT_SEGMENTS_PER_NODE_MAX);
    else if (!ledger_reserve(&node->ledger, load->mem_size, &numa_node))
        refuse_over_budget(turn, load);
    else
        start(turn, load, numa_node);
}

/* An epoch from the future would make all true ones stale: its copy could not be loaded anew, and
 * forgotten it would raise the floor over every load to come. Hence no epoch above the term. */
static void load_one(struct node_turn *turn, const struct segment_load_info *given)
{
    struct node_copy *copy = node_tables_find(turn->node, given->segment_id);
    struct segment_load_info load = *given;

    if (load.replica == NULL)
        load.replica = "";
    if (load.state != QN_SEGMENT_SEALED)
        (void)node_say_text(refuse(turn, &load, QN_STATUS_INVALID),
                            "segment %" PRId64 " is %s: only sealed segments can be loaded",
                            load.segment_id, qn_segment_state_name(load.state));
    else if (strlen(load.replica) >= LIMIT_NAME_BYTES)
        (void)node_say_text(refuse(turn, &load, QN_STATUS_INVALID),
                            "segment %" PRId64 ": the replica's name is longer than %d bytes",
                            load.segment_id, (int)LIMIT_NAME_BYTES - 1);
    else if (load.epoch.term > turn->command->term)
        (void)node_say_text(refuse(turn, &load, QN_STATUS_INVALID),
                            "segment %" PRId64 ": epoch %" PRIu64 ".%" PRIu64
                            " is of a later term than its command, %" PRIu64,
                            load.segment_id, load.epoch.term, load.epoch.version,
                            turn->command->term);
    else if (copy != NULL)
        load_held(turn, copy, &load);
    else
        load_new(turn, &load);
}

void node_load_command(struct node_turn *turn)
{
    const struct load_segments *load = &turn->command->load_segments;

    for (size_t i = 0; i < load->segments_count; i++)
        load_one(turn, &load->segments[i]);
}

/* ---- the end of a load ----------------------------------------------------------------------- */

static struct node_copy *loading(struct node_turn *turn, const struct node_event *event)
{
    struct node_copy *copy = node_tables_find(turn->node, event->segment_id);

    CHECK(copy != NULL);
    CHECK(copy->state == QN_COPY_LOADING);
    CHECK(!copy->unmapping);
    return copy;
}

void node_load_done(struct node_turn *turn, const struct node_event *event)
{
    struct node_copy *copy = loading(turn, event);

    ledger_commit(&turn->node->ledger, copy->mem_size);
    if (copy->cancelling) {
        node_release_unmap(turn, copy);
        return;
    }
    copy->load_took_ms = turn->node->now_ms - copy->load_started_ms;
    node_move(turn, copy, QN_COPY_SERVING);
    node_tables_unhint(turn->node, copy->segment_id);
    say_loaded(turn, copy, false);
}

/* The epoch is not remembered: a repeat of the command may try again. */
void node_load_failed(struct node_turn *turn, const struct node_event *event)
{
    struct node_copy *copy = loading(turn, event);
    struct node_action *action;

    ledger_cancel(&turn->node->ledger, copy->mem_size, copy->numa_node);
    if (copy->cancelling) {
        copy->release.unmap_ms = turn->node->now_ms;
        node_release_finish(turn, copy, 0, 0);
        return;
    }
    action = say_failed(turn, copy->segment_id, copy->epoch, event->status);
    node_say_trace(action, copy);
    (void)node_say_text(action, "%s",
                        event->text != NULL ? event->text : qn_status_text(event->status));
    node_drop(turn, copy);
}
