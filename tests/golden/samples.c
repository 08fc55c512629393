/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/golden/samples.h"

#include "base/check.h"
#include <assert.h>

#define EPOCH(t, v)                                                                                \
    {                                                                                              \
        .term = (t), .version = (v)                                                                \
    }
#define HASH(first)                                                                                \
    {                                                                                              \
        {                                                                                          \
            (first), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff                           \
        }                                                                                          \
    }

static const struct segment_load_info load_infos[] = {
    {.segment_id = 7,
     .collection_id = 100,
     .partition_id = -3,
     .replica = "r1",
     .path = "/data/glove/7.qseg",
     .content_hash = HASH(0xa7),
     .mem_size = 1u << 30,
     .num_rows = 250000,
     .delete_generation = 2,
     .epoch = EPOCH(5, 41),
     .state = QN_SEGMENT_SEALED},
    {.segment_id = INT64_MIN,
     .collection_id = INT64_MAX,
     .partition_id = 1,
     .replica = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
     .path = "p",
     .content_hash = HASH(0),
     .mem_size = UINT64_MAX,
     .num_rows = 1,
     .delete_generation = UINT64_MAX,
     .epoch = EPOCH(UINT64_MAX, 1),
     .state = QN_SEGMENT_GROWING},
};

static const struct witness witnesses[] = {
    {.node_id = 2,
     .segment_id = 7,
     .epoch = EPOCH(5, 42),
     .has_content_hash = true,
     .content_hash = HASH(0xa7),
     .delete_generation = 2},
    {.node_id = 3, .segment_id = 8, .epoch = EPOCH(5, 43), .delete_generation = 1},
};

static const struct segment_release releases[] = {
    {.segment_id = 7,
     .epoch = EPOCH(5, 41),
     .ground = GROUND_MOVED,
     .witnesses = witnesses,
     .witnesses_count = COUNT_OF(witnesses),
     .since = EPOCH(5, 40),
     .operator_name = "eve"},
    {.segment_id = 9, .epoch = EPOCH(4, 2), .ground = GROUND_FORCE, .operator_name = "adam"},
};

static const struct segment_info infos[] = {
    {.segment_id = 7,
     .collection_id = 100,
     .partition_id = 1,
     .mem_size = 4096,
     .num_rows = 12,
     .node_id = 2,
     .state = QN_SEGMENT_SEALED,
     .epoch = EPOCH(5, 42),
     .content_hash = HASH(0xa7),
     .delete_generation = 3,
     .replica = "r1",
     .copy_state = QN_COPY_SERVING},
    {.segment_id = 8,
     .collection_id = 100,
     .partition_id = 2,
     .mem_size = 8192,
     .num_rows = 13,
     .node_id = 1,
     .state = QN_SEGMENT_SEALED,
     .epoch = EPOCH(5, 11),
     .content_hash = HASH(0xa8),
     .delete_generation = 4,
     .replica = "r2",
     .copy_state = QN_COPY_LEAVING},
};

static const struct segment_change_info changes[] = {
    {.online_node_id = 2,
     .online_segments = &infos[0],
     .online_segments_count = 1,
     .offline_node_id = 1,
     .offline_segments = infos,
     .offline_segments_count = 2},
    {.online_node_id = 4, .offline_node_id = 5},
};

static const float queries[] = {1.5f, -2.25f, 0.0f, 3.0e-38f, 1.0e38f, -0.5f};
static const int64_t ids[] = {7, 8, -9};
static const uint8_t covered[] = {0x05};
static const struct qn_epoch epochs[] = {EPOCH(5, 42), EPOCH(0, 0)};
static const struct refusal refusals[] = {
    {.index = 1, .status = QN_STATUS_MOVED, .moved_to = 3},
    {.index = 0, .status = QN_STATUS_BUSY},
};
static const uint32_t hit_counts[] = {2, 0, 1};
static const struct qn_hit hits[] = {{1001, 0.25f}, {-5, 0.5f}, {INT64_MAX, 1.0f}};
static const uint64_t numa_ledger[] = {10, 20}, numa_total[] = {1000, 2000, 3000};

#define MEMORY                                                                                     \
    {                                                                                              \
        .budget_bytes = 1, .ledger_bytes = 2, .reserved_bytes = 3, .anon_bytes = 4,                \
        .locked_bytes = 5, .cgroup_limit_bytes = 6, .available_bytes = 7,                          \
        .heap_allocated_bytes = 8, .heap_resident_bytes = 9, .heap_retained_bytes = 10,            \
        .numa_ledger_bytes = numa_ledger, .numa_ledger_count = 2, .numa_total_bytes = numa_total,  \
        .numa_total_count = 3                                                                      \
    }

static const struct copy_report copies[] = {
    {.segment = {.segment_id = 7,
                 .collection_id = 100,
                 .node_id = 2,
                 .mem_size = 4096,
                 .epoch = EPOCH(5, 42),
                 .content_hash = HASH(0xa7),
                 .replica = "r1",
                 .state = QN_SEGMENT_SEALED,
                 .copy_state = QN_COPY_LOADING},
     .numa_node = 1,
     .loaded_bytes = 1024,
     .searches = 99},
    {.segment = {.segment_id = 8}},
};

static const struct view_copy view_copies[] = {
    {.node_id = 1, .epoch = EPOCH(5, 3), .replica = "r1"},
    {.node_id = 2, .epoch = EPOCH(5, 4), .replica = "r2"},
};

static const struct view_item view_items[] = {
    {.segment_id = 7,
     .delete_generation = 2,
     .partition_id = 1,
     .num_rows = 250000,
     .content_hash = HASH(0xa7),
     .copies = view_copies,
     .copies_count = 2},
    {.segment_id = 8, .content_hash = HASH(0xa8)},
};

#define VIEW                                                                                       \
    {                                                                                              \
        .collection_id = 100, .name = "glove", .version = EPOCH(5, 44), .readable_version = 6,     \
        .metric = QN_METRIC_COSINE, .dim = 100, .page = 1, .pages = 2, .items = view_items,        \
        .items_count = 2                                                                           \
    }

static const struct collection_view view = VIEW;

static const struct node_info nodes[] = {
    {.node_id = 2,
     .boot = 3,
     .silent = true,
     .heard_ms_ago = 400,
     .uptime_ms = 50000,
     .copies_count = 6,
     .memory = MEMORY,
     .refused_total = 7,
     .searches_total = 8,
     .kernels = "avx512"},
    {.node_id = 3, .kernels = "scalar"},
};

static const struct collection_info collections[] = {
    {.collection_id = 100,
     .name = "glove",
     .folder = "/data/glove",
     .segments_count = 2,
     .segments_serving = 1,
     .num_rows = 1000000,
     .mem_size = 4u << 20,
     .metric = QN_METRIC_IP,
     .dim = 100,
     .version = EPOCH(5, 44),
     .readable_version = 6},
};

static const struct move_info moves[] = {
    {.move_id = 1,
     .segment_id = 7,
     .collection_id = 100,
     .src_node_id = 1,
     .dst_node_id = 2,
     .phase = "overlap",
     .reason = "waits for the receipt",
     .bytes = 4096,
     .started_wall_ms = 1700000000001,
     .loaded_wall_ms = 1700000000002,
     .changed_wall_ms = 1700000000003,
     .finished_wall_ms = 1700000000004,
     .released_bytes = 5,
     .rss_before = 6,
     .rss_after = 7,
     .attempts = 8,
     .waited_ms = 9},
};

static const struct {
    const char *name;
    struct message message;
} samples[] = {
    {"load_segments",
     {.kind = MESSAGE_LOAD_SEGMENTS,
      .load_segments = {.segments = load_infos,
                        .segments_count = COUNT_OF(load_infos),
                        .not_after = {.boot = 3, .uptime_ms = 90000}}}},
    {"release_segments",
     {.kind = MESSAGE_RELEASE_SEGMENTS,
      .release_segments = {.segments = releases,
                           .segments_count = COUNT_OF(releases),
                           .not_after = {.boot = 4, .uptime_ms = 90001}}}},
    {"change_info",
     {.kind = MESSAGE_CHANGE_INFO,
      .change_info = {.collection_id = 100,
                      .version = EPOCH(5, 44),
                      .follows = EPOCH(5, 43),
                      .infos = changes,
                      .infos_count = COUNT_OF(changes),
                      .not_after = {.boot = 5, .uptime_ms = 90002}}}},
    {"report_request", {.kind = MESSAGE_REPORT_REQUEST}},
    {"copy_status_request",
     {.kind = MESSAGE_COPY_STATUS_REQUEST,
      .copy_status_request = {.node_id = 1, .segment_id = 7, .nonce = 77}}},
    {"copy_status",
     {.kind = MESSAGE_COPY_STATUS,
      .copy_status = {.node_id = 2,
                      .segment_id = 7,
                      .nonce = 77,
                      .asker_boot = 3,
                      .state = QN_COPY_SERVING,
                      .epoch = EPOCH(5, 42),
                      .content_hash = HASH(0xa7),
                      .delete_generation = 2,
                      .replica = "r1"}}},
    {"search_request",
     {.kind = MESSAGE_SEARCH_REQUEST,
      .search_request = {.collection_id = 100,
                         .k = 10,
                         .nq = 2,
                         .dim = 3,
                         .metric = QN_METRIC_L2,
                         .queries = queries,
                         .segment_ids = ids,
                         .segments_count = 3,
                         .deadline_ms = 5000,
                         .recall = 0.875F,
                         .nprobe = 7,
                         .ef = 200,
                         .refine = 300}}},
    {"search_answer",
     {.kind = MESSAGE_SEARCH_ANSWER,
      .search_answer = {.status = QN_STATUS_OK,
                        .text = "all is well",
                        .part = 1,
                        .parts = 2,
                        .covered = covered,
                        .covered_bytes = 1,
                        .epochs = epochs,
                        .epochs_count = 2,
                        .refused = refusals,
                        .refused_count = 2,
                        .first_query = 4,
                        .hit_counts = hit_counts,
                        .hit_counts_count = 3,
                        .hits = hits,
                        .hits_count = 3,
                        .queue_us = 12,
                        .search_us = 345}}},
    {"node_report",
     {.kind = MESSAGE_NODE_REPORT,
      .node_report = {.node_id = 2,
                      .report_number = 600,
                      .uptime_ms = 600000,
                      .memory = MEMORY,
                      .copies_digest = 0x0123456789abcdef,
                      .copies_count = 4,
                      .has_copies = true,
                      .page = 1,
                      .pages = 2,
                      .copies = copies,
                      .copies_in_page = 2,
                      .searches_total = 1000,
                      .refused_total = 2,
                      .dropped_total = 3,
                      .leaving = true,
                      .kernels = "avx2"}}},
    {"segment_loaded",
     {.kind = MESSAGE_SEGMENT_LOADED,
      .segment_loaded = {.segment_id = 7,
                         .epoch = EPOCH(5, 42),
                         .bytes = 4096,
                         .numa_node = 1,
                         .took_ms = 120,
                         .adopted = true}}},
    {"segment_released",
     {.kind = MESSAGE_SEGMENT_RELEASED,
      .segment_released = {.segment_id = 7,
                           .epoch = EPOCH(5, 41),
                           .bytes = 4096,
                           .rss_before = 9000,
                           .rss_after = 4904,
                           .numa_node = 1,
                           .waited_ms = 510,
                           .ground = GROUND_CEASED,
                           .moved_to = 2}}},
    {"load_failed",
     {.kind = MESSAGE_LOAD_FAILED,
      .load_failed = {.segment_id = 7,
                      .epoch = EPOCH(5, 42),
                      .status = QN_STATUS_OVER_BUDGET,
                      .text = "load segment 7: 4096 bytes needed, 12 free",
                      .need_bytes = 4096,
                      .free_bytes = 12}}},
    {"release_held",
     {.kind = MESSAGE_RELEASE_HELD,
      .release_held = {.segment_id = 7,
                       .epoch = EPOCH(5, 41),
                       .status = QN_STATUS_HELD,
                       .text = "witness 2 does not answer",
                       .witness_node_id = 2}}},
    {"leaving", {.kind = MESSAGE_LEAVING, .leaving = {.segment_id = 7, .epoch = EPOCH(5, 41)}}},
    {"command_refused",
     {.kind = MESSAGE_COMMAND_REFUSED,
      .command_refused = {.segment_id = 7,
                          .epoch = EPOCH(5, 41),
                          .status = QN_STATUS_TERM_STALE,
                          .text = "term 4 is older than 5",
                          .command_term = 4}}},
    {"collection_view", {.kind = MESSAGE_COLLECTION_VIEW, .collection_view = VIEW}},
    {"coord_request",
     {.kind = MESSAGE_COORD_REQUEST,
      .coord_request = {.verb = COORD_LOAD_BALANCE,
                        .collection = "glove",
                        .folder = "/data/glove",
                        .src_node_id = 1,
                        .dst_node_ids = ids,
                        .dst_node_ids_count = 2,
                        .segment_ids = ids,
                        .segment_ids_count = 3}}},
    {"coord_answer",
     {.kind = MESSAGE_COORD_ANSWER,
      .coord_answer = {.status = QN_STATUS_OK,
                       .text = "fine",
                       .nodes = nodes,
                       .nodes_count = COUNT_OF(nodes),
                       .segments = infos,
                       .segments_count = COUNT_OF(infos),
                       .collections = collections,
                       .collections_count = COUNT_OF(collections),
                       .moves = moves,
                       .moves_count = COUNT_OF(moves),
                       .view = &view,
                       .page = 2,
                       .pages = 3}}},
};

static_assert(COUNT_OF(samples) == SAMPLES_KINDS, "one sample per kind");

struct message samples_at(size_t index)
{
    static const uint32_t needs[] = {1, 4000000000};
    struct message message =
        index < SAMPLES_KINDS ? samples[index].message : samples_form_at(index - SAMPLES_KINDS);

    message.cluster = "demo";
    message.sender = "node/7";
    message.boot = 3;
    message.term = 5;
    message.needs = needs;
    message.needs_count = 2;
    message.request_id = 0xfedcba9876543210;
    message.reply_to = "qnode.demo.reply.3f2a.17";
    return message;
}

const char *samples_name(size_t index)
{
    return index < SAMPLES_KINDS ? samples[index].name : samples_form_name(index - SAMPLES_KINDS);
}
