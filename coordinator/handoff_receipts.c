/* SPDX-License-Identifier: Apache-2.0
 * What receipts tell the moves. A receipt only runs ahead of the report that will say the same;
 * what it alone knows are figures and reasons. */
#include "coordinator/handoff_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* True: it may pass, or be put right, by itself. */
static bool is_passing(enum qn_status status)
{
    switch (status) {
    case QN_STATUS_OVER_BUDGET:
    case QN_STATUS_CORRUPT:
    case QN_STATUS_CONFLICT:
    case QN_STATUS_NOT_FOUND:
    case QN_STATUS_INVALID:
    case QN_STATUS_UNSUPPORTED:
        return false;
    default:
        return true;
    }
}

bool handoff_on_load_failed(struct core *core, struct catalog_move *move, enum qn_status status,
                            const char *text)
{
    struct catalog_wanted *wanted = catalog_wanted(
        catalog_segment(&core->catalog, move->row.segment_id), move->row.dst_node_id);
    char reason[sizeof move->row.reason];

    if (move->row.phase != HANDOFF_LOADING || wanted == NULL)
        return false;
    (void)snprintf(reason, sizeof reason, "node %" PRId64 ": %s: %s", move->row.dst_node_id,
                   qn_status_name(status), text);
    if (is_passing(status) && wanted->failures <= HANDOFF_RETRIES_MAX) {
        handoff_set_reason(core, move, HANDOFF_TROUBLE_LOAD_FAILED, reason);
        return false;
    }
    handoff_fail(core, move, reason);
    return true;
}

void handoff_on_reminted(struct core *core, struct catalog_move *move, int64_t node_id,
                         struct qn_epoch epoch)
{
    if (node_id == move->row.dst_node_id)
        move->row.dst_epoch = epoch;
    else if (node_id == move->row.src_node_id)
        move->row.src_epoch = epoch;
    else
        return;
    move->row.attempts++;
    catalog_put_move(move, core->out);
}

static void take_figures(struct catalog_move *move, const struct segment_released *receipt)
{
    move->row.released_bytes = receipt->bytes;
    move->row.rss_before = receipt->rss_before;
    move->row.rss_after = receipt->rss_after;
    move->row.waited_ms = receipt->waited_ms;
}

/* The newest move whose source was that very copy. */
static struct catalog_move *move_of_source(const struct core *core, int64_t segment_id,
                                           int64_t node_id, struct qn_epoch epoch)
{
    for (size_t i = core->catalog.moves.count; i > 0; i--) {
        struct catalog_move *move = core->catalog.moves.entries[i - 1].item;
        if (move->row.segment_id == segment_id && move->row.src_node_id == node_id &&
            qn_epoch_compare(move->row.src_epoch, epoch) == 0)
            return move;
    }
    return NULL;
}

void handoff_on_released(struct core *core, const struct cluster_node *node,
                         const struct segment_released *receipt)
{
    struct catalog_move *move =
        move_of_source(core, receipt->segment_id, node->node_id, receipt->epoch);

    if (move == NULL || move->row.phase == HANDOFF_FAILED)
        return;
    bool known = move->row.released_bytes != 0 || receipt->bytes == 0;
    take_figures(move, receipt);
    if (!known)
        outbox_note(core->out, false,
                    "segment %" PRId64 " released by node %" PRId64 ": %" PRIu64
                    " bytes, RssAnon %" PRIu64 " -> %" PRIu64 ", waited %" PRIu64 " ms",
                    receipt->segment_id, node->node_id, receipt->bytes, receipt->rss_before,
                    receipt->rss_after, receipt->waited_ms);
    if (move->row.phase == HANDOFF_DONE) {
        if (!known)
            catalog_put_move(move, core->out);
        return;
    }
    /* In loading: a release that we took for undone went on, so its witness, the target, served. */
    bool undone = move->row.phase == HANDOFF_LOADING && receipt->ground == GROUND_MOVED &&
                  receipt->moved_to == move->row.dst_node_id;
    if (undone)
        catalog_unwant(catalog_segment(&core->catalog, move->row.segment_id), node->node_id,
                       core->out);
    if (!undone && move->row.phase != HANDOFF_RELEASING)
        return;
    move->row.reason[0] = '\0';
    handoff_move_to(core, move, HANDOFF_DONE);
}

void handoff_on_held(struct core *core, const struct cluster_node *node,
                     const struct release_held *receipt)
{
    struct catalog_move *move =
        move_of_source(core, receipt->segment_id, node->node_id, receipt->epoch);
    char reason[sizeof move->row.reason];

    if (move == NULL || move->row.phase != HANDOFF_RELEASING || move->held)
        return;
    (void)snprintf(reason, sizeof reason, "held by node %" PRId64 ": %s: %s", node->node_id,
                   qn_status_name(receipt->status), receipt->text);
    move->held = true;
    move->asked_ms = core->now_ms == 0 ? 1 : core->now_ms;
    handoff_set_reason(core, move, HANDOFF_TROUBLE_HELD, reason);
}
