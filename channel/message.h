/* SPDX-License-Identifier: Apache-2.0
 * Messages as our own structs (one to one with proto/qnode.proto, which explains the fields).
 * A decoded message points into its arena; its arrays are NULL when their count is 0, its strings
 * are never NULL. */
#ifndef CHANNEL_MESSAGE_H
#define CHANNEL_MESSAGE_H

#include "base/limits.h"
#include "qnode/types.h"

enum message_kind {
    MESSAGE_NONE = 0,
    MESSAGE_LOAD_SEGMENTS = 20,
    MESSAGE_RELEASE_SEGMENTS = 21,
    MESSAGE_CHANGE_INFO = 22,
    MESSAGE_REPORT_REQUEST = 23,
    MESSAGE_COPY_STATUS_REQUEST = 30,
    MESSAGE_COPY_STATUS = 31,
    MESSAGE_SEARCH_REQUEST = 40,
    MESSAGE_SEARCH_ANSWER = 41,
    MESSAGE_NODE_REPORT = 50,
    MESSAGE_SEGMENT_LOADED = 51,
    MESSAGE_SEGMENT_RELEASED = 52,
    MESSAGE_LOAD_FAILED = 53,
    MESSAGE_RELEASE_HELD = 54,
    MESSAGE_LEAVING = 55,
    MESSAGE_COMMAND_REFUSED = 56,
    MESSAGE_COLLECTION_VIEW = 60,
    MESSAGE_COORD_REQUEST = 70,
    MESSAGE_COORD_ANSWER = 71,
};

/* W3C Trace Context, version 00: "00-<32 hex>-<16 hex>-<2 hex>" in lower case, no id all zero. */
bool traceparent_is_valid(const char *text);
enum { TRACEPARENT_BYTES = 56 }; /* with its zero */

/* "LoadSegments"; "message?" for an unknown kind. */
/* Of what an agent says on its event subject. */
bool message_is_receipt(enum message_kind kind);
const char *message_kind_name(enum message_kind kind);

struct not_after {
    uint64_t boot; /* 0: never expires */
    uint64_t uptime_ms;
};

struct segment_load_info {
    int64_t segment_id, collection_id, partition_id;
    const char *replica;
    const char *path;
    struct qn_hash content_hash;
    uint64_t mem_size, num_rows, delete_generation;
    struct qn_epoch epoch;
    enum qn_segment_state state;
};

struct load_segments {
    const struct segment_load_info *segments;
    size_t segments_count;
    struct not_after not_after;
};

struct witness {
    int64_t node_id, segment_id;
    struct qn_epoch epoch;
    bool has_content_hash;
    struct qn_hash content_hash;
    uint64_t delete_generation;
};

enum ground {
    GROUND_UNSPECIFIED = 0,
    GROUND_MOVED = 1,
    GROUND_CEASED = 2,
    GROUND_FORCE = 3,
};

struct segment_release {
    int64_t segment_id;
    struct qn_epoch epoch;
    enum ground ground;
    const struct witness *witnesses;
    size_t witnesses_count; /* <= LIMIT_WITNESSES_MAX */
    struct qn_epoch since;
    const char *operator_name;
};

struct release_segments {
    const struct segment_release *segments;
    size_t segments_count;
    struct not_after not_after;
};

struct segment_info {
    int64_t segment_id, collection_id, partition_id;
    uint64_t mem_size, num_rows;
    int64_t node_id;
    enum qn_segment_state state;
    struct qn_epoch epoch;
    struct qn_hash content_hash;
    uint64_t delete_generation;
    const char *replica;
    enum qn_copy_state copy_state;
};

struct segment_change_info {
    int64_t online_node_id;
    const struct segment_info *online_segments;
    size_t online_segments_count;
    int64_t offline_node_id;
    const struct segment_info *offline_segments;
    size_t offline_segments_count;
};

struct change_info {
    int64_t collection_id;
    struct qn_epoch version, follows;
    const struct segment_change_info *infos;
    size_t infos_count;
    struct not_after not_after;
};

struct copy_status_request {
    int64_t node_id, segment_id;
    uint64_t nonce;
};

struct copy_status {
    int64_t node_id, segment_id;
    uint64_t nonce, asker_boot;
    enum qn_copy_state state;
    struct qn_epoch epoch;
    struct qn_hash content_hash;
    uint64_t delete_generation;
    const char *replica;
};

struct search_request {
    int64_t collection_id;
    uint32_t k, nq, dim;
    enum qn_metric metric;
    const float *queries; /* nq x dim, 4-byte aligned; decode checks nq x dim x 4 == bytes */
    const int64_t *segment_ids;
    size_t segments_count;
    uint32_t deadline_ms;
    float recall;
    uint32_t nprobe, ef, refine;
};

struct refusal {
    uint32_t index;
    enum qn_status status;
    int64_t moved_to;
};

struct search_answer {
    enum qn_status status;
    const char *text;
    uint32_t part, parts;
    const uint8_t *covered; /* bitmap over the request's segment_ids */
    size_t covered_bytes;
    const struct qn_epoch *epochs;
    size_t epochs_count;
    const struct refusal *refused;
    size_t refused_count;
    uint32_t first_query;
    const uint32_t *hit_counts; /* per query of this part */
    size_t hit_counts_count;
    const struct qn_hit *hits; /* sum of hit_counts, query by query, best first */
    size_t hits_count;
    uint32_t queue_us, search_us;
};

struct memory_report {
    uint64_t budget_bytes, ledger_bytes, reserved_bytes, anon_bytes, locked_bytes;
    uint64_t cgroup_limit_bytes, available_bytes;
    uint64_t heap_allocated_bytes, heap_resident_bytes, heap_retained_bytes;
    const uint64_t *numa_ledger_bytes;
    size_t numa_ledger_count;
    const uint64_t *numa_total_bytes;
    size_t numa_total_count;
};

struct copy_report {
    struct segment_info segment;
    uint32_t numa_node;
    uint64_t loaded_bytes, searches;
};

struct node_report {
    int64_t node_id;
    uint64_t report_number, uptime_ms;
    struct memory_report memory;
    uint64_t copies_digest;
    uint32_t copies_count;
    bool has_copies;
    uint32_t page, pages;
    const struct copy_report *copies;
    size_t copies_in_page;
    uint64_t searches_total, refused_total, dropped_total;
    bool leaving;
    const char *kernels;
};

struct segment_loaded {
    int64_t segment_id;
    struct qn_epoch epoch;
    uint64_t bytes;
    uint32_t numa_node;
    uint64_t took_ms;
    bool adopted;
};

struct segment_released {
    int64_t segment_id;
    struct qn_epoch epoch;
    uint64_t bytes, rss_before, rss_after;
    uint32_t numa_node;
    uint64_t waited_ms;
    enum ground ground;
    int64_t moved_to;
};

struct load_failed {
    int64_t segment_id;
    struct qn_epoch epoch;
    enum qn_status status;
    const char *text;
    uint64_t need_bytes, free_bytes;
};

struct release_held {
    int64_t segment_id;
    struct qn_epoch epoch;
    enum qn_status status;
    const char *text;
    int64_t witness_node_id;
};

struct leaving {
    int64_t segment_id;
    struct qn_epoch epoch;
};

struct command_refused {
    int64_t segment_id;
    struct qn_epoch epoch;
    enum qn_status status;
    const char *text;
    uint64_t command_term;
};

struct view_copy {
    int64_t node_id;
    struct qn_epoch epoch;
    const char *replica;
};

struct view_item {
    int64_t segment_id;
    uint64_t delete_generation;
    int64_t partition_id;
    uint64_t num_rows;
    struct qn_hash content_hash;
    const struct view_copy *copies;
    size_t copies_count; /* <= LIMIT_COPIES_PER_SEGMENT_MAX */
};

struct collection_view {
    int64_t collection_id;
    const char *name;
    struct qn_epoch version;
    uint64_t readable_version;
    enum qn_metric metric;
    uint32_t dim, page, pages;
    const struct view_item *items;
    size_t items_count;
};

enum coord_verb {
    COORD_VERB_UNSPECIFIED = 0,
    COORD_GET_VIEW = 1,
    COORD_LIST_NODES = 2,
    COORD_LIST_SEGMENTS = 3,
    COORD_LIST_COLLECTIONS = 4,
    COORD_LIST_MOVES = 5,
    COORD_LOAD_COLLECTION = 6,
    COORD_RELEASE_COLLECTION = 7,
    COORD_LOAD_BALANCE = 8,
};

struct coord_request {
    enum coord_verb verb;
    const char *collection, *folder;
    int64_t src_node_id;
    const int64_t *dst_node_ids;
    size_t dst_node_ids_count;
    const int64_t *segment_ids;
    size_t segment_ids_count;
};

struct node_info {
    int64_t node_id;
    uint64_t boot;
    bool silent;
    uint64_t heard_ms_ago, uptime_ms;
    uint32_t copies_count;
    struct memory_report memory;
    uint64_t refused_total, searches_total;
    const char *kernels;
};

struct collection_info {
    int64_t collection_id;
    const char *name, *folder;
    uint32_t segments_count, segments_serving;
    uint64_t num_rows, mem_size;
    enum qn_metric metric;
    uint32_t dim;
    struct qn_epoch version;
    uint64_t readable_version;
};

struct move_info {
    uint64_t move_id;
    int64_t segment_id, collection_id, src_node_id, dst_node_id;
    const char *phase, *reason;
    uint64_t bytes;
    uint64_t started_wall_ms, loaded_wall_ms, changed_wall_ms, finished_wall_ms;
    uint64_t released_bytes, rss_before, rss_after;
    uint32_t attempts;
    uint64_t waited_ms;
};

struct coord_answer {
    enum qn_status status;
    const char *text;
    const struct node_info *nodes;
    size_t nodes_count;
    const struct segment_info *segments;
    size_t segments_count;
    const struct collection_info *collections;
    size_t collections_count;
    const struct move_info *moves;
    size_t moves_count;
    const struct collection_view *view; /* NULL: none */
    uint32_t page, pages;
    uint64_t answer_number; /* pages of one sender, term and number belong together */
};

struct message {
    const char *cluster, *sender;
    uint64_t boot, term;
    const uint32_t *needs;
    size_t needs_count;
    uint64_t request_id;
    const char *reply_to;
    const char *traceparent; /* "" or NULL: not traced */
    enum message_kind kind;
    union {
        struct load_segments load_segments;
        struct release_segments release_segments;
        struct change_info change_info;
        struct copy_status_request copy_status_request;
        struct copy_status copy_status;
        struct search_request search_request;
        struct search_answer search_answer;
        struct node_report node_report;
        struct segment_loaded segment_loaded;
        struct segment_released segment_released;
        struct load_failed load_failed;
        struct release_held release_held;
        struct leaving leaving;
        struct command_refused command_refused;
        struct collection_view collection_view;
        struct coord_request coord_request;
        struct coord_answer coord_answer;
    };
};

#endif
