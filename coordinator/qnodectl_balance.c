/* SPDX-License-Identifier: Apache-2.0
 * load-balance: asks for moves, prints them, and with --wait follows each through its phases. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FOLLOW_STEP_MS = 100 };

static bool phase_is(const struct ctl_move *move, const char *phase)
{
    return strcmp(move->phase, phase) == 0;
}

static void print_progress(const struct ctl_move *move)
{
    const struct move_info *info = &move->info;
    char bytes[TEXT_BYTES], before[TEXT_BYTES], after[TEXT_BYTES];

    printf("segment %" PRId64 "  %" PRId64 " -> %" PRId64 "  %s", info->segment_id,
           info->src_node_id, info->dst_node_id, move->phase);
    if (phase_is(move, "done"))
        printf(": %s back, RSS %s -> %s, waited %" PRIu64 " ms",
               text_bytes(info->released_bytes, bytes), text_bytes(info->rss_before, before),
               text_bytes(info->rss_after, after), info->waited_ms);
    else if (move->reason[0] != '\0')
        printf(": %s", move->reason);
    printf("\n");
    (void)fflush(stdout);
}

/* Takes the news about our moves; prints what changed. */
static void update(struct ctl_moves *ours, const struct ctl_moves *news, bool quiet)
{
    for (size_t i = 0; i < ours->count; i++) {
        struct ctl_move *mine = &ours->rows[i];
        for (size_t j = 0; j < news->count; j++) {
            const struct ctl_move *row = &news->rows[j];
            if (row->info.move_id != mine->info.move_id)
                continue;
            bool changed =
                strcmp(row->phase, mine->phase) != 0 || strcmp(row->reason, mine->reason) != 0;
            *mine = *row;
            if (changed && !quiet)
                print_progress(mine);
        }
    }
}

static size_t unfinished_count(const struct ctl_moves *moves)
{
    size_t count = 0;

    for (size_t i = 0; i < moves->count; i++)
        count += !phase_is(&moves->rows[i], "done") && !phase_is(&moves->rows[i], "failed");
    return count;
}

static enum qn_status follow(struct ctl *ctl, struct ctl_moves *ours, struct qn_error *error)
{
    uint64_t deadline_ms = ctl_now_ms() + (uint64_t)ctl->arguments->timeout_s * 1000;

    while (unfinished_count(ours) > 0) {
        struct ctl_moves news;

        if (ctl_now_ms() >= deadline_ms)
            return error_set(error, QN_STATUS_TIMEOUT,
                             "%zu of %zu moves are not finished after %u s (they go on: qnodectl "
                             "moves)",
                             unfinished_count(ours), ours->count, ctl->arguments->timeout_s);
        clock_nap_us(FOLLOW_STEP_MS * 1000);
        if (ctl_moves_list(ctl, &news, error) != QN_STATUS_OK)
            return error->status;
        update(ours, &news, ctl->arguments->json);
        ctl_moves_done(&news);
    }
    return QN_STATUS_OK;
}

/* Reasons of the failed ones; true if there are any. */
static bool complain(const struct ctl_moves *moves)
{
    size_t failed_count = 0;

    for (size_t i = 0; i < moves->count; i++) {
        const struct ctl_move *move = &moves->rows[i];
        if (!phase_is(move, "failed"))
            continue;
        failed_count++;
        (void)fprintf(stderr, "qnodectl: segment %" PRId64 " stays on node %" PRId64 ": %s\n",
                      move->info.segment_id, move->info.src_node_id, move->reason);
    }
    if (failed_count > 0)
        (void)fprintf(stderr, "qnodectl: %zu of %zu moves failed\n", failed_count, moves->count);
    return failed_count > 0;
}

static int wait_and_report(struct ctl *ctl, struct ctl_moves *moves)
{
    struct qn_error error = {0};
    enum qn_status status = follow(ctl, moves, &error);

    if (ctl->arguments->json)
        ctl_moves_print(moves, true);
    bool failed = complain(moves);
    if (status != QN_STATUS_OK)
        return ctl_fail(&error);
    if (!failed && !ctl->arguments->json)
        printf("%zu of %zu moves done\n", moves->count, moves->count);
    return failed ? 1 : 0;
}

static int report(struct ctl *ctl, struct ctl_moves *moves)
{
    bool json = ctl->arguments->json, wait = ctl->arguments->wait;

    if (json ? !wait : moves->count > 0)
        ctl_moves_print(moves, json);
    (void)fflush(stdout);
    if (wait)
        return wait_and_report(ctl, moves);
    if (moves->count > 0 && !json)
        printf("next: qnodectl moves shows how they go\n");
    return 0;
}

int ctl_load_balance_check(const struct ctl_arguments *arguments)
{
    if (arguments->src == 0 || arguments->dst.count == 0)
        return ctl_usage("load-balance needs --src A and --dst B[,C]");
    return 0;
}

static uint64_t newest_id(const struct ctl_moves *moves)
{
    uint64_t newest = 0;

    for (size_t i = 0; i < moves->count; i++)
        if (moves->rows[i].info.move_id > newest)
            newest = moves->rows[i].info.move_id;
    return newest;
}

static bool has(const struct ctl_ids *ids, int64_t id)
{
    for (size_t i = 0; i < ids->count; i++)
        if (ids->values[i] == id)
            return true;
    return false;
}

/* What the request stands for: moves that are new, or were open already and are the same. */
static bool is_ours(const struct ctl_arguments *arguments, const struct ctl_move *move,
                    uint64_t newest_before)
{
    const struct move_info *info = &move->info;
    bool open = !phase_is(move, "done") && !phase_is(move, "failed");

    return (info->move_id > newest_before || open) && info->src_node_id == arguments->src &&
           has(&arguments->dst, info->dst_node_id) &&
           (arguments->segments.count == 0 || has(&arguments->segments, info->segment_id));
}

/* Asks, and finds the moves that come of it in the list. */
static enum qn_status ask(struct ctl *ctl, struct ctl_moves *ret_ours, struct qn_error *error)
{
    const struct ctl_arguments *arguments = ctl->arguments;
    struct coord_request request = {.verb = COORD_LOAD_BALANCE,
                                    .src_node_id = arguments->src,
                                    .dst_node_ids = arguments->dst.values,
                                    .dst_node_ids_count = arguments->dst.count,
                                    .segment_ids = arguments->segments.values,
                                    .segment_ids_count = arguments->segments.count};
    struct ctl_moves moves;

    if (ctl_moves_list(ctl, &moves, error) != QN_STATUS_OK)
        return error->status;
    uint64_t newest_before = newest_id(&moves);
    ctl_moves_done(&moves);
    if (ctl_call(ctl, &request, ctl_say_text, ctl, error) != QN_STATUS_OK ||
        ctl_moves_list(ctl, &moves, error) != QN_STATUS_OK)
        return error->status;
    size_t kept = 0;
    for (size_t i = 0; i < moves.count; i++)
        if (is_ours(arguments, &moves.rows[i], newest_before))
            moves.rows[kept++] = moves.rows[i];
    moves.count = kept;
    *ret_ours = moves;
    return QN_STATUS_OK;
}

int ctl_load_balance(struct ctl *ctl)
{
    struct ctl_moves moves = {0};
    struct qn_error error = {0};
    int code = ask(ctl, &moves, &error) != QN_STATUS_OK ? ctl_fail(&error) : report(ctl, &moves);

    ctl_moves_done(&moves);
    return code;
}
