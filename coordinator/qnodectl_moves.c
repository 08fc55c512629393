/* SPDX-License-Identifier: Apache-2.0
 * Moves: kept, printed, and the verb that lists them. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void ctl_moves_add(struct ctl_moves *moves, const struct move_info *info)
{
    if (moves->count == moves->capacity) {
        moves->capacity = moves->capacity * 2 + 16;
        moves->rows = realloc(moves->rows, moves->capacity * sizeof *moves->rows);
        CHECK(moves->rows != NULL);
    }
    struct ctl_move *move = &moves->rows[moves->count++];
    move->info = *info;
    (void)snprintf(move->phase, sizeof move->phase, "%s", info->phase);
    (void)snprintf(move->reason, sizeof move->reason, "%s", info->reason);
    move->info.phase = move->info.reason = NULL; /* the page goes away; the copies stay */
}

void ctl_moves_done(struct ctl_moves *moves)
{
    free(moves->rows);
    *moves = (struct ctl_moves){0};
}

static void keep_moves(void *owner, const struct coord_answer *answer)
{
    for (size_t i = 0; i < answer->moves_count; i++)
        ctl_moves_add(owner, &answer->moves[i]);
}

enum qn_status ctl_moves_list(struct ctl *ctl, struct ctl_moves *ret_moves, struct qn_error *error)
{
    struct coord_request request = {.verb = COORD_LIST_MOVES};
    struct ctl_moves moves = {0};

    if (ctl_call(ctl, &request, keep_moves, &moves, error) != QN_STATUS_OK) {
        ctl_moves_done(&moves);
        return error->status;
    }
    *ret_moves = moves;
    return QN_STATUS_OK;
}

static struct doc *move_doc(const struct ctl_move *move)
{
    const struct move_info *info = &move->info;
    struct doc *row = doc_object();

    doc_set_int(row, "moveID", (int64_t)info->move_id);
    doc_set_int(row, "segmentID", info->segment_id);
    doc_set_int(row, "collectionID", info->collection_id);
    doc_set_int(row, "srcNodeID", info->src_node_id);
    doc_set_int(row, "dstNodeID", info->dst_node_id);
    doc_set_string(row, "phase", move->phase);
    doc_set_string(row, "reason", move->reason);
    doc_set_int(row, "bytes", (int64_t)info->bytes);
    doc_set_int(row, "attempts", info->attempts);
    doc_set_int(row, "startedWallMs", (int64_t)info->started_wall_ms);
    doc_set_int(row, "loadedWallMs", (int64_t)info->loaded_wall_ms);
    doc_set_int(row, "changedWallMs", (int64_t)info->changed_wall_ms);
    doc_set_int(row, "finishedWallMs", (int64_t)info->finished_wall_ms);
    doc_set_int(row, "releasedBytes", (int64_t)info->released_bytes);
    doc_set_int(row, "rssBefore", (int64_t)info->rss_before);
    doc_set_int(row, "rssAfter", (int64_t)info->rss_after);
    doc_set_int(row, "waitedMs", (int64_t)info->waited_ms);
    return row;
}

static void moves_print_json(const struct ctl_moves *moves)
{
    struct doc *rows = doc_array();

    for (size_t i = 0; i < moves->count; i++)
        doc_append(rows, move_doc(&moves->rows[i]));
    doc_print(rows);
    doc_free(rows);
}

static void put_took(struct table *table, const struct move_info *info)
{
    char text[TEXT_BYTES];

    if (info->finished_wall_ms <= info->started_wall_ms)
        table_cell(table, "%s", "");
    else
        table_cell(table, "%s",
                   table_duration_ms(info->finished_wall_ms - info->started_wall_ms, text));
}

void ctl_moves_print(const struct ctl_moves *moves, bool json)
{
    static const struct table_column columns[] = {
        {"move", true},  {"segment", true}, {"from", true}, {"to", true},      {"phase", false},
        {"bytes", true}, {"started", true}, {"took", true}, {"reason", false},
    };
    char text[TEXT_BYTES];

    if (json) {
        moves_print_json(moves);
        return;
    }
    struct table *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < moves->count; i++) {
        const struct move_info *info = &moves->rows[i].info;
        table_cell(table, "%" PRIu64, info->move_id);
        table_cell(table, "%" PRId64, info->segment_id);
        table_cell(table, "%" PRId64, info->src_node_id);
        table_cell(table, "%" PRId64, info->dst_node_id);
        table_cell(table, "%s", moves->rows[i].phase);
        table_cell(table, "%s", text_bytes(info->bytes, text));
        table_cell(table, "%.8s", table_wall_ms(info->started_wall_ms, text));
        put_took(table, info);
        table_cell(table, "%s", moves->rows[i].reason);
    }
    table_print(table, stdout);
    (void)table_free(table);
}

int ctl_moves_verb(struct ctl *ctl)
{
    struct ctl_moves moves;
    struct qn_error error = {0};

    if (ctl_moves_list(ctl, &moves, &error) != QN_STATUS_OK)
        return ctl_fail(&error);
    if (moves.count == 0 && !ctl->arguments->json)
        printf("no moves yet; start some: qnodectl load-balance --src A --dst B\n");
    else
        ctl_moves_print(&moves, ctl->arguments->json);
    ctl_moves_done(&moves);
    return 0;
}
