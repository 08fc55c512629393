/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/handoff.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_MS = 5000 };

static struct handoff_row *row_add(struct handoff *handoff, uint64_t wall_ms, int64_t segment_id,
                                   const char *phase)
{
    static const struct handoff_row none;
    struct handoff_row *row = &handoff->rows[handoff->rows_count];

    if (handoff->rows_count + 1 < HANDOFF_ROWS_MAX)
        handoff->rows_count++; /* a timeline that long is not read: its last row is overwritten */
    *row = none;
    row->wall_ms = wall_ms;
    row->segment_id = segment_id;
    row->phase = phase;
    row->src = handoff->leg_src;
    row->dst = handoff->leg_dst;
    return row;
}

/* ---- the coordinator's lists --------------------------------------------------------------- */

static enum qn_status ask(struct handoff *handoff, const struct coord_request *request,
                          qn_on_answer *on_answer, void *owner, struct qn_error *error)
{
    struct coord_request whole = *request;

    whole.collection = whole.collection != NULL ? whole.collection : "";
    whole.folder = "";
    return qn_coord_call(handoff->client, &whole, CALL_MS, on_answer, owner, error);
}

static void on_nodes(void *owner, const struct coord_answer *answer)
{
    struct handoff_nodes *nodes = owner;

    for (size_t i = 0; i < answer->nodes_count && nodes->count < HANDOFF_NODES_MAX; i++) {
        const struct node_info *info = &answer->nodes[i];
        struct handoff_node *node = &nodes->rows[nodes->count++];
        *node = (struct handoff_node){.node_id = info->node_id,
                                      .copies_count = info->copies_count,
                                      .budget_bytes = info->memory.budget_bytes,
                                      .ledger_bytes = info->memory.ledger_bytes,
                                      .anon_bytes = info->memory.anon_bytes};
        (void)snprintf(node->kernels, sizeof node->kernels, "%s", info->kernels);
    }
}

enum qn_status handoff_read_nodes(struct handoff *handoff, enum handoff_moment moment,
                                  struct qn_error *error)
{
    struct coord_request request = {.verb = COORD_LIST_NODES};

    handoff->nodes[moment].count = 0;
    return ask(handoff, &request, on_nodes, &handoff->nodes[moment], error);
}

static void on_segments(void *owner, const struct coord_answer *answer)
{
    struct handoff *handoff = owner;

    for (size_t i = 0; i < answer->segments_count; i++)
        if (answer->segments[i].collection_id == handoff->options->load.collection_id &&
            handoff->segments_count < HANDOFF_SEGMENTS_MAX)
            handoff->segments[handoff->segments_count++] = answer->segments[i];
}

enum qn_status handoff_read_segments(struct handoff *handoff, struct qn_error *error)
{
    char collection[24];
    struct coord_request request = {.verb = COORD_LIST_SEGMENTS, .collection = collection};

    (void)snprintf(collection, sizeof collection, "%lld",
                   (long long)handoff->options->load.collection_id);
    handoff->segments_count = 0;
    return ask(handoff, &request, on_segments, handoff, error);
}

static bool is_moving(const struct handoff *handoff, int64_t segment_id)
{
    for (size_t i = 0; i < handoff->moving_count; i++)
        if (handoff->moving[i] == segment_id)
            return true;
    return false;
}

/* Moves of our segments that were not there before the leg are the leg's. */
static void on_planned(void *owner, const struct coord_answer *answer)
{
    struct handoff *handoff = owner;

    for (size_t i = 0; i < answer->moves_count; i++) {
        const struct move_info *move = &answer->moves[i];
        if (move->move_id <= handoff->newest_move_id)
            continue;
        if (is_moving(handoff, move->segment_id) && handoff->move_ids_count < HANDOFF_SEGMENTS_MAX)
            handoff->move_ids[handoff->move_ids_count++] = move->move_id;
    }
}

static void on_old_moves(void *owner, const struct coord_answer *answer)
{
    struct handoff *handoff = owner;

    for (size_t i = 0; i < answer->moves_count; i++)
        if (answer->moves[i].move_id > handoff->newest_move_id)
            handoff->newest_move_id = answer->moves[i].move_id;
}

enum qn_status handoff_ask_moves(struct handoff *handoff, int64_t src, int64_t dst,
                                 struct qn_error *error)
{
    struct coord_request list = {.verb = COORD_LIST_MOVES};
    struct coord_request request = {.verb = COORD_LOAD_BALANCE,
                                    .src_node_id = src,
                                    .dst_node_ids = &dst,
                                    .dst_node_ids_count = 1,
                                    .segment_ids = handoff->moving,
                                    .segment_ids_count = handoff->moving_count};

    handoff->leg_src = src;
    handoff->leg_dst = dst;
    handoff->move_ids_count = 0;
    if (ask(handoff, &list, on_old_moves, handoff, error) != QN_STATUS_OK ||
        ask(handoff, &request, NULL, NULL, error) != QN_STATUS_OK ||
        ask(handoff, &list, on_planned, handoff, error) != QN_STATUS_OK)
        return error->status;
    handoff->unfinished_count = handoff->move_ids_count;
    if (handoff->move_ids_count != handoff->moving_count)
        return error_set(error, QN_STATUS_INCOMPLETE,
                         "the coordinator planned %zu moves, %zu were asked for",
                         handoff->move_ids_count, handoff->moving_count);
    return QN_STATUS_OK;
}

/* A move that is over: what only the coordinator knows of it enters the timeline. */
static void note_finished(struct handoff *handoff, const struct move_info *move)
{
    handoff->unfinished_count--;
    struct handoff_row *row =
        row_add(handoff, move->started_wall_ms, move->segment_id, "load asked");
    row->bytes = move->bytes;
    if (move->changed_wall_ms != 0)
        (void)row_add(handoff, move->changed_wall_ms, move->segment_id, "change info");
    if (strcmp(move->phase, "failed") == 0) {
        (void)snprintf(handoff->failure, sizeof handoff->failure,
                       "segment %lld did not move from %lld to %lld: %.150s",
                       (long long)move->segment_id, (long long)move->src_node_id,
                       (long long)move->dst_node_id, move->reason);
        row = row_add(handoff, move->finished_wall_ms, move->segment_id, "failed");
        (void)snprintf(row->note, sizeof row->note, "%s", move->reason);
    }
}

static void on_moves(void *owner, const struct coord_answer *answer)
{
    struct handoff *handoff = owner;

    for (size_t i = 0; i < answer->moves_count; i++) {
        const struct move_info *move = &answer->moves[i];
        bool over = strcmp(move->phase, "done") == 0 || strcmp(move->phase, "failed") == 0;
        for (size_t j = 0; over && j < handoff->move_ids_count; j++)
            if (handoff->move_ids[j] == move->move_id) {
                note_finished(handoff, move);
                handoff->move_ids[j] = 0;
            }
    }
}

enum qn_status handoff_look_at_moves(struct handoff *handoff, struct qn_error *error)
{
    struct coord_request request = {.verb = COORD_LIST_MOVES};

    return ask(handoff, &request, on_moves, handoff, error);
}

/* ---- receipts ------------------------------------------------------------------------------ */

/* A row for a receipt about a moving segment; NULL for another's, and for a repeat (C1: a message
 * may come twice). */
static struct handoff_row *receipt_add(struct handoff *handoff, int64_t segment_id,
                                       struct qn_epoch epoch, const char *phase)
{
    if (!is_moving(handoff, segment_id))
        return NULL;
    for (size_t i = 0; i < handoff->rows_count; i++) {
        const struct handoff_row *row = &handoff->rows[i];
        if (row->segment_id == segment_id && qn_epoch_compare(row->epoch, epoch) == 0 &&
            strcmp(row->phase, phase) == 0)
            return NULL;
    }
    struct handoff_row *row = row_add(handoff, clock_wall_ms(), segment_id, phase);
    row->epoch = epoch;
    return row;
}

static void note_released(struct handoff *handoff, const struct segment_released *receipt)
{
    struct handoff_receipts *receipts = &handoff->receipts;
    struct handoff_row *row = receipt_add(handoff, receipt->segment_id, receipt->epoch, "released");

    if (row == NULL)
        return;
    row->bytes = receipt->bytes;
    row->rss_before = receipt->rss_before;
    row->rss_after = receipt->rss_after;
    row->waited_ms = receipt->waited_ms;
    receipts->released_count++;
    receipts->released_bytes += receipt->bytes;
    if (receipt->rss_before > receipt->rss_after)
        receipts->fallen_bytes += receipt->rss_before - receipt->rss_after;
    if (receipt->waited_ms > receipts->waited_max_ms)
        receipts->waited_max_ms = receipt->waited_ms;
}

static void note_loaded(struct handoff *handoff, const struct segment_loaded *receipt)
{
    struct handoff_row *row =
        receipt_add(handoff, receipt->segment_id, receipt->epoch, "both serve");

    if (row == NULL)
        return;
    row->bytes = receipt->bytes;
    (void)snprintf(row->note, sizeof row->note, "loaded in %llu ms",
                   (unsigned long long)receipt->took_ms);
}

/* Trouble may come again and is shown again. */
static void note_trouble(struct handoff *handoff, int64_t segment_id, const char *phase,
                         const char *text)
{
    if (!is_moving(handoff, segment_id))
        return;
    struct handoff_row *row = row_add(handoff, clock_wall_ms(), segment_id, phase);
    (void)snprintf(row->note, sizeof row->note, "%s", text);
}

static void note_receipt(struct handoff *handoff, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_SEGMENT_LOADED:
        note_loaded(handoff, &message->segment_loaded);
        break;
    case MESSAGE_SEGMENT_RELEASED:
        note_released(handoff, &message->segment_released);
        break;
    case MESSAGE_LEAVING:
        (void)receipt_add(handoff, message->leaving.segment_id, message->leaving.epoch, "leaving");
        break;
    case MESSAGE_LOAD_FAILED:
        note_trouble(handoff, message->load_failed.segment_id, "load failed",
                     message->load_failed.text);
        break;
    case MESSAGE_RELEASE_HELD:
        note_trouble(handoff, message->release_held.segment_id, "held", message->release_held.text);
        break;
    default:
        break;
    }
}

void handoff_listen(struct handoff *handoff, uint64_t ms)
{
    struct clock clock = clock_monotonic();
    uint64_t until_us = clock_now_us(&clock) + ms * 1000, now_us;

    while ((now_us = clock_now_us(&clock)) < until_us) {
        uint32_t wait_ms = (uint32_t)((until_us - now_us + 999) / 1000);
        const struct message *message = qn_feed_next(handoff->feed, wait_ms);
        if (message != NULL)
            note_receipt(handoff, message);
    }
}
