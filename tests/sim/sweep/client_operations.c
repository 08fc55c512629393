/* SPDX-License-Identifier: Apache-2.0
 * Calls of the client library fail: the handle, a search, a request to the coordinator, a feed. */
#include "tests/sim/sweep/operation.h"

#include <string.h>

enum { SEARCH_MS = 1500, CALL_MS = 1500, FEED_MS = 2500 };

#define BIT(class) (1u << (class))

/* The collection is served, and the handle is new: it has no view yet. */
static void prepare_new(struct stage *stage)
{
    struct qn_error error = {0};

    stage_open_all(stage);
    (void)stage_serve(stage);
    stage_close_client(stage);
    (void)stage_open_client(stage, &error);
}

/* ---- open ------------------------------------------------------------------------------------ */

static void prepare_open(struct stage *stage)
{
    prepare_new(stage);
    stage_close_client(stage);
}

static void act_open(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};
    enum qn_status status = stage_open_client(stage, &error);

    if (status == QN_STATUS_OK)
        operation_ended(end, "opened");
    else
        operation_refused(end, "open", status, &error);
}

static void again_open(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (stage->client == NULL && stage_open_client(stage, &error) != QN_STATUS_OK)
        operation_problem(end, "still: %s", error.text);
}

const struct operation client_open = {
    .name = "client open",
    .party = FAULT_PARTY_CLIENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_SUBSCRIBE),
    .prepare = prepare_open,
    .act = act_open,
    .again = again_open,
};

/* ---- search ---------------------------------------------------------------------------------- */

static void act_search(struct stage *stage, struct operation_end *end)
{
    struct qn_search_result result = {0};
    struct qn_error error = {0};
    enum qn_status status = stage_search(stage, SEARCH_MS, &result, &error);

    if (status != QN_STATUS_OK) {
        operation_refused(end, "search", status, &error);
        return;
    }
    operation_searched(end, stage->scene, &result);
    qn_search_result_done(&result);
}

static void again_search(struct stage *stage, struct operation_end *end)
{
    struct qn_search_result result = {0};
    struct qn_error error = {0};

    if (stage_search(stage, SEARCH_MS, &result, &error) != QN_STATUS_OK)
        operation_problem(end, "still: %s", error.text);
    else if (!scene_is_right(stage->scene, &result))
        operation_problem(end, "the next search is %s, or wrong", qn_verdict_name(result.verdict));
    qn_search_result_done(&result);
}

const struct operation client_search = {
    .name = "client search",
    .party = FAULT_PARTY_CLIENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_PUBLISH),
    .prepare = prepare_new,
    .act = act_search,
    .again = again_search,
};

/* ---- a request to the coordinator ------------------------------------------------------------ */

static void act_call(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};
    enum qn_status status = stage_list(stage, CALL_MS, &error);

    if (status == QN_STATUS_OK)
        operation_ended(end, "answered");
    else
        operation_refused(end, "call", status, &error);
}

static void again_call(struct stage *stage, struct operation_end *end)
{
    struct qn_error error = {0};

    if (stage_list(stage, CALL_MS, &error) != QN_STATUS_OK)
        operation_problem(end, "still: %s", error.text);
}

const struct operation client_call = {
    .name = "client call",
    .party = FAULT_PARTY_CLIENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_PUBLISH),
    .prepare = prepare_new,
    .act = act_call,
    .again = again_call,
};

/* ---- feed ------------------------------------------------------------------------------------ */

/* Reports come each second: one that is lost is counted, and the next one comes through. */
static void follow(struct stage *stage, bool must_work, struct operation_end *end)
{
    struct qn_feed *feed = NULL;
    struct qn_error error = {0};
    enum fault_party before = fault_enter(FAULT_PARTY_CLIENT);
    enum qn_status status =
        qn_feed_open(stage->client, QN_FEED_REPORTS | QN_FEED_EVENTS, &feed, &error);

    if (status != QN_STATUS_OK) {
        operation_refused(end, "open", status, &error);
    } else {
        const struct message *message = qn_feed_next(feed, FEED_MS);
        uint64_t dropped_count = qn_feed_dropped(feed);
        operation_ended(end, "%s, %s", message == NULL ? "nothing" : "a report",
                        dropped_count > 0 ? "loss counted" : "none lost");
        if (fault_fired_count() > 0 && dropped_count == 0 && !must_work)
            operation_problem(end, "something was lost, and no loss is counted");
        qn_feed_close(feed);
    }
    (void)fault_enter(before);
}

static void act_feed(struct stage *stage, struct operation_end *end)
{
    follow(stage, false, end);
}

static void again_feed(struct stage *stage, struct operation_end *end)
{
    struct operation_end again = {0};

    follow(stage, true, &again);
    if (strncmp(again.label, "a report", 8) != 0)
        operation_problem(end, "still: %s", again.label);
}

const struct operation client_feed = {
    .name = "client feed",
    .party = FAULT_PARTY_CLIENT,
    .classes = BIT(FAULT_MALLOC) | BIT(FAULT_SUBSCRIBE),
    .prepare = prepare_new,
    .act = act_feed,
    .again = again_feed,
};
