/* SPDX-License-Identifier: Apache-2.0
 * Calls of node 1 fail: while it starts, loads, answers, releases, and starts again. */
#include "tests/sim/sweep/operation.h"
#include <string.h>

enum { ACT_MS = 3000, AGAIN_MS = 20000, SEARCH_MS = 1500 };

#define BIT(class) (1u << (class))

/* A term that is reported is durable. */
static bool has_reported_term(const struct stage *stage)
{
    return stage->heard.reports_count > 0 && stage->heard.term > 0;
}

static bool has_loaded(const struct stage *stage)
{
    return stage->heard.loaded_count >= SCENE_SEGMENTS;
}

static bool has_released(const struct stage *stage)
{
    return stage->heard.copies_count == SCENE_SEGMENTS - 1;
}

/* A refusal says why, and does not blame the sender. */
static void judge_refusal(const struct stage_heard *heard, struct operation_end *end)
{
    if (!heard->has_text || heard->refusal_status == QN_STATUS_OK)
        operation_problem(end, "%s without a reason", heard->refusal);
    if (heard->refusal_status == QN_STATUS_INVALID || heard->refusal_status == QN_STATUS_CORRUPT)
        operation_problem(end, "%s %s blames the sender", heard->refusal,
                          qn_status_name(heard->refusal_status));
}

/* Who has memory and bus can say what failed, and must. One call that failed costs no more than a
 * repeat; without any memory or bus a node is mute, and what it was to say is lost (C1). */
static void judge_silence(bool is_done, struct operation_end *end)
{
    const struct fault_plan *plan = fault_planned();

    if (fault_fired_count() == 0)
        return;
    if (plan->class != FAULT_MALLOC && plan->class != FAULT_PUBLISH)
        operation_problem(end, "nobody was told");
    else if (!is_done && !plan->is_sticky)
        operation_problem(end, "not done, and nobody was told");
}

static void judge(const struct stage *stage, bool is_done, struct operation_end *end)
{
    const struct stage_heard *heard = &stage->heard;

    if (heard->refusal != NULL)
        operation_ended(end, "%s %s", heard->refusal, qn_status_name(heard->refusal_status));
    else if (is_done)
        operation_ended(end, "done at last");
    else if (fault_warnings_count() > 0)
        operation_ended(end, "mute, logged");
    else
        operation_ended(end, "lost");
    if (heard->refusal != NULL)
        judge_refusal(heard, end);
    else
        judge_silence(is_done, end);
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Until the node has heard the coordinator, whose term it makes durable first. */

static void act_start(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};
    enum qn_status status = stage_open_node(stage, 0, &error);

    if (status != QN_STATUS_OK)
        operation_refused(end, "open", status, &error);
    else
        judge(stage, stage_run(stage, has_reported_term, ACT_MS), end);
}

static void again_start(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (stage->nodes[0].agent == NULL && stage_open_node(stage, 0, &error) != QN_STATUS_OK)
        operation_problem(end, "still: %s", error.text);
    else if (!stage_run(stage, has_reported_term, AGAIN_MS))
        operation_problem(end, "no report");
}

const struct operation agent_start = {
    .name = "agent start",
    .party = FAULT_PARTY_AGENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_OPEN) | BIT(FAULT_WRITE) | BIT(FAULT_PUBLISH) |
               BIT(FAULT_SUBSCRIBE),
    .prepare = stage_open_others,
    .act = act_start,
    .again = again_start,
};

/* ---- load ------------------------------------------------------------------------------------ */

static void act_load(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (stage_load(stage, ACT_MS, &error) != QN_STATUS_OK)
        operation_problem(end, "order to load: %s", error.text);
    judge(stage, stage_run(stage, has_loaded, ACT_MS), end);
}

static void again_load(struct stage *stage, struct operation_end *end)
{
    if (!stage_run(stage, has_loaded, AGAIN_MS))
        operation_problem(end, "still not loaded");
}

const struct operation agent_load = {
    .name = "agent load",
    .party = FAULT_PARTY_AGENT,
    .classes =
        BIT(FAULT_MALLOC) | BIT(FAULT_MAP) | BIT(FAULT_OPEN) | BIT(FAULT_READ) | BIT(FAULT_PUBLISH),
    .prepare = stage_open_all,
    .act = act_load,
    .again = again_load,
};

/* ---- a long command -------------------------------------------------------------------------- */

/* Expired, and so long that it takes more than the chunk that an arena keeps. The ear gives
 * the order: the coordinator's are short here. */
static void order(struct stage *stage)
{
    enum { SEGMENTS = 250, PATH_BYTES = 200 };
    static struct segment_load_info infos[SEGMENTS];
    static char path[PATH_BYTES + 1];

    memset(path, 'p', PATH_BYTES);
    for (int i = 0; i < SEGMENTS; i++)
        infos[i] = (struct segment_load_info){
            .segment_id = 1000 + i,
            .collection_id = SCENE_COLLECTION + 1,
            .replica = "",
            .path = path,
            .content_hash.bytes = {1},
            .mem_size = 4096,
            .num_rows = 1,
            .epoch = {1, 1},
            .state = QN_SEGMENT_SEALED,
        };
    stage->heard.refusal = NULL;
    stage_command(stage, &(struct message){.kind = MESSAGE_LOAD_SEGMENTS,
                                           .term = stage->heard.term,
                                           .load_segments = {.segments = infos,
                                                             .segments_count = SEGMENTS,
                                                             .not_after = {stage->heard.boot, 1}}});
}

static bool has_refused(const struct stage *stage)
{
    return stage->heard.refusal != NULL;
}

/* Who gives an order gives it again. */
static void act_command(struct stage *stage, struct operation_end *end)
{
    bool is_done = false;

    for (int tries = 0; tries < 3 && !is_done; tries++) {
        order(stage);
        is_done = stage_run(stage, has_refused, ACT_MS / 3);
    }
    judge(stage, is_done, end);
}

static void again_command(struct stage *stage, struct operation_end *end)
{
    order(stage);
    if (!stage_run(stage, has_refused, ACT_MS))
        operation_problem(end, "the next command is not answered");
    else if (stage->heard.refusal_status != QN_STATUS_EXPIRED)
        operation_problem(end, "the next command ends %s",
                          qn_status_name(stage->heard.refusal_status));
}

const struct operation agent_command = {
    .name = "agent command",
    .party = FAULT_PARTY_AGENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_PUBLISH),
    .prepare = stage_open_all,
    .act = act_command,
    .again = again_command,
};

/* ---- search ---------------------------------------------------------------------------------- */

static void prepare_served(struct stage *stage)
{
    stage_open_all(stage);
    (void)stage_serve(stage); /* if not, `again` says so */
    stage->heard.refusal = NULL;
}

/* Loaded, and never searched: nothing is there for reuse. */
static void prepare_loaded(struct stage *stage)
{
    struct qn_error error = {0};

    stage_open_all(stage);
    (void)stage_load(stage, ACT_MS, &error);
    (void)stage_run(stage, has_loaded, ACT_MS);
    (void)stage_run(stage, stage_never, 500);
}

/* The client hears why, whatever the node could not do. */
static void act_search(struct stage *stage, struct operation_end *end)
{
    struct qn_search_result result = {0};
    struct qn_error error = {0};
    enum qn_status status = stage_search(stage, SEARCH_MS, &result, &error);

    if (status != QN_STATUS_OK) {
        operation_problem(end, "search: %s", error.text);
        return;
    }
    operation_searched(end, stage->scene, &result);
    qn_search_result_done(&result);
}

static void again_search(struct stage *stage, struct operation_end *end)
{
    struct qn_search_result result = {0};
    struct qn_error error = {0};

    if (stage_search(stage, SEARCH_MS, &result, &error) != QN_STATUS_OK ||
        !scene_is_right(stage->scene, &result))
        operation_problem(end, "the next search is %s, or wrong", qn_verdict_name(result.verdict));
    qn_search_result_done(&result);
}

const struct operation agent_search = {
    .name = "agent search",
    .party = FAULT_PARTY_AGENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_PUBLISH),
    .prepare = prepare_loaded,
    .act = act_search,
    .again = again_search,
};

/* ---- release --------------------------------------------------------------------------------- */

static void act_release(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (stage_move(stage, ACT_MS, &error) != QN_STATUS_OK)
        operation_problem(end, "order to move: %s", error.text);
    judge(stage, stage_run(stage, has_released, ACT_MS), end);
}

static void again_release(struct stage *stage, struct operation_end *end)
{
    if (!stage_run(stage, has_released, AGAIN_MS))
        operation_problem(end, "still not released");
}

const struct operation agent_release = {
    .name = "agent release",
    .party = FAULT_PARTY_AGENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_PUBLISH),
    .prepare = prepare_served,
    .act = act_release,
    .again = again_release,
};

/* ---- restart --------------------------------------------------------------------------------- */

static void prepare_restart(struct stage *stage)
{
    prepare_served(stage);
    stage_close_node(stage, 0);
    stage->heard = (struct stage_heard){.boot = stage->heard.boot};
}

/* The boot number may have gaps and never comes again. */
static void act_restart(struct stage *stage, struct operation_end *end)
{
    uint64_t boot_before = stage->heard.boot;

    act_start(stage, end);
    if (stage->heard.reports_count > 0 && stage->heard.boot <= boot_before)
        operation_problem(end, "boot %d again", (int)stage->heard.boot);
}

const struct operation agent_restart = {
    .name = "agent restart",
    .party = FAULT_PARTY_AGENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_OPEN) | BIT(FAULT_READ) | BIT(FAULT_WRITE) |
               BIT(FAULT_PUBLISH) | BIT(FAULT_SUBSCRIBE),
    .prepare = prepare_restart,
    .act = act_restart,
    .again = again_start,
};
