/* SPDX-License-Identifier: Apache-2.0
 * Calls of the coordinator fail: while it starts, loads a collection, hands a segment over. It is
 * fail-stop, so each case runs in a child; the parent goes on from what is durable. */
#include "tests/sim/sweep/operation.h"

#include <stddef.h>

enum { ACT_MS = 3000, AGAIN_MS = 20000 };

#define BIT(class) (1u << (class))

/* Stopped, with a reason; or it does what it was told to. */
static void judge(const struct stage *stage, bool is_done, struct operation_end *end)
{
    const char *failure = coordinator_failure(stage->coordinator);

    if (failure != NULL)
        operation_ended(end, "stopped");
    else
        operation_ended(end, is_done ? "done at last" : "lost");
    if (failure != NULL && failure[0] == '\0')
        operation_problem(end, "stopped without a reason");
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Until its new term is durable and node 1 has it too. */
static bool has_taken_term(const struct stage *stage)
{
    return stage->heard.term > 1 || coordinator_failure(stage->coordinator) != NULL;
}

static void prepare_start(struct stage *stage)
{
    stage_open_all(stage);
    (void)stage_serve(stage);
    stage_close_coordinator(stage);
}

static void act_start(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};
    enum qn_status status = stage_open_coordinator(stage, &error);

    if (status != QN_STATUS_OK)
        operation_refused(end, "open", status, &error);
    else
        judge(stage, stage_run(stage, has_taken_term, ACT_MS), end);
}

static void again_start(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (stage_list(stage, AGAIN_MS, &error) != QN_STATUS_OK)
        operation_problem(end, "still: %s", error.text);
}

const struct operation coordinator_start = {
    .name = "coordinator start",
    .party = FAULT_PARTY_COORDINATOR,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_PUBLISH) | BIT(FAULT_SUBSCRIBE) | BIT(FAULT_COMMIT),
    .is_durable = true,
    .prepare = prepare_start,
    .act = act_start,
    .again = again_start,
};

/* ---- load ------------------------------------------------------------------------------------ */

static bool has_loaded(const struct stage *stage)
{
    return stage->heard.loaded_count >= SCENE_SEGMENTS ||
           coordinator_failure(stage->coordinator) != NULL;
}

/* The client gets an answer, or its own timeout says that none came. */
static void act_load(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};
    enum qn_status status = stage_load(stage, ACT_MS, &error);

    if (status == QN_STATUS_OK || coordinator_failure(stage->coordinator) != NULL)
        judge(stage, stage_run(stage, has_loaded, ACT_MS), end);
    else
        operation_refused(end, "load", status, &error);
    if (status == QN_STATUS_CORRUPT || status == QN_STATUS_INVALID)
        operation_problem(end, "blames the manifest: %s", error.text);
}

static void again_load(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (stage_load(stage, AGAIN_MS, &error) != QN_STATUS_OK)
        operation_problem(end, "still: %s", error.text);
}

const struct operation coordinator_load = {
    .name = "coordinator load",
    .party = FAULT_PARTY_COORDINATOR,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_OPEN) | BIT(FAULT_READ) | BIT(FAULT_PUBLISH) |
               BIT(FAULT_COMMIT),
    .is_durable = true,
    .prepare = stage_open_all,
    .act = act_load,
    .again = again_load,
};

/* ---- hand-off -------------------------------------------------------------------------------- */

static bool has_released(const struct stage *stage)
{
    return stage->heard.copies_count == SCENE_SEGMENTS - 1 ||
           coordinator_failure(stage->coordinator) != NULL;
}

static void prepare_handoff(struct stage *stage)
{
    stage_open_all(stage);
    (void)stage_serve(stage);
}

static void act_handoff(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};
    enum qn_status status = stage_move(stage, ACT_MS, &error);

    if (status == QN_STATUS_OK || coordinator_failure(stage->coordinator) != NULL)
        judge(stage, stage_run(stage, has_released, ACT_MS), end);
    else
        operation_refused(end, "move", status, &error);
}

/* A move that is open goes on by itself; one that was given up is ordered again. */
static void again_handoff(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (!stage_serve(stage))
        operation_problem(end, "the collection is not served");
    else if (stage->heard.copies_count != SCENE_SEGMENTS - 1 &&
             stage_move(stage, AGAIN_MS, &error) != QN_STATUS_OK)
        operation_problem(end, "still: %s", error.text);
    else if (!stage_run(stage, has_released, AGAIN_MS))
        operation_problem(end, "still not moved");
}

const struct operation coordinator_handoff = {
    .name = "coordinator handoff",
    .party = FAULT_PARTY_COORDINATOR,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_PUBLISH) | BIT(FAULT_COMMIT),
    .is_durable = true,
    .prepare = prepare_handoff,
    .act = act_handoff,
    .again = again_handoff,
};
