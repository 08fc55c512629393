/* SPDX-License-Identifier: Apache-2.0
 * Kinds that come in more than one form: the other forms, as they are really sent. */
#include "tests/golden/samples.h"

#include "base/check.h"
#include <assert.h>

static const struct segment_info online = {
    .segment_id = 7,
    .collection_id = 100,
    .partition_id = 1,
    .mem_size = 4096,
    .num_rows = 12,
    .node_id = 2,
    .state = QN_SEGMENT_SEALED,
    .epoch = {5, 42},
    .replica = "r1",
    .copy_state = QN_COPY_SERVING,
};
static const struct segment_change_info no_replacement = {
    .offline_node_id = 2, .offline_segments = &online, .offline_segments_count = 1};

static const struct witness replacement = {
    .node_id = 3, .segment_id = 9, .epoch = {5, 43}, .delete_generation = 1};
static const struct segment_release ceased[] = {
    {.segment_id = 7,
     .epoch = {5, 41},
     .ground = GROUND_CEASED,
     .witnesses = &replacement,
     .witnesses_count = 1,
     .since = {5, 44}},
    {.segment_id = 8, .epoch = {5, 40}, .ground = GROUND_CEASED, .since = {5, 44}},
};

static const float queries[] = {1.5f, -2.25f, 0.0f, 3.0e-38f, 1.0e38f, -0.5f};
static const int64_t ids[] = {7, 8, -9};
static const uint8_t covered[] = {0x05};
static const struct qn_epoch epochs[] = {{5, 42}, {0, 0}};
static const struct refusal moved = {.index = 1, .status = QN_STATUS_MOVED, .moved_to = 3};
static const uint32_t hit_counts[] = {1, 2, 0, 1};
static const struct qn_hit hits[] = {{1, -0.0f}, {2, 0.125f}, {3, 0.125f}, {INT64_MIN, 3.0e38f}};

static const struct {
    const char *name;
    struct message message;
} forms[] = {
    {"node_report_heartbeat",
     {.kind = MESSAGE_NODE_REPORT,
      .node_report = {.node_id = 2,
                      .report_number = 601,
                      .uptime_ms = 601000,
                      .memory = {.budget_bytes = 1u << 30, .ledger_bytes = 4096},
                      .copies_digest = UINT64_MAX,
                      .copies_count = 4,
                      .searches_total = 1001,
                      .kernels = "scalar"}}},
    {"node_report_no_copies",
     {.kind = MESSAGE_NODE_REPORT,
      .node_report = {.node_id = 2,
                      .report_number = 1,
                      .uptime_ms = 12,
                      .has_copies = true,
                      .pages = 1,
                      .kernels = "scalar"}}},
    {"search_request_ivf",
     {.kind = MESSAGE_SEARCH_REQUEST,
      .search_request = {.collection_id = 100,
                         .k = 10,
                         .nq = 2,
                         .dim = 3,
                         .metric = QN_METRIC_L2,
                         .queries = queries,
                         .segment_ids = ids,
                         .segments_count = COUNT_OF(ids),
                         .deadline_ms = 5000,
                         .recall = 0.875F,
                         .nprobe = 7,
                         .refine = 300}}},
    {"search_answer_first_part",
     {.kind = MESSAGE_SEARCH_ANSWER,
      .search_answer = {.parts = 2,
                        .covered = covered,
                        .covered_bytes = 1,
                        .epochs = epochs,
                        .epochs_count = 2,
                        .refused = &moved,
                        .refused_count = 1,
                        .hit_counts = hit_counts,
                        .hit_counts_count = COUNT_OF(hit_counts),
                        .hits = hits,
                        .hits_count = COUNT_OF(hits),
                        .queue_us = 12,
                        .search_us = 345}}},
    {"search_answer_busy",
     {.kind = MESSAGE_SEARCH_ANSWER,
      .search_answer = {.status = QN_STATUS_BUSY, .text = "the task ring is full", .parts = 1}}},
    {"change_info_ceased",
     {.kind = MESSAGE_CHANGE_INFO,
      .change_info = {.collection_id = 100,
                      .version = {5, 45},
                      .follows = {5, 44},
                      .infos = &no_replacement,
                      .infos_count = 1}}},
    {"release_segments_ceased",
     {.kind = MESSAGE_RELEASE_SEGMENTS,
      .release_segments = {.segments = ceased, .segments_count = COUNT_OF(ceased)}}},
    {"copy_status_absent",
     {.kind = MESSAGE_COPY_STATUS,
      .copy_status = {.node_id = 2, .segment_id = 7, .nonce = 78, .asker_boot = 3}}},
    {"command_refused_whole",
     {.kind = MESSAGE_COMMAND_REFUSED,
      .command_refused = {.status = QN_STATUS_TERM_STALE, .text = "term 4", .command_term = 4}}},
    {"collection_view_empty",
     {.kind = MESSAGE_COLLECTION_VIEW,
      .collection_view = {.collection_id = -100,
                          .name = "\xc3\xa9tude",
                          .version = {5, 46},
                          .readable_version = 7,
                          .metric = QN_METRIC_L2,
                          .dim = 100,
                          .pages = 1}}},
    {"coord_request_get_view",
     {.kind = MESSAGE_COORD_REQUEST,
      .coord_request = {.verb = COORD_GET_VIEW, .collection = "100"}}},
    {"coord_answer_refused",
     {.kind = MESSAGE_COORD_ANSWER,
      .coord_answer = {.status = QN_STATUS_NOT_FOUND, .text = "no collection glove", .pages = 1}}},
    {"report_request_traced",
     {.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      .kind = MESSAGE_REPORT_REQUEST}},
    {"coord_answer_page",
     {.kind = MESSAGE_COORD_ANSWER,
      .coord_answer = {.text = "", .page = 1, .pages = 2, .answer_number = 0xfedcba9876543210}}},
};

static_assert(COUNT_OF(forms) == SAMPLES_COUNT - SAMPLES_KINDS, "SAMPLES_COUNT");

struct message samples_form_at(size_t index)
{
    return forms[index].message;
}

const char *samples_form_name(size_t index)
{
    return forms[index].name;
}
