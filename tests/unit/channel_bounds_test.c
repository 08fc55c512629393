/* SPDX-License-Identifier: Apache-2.0
 * The bounds of the protocol, each broken once on the encoder's and on the decoder's side. (Longer
 * than 400 lines: each breach is a function of four.) */
#include "base/check.h"
#include "tests/golden/codec_bench.h"
#include "tests/test.h"
#include <math.h>
#include <string.h>

static char long_text[LIMIT_PATH_BYTES + 2];
static const struct segment_load_info many_loads[LIMIT_SEGMENTS_PER_REQUEST_MAX + 1];
static const int64_t many_ids[LIMIT_NODES_MAX + 1];
static const float zeros[1 << 18];

/* Changes one thing of a sample and says what the encoder has to say to it. */
struct breach {
    const char *what; /* text of the error */
    enum message_kind kind;
    void (*breach)(struct message *message);
};

static void long_cluster(struct message *m)
{
    m->cluster = long_text + LIMIT_PATH_BYTES - LIMIT_NAME_BYTES;
}

static void bad_utf8(struct message *m)
{
    m->sender = "\xed\xa0\x80";
}

static void control_character(struct message *m)
{
    m->sender = "a\nb";
}

static void bad_reply(struct message *m)
{
    m->reply_to = "a b";
}

static void wild_reply(struct message *m)
{
    m->reply_to = "a.>";
}

static void many_needs(struct message *m)
{
    static const uint32_t needs[LIMIT_NEEDS_MAX + 1];

    m->needs = needs;
    m->needs_count = LIMIT_NEEDS_MAX + 1;
}

static void too_many_loads(struct message *m)
{
    m->load_segments.segments = many_loads;
    m->load_segments.segments_count = COUNT_OF(many_loads);
}

static void long_path(struct message *m)
{
    static struct segment_load_info info;

    info = m->load_segments.segments[0];
    info.path = long_text;
    m->load_segments.segments = &info;
    m->load_segments.segments_count = 1;
}

static void unknown_state(struct message *m)
{
    static struct segment_load_info info;

    info = m->load_segments.segments[0];
    info.state = (enum qn_segment_state)3;
    m->load_segments.segments = &info;
    m->load_segments.segments_count = 1;
}

static void many_witnesses(struct message *m)
{
    static const struct witness witnesses[LIMIT_WITNESSES_MAX + 1];
    static struct segment_release release;

    release = m->release_segments.segments[0];
    release.witnesses = witnesses;
    release.witnesses_count = COUNT_OF(witnesses);
    m->release_segments.segments = &release;
    m->release_segments.segments_count = 1;
}

static void unknown_ground(struct message *m)
{
    m->segment_released.ground = (enum ground) - 1;
}

static void k_zero(struct message *m)
{
    m->search_request.k = 0;
}

static void k_large(struct message *m)
{
    m->search_request.k = LIMIT_K_MAX + 1;
}

static void nq_large(struct message *m)
{
    m->search_request.nq = LIMIT_QUERIES_PER_REQUEST_MAX + 1;
}

static void dim_large(struct message *m)
{
    m->search_request.dim = LIMIT_DIM_MAX + 1;
}

static void hits_large(struct message *m)
{
    m->search_request.queries = zeros;
    m->search_request.nq = 5;
    m->search_request.k = LIMIT_K_MAX;
}

static void deadline_large(struct message *m)
{
    m->search_request.deadline_ms = LIMIT_SEARCH_MS_MAX + 1;
}

static void no_segments(struct message *m)
{
    m->search_request.segments_count = 0;
}

static void not_a_number(struct message *m)
{
    static const float queries[] = {1, 2, 3, 4, NAN, 6};

    m->search_request.queries = queries;
}

static void infinite(struct message *m)
{
    static const float queries[] = {1, 2, 3, 4, 5, -INFINITY};

    m->search_request.queries = queries;
}

static void large_message(struct message *m)
{
    m->search_request.queries = zeros;
    m->search_request.dim = 32768;
    m->search_request.nq = 8;
}

static void part_beyond(struct message *m)
{
    m->search_answer.part = 2;
}

static void no_parts(struct message *m)
{
    m->search_answer.part = 0;
    m->search_answer.parts = 0;
}

static void epochs_missing(struct message *m)
{
    m->search_answer.epochs_count = 1;
}

static void covered_large(struct message *m)
{
    m->search_answer.covered = (const uint8_t *)zeros;
    m->search_answer.covered_bytes = LIMIT_SEGMENTS_PER_REQUEST_MAX / 8 + 1;
}

static void counts_differ(struct message *m)
{
    m->search_answer.hits_count = 2;
}

static void unknown_status(struct message *m)
{
    m->search_answer.status = (enum qn_status)25;
}

static void copies_in_a_heartbeat(struct message *m)
{
    m->node_report.has_copies = false;
}

static void many_numa_nodes(struct message *m)
{
    m->node_report.memory.numa_total_bytes = (const uint64_t *)many_ids;
    m->node_report.memory.numa_total_count = LIMIT_NUMA_NODES_MAX + 1;
}

static void view_without_pages(struct message *m)
{
    m->collection_view.pages = 0;
}

static void many_view_copies(struct message *m)
{
    static const struct view_copy copies[LIMIT_COPIES_PER_SEGMENT_MAX + 1];
    static struct view_item item;

    item = (struct view_item){.copies = copies, .copies_count = COUNT_OF(copies)};
    m->collection_view.items = &item;
    m->collection_view.items_count = 1;
}

static void many_targets(struct message *m)
{
    m->coord_request.dst_node_ids = many_ids;
    m->coord_request.dst_node_ids_count = COUNT_OF(many_ids);
}

static const struct breach breaches[] = {
    {"message.cluster: 129 bytes, at most 128 wanted", MESSAGE_LEAVING, long_cluster},
    {"message.sender: not UTF-8", MESSAGE_LEAVING, bad_utf8},
    {"message.sender: a control character", MESSAGE_LEAVING, control_character},
    {"message.reply_to: not a reply subject of the cluster", MESSAGE_LEAVING, bad_reply},
    {"message.reply_to: not a reply subject of the cluster", MESSAGE_LEAVING, wild_reply},
    {"message.needs: 33, 0 to 32 wanted", MESSAGE_LEAVING, many_needs},
    {"load_segments.segments: 4097 entries, at most 4096 wanted", MESSAGE_LOAD_SEGMENTS,
     too_many_loads},
    {"load_segments.segments[0].path: 1025 bytes, at most 1024 wanted", MESSAGE_LOAD_SEGMENTS,
     long_path},
    {"load_segments.segments[0].state: 3, 0 to 2 wanted", MESSAGE_LOAD_SEGMENTS, unknown_state},
    {"release_segments.segments[0].witnesses: 9, 0 to 8 wanted", MESSAGE_RELEASE_SEGMENTS,
     many_witnesses},
    {"segment_released.ground: 4294967295, 0 to 3 wanted", MESSAGE_SEGMENT_RELEASED,
     unknown_ground},
    {"search_request.k: 0, 1 to 16384 wanted", MESSAGE_SEARCH_REQUEST, k_zero},
    {"search_request.k: 16385, 1 to 16384 wanted", MESSAGE_SEARCH_REQUEST, k_large},
    {"search_request.nq: 1025, 1 to 1024 wanted", MESSAGE_SEARCH_REQUEST, nq_large},
    {"search_request.dim: 32769, 1 to 32768 wanted", MESSAGE_SEARCH_REQUEST, dim_large},
    {"search_request.k x nq: 81920, 1 to 65536 wanted", MESSAGE_SEARCH_REQUEST, hits_large},
    {"search_request.deadline_ms: 60001, 0 to 60000 wanted", MESSAGE_SEARCH_REQUEST,
     deadline_large},
    {"search_request.segment_ids: 0, 1 to 4096 wanted", MESSAGE_SEARCH_REQUEST, no_segments},
    {"search_request.queries: a value is not finite", MESSAGE_SEARCH_REQUEST, not_a_number},
    {"search_request.queries: a value is not finite", MESSAGE_SEARCH_REQUEST, infinite},
    {"message: 1048709 bytes, at most 1048576 wanted", MESSAGE_SEARCH_REQUEST, large_message},
    {"search_answer.part: 2, 0 to 1 wanted", MESSAGE_SEARCH_ANSWER, part_beyond},
    {"search_answer.parts: 0, 1 to 1024 wanted", MESSAGE_SEARCH_ANSWER, no_parts},
    {"search_answer.epochs: 1, but 2 covered", MESSAGE_SEARCH_ANSWER, epochs_missing},
    {"search_answer.covered: 513, 0 to 512 wanted", MESSAGE_SEARCH_ANSWER, covered_large},
    {"search_answer.primary_keys: 2, but hit_counts add up to 3", MESSAGE_SEARCH_ANSWER,
     counts_differ},
    {"search_answer.status: 25, 0 to 24 wanted", MESSAGE_SEARCH_ANSWER, unknown_status},
    {"node_report.copies: 2, 0 to 0 wanted", MESSAGE_NODE_REPORT, copies_in_a_heartbeat},
    {"memory.numa_total_bytes: 65 entries, at most 64 wanted", MESSAGE_NODE_REPORT,
     many_numa_nodes},
    {"collection_view.pages: 0, 1 to 4096 wanted", MESSAGE_COLLECTION_VIEW, view_without_pages},
    {"collection_view.items[0].copies: 9, 0 to 8 wanted", MESSAGE_COLLECTION_VIEW,
     many_view_copies},
    {"coord_request.dst_node_ids: 16385, 0 to 16384 wanted", MESSAGE_COORD_REQUEST, many_targets},
};

static void the_encoder_refuses_each_breach_by_name(void **state)
{
    struct bench *bench = *state;

    memset(long_text, 'x', sizeof long_text - 1);
    for (size_t i = 0; i < COUNT_OF(breaches); i++) {
        struct message message = sample_of(breaches[i].kind);
        breaches[i].breach(&message);
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_INVALID);
        assert_string_equal(bench->error.text, breaches[i].what);
    }
}

/* ---- the decoder's side: bytes that no encoder of ours makes ---- */

static void wire_search(struct wire *wire, uint64_t k, uint64_t nq, uint64_t dim, float value)
{
    const float values[3] = {1, value, 3};

    put_number(wire, 2, k);
    put_number(wire, 3, nq);
    put_number(wire, 4, dim);
    put_block(wire, 6, values, sizeof values);
    put_block(wire, 7, zeros, 8);
}

static void wire_short_queries(struct wire *wire)
{
    wire_search(wire, 1, 4, 3, 2);
}

static void wire_odd_queries(struct wire *wire)
{
    put_block(wire, 6, zeros, 5);
}

static void wire_overflowing_queries(struct wire *wire)
{
    wire_search(wire, 1, UINT32_MAX, UINT32_MAX, 2);
}

static void wire_nan(struct wire *wire)
{
    wire_search(wire, 1, 1, 3, NAN);
}

static void wire_no_k(struct wire *wire)
{
    wire_search(wire, 0, 1, 3, 2);
}

static void wire_metric(struct wire *wire)
{
    wire_search(wire, 1, 1, 3, 2);
    put_number(wire, 5, 4);
}

static void wire_load(struct wire *wire, size_t hash_bytes)
{
    struct wire info = {.size = 0};

    put_block(&info, 6, zeros, hash_bytes);
    put_block(wire, 1, info.bytes, info.size);
}

static void wire_short_hash(struct wire *wire)
{
    wire_load(wire, 15);
}

static void wire_no_hash(struct wire *wire)
{
    wire_load(wire, 0);
}

static void wire_many_loads(struct wire *wire)
{
    for (int i = 0; i < LIMIT_SEGMENTS_PER_REQUEST_MAX + 1; i++)
        wire_load(wire, 16);
}

static void wire_answer(struct wire *wire)
{
    put_number(wire, 4, 1);
}

static void wire_lone_keys(struct wire *wire)
{
    wire_answer(wire);
    put_block(wire, 10, zeros, 16);
    put_block(wire, 11, zeros, 4);
}

static void wire_counts(struct wire *wire)
{
    wire_answer(wire);
    put_block(wire, 9, (const uint8_t[]){2}, 1);
    put_block(wire, 10, zeros, 8);
    put_block(wire, 11, zeros, 4);
}

static void wire_lone_epochs(struct wire *wire)
{
    wire_answer(wire);
    put_block(wire, 6, zeros, 0);
}

static void wire_status(struct wire *wire)
{
    wire_answer(wire);
    put_number(wire, 1, 99);
}

static void wire_copy_without_segment(struct wire *wire)
{
    put_number(wire, 7, 1);
    put_number(wire, 9, 1);
    put_block(wire, 10, zeros, 0);
}

static void wire_long_text(struct wire *wire)
{
    put_block(wire, 4, long_text, CODEC_TEXT_BYTES_MAX + 1);
}

static const struct {
    unsigned body;
    void (*fill)(struct wire *wire);
    const char *what;
} wire_breaches[] = {
    {40, wire_short_queries, "search_request.queries: 12 bytes, 4 x 4 x 3 wanted"},
    {40, wire_odd_queries, "search_request.queries: 5 bytes, 4 x 0 x 0 wanted"},
    {40, wire_overflowing_queries,
     "search_request.queries: 12 bytes, 4 x 4294967295 x 4294967295 wanted"},
    {40, wire_nan, "search_request.queries: a value is not finite"},
    {40, wire_no_k, "search_request.k: 0, 1 to 16384 wanted"},
    {40, wire_metric, "search_request.metric: 4, 0 to 3 wanted"},
    {20, wire_short_hash, "load_segments.segments.content_hash: 15 bytes, 16 wanted"},
    {20, wire_no_hash, "load_segments.segments.content_hash: 0 bytes, 16 wanted"},
    {20, wire_many_loads, "load_segments.segments: 4097 entries, at most 4096 wanted"},
    {41, wire_lone_keys, "search_answer.distances: 1, but 2 primary_keys"},
    {41, wire_counts, "search_answer.primary_keys: 1, but hit_counts add up to 2"},
    {41, wire_lone_epochs, "search_answer.epochs: 1, but 0 covered"},
    {41, wire_status, "search_answer.status: 99, 0 to 24 wanted"},
    {50, wire_copy_without_segment, "node_report.copies.segment: missing"},
    {53, wire_long_text, "load_failed.text: 256 bytes, at most 255 wanted"},
};

static void the_decoder_refuses_each_breach_by_name(void **state)
{
    struct bench *bench = *state;
    static struct wire body, whole;

    memset(long_text, 'x', sizeof long_text - 1);
    for (size_t i = 0; i < COUNT_OF(wire_breaches); i++) {
        body.size = whole.size = 0;
        wire_breaches[i].fill(&body);
        put_block(&whole, wire_breaches[i].body, body.bytes, body.size);
        assert_int_equal(bench_decode(bench, whole.bytes, whole.size), QN_STATUS_CORRUPT);
        assert_string_equal(bench->error.text, wire_breaches[i].what);
    }
}

static void the_decoder_refuses_a_bad_envelope(void **state)
{
    struct bench *bench = *state;
    static struct wire whole;

    put_block(&whole, 11, "inbox\r\nPUB x 0", 14);
    assert_int_equal(bench_decode(bench, whole.bytes, whole.size), QN_STATUS_CORRUPT);
    assert_string_equal(bench->error.text, "message.reply_to: not a reply subject of the cluster");
    whole.size = 0;
    put_block(&whole, 5, zeros, LIMIT_NEEDS_MAX + 1);
    assert_int_equal(bench_decode(bench, whole.bytes, whole.size), QN_STATUS_CORRUPT);
    assert_string_equal(bench->error.text, "message.needs: 33, 0 to 32 wanted");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        TEST(the_encoder_refuses_each_breach_by_name),
        TEST(the_decoder_refuses_each_breach_by_name),
        TEST(the_decoder_refuses_a_bad_envelope),
    };

    return cmocka_run_group_tests_name("channel_bounds", tests, NULL, NULL);
}
