/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/step.h"

#include "coordinator/api.h"
#include "coordinator/command.h"
#include "coordinator/handoff.h"
#include "coordinator/reconcile.h"
#include "coordinator/view.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- terms ----------------------------------------------------------------------------------- */

/* The next start takes a term above the one that ended us, whoever is there to tell it then. */
static void step_down(struct core *core, const struct message *message, const char *because)
{
    char text[256];

    (void)snprintf(text, sizeof text, "%s knows term %" PRIu64 ", ours is %" PRIu64 ": %s",
                   message->sender, message->term, core->term, because);
    core->phase = CORE_STOPPED;
    core->out->failure = outbox_strdup(core->out, text);
    if (message->term <= core->term)
        return;
    core->term = message->term;
    core->counters_changed = true;
}

/* False: a higher term ended us. Absurd terms are not believed, as agents do not (C2): counted from
 * our own term, so that several messages lead no further than one, and the term that we take above
 * it is one that agents obey. */
static bool hear_term(struct core *core, const struct message *message)
{
    uint64_t known = core->term > core->heard_term ? core->term : core->heard_term;

    if (message->term <= known ||
        message->term - core->term > (UINT64_C(1) << LIMIT_TERM_JUMP_LOG2) - CORE_TERM_SPREAD)
        return true;
    if (core->phase == CORE_ACTIVE) {
        step_down(core, message, "another coordinator has taken over");
        return false;
    }
    core->heard_term = message->term;
    return true;
}

/* A client may hold a view of a coordinator that no node heard of: it died, or was cut off. But
 * many may ask, and who lies about it shall not keep us from working: we step down for it once in a
 * while. */
static bool hear_client_term(struct core *core, const struct message *message)
{
    if (core->phase == CORE_ACTIVE && core->now_ms - core->active_ms < CORE_CLIENT_TERM_MS)
        return true;
    return hear_term(core, message);
}

/* Not just the next one: two that start together, or cannot hear each other, would take the same,
 * and their views could not be told apart by (term, version). */
static void take_term(struct core *core)
{
    if (core->heard_term > core->term)
        core->term = core->heard_term;
    core->term += 1 + core->options.boot % CORE_TERM_SPREAD;
    core->phase = CORE_ACTIVE;
    core->active_ms = core->now_ms;
    core->counters_changed = true;
    outbox_note(core->out, false, "term %" PRIu64 " taken; %zu nodes heard of", core->term,
                core->cluster.nodes.count);
    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        struct cluster_node *node = core->cluster.nodes.entries[i].item;
        if (!node->listed)
            command_ask_report(core, node);
        if (!node->silent)
            command_tell_term(core, node);
    }
    core_touch(core);
}

/* Who else believes to be the coordinator hears it on its own subject. */
static void announce(struct core *core)
{
    if (core->announced_ms != 0 && core->now_ms - core->announced_ms < CORE_REPEAT_MS)
        return;
    core->announced_ms = core->now_ms == 0 ? 1 : core->now_ms;
    (void)outbox_message(core->out, OUTBOX_ANNOUNCE, 0, MESSAGE_REPORT_REQUEST);
}

/* Two that start together hear the same reports and take the same term: one gives way. */
static void on_announcement(struct core *core, const struct message *message)
{
    if (message->boot == core->options.boot || !hear_term(core, message))
        return;
    if (core->phase == CORE_ACTIVE && message->term == core->term &&
        core->options.boot < message->boot)
        step_down(core, message, "another coordinator took it at the same time");
}

/* ---- reports and receipts -------------------------------------------------------------------- */

static void on_report(struct core *core, const struct message *message)
{
    struct cluster_change change = cluster_on_report(&core->cluster, message, core->now_ms);
    struct cluster_node *node = change.node;
    const char *what = change.joined      ? "joined"
                       : change.restarted ? "restarted"
                       : change.returned  ? "is back"
                                          : NULL;

    if (change.reborn != NULL)
        outbox_note(core->out, true,
                    "node %" PRId64 " reports boot %" PRIu64 ", boot %" PRIu64
                    " was heard before: its state directory was lost, or two have this id. Its "
                    "reports are dropped; if it is lost, restart qcoordd",
                    change.reborn->node_id, message->boot, change.reborn->boot);
    if (node == NULL)
        return;
    if (what != NULL)
        outbox_note(core->out, false,
                    "node %" PRId64 " %s (boot %" PRIu64 ", budget %" PRIu64 " bytes, %" PRIu32
                    " copies)",
                    node->node_id, what, node->boot, node->memory.budget_bytes,
                    message->node_report.copies_count);
    if (what != NULL || change.relisted || change.risen)
        core_touch(core);
    if (core->phase == CORE_ACTIVE && node->told_ms == 0 && node->term == core->term) {
        step_down(core, message, "we did not tell it, so another coordinator uses it too");
        return;
    }
    if (node->stale)
        command_ask_report(core, node);
    if (core->phase == CORE_ACTIVE)
        command_tell_term(core, node);
}

static struct cluster_copy copy_from(const struct catalog_segment *segment, struct qn_epoch epoch)
{
    return (struct cluster_copy){
        .segment_id = segment->segment_id,
        .collection_id = segment->collection->row.collection_id,
        .partition_id = segment->partition_id,
        .mem_size = segment->mem_size,
        .num_rows = segment->num_rows,
        .delete_generation = segment->delete_generation,
        .epoch = epoch,
        .content_hash = segment->content_hash,
        .state = QN_COPY_SERVING,
        .segment_state = segment->state,
    };
}

/* A late repeat must not bring a copy back: only what is wanted, or known as loading, serves. */
static void on_loaded(struct core *core, struct cluster_node *node,
                      const struct segment_loaded *receipt)
{
    const struct catalog_segment *segment = catalog_segment(&core->catalog, receipt->segment_id);
    struct cluster_copy *copy = cluster_copy(node, receipt->segment_id);
    struct catalog_wanted *wanted = segment == NULL ? NULL : catalog_wanted(segment, node->node_id);

    if (!node->listed || wanted == NULL || qn_epoch_compare(wanted->epoch, receipt->epoch) != 0)
        return;
    if (copy != NULL && qn_epoch_compare(copy->epoch, receipt->epoch) == 0 &&
        copy->state != QN_COPY_LOADING)
        return;
    struct cluster_copy serving = copy_from(segment, receipt->epoch);
    cluster_set_copy(node, &serving);
    wanted->failures = 0;
    outbox_note(core->out, false,
                "segment %" PRId64 " %s by node %" PRId64 ": %" PRIu64 " bytes in %" PRIu64 " ms",
                receipt->segment_id, receipt->adopted ? "adopted" : "loaded", node->node_id,
                receipt->bytes, receipt->took_ms);
    core_touch(core);
}

static void on_released(struct core *core, struct cluster_node *node,
                        const struct segment_released *receipt)
{
    const struct cluster_copy *copy = cluster_copy(node, receipt->segment_id);

    if (copy != NULL && qn_epoch_compare(copy->epoch, receipt->epoch) == 0)
        cluster_drop_copy(node, receipt->segment_id);
    handoff_on_released(core, node, receipt);
    core_touch(core);
}

/* A stale load is refused so when a newer copy is there; the epoch in it is that copy's. */
static void on_refused(struct core *core, struct cluster_node *node, const struct message *message)
{
    const struct command_refused *refused = &message->command_refused;
    const struct catalog_segment *segment = catalog_segment(&core->catalog, refused->segment_id);
    const struct catalog_wanted *wanted =
        segment == NULL ? NULL : catalog_wanted(segment, node->node_id);

    if (wanted == NULL || refused->status != QN_STATUS_EPOCH_STALE ||
        wanted->request_id != message->request_id)
        return;
    reconcile_on_load_failed(core, node,
                             &(struct load_failed){.segment_id = refused->segment_id,
                                                   .epoch = wanted->epoch,
                                                   .status = refused->status,
                                                   .text = refused->text});
}

static void on_receipt(struct core *core, const struct message *message)
{
    struct cluster_node *node = cluster_sender(&core->cluster, message);

    if (node == NULL || core->phase != CORE_ACTIVE)
        return;
    switch (message->kind) {
    case MESSAGE_SEGMENT_LOADED:
        on_loaded(core, node, &message->segment_loaded);
        break;
    case MESSAGE_SEGMENT_RELEASED:
        on_released(core, node, &message->segment_released);
        break;
    case MESSAGE_LOAD_FAILED:
        reconcile_on_load_failed(core, node, &message->load_failed);
        core->touched = true;
        break;
    case MESSAGE_RELEASE_HELD:
        handoff_on_held(core, node, &message->release_held);
        core->touched = true;
        break;
    case MESSAGE_COMMAND_REFUSED:
        on_refused(core, node, message);
        break;
    default: /* LEAVING: the list says it too, and in order */
        break;
    }
}

static void on_message(struct core *core, const struct message *message)
{
    if (strcmp(message->cluster, core->options.cluster) != 0)
        return;
    switch (message->kind) {
    case MESSAGE_NODE_REPORT:
        if (hear_term(core, message))
            on_report(core, message);
        break;
    case MESSAGE_REPORT_REQUEST:
        on_announcement(core, message);
        break;
    case MESSAGE_COORD_REQUEST:
        if (message->coord_request.verb != COORD_GET_VIEW || hear_client_term(core, message))
            api_on_request(core, message);
        break;
    default:
        if (message_is_receipt(message->kind) && hear_term(core, message))
            on_receipt(core, message);
        break;
    }
}

/* ---- the step -------------------------------------------------------------------------------- */

static void on_tick(struct core *core, bool deaf)
{
    struct cluster_node *node;

    /* Else every node would be silent when the bus is back, and views would lose all copies. */
    if (deaf)
        core->cluster.deaf_ms = core->now_ms;
    if (deaf && core->phase == CORE_LISTENING)
        core->opened_ms = core->now_ms;

    if (core->strays_due_ms != 0 && core->now_ms >= core->strays_due_ms)
        core_touch(core);
    if (core->obedience_due_ms != 0 && core->now_ms >= core->obedience_due_ms) {
        core->obedience_due_ms = 0;
        core_touch(core);
    }
    while ((node = cluster_next_silent(&core->cluster, core->now_ms)) != NULL) {
        outbox_note(core->out, true, "node %" PRId64 " silent for %.1f s", node->node_id,
                    (double)(core->now_ms - node->heard_ms) / 1000);
        core_touch(core);
    }
    if (core->phase == CORE_LISTENING && core->now_ms - core->opened_ms >= CORE_LISTEN_MS)
        take_term(core);
    if (core->phase == CORE_ACTIVE)
        announce(core);
}

/* Views follow moves follow loads: each sees what the one before has decided. */
static void advance(struct core *core, bool is_tick)
{
    bool busy = core->touched || core->unsettled || core->catalog.open_moves_count > 0;

    if (busy && (core->touched || is_tick)) {
        core->touched = false;
        view_run(core);
        handoff_run(core);
        core->unsettled = reconcile_run(core);
    }
    if (is_tick || core->touched)
        view_run(core);
}

static void put_counters(struct core *core)
{
    if (!core->counters_changed)
        return;
    core->counters_changed = false;
    struct state_counter *term = &outbox_row(core->out, STATE_COUNTER)->counter;
    (void)snprintf(term->name, sizeof term->name, "term");
    term->value = core->term;
    struct state_counter *version = &outbox_row(core->out, STATE_COUNTER)->counter;
    (void)snprintf(version->name, sizeof version->name, "version");
    version->value = core->version;
}

/* What a traced request causes in the same step is traced with it. */
static void fill_envelopes(struct core *core, const struct message *cause)
{
    const char *traceparent =
        cause == NULL || cause->kind != MESSAGE_COORD_REQUEST || cause->traceparent == NULL
            ? ""
            : outbox_strdup(core->out, cause->traceparent);

    for (size_t i = 0; i < core->out->sends_count; i++) {
        struct message *message = &core->out->sends[i].message;
        message->cluster = core->options.cluster;
        message->sender = "coordinator";
        message->boot = core->options.boot;
        message->term = core->term;
        message->traceparent = traceparent;
    }
}

void coordinator_step(struct core *core, const struct step_event *event, struct outbox *outbox)
{
    if (core->phase == CORE_STOPPED)
        return;
    core->out = outbox;
    core->now_ms = event->now_ms;
    core->wall_ms = event->wall_ms;
    core->payload_max = LIMIT_ANSWER_PART_BYTES;
    if (event->payload_max != 0 && event->payload_max < core->payload_max)
        core->payload_max = event->payload_max;
    if (!core->opened) {
        core->opened = true;
        core->opened_ms = event->now_ms;
    }
    if (event->kind == STEP_TICK)
        on_tick(core, event->deaf);
    else if (event->kind == STEP_MESSAGE)
        on_message(core, event->message);
    else
        api_on_manifest(core, event->message, event->manifest, event->error);
    if (core->phase == CORE_ACTIVE)
        advance(core, event->kind == STEP_TICK);
    put_counters(core);
    fill_envelopes(core, event->kind == STEP_TICK ? NULL : event->message);
    core->out = NULL;
}
