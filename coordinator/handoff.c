/* SPDX-License-Identifier: Apache-2.0
 * The machine of one move.
 *
 *     loading -> overlap -> releasing -> done
 *        ^  \       |           |
 *        |   failed |           |      loading with a reason is shown as "stalled"
 *        +----------+-----------+
 *
 * Who calls: the step, once whenever something that is known has changed and once per tick. Each
 * call looks at what the reports say and takes at most one arrow per move. Nothing here remembers
 * what was sent: a move's phase says what is wanted, the reports say what is, and the difference is
 * commanded again each second. So any message may be lost, and a coordinator that restarts at any
 * point goes on from the phase in its state alone.
 *
 * What may not happen: a segment without a copy because of us. The copies that are wanted are rows
 * (catalog.c), the view lists wanted copies that answer, and no node drops a copy but by a command
 * that names its epoch. Only the step into releasing takes the source's row away, and it does so in
 * the transaction that records the phase, when the target has served for overlap_ms in a published
 * view. From then on the source is asked to go, with the target as its witness; the agents settle
 * among themselves whether that is safe at the moment it happens (C6). We may be wrong about the
 * target, the witness is not.
 *
 * Why the view goes first: a client that holds the view without the source asks the target only, so
 * the source drains quickly; one that missed it is told MOVED. The change info follows the view it
 * was computed against and nothing else goes into that step of the version, so a client may apply
 * either.
 *
 * Why a move goes back: when the target is lost in overlap, the view drops it by itself (it does
 * not report the copy) and the move loads again, with the same epoch. When it is lost in releasing,
 * the source holds its release (its witness did not answer) and serves on. That is known seconds
 * before the target counts as silent, and until then no view would list a copy that answers: we
 * want the source again at once, same epoch, same transaction, the view lists it, and the move goes
 * on when the target is heard of again. If we are wrong and the source did go meanwhile,
 * its receipt or its report says so: either the move is done, or the source's copy, wanted again,
 * is refused EPOCH_STALE and loaded with a new epoch. Both end with every segment served.
 *
 * Why the source is not just told again and again while the target is silent: it would only hold
 * the release each time, and LEAVING copies answer no witness. */
#include "coordinator/handoff_internal.h"

#include "base/check.h"
#include "coordinator/view.h"
#include <inttypes.h>
#include <stdio.h>

static void step_loading(struct core *core, struct catalog_move *move);
static void step_overlap(struct core *core, struct catalog_move *move);
static void step_releasing(struct core *core, struct catalog_move *move);

static const struct {
    const char *name;
    uint32_t next;
    void (*step)(struct core *core, struct catalog_move *move);
} phases[] = {
    [HANDOFF_LOADING] = {"loading",
                         1u << HANDOFF_OVERLAP | 1u << HANDOFF_DONE | 1u << HANDOFF_FAILED,
                         step_loading},
    [HANDOFF_OVERLAP] = {"overlap",
                         1u << HANDOFF_LOADING | 1u << HANDOFF_RELEASING | 1u << HANDOFF_FAILED,
                         step_overlap},
    [HANDOFF_RELEASING] = {"releasing",
                           1u << HANDOFF_LOADING | 1u << HANDOFF_DONE | 1u << HANDOFF_FAILED,
                           step_releasing},
    [HANDOFF_DONE] = {"done", 0, NULL},
    [HANDOFF_FAILED] = {"failed", 0, NULL},
};

bool handoff_phase_is_known(uint32_t phase)
{
    return phase < COUNT_OF(phases) && phases[phase].name != NULL;
}

bool handoff_phase_is_final(uint32_t phase)
{
    CHECK(handoff_phase_is_known(phase));
    return phases[phase].next == 0;
}

const char *handoff_phase_name(const struct state_move *row)
{
    if (row->phase == HANDOFF_LOADING && row->reason[0] != '\0')
        return "stalled";
    return phases[row->phase].name;
}

/* ---- changes --------------------------------------------------------------------------------- */

static void note(struct core *core, const struct catalog_move *move)
{
    const struct state_move *row = &move->row;
    bool trouble = row->reason[0] != '\0';

    outbox_note(core->out, trouble,
                "move %" PRIu64 ": segment %" PRId64 " from node %" PRId64 " to node %" PRId64
                ": %s%s%s",
                row->move_id, row->segment_id, row->src_node_id, row->dst_node_id,
                handoff_phase_name(row), trouble ? ": " : "", row->reason);
}

void handoff_move_to(struct core *core, struct catalog_move *move, enum handoff_phase next)
{
    CHECK(phases[move->row.phase].next & 1u << next);
    move->row.phase = next;
    move->trouble = HANDOFF_TROUBLE_NONE;
    move->shown_ms = 0;
    move->asked_ms = 0;
    move->held = false;
    core->touched = true;
    if (handoff_phase_is_final(next)) {
        move->row.finished_wall_ms = core->wall_ms;
        note(core, move);
        catalog_close_move(&core->catalog, move, core->out);
        return;
    }
    note(core, move);
    catalog_put_move(move, core->out);
}

static void clear_reason(struct core *core, struct catalog_move *move)
{
    move->trouble = HANDOFF_TROUBLE_NONE;
    if (move->row.reason[0] == '\0')
        return;
    move->row.reason[0] = '\0';
    note(core, move);
    catalog_put_move(move, core->out);
}

void handoff_set_reason(struct core *core, struct catalog_move *move, enum handoff_trouble trouble,
                        const char *reason)
{
    if (move->trouble == (unsigned)trouble && trouble != HANDOFF_TROUBLE_HELD &&
        trouble != HANDOFF_TROUBLE_LOAD_FAILED)
        return;
    move->trouble = trouble;
    move->row.attempts++;
    (void)snprintf(move->row.reason, sizeof move->row.reason, "%s", reason);
    note(core, move);
    catalog_put_move(move, core->out);
}

static struct catalog_segment *segment_of(const struct core *core, const struct catalog_move *move)
{
    struct catalog_segment *segment = catalog_segment(&core->catalog, move->row.segment_id);

    CHECK(segment != NULL);
    return segment;
}

static enum cluster_standing target_of(const struct core *core, const struct catalog_move *move)
{
    return core_standing(core, move->row.dst_node_id, move->row.segment_id, move->row.dst_epoch);
}

static enum cluster_standing source_of(const struct core *core, const struct catalog_move *move)
{
    return core_standing(core, move->row.src_node_id, move->row.segment_id, move->row.src_epoch);
}

void handoff_start(struct core *core, struct catalog_segment *segment, int64_t src_node_id,
                   int64_t dst_node_id)
{
    const struct catalog_wanted *source = catalog_wanted(segment, src_node_id);
    const struct cluster_node *target = cluster_find(&core->cluster, dst_node_id);
    struct state_move row = {
        .segment_id = segment->segment_id,
        .src_node_id = src_node_id,
        .dst_node_id = dst_node_id,
        .phase = HANDOFF_LOADING,
        .bytes = segment->mem_size,
        .started_wall_ms = core->wall_ms,
        .attempts = 1,
    };

    CHECK(source != NULL && src_node_id != dst_node_id);
    row.src_epoch = source->epoch;
    row.dst_epoch = core_mint(core);
    (void)catalog_want(segment, dst_node_id, row.dst_epoch, core->out);
    struct catalog_move *move = catalog_add_move(&core->catalog, segment, &row, core->out);
    move->dst_boot = target == NULL ? 0 : target->boot;
    core->touched = true;
    note(core, move);
}

void handoff_fail(struct core *core, struct catalog_move *move, const char *reason)
{
    struct catalog_segment *segment = segment_of(core, move);

    if (move->row.phase != HANDOFF_RELEASING)
        catalog_unwant(segment, move->row.dst_node_id, core->out);
    (void)snprintf(move->row.reason, sizeof move->row.reason, "%s", reason);
    handoff_move_to(core, move, HANDOFF_FAILED);
}

/* ---- loading --------------------------------------------------------------------------------- */

/* Why the target is not loading, for people. */
static void look_for_trouble(struct core *core, struct catalog_move *move,
                             enum cluster_standing target)
{
    const struct cluster_node *node = cluster_find(&core->cluster, move->row.dst_node_id);
    char who[96], reason[160];

    if (target == CLUSTER_SILENT) {
        core_silence_text(core, move->row.dst_node_id, who, sizeof who);
        (void)snprintf(reason, sizeof reason, "%s while loading", who);
        handoff_set_reason(core, move, HANDOFF_TROUBLE_SILENT, reason);
        return;
    }
    if (node == NULL || node->boot == move->dst_boot)
        return;
    if (move->dst_boot != 0) {
        (void)snprintf(reason, sizeof reason, "node %" PRId64 " restarted while loading",
                       move->row.dst_node_id);
        handoff_set_reason(core, move, HANDOFF_TROUBLE_RESTARTED, reason);
    }
    move->dst_boot = node->boot;
}

/* The source found no witness in it, and it has not been heard of since. */
static bool is_in_doubt(const struct core *core, const struct catalog_move *move)
{
    const struct cluster_node *node = cluster_find(&core->cluster, move->row.dst_node_id);

    return move->doubted_ms != 0 && node != NULL && node->heard_ms <= move->doubted_ms;
}

static void step_loading(struct core *core, struct catalog_move *move)
{
    enum cluster_standing target = target_of(core, move);

    look_for_trouble(core, move, target);
    if (target == CLUSTER_LOADING)
        clear_reason(core, move);
    if (target != CLUSTER_SERVING || is_in_doubt(core, move))
        return;
    move->doubted_ms = 0;
    move->row.reason[0] = '\0';
    move->row.loaded_wall_ms = core->wall_ms;
    handoff_move_to(core, move, HANDOFF_OVERLAP);
}

/* ---- overlap --------------------------------------------------------------------------------- */

static void go_back(struct core *core, struct catalog_move *move, enum cluster_standing target)
{
    const struct cluster_node *node = cluster_find(&core->cluster, move->row.dst_node_id);
    const char *when = phases[move->row.phase].name;
    enum handoff_trouble trouble =
        target == CLUSTER_SILENT ? HANDOFF_TROUBLE_SILENT : HANDOFF_TROUBLE_LOST;
    char who[96], reason[160];

    if (trouble == HANDOFF_TROUBLE_SILENT)
        core_silence_text(core, move->row.dst_node_id, who, sizeof who);
    else
        (void)snprintf(who, sizeof who, "node %" PRId64 " %s", move->row.dst_node_id,
                       node->boot != move->dst_boot ? "restarted" : "lost the copy");
    (void)snprintf(reason, sizeof reason, "%s while %s", who,
                   move->row.phase == HANDOFF_OVERLAP ? "both served" : when);
    (void)snprintf(move->row.reason, sizeof move->row.reason, "%s", reason);
    move->row.attempts++;
    if (node != NULL)
        move->dst_boot = node->boot;
    handoff_move_to(core, move, HANDOFF_LOADING);
    move->trouble = trouble;
}

/* Gone, or no longer an answer that lasts. */
static bool is_lost(enum cluster_standing standing)
{
    return standing == CLUSTER_SILENT || standing == CLUSTER_ABSENT || standing == CLUSTER_LOADING;
}

static void step_overlap(struct core *core, struct catalog_move *move)
{
    enum cluster_standing target = target_of(core, move), source = source_of(core, move);
    const struct cluster_node *node = cluster_find(&core->cluster, move->row.dst_node_id);

    if (is_lost(target)) {
        go_back(core, move, target);
        return;
    }
    if (target != CLUSTER_SERVING || segment_of(core, move)->collection->version.term == 0)
        return;
    move->dst_boot = node->boot;
    if (source == CLUSTER_ABSENT) {
        move->due = CATALOG_MOVE_READY;
        return;
    }
    if (segment_of(core, move)->collection->dirty || source == CLUSTER_UNKNOWN)
        return;
    if (move->shown_ms == 0)
        move->shown_ms = core->now_ms == 0 ? 1 : core->now_ms;
    if (core->now_ms - move->shown_ms >= core->options.overlap_ms)
        move->due = CATALOG_MOVE_READY;
}

/* ---- releasing ------------------------------------------------------------------------------- */

/* The source serves and the target does not: list the source again. */
static void undo(struct core *core, struct catalog_move *move, enum cluster_standing target)
{
    (void)catalog_want(segment_of(core, move), move->row.src_node_id, move->row.src_epoch,
                       core->out);
    go_back(core, move, target);
}

static void undo_held(struct core *core, struct catalog_move *move)
{
    (void)catalog_want(segment_of(core, move), move->row.src_node_id, move->row.src_epoch,
                       core->out);
    handoff_move_to(core, move, HANDOFF_LOADING);
    move->trouble = HANDOFF_TROUBLE_HELD;
    move->doubted_ms = core->now_ms;
}

static bool asked_lately(const struct core *core, const struct catalog_move *move)
{
    return move->asked_ms != 0 && core->now_ms - move->asked_ms < CORE_REPEAT_MS;
}

static void source_is_silent(struct core *core, struct catalog_move *move)
{
    char who[96], reason[160];

    core_silence_text(core, move->row.src_node_id, who, sizeof who);
    (void)snprintf(reason, sizeof reason, "%s while releasing", who);
    handoff_set_reason(core, move, HANDOFF_TROUBLE_SOURCE_SILENT, reason);
}

static void step_releasing(struct core *core, struct catalog_move *move)
{
    enum cluster_standing target = target_of(core, move), source = source_of(core, move);

    if (source == CLUSTER_ABSENT) {
        move->row.reason[0] = '\0';
        handoff_move_to(core, move, HANDOFF_DONE);
        return;
    }
    if (source == CLUSTER_SILENT) {
        source_is_silent(core, move);
        return;
    }
    if (source == CLUSTER_UNKNOWN)
        return;
    if (move->trouble == HANDOFF_TROUBLE_SOURCE_SILENT)
        clear_reason(core, move);
    if (move->held && target == CLUSTER_SERVING && source == CLUSTER_SERVING) {
        undo_held(core, move);
        return;
    }
    if (target == CLUSTER_SERVING) {
        move->dst_boot = cluster_find(&core->cluster, move->row.dst_node_id)->boot;
        if (!asked_lately(core, move))
            move->due = CATALOG_MOVE_ASKS;
        return;
    }
    if (is_lost(target) && source == CLUSTER_SERVING && (move->held || !asked_lately(core, move)))
        undo(core, move, target);
}

void handoff_step(struct core *core, struct catalog_move *move)
{
    phases[move->row.phase].step(core, move);
}

void handoff_enter_releasing(struct core *core, struct catalog_move *move, struct qn_epoch follows)
{
    enum cluster_standing source = source_of(core, move);

    catalog_unwant(segment_of(core, move), move->row.src_node_id, core->out);
    move->row.changed_wall_ms = core->wall_ms;
    move->row.reason[0] = '\0';
    move->follows = follows;
    handoff_move_to(core, move, HANDOFF_RELEASING);
    move->due = source == CLUSTER_SERVING || source == CLUSTER_LEAVING ? CATALOG_MOVE_ASKS
                                                                       : CATALOG_MOVE_WAITS;
}

void handoff_asked(struct core *core, struct catalog_move *move)
{
    move->asked_ms = core->now_ms == 0 ? 1 : core->now_ms;
    move->held = false;
}
