/* SPDX-License-Identifier: Apache-2.0
 * What the ear and the client ask for. */
#include "base/arena.h"
#include "base/check.h"
#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/sim/sweep/stage.h"

enum { SERVE_TRIES_MAX = 60 };

void stage_command(struct stage *stage, struct message *message)
{
    const struct subject subject = subject_control(STAGE_CLUSTER, 1);
    struct arena arena;
    struct qn_error error = {0};
    const uint8_t *bytes;
    size_t size;

    message->cluster = STAGE_CLUSTER;
    message->sender = "ear";
    message->reply_to = "";
    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    CHECK(codec_encode(message, &arena, &bytes, &size, &error) == QN_STATUS_OK);
    CHECK(stage->ear.ops->publish(stage->ear.self, subject.text, NULL, bytes, size) ==
          QN_STATUS_OK);
    arena_done(&arena);
}

/* ---- the client's ---------------------------------------------------------------------------- */

static enum qn_status call(struct stage *stage, const struct coord_request *request,
                           uint32_t timeout_ms, struct qn_error *error)
{
    enum fault_party before = fault_enter(FAULT_PARTY_CLIENT);
    enum qn_status status = qn_coord_call(stage->client, request, timeout_ms, NULL, NULL, error);

    (void)fault_enter(before);
    return status;
}

enum qn_status stage_load(struct stage *stage, uint32_t timeout_ms, struct qn_error *error)
{
    static const int64_t node_ids[] = {1};
    const struct coord_request request = {.verb = COORD_LOAD_COLLECTION,
                                          .collection = "",
                                          .folder = stage->scene->folder,
                                          .dst_node_ids = node_ids,
                                          .dst_node_ids_count = COUNT_OF(node_ids)};

    return call(stage, &request, timeout_ms, error);
}

enum qn_status stage_move(struct stage *stage, uint32_t timeout_ms, struct qn_error *error)
{
    static const int64_t node_ids[] = {2}, segment_ids[] = {SCENE_FIRST_SEGMENT};
    const struct coord_request request = {.verb = COORD_LOAD_BALANCE,
                                          .collection = "",
                                          .folder = "",
                                          .src_node_id = 1,
                                          .dst_node_ids = node_ids,
                                          .dst_node_ids_count = COUNT_OF(node_ids),
                                          .segment_ids = segment_ids,
                                          .segment_ids_count = COUNT_OF(segment_ids)};

    return call(stage, &request, timeout_ms, error);
}

enum qn_status stage_list(struct stage *stage, uint32_t timeout_ms, struct qn_error *error)
{
    const struct coord_request request = {.verb = COORD_LIST_NODES, .collection = "", .folder = ""};

    return call(stage, &request, timeout_ms, error);
}

enum qn_status stage_search(struct stage *stage, uint32_t deadline_ms,
                            struct qn_search_result *ret_result, struct qn_error *error)
{
    const struct qn_search_request request = {.collection_id = SCENE_COLLECTION,
                                              .queries = stage->scene->queries,
                                              .nq = SCENE_QUERIES,
                                              .dim = SCENE_DIM,
                                              .k = SCENE_K,
                                              .deadline_ms = deadline_ms};
    enum fault_party before = fault_enter(FAULT_PARTY_CLIENT);
    enum qn_status status = qn_search(stage->client, &request, ret_result, error);

    (void)fault_enter(before);
    return status;
}

bool stage_serve(struct stage *stage)
{
    for (int tries = 0; tries < SERVE_TRIES_MAX; tries++) {
        struct qn_search_result result = {0};
        struct qn_error error = {0};
        if (stage_search(stage, 300, &result, &error) != QN_STATUS_OK)
            return false;
        bool is_right = scene_is_right(stage->scene, &result);
        bool is_wrong = result.verdict == QN_VERDICT_COMPLETE && !is_right;
        bool is_absent = result.reason == QN_STATUS_NOT_FOUND;
        qn_search_result_done(&result);
        if (is_right || is_wrong)
            return is_right;
        if (is_absent)
            (void)stage_load(stage, 2000, &error);
        (void)stage_run(stage, stage_never, 300);
    }
    return false;
}
