/* SPDX-License-Identifier: Apache-2.0
 * Every bound of PROTOCOL.md sections 3 and 4, in their order: what is at the bound passes both the
 * encoder and the decoder, one more is refused. (channel_bounds_test.c has the texts, and the rules
 * that are no bounds.) */
#include "base/check.h"
#include "tests/golden/codec_bench.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>

enum { BOUND_MAX = 65536 };

/* As many entries as any bound allows and one more, all zero. */
static const struct segment_load_info loads[LIMIT_SEGMENTS_PER_REQUEST_MAX + 1];
static const struct segment_release releases[LIMIT_SEGMENTS_PER_REQUEST_MAX + 1];
static const struct segment_change_info changes[LIMIT_SEGMENTS_PER_REQUEST_MAX + 1];
static const struct segment_info infos[LIMIT_SEGMENTS_PER_REQUEST_MAX + 1];
static const struct refusal refusals[LIMIT_SEGMENTS_PER_REQUEST_MAX + 1];
static const struct copy_report copies[LIMIT_REPORT_PAGE_COPIES + 1];
static const struct view_item items[LIMIT_VIEW_PAGE_ITEMS + 1];
static const struct view_copy view_copies[LIMIT_COPIES_PER_SEGMENT_MAX + 1];
static const struct witness witnesses[LIMIT_WITNESSES_MAX + 1];
static const struct node_info nodes[LIMIT_NODES_MAX + 1];
static const struct collection_info collections[LIMIT_VIEW_PAGE_ITEMS + 1];
static const struct move_info moves[LIMIT_VIEW_PAGE_ITEMS + 1];
static const struct qn_hit hits[BOUND_MAX + 1];
static const uint64_t zeros[BOUND_MAX + 1];
static char text[LIMIT_PATH_BYTES + 2];

/* One entry, of which a bound is tried. */
static struct segment_load_info load;
static struct segment_release release;
static struct segment_change_info change;
static struct segment_info info;
static struct refusal refusal;
static struct copy_report copy;
static struct view_item item;
static struct view_copy view_copy;
static struct node_info node;
static struct collection_info collection;
static struct move_info move;
static uint32_t counts[LIMIT_QUERIES_PER_REQUEST_MAX + 1];

static const char *text_of(size_t bytes)
{
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    return text;
}

/* A reply subject of the samples' cluster, so long. */
static const char *reply_of(size_t bytes)
{
    static char text[LIMIT_SUBJECT_BYTES + 2];
    int start = snprintf(text, sizeof text, "qnode.%s.reply.", sample_of(MESSAGE_LEAVING).cluster);

    assert_true(start > 0 && bytes > (size_t)start && bytes < sizeof text);
    memset(text + start, 'x', bytes - (size_t)start);
    text[bytes] = '\0';
    return text;
}

#define SET(name, ...)                                                                             \
    static void name(struct message *m, size_t n)                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
/* The list itself, and one entry of it. */
#define LIST(name, body, list, count, entries)                                                     \
    SET(name, m->body.list = (entries); m->body.count = n;)
#define ENTRY(name, body, list, count, entry, field, value)                                        \
    SET(name, memset(&(entry), 0, sizeof(entry)); (entry).field = (value);                         \
        m->body.list = &(entry); m->body.count = 1;)
#define FIELD(name, field, value) SET(name, m->field = (value);)

#define SHORT(n) ((uint32_t)(n))

SET(cluster, m->cluster = text_of(n); m->reply_to = "";)
FIELD(sender, sender, text_of(n))
FIELD(reply_to, reply_to, reply_of(n))
SET(needs, m->needs = (const uint32_t *)(const void *)zeros; m->needs_count = n;)

LIST(load_list, load_segments, segments, segments_count, loads)
ENTRY(load_replica, load_segments, segments, segments_count, load, replica, text_of(n))
ENTRY(load_path, load_segments, segments, segments_count, load, path, text_of(n))
ENTRY(load_state, load_segments, segments, segments_count, load, state, (enum qn_segment_state)n)
LIST(release_list, release_segments, segments, segments_count, releases)
ENTRY(ground, release_segments, segments, segments_count, release, ground, (enum ground)n)
ENTRY(operator_name, release_segments, segments, segments_count, release, operator_name, text_of(n))
SET(witness_list, memset(&release, 0, sizeof release); release.witnesses = witnesses;
    release.witnesses_count = n; m->release_segments.segments = &release;
    m->release_segments.segments_count = 1;)
LIST(change_list, change_info, infos, infos_count, changes)
SET(online, memset(&change, 0, sizeof change); change.online_segments = infos;
    change.online_segments_count = n; m->change_info.infos = &change;
    m->change_info.infos_count = 1;)
SET(offline, memset(&change, 0, sizeof change); change.offline_segments = infos;
    change.offline_segments_count = n; m->change_info.infos = &change;
    m->change_info.infos_count = 1;)
FIELD(copy_status_state, copy_status.state, (enum qn_copy_state)n)
FIELD(copy_status_replica, copy_status.replica, text_of(n))

FIELD(k, search_request.k, SHORT(n))
SET(nq, m->search_request.nq = SHORT(n); m->search_request.dim = 1; m->search_request.k = 1;
    m->search_request.queries = (const float *)(const void *)zeros;)
SET(dim, m->search_request.nq = 1; m->search_request.dim = SHORT(n);
    m->search_request.queries = (const float *)(const void *)zeros;)
/* 4 x 16384, and one query more */
SET(k_times_nq, m->search_request.dim = 1; m->search_request.k = LIMIT_K_MAX;
    m->search_request.nq = SHORT(n / LIMIT_K_MAX + n % 2);
    m->search_request.queries = (const float *)(const void *)zeros;)
FIELD(metric, search_request.metric, (enum qn_metric)n)
FIELD(deadline, search_request.deadline_ms, SHORT(n))
LIST(segment_ids, search_request, segment_ids, segments_count, (const int64_t *)(const void *)zeros)
FIELD(nprobe, search_request.nprobe, SHORT(n))
FIELD(ef, search_request.ef, SHORT(n))
FIELD(refine, search_request.refine, SHORT(n))

FIELD(answer_status, search_answer.status, (enum qn_status)n)
SET(parts, m->search_answer.part = 0; m->search_answer.parts = SHORT(n);)
SET(covered, m->search_answer.covered = (const uint8_t *)zeros; m->search_answer.covered_bytes = n;
    m->search_answer.epochs_count = 0;)
LIST(refused_list, search_answer, refused, refused_count, refusals)
ENTRY(refused_index, search_answer, refused, refused_count, refusal, index, SHORT(n))
ENTRY(refused_status, search_answer, refused, refused_count, refusal, status, (enum qn_status)n)
SET(first_query, m->search_answer.first_query = SHORT(n); m->search_answer.hit_counts_count = 0;
    m->search_answer.hits_count = 0;)
SET(last_query, memset(counts, 0, sizeof counts); m->search_answer.first_query = 1;
    m->search_answer.hit_counts = counts; m->search_answer.hit_counts_count = n;
    m->search_answer.hits_count = 0;)
SET(hits_of_a_query, counts[0] = SHORT(n); m->search_answer.hit_counts = counts;
    m->search_answer.hit_counts_count = 1; m->search_answer.hits = hits;
    m->search_answer.hits_count = n;)
SET(hits_of_all, for (size_t i = 0; i < 5; i++) counts[i] = i < 4 ? LIMIT_K_MAX : SHORT(n % 2);
    m->search_answer.hit_counts = counts; m->search_answer.hit_counts_count = 5;
    m->search_answer.hits = hits; m->search_answer.hits_count = n;)

FIELD(copies_count, node_report.copies_count, SHORT(n))
SET(report_pages, m->node_report.page = 0; m->node_report.pages = SHORT(n);)
LIST(copy_list, node_report, copies, copies_in_page, copies)
ENTRY(copy_numa_node, node_report, copies, copies_in_page, copy, numa_node, SHORT(n))
ENTRY(copy_replica, node_report, copies, copies_in_page, copy, segment.replica, text_of(n))
ENTRY(copy_state, node_report, copies, copies_in_page, copy, segment.copy_state,
      (enum qn_copy_state)n)
ENTRY(copy_segment_state, node_report, copies, copies_in_page, copy, segment.state,
      (enum qn_segment_state)n)
SET(numa_ledger, m->node_report.memory.numa_ledger_bytes = zeros;
    m->node_report.memory.numa_ledger_count = n;)
SET(numa_total, m->node_report.memory.numa_total_bytes = zeros;
    m->node_report.memory.numa_total_count = n;)
FIELD(kernels, node_report.kernels, text_of(n))

FIELD(loaded_numa_node, segment_loaded.numa_node, SHORT(n))
FIELD(failed_status, load_failed.status, (enum qn_status)n)
FIELD(held_status, release_held.status, (enum qn_status)n)
FIELD(released_numa_node, segment_released.numa_node, SHORT(n))
FIELD(released_ground, segment_released.ground, (enum ground)n)
FIELD(refused_command_status, command_refused.status, (enum qn_status)n)

FIELD(view_name, collection_view.name, text_of(n))
FIELD(view_metric, collection_view.metric, (enum qn_metric)n)
FIELD(view_dim, collection_view.dim, SHORT(n))
SET(view_pages, m->collection_view.page = 0; m->collection_view.pages = SHORT(n);)
LIST(view_items, collection_view, items, items_count, items)
SET(item_copies, memset(&item, 0, sizeof item); item.copies = view_copies; item.copies_count = n;
    m->collection_view.items = &item; m->collection_view.items_count = 1;)
SET(item_replica, memset(&item, 0, sizeof item); view_copy.replica = text_of(n);
    item.copies = &view_copy; item.copies_count = 1; m->collection_view.items = &item;
    m->collection_view.items_count = 1;)

FIELD(request_collection, coord_request.collection, text_of(n))
FIELD(request_folder, coord_request.folder, text_of(n))
LIST(request_nodes, coord_request, dst_node_ids, dst_node_ids_count,
     (const int64_t *)(const void *)zeros)
LIST(request_segments, coord_request, segment_ids, segment_ids_count,
     (const int64_t *)(const void *)zeros)
FIELD(coord_status, coord_answer.status, (enum qn_status)n)
SET(answer_pages, m->coord_answer.page = 0; m->coord_answer.pages = SHORT(n);)
LIST(answer_nodes, coord_answer, nodes, nodes_count, nodes)
ENTRY(node_kernels, coord_answer, nodes, nodes_count, node, kernels, text_of(n))
LIST(answer_segments, coord_answer, segments, segments_count, infos)
ENTRY(info_replica, coord_answer, segments, segments_count, info, replica, text_of(n))
LIST(answer_collections, coord_answer, collections, collections_count, collections)
ENTRY(collection_name, coord_answer, collections, collections_count, collection, name, text_of(n))
ENTRY(collection_folder, coord_answer, collections, collections_count, collection, folder,
      text_of(n))
ENTRY(collection_metric, coord_answer, collections, collections_count, collection, metric,
      (enum qn_metric)n)
LIST(answer_moves, coord_answer, moves, moves_count, moves)
ENTRY(move_phase, coord_answer, moves, moves_count, move, phase, text_of(n))

enum { NAME = 128, PATH = 1024, SEGMENTS = 4096 };

/* The last of the list, whose numbers have no gap. */
enum {
    STATUSES = -1
#define STATUS(name, number, text, exit_code) +1
#include "qnode/status.def"
#undef STATUS
};

#define BOUND(kind, low, high, set)                                                                \
    {                                                                                              \
#set, MESSAGE_##kind, low, high, set                                                       \
    }
static const struct {
    const char *name;
    enum message_kind kind;
    size_t low, high; /* the page's numbers, not limits.h's: both must agree */
    void (*set)(struct message *message, size_t value);
} bounds[] = {
    BOUND(LEAVING, 0, NAME, cluster),
    BOUND(LEAVING, 0, NAME, sender),
    BOUND(LEAVING, 60, 255, reply_to),
    BOUND(LEAVING, 0, 32, needs),

    BOUND(LOAD_SEGMENTS, 0, SEGMENTS, load_list),
    BOUND(LOAD_SEGMENTS, 0, NAME, load_replica),
    BOUND(LOAD_SEGMENTS, 0, PATH, load_path),
    BOUND(LOAD_SEGMENTS, 0, 2, load_state),
    BOUND(RELEASE_SEGMENTS, 0, SEGMENTS, release_list),
    BOUND(RELEASE_SEGMENTS, 0, 3, ground),
    BOUND(RELEASE_SEGMENTS, 0, NAME, operator_name),
    BOUND(RELEASE_SEGMENTS, 0, 8, witness_list),
    BOUND(CHANGE_INFO, 0, 4096, change_list),
    BOUND(CHANGE_INFO, 0, SEGMENTS, online),
    BOUND(CHANGE_INFO, 0, SEGMENTS, offline),
    BOUND(COPY_STATUS, 0, 4, copy_status_state),
    BOUND(COPY_STATUS, 0, NAME, copy_status_replica),

    BOUND(SEARCH_REQUEST, 1, 16384, k),
    BOUND(SEARCH_REQUEST, 1, 1024, nq),
    BOUND(SEARCH_REQUEST, 1, 32768, dim),
    BOUND(SEARCH_REQUEST, 65536, 65536, k_times_nq),
    BOUND(SEARCH_REQUEST, 0, 3, metric),
    BOUND(SEARCH_REQUEST, 0, 60000, deadline),
    BOUND(SEARCH_REQUEST, 1, SEGMENTS, segment_ids),
    BOUND(SEARCH_REQUEST, 0, 1048576, nprobe),
    BOUND(SEARCH_REQUEST, 0, 65536, ef),
    BOUND(SEARCH_REQUEST, 0, 65536, refine),

    BOUND(SEARCH_ANSWER, 0, STATUSES, answer_status),
    BOUND(SEARCH_ANSWER, 1, 1024, parts),
    BOUND(SEARCH_ANSWER, 0, 512, covered),
    BOUND(SEARCH_ANSWER, 0, 4096, refused_list),
    BOUND(SEARCH_ANSWER, 0, 4095, refused_index),
    BOUND(SEARCH_ANSWER, 0, STATUSES, refused_status),
    BOUND(SEARCH_ANSWER, 0, 1024, first_query),
    BOUND(SEARCH_ANSWER, 0, 1023, last_query),
    BOUND(SEARCH_ANSWER, 0, 16384, hits_of_a_query),
    BOUND(SEARCH_ANSWER, 65536, 65536, hits_of_all),

    BOUND(NODE_REPORT, 0, 4096, copies_count),
    BOUND(NODE_REPORT, 1, 64, report_pages),
    BOUND(NODE_REPORT, 0, 1024, copy_list),
    BOUND(NODE_REPORT, 0, 63, copy_numa_node),
    BOUND(NODE_REPORT, 0, NAME, copy_replica),
    BOUND(NODE_REPORT, 0, 4, copy_state),
    BOUND(NODE_REPORT, 0, 2, copy_segment_state),
    BOUND(NODE_REPORT, 0, 64, numa_ledger),
    BOUND(NODE_REPORT, 0, 64, numa_total),
    BOUND(NODE_REPORT, 0, NAME, kernels),
    BOUND(SEGMENT_LOADED, 0, 63, loaded_numa_node),
    BOUND(LOAD_FAILED, 0, STATUSES, failed_status),
    BOUND(RELEASE_HELD, 0, STATUSES, held_status),
    BOUND(SEGMENT_RELEASED, 0, 63, released_numa_node),
    BOUND(SEGMENT_RELEASED, 0, 3, released_ground),
    BOUND(COMMAND_REFUSED, 0, STATUSES, refused_command_status),

    BOUND(COLLECTION_VIEW, 0, NAME, view_name),
    BOUND(COLLECTION_VIEW, 0, 3, view_metric),
    BOUND(COLLECTION_VIEW, 0, 32768, view_dim),
    BOUND(COLLECTION_VIEW, 1, 4096, view_pages),
    BOUND(COLLECTION_VIEW, 0, 4096, view_items),
    BOUND(COLLECTION_VIEW, 0, 8, item_copies),
    BOUND(COLLECTION_VIEW, 0, NAME, item_replica),
    BOUND(COORD_REQUEST, 0, NAME, request_collection),
    BOUND(COORD_REQUEST, 0, PATH, request_folder),
    BOUND(COORD_REQUEST, 0, 16384, request_nodes),
    BOUND(COORD_REQUEST, 0, SEGMENTS, request_segments),
    BOUND(COORD_ANSWER, 0, STATUSES, coord_status),
    BOUND(COORD_ANSWER, 1, 65536, answer_pages),
    BOUND(COORD_ANSWER, 0, 16384, answer_nodes),
    BOUND(COORD_ANSWER, 0, NAME, node_kernels),
    BOUND(COORD_ANSWER, 0, SEGMENTS, answer_segments),
    BOUND(COORD_ANSWER, 0, NAME, info_replica),
    BOUND(COORD_ANSWER, 0, 4096, answer_collections),
    BOUND(COORD_ANSWER, 0, NAME, collection_name),
    BOUND(COORD_ANSWER, 0, PATH, collection_folder),
    BOUND(COORD_ANSWER, 0, 3, collection_metric),
    BOUND(COORD_ANSWER, 0, 4096, answer_moves),
    BOUND(COORD_ANSWER, 0, NAME, move_phase),
};

static void try_bound(struct bench *bench, size_t row, size_t value, bool is_within)
{
    struct message message = sample_of(bounds[row].kind);

    bounds[row].set(&message, value);
    enum qn_status status = bench_encode(bench, &message);
    if (status == QN_STATUS_OK)
        status = bench_decode(bench, bench->bytes, bench->size);
    if (status != (is_within ? QN_STATUS_OK : QN_STATUS_INVALID))
        fail_msg("%s: %zu is %s", bounds[row].name, value,
                 status == QN_STATUS_OK ? "taken" : bench->error.text);
}

/* Encoder and decoder check with the same functions (codec_internal.h). */
static void every_bound_of_the_page_is_the_codec_s(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        try_bound(bench, i, bounds[i].low, true);
        try_bound(bench, i, bounds[i].high, true);
        try_bound(bench, i, bounds[i].high + 1, false);
        if (bounds[i].low == 1)
            try_bound(bench, i, 0, false);
    }
}

static void a_page_lies_before_the_end(void **state)
{
    struct bench *bench = *state;
    struct message report = sample_of(MESSAGE_NODE_REPORT);
    struct message view = sample_of(MESSAGE_COLLECTION_VIEW);
    struct message answer = sample_of(MESSAGE_COORD_ANSWER);
    struct message part = sample_of(MESSAGE_SEARCH_ANSWER);

    report.node_report.page = report.node_report.pages;
    view.collection_view.page = view.collection_view.pages;
    answer.coord_answer.page = answer.coord_answer.pages;
    part.search_answer.part = part.search_answer.parts;
    assert_int_equal(bench_encode(bench, &report), QN_STATUS_INVALID);
    assert_int_equal(bench_encode(bench, &view), QN_STATUS_INVALID);
    assert_int_equal(bench_encode(bench, &answer), QN_STATUS_INVALID);
    assert_int_equal(bench_encode(bench, &part), QN_STATUS_INVALID);
}

static void a_verb_from_the_future_is_taken(void **state)
{
    struct bench *bench = *state;
    struct message message = sample_of(MESSAGE_COORD_REQUEST);

    message.coord_request.verb = (enum coord_verb)1000;
    assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
    assert_int_equal(bench_decode(bench, bench->bytes, bench->size), QN_STATUS_OK);
    assert_int_equal(bench->decoded.coord_request.verb, 1000);
}

/* In C such a string would end early, and "demo\0x" pass for the cluster "demo". */
static void the_decoder_refuses_a_zero_byte_in_any_text(void **state)
{
    struct bench *bench = *state;
    static struct wire whole, view, item, copy;

    put_block(&whole, 1, "demo\0x", 6);
    assert_int_equal(bench_decode(bench, whole.bytes, whole.size), QN_STATUS_CORRUPT);
    assert_string_equal(bench->error.text, "message.cluster: a zero byte");
    whole.size = 0;
    put_block(&copy, 3, "r1\0", 3);
    put_block(&item, 6, "", 0);
    put_block(&item, 6, copy.bytes, copy.size);
    put_block(&view, 9, item.bytes, item.size);
    put_block(&whole, 60, view.bytes, view.size);
    assert_int_equal(bench_decode(bench, whole.bytes, whole.size), QN_STATUS_CORRUPT);
    assert_string_equal(bench->error.text, "message.replica: a zero byte");
}

/* Bytes are no text, and nobody knows what an unknown field is. */
static void zero_bytes_elsewhere_are_no_trouble(void **state)
{
    struct bench *bench = *state;
    static struct wire whole;

    put_block(&whole, 1, "demo", 4);
    put_block(&whole, 900, "a\0b", 3);
    put_block(&whole, 23, "", 0);
    assert_int_equal(bench_decode(bench, whole.bytes, whole.size), QN_STATUS_OK);
    assert_int_equal(bench->decoded.kind, MESSAGE_REPORT_REQUEST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        TEST(every_bound_of_the_page_is_the_codec_s),
        TEST(a_page_lies_before_the_end),
        TEST(a_verb_from_the_future_is_taken),
        TEST(the_decoder_refuses_a_zero_byte_in_any_text),
        TEST(zero_bytes_elsewhere_are_no_trouble),
    };

    return cmocka_run_group_tests_name("channel_limits", tests, NULL, NULL);
}
