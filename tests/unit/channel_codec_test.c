/* SPDX-License-Identifier: Apache-2.0
 * The codec: round trips, hostile bytes, memory that runs out. */
#include "base/check.h"
#include "base/prng.h"
#include "tests/golden/codec_bench.h"
#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

static void every_kind_survives_a_round_trip(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < SAMPLES_COUNT; i++) {
        struct message message = samples_at(i);
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
        assert_int_equal(bench_decode(bench, bench->bytes, bench->size), QN_STATUS_OK);
        samples_assert_same(&message, &bench->decoded);
    }
}

static void a_nearly_empty_message_has_no_null_strings(void **state)
{
    struct bench *bench = *state;
    struct message message = {.kind = MESSAGE_LOAD_FAILED};

    assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
    assert_int_equal(bench_decode(bench, bench->bytes, bench->size), QN_STATUS_OK);
    assert_string_equal(bench->decoded.cluster, "");
    assert_string_equal(bench->decoded.sender, "");
    assert_string_equal(bench->decoded.reply_to, "");
    assert_string_equal(bench->decoded.load_failed.text, "");
    assert_null(bench->decoded.needs);
}

/* W3C Trace Context says to go on without what is not understood. */
static void a_traceparent_that_is_none_is_left_out(void **state)
{
    static const char *const none[] = {
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7a-01",
        "00",
        "",
    };
    struct bench *bench = *state;
    struct message message = sample_of(MESSAGE_REPORT_REQUEST);

    message.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        uint8_t bytes[512];
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
        memcpy(bytes, bench->bytes, bench->size);
        uint8_t *at = memmem(bytes, bench->size, message.traceparent, 55);
        assert_non_null(at);
        size_t most = strnlen(none[i], 55); /* over it, cut to its length */
        memset(at, 'x', 55);
        memcpy(at, none[i], most);
        assert_int_equal(bench_decode(bench, bytes, bench->size), QN_STATUS_OK);
        if (strlen(none[i]) <= 55)
            assert_string_equal(bench->decoded.traceparent, "");
        assert_int_equal(bench->decoded.request_id, message.request_id);
        message.traceparent = none[i];
        assert_false(traceparent_is_valid(none[i]));
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
        assert_int_equal(bench_decode(bench, bench->bytes, bench->size), QN_STATUS_OK);
        assert_string_equal(bench->decoded.traceparent, "");
        message.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    }
}

static void no_bytes_are_a_message_of_no_kind(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(bench_decode(bench, NULL, 0), QN_STATUS_OK);
    assert_int_equal(bench->decoded.kind, MESSAGE_NONE);
    assert_int_equal(bench_encode(bench, &bench->decoded), QN_STATUS_OK);
    assert_int_equal(bench->size, 0);
}

static void a_body_from_the_future_is_a_message_of_no_kind(void **state)
{
    struct bench *bench = *state;
    static const uint8_t bytes[] = {0x0a, 1, 'c', 0xd2, 0x05, 2, 8, 1}; /* cluster "c", body 90 */

    assert_int_equal(bench_decode(bench, bytes, sizeof bytes), QN_STATUS_OK);
    assert_int_equal(bench->decoded.kind, MESSAGE_NONE);
    assert_string_equal(bench->decoded.cluster, "c");
}

static void unknown_fields_are_ignored(void **state)
{
    struct bench *bench = *state;
    struct message message = sample_of(MESSAGE_SEGMENT_LOADED);
    uint8_t longer[512];

    assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
    memcpy(longer, bench->bytes, bench->size);
    memcpy(longer + bench->size, (const uint8_t[]){0xfa, 0x06, 1, 'x'}, 4); /* field 111 */
    assert_int_equal(bench_decode(bench, longer, bench->size + 4), QN_STATUS_OK);
    samples_assert_same(&message, &bench->decoded);
}

static void a_refused_body_leaves_the_envelope(void **state)
{
    struct bench *bench = *state;
    struct message message = sample_of(MESSAGE_SEARCH_REQUEST);

    assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
    uint8_t bytes[512];
    assert_true(bench->size <= sizeof bytes);
    memcpy(bytes, bench->bytes, bench->size);
    uint8_t *k = memmem(bytes, bench->size, (const uint8_t[]){0x10, 10, 0x18, 2}, 4);
    assert_non_null(k);
    k[1] = 0;
    assert_int_equal(bench_decode(bench, bytes, bench->size), QN_STATUS_CORRUPT);
    assert_string_equal(bench->error.text, "search_request.k: 0, 1 to 16384 wanted");
    assert_int_equal(bench->decoded.kind, MESSAGE_SEARCH_REQUEST);
    assert_int_equal(bench->decoded.request_id, message.request_id);
    assert_string_equal(bench->decoded.reply_to, message.reply_to);
}

static void truncation_never_crashes_and_never_passes_for_the_whole(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < SAMPLES_COUNT; i++) {
        struct message message = samples_at(i);
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
        for (size_t size = 0; size < bench->size; size++) {
            /* A block of its own, so that a sanitizer sees a read beyond it. */
            uint8_t *bytes = malloc(size + 1);
            assert_non_null(bytes);
            memcpy(bytes, bench->bytes, size);
            if (bench_decode(bench, bytes, size) == QN_STATUS_OK)
                assert_int_equal(bench->decoded.kind, MESSAGE_NONE);
            free(bytes);
        }
    }
}

static void flipped_bits_never_crash(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[4096];
    struct prng prng;

    prng_init(&prng, 1);
    for (int round = 0; round < 20000; round++) {
        struct message message = samples_at(prng_below(&prng, SAMPLES_COUNT));
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
        size_t size = bench->size;
        assert_true(size <= sizeof bytes);
        memcpy(bytes, bench->bytes, size);
        for (uint64_t flips = 1 + prng_below(&prng, 8); flips > 0; flips--)
            bytes[prng_below(&prng, size)] ^= (uint8_t)(1u << prng_below(&prng, 8));
        if (bench_decode(bench, bytes, size) == QN_STATUS_OK)
            assert_int_equal(bench_encode(bench, &bench->decoded), QN_STATUS_OK);
    }
}

static void random_bytes_never_crash(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[256];
    struct prng prng;

    prng_init(&prng, 2);
    for (int round = 0; round < 50000; round++) {
        size_t size = prng_below(&prng, sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)prng_next(&prng);
        if (bench_decode(bench, bytes, size) == QN_STATUS_OK)
            assert_int_equal(bench_encode(bench, &bench->decoded), QN_STATUS_OK);
    }
}

/* LoadSegments, CollectionView, ...: 1 MiB of `tag, length 0` pairs inside the body. */
static void a_mebibyte_of_empty_messages_costs_no_more_than_the_cap(void **state)
{
    struct bench *bench = *state;
    static const struct {
        unsigned body, list;
    } places[] = {{20, 1}, {21, 1}, {22, 4}, {41, 6}, {41, 7}, {50, 10}, {60, 9}, {71, 3}};
    uint8_t *bytes = malloc(LIMIT_MESSAGE_BYTES_MAX);

    assert_non_null(bytes);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct wire head = {.size = 0};
        put_varint(&head, places[i].body << 3 | 2);
        put_varint(&head, LIMIT_MESSAGE_BYTES_MAX - 16);
        memcpy(bytes, head.bytes, head.size);
        size_t used = head.size;
        size_t end = used + LIMIT_MESSAGE_BYTES_MAX - 16;
        while (used < end) {
            bytes[used++] = (uint8_t)(places[i].list << 3 | 2);
            bytes[used++] = 0;
        }
        assert_int_equal(bench_decode(bench, bytes, end), QN_STATUS_NO_MEMORY);
        assert_true(bench->out.taken_bytes <= ARENA_BYTES);
    }
    free(bytes);
}

static void a_message_beyond_the_limit_is_refused_unread(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(bench_decode(bench, NULL, LIMIT_MESSAGE_BYTES_MAX + 1), QN_STATUS_CORRUPT);
    assert_string_equal(bench->error.text, "message: 1048577 bytes, at most 1048576 wanted");
}

/* Every cap: out of memory or done, nothing else, until the first that suffices. */
static void memory_may_run_out_at_any_allocation(void **state)
{
    struct bench *bench = *state;
    struct message decoded;

    for (size_t i = 0; i < SAMPLES_COUNT; i++) {
        struct message message = samples_at(i);
        enum qn_status status = QN_STATUS_NO_MEMORY;
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
        for (size_t cap = 0; status != QN_STATUS_OK; cap += 8) {
            struct arena arena;
            arena_init(&arena, cap);
            status = codec_decode(bench->bytes, bench->size, &arena, &decoded, &bench->error);
            assert_true(status == QN_STATUS_OK || status == QN_STATUS_NO_MEMORY);
            assert_true(arena.taken_bytes <= cap);
            arena_done(&arena);
        }
        status = QN_STATUS_NO_MEMORY;
        for (size_t cap = 0; status != QN_STATUS_OK; cap += 8) {
            struct arena arena;
            const uint8_t *bytes;
            size_t size;
            arena_init(&arena, cap);
            status = codec_encode(&message, &arena, &bytes, &size, &bench->error);
            assert_true(status == QN_STATUS_OK || status == QN_STATUS_NO_MEMORY);
            arena_done(&arena);
        }
    }
}

static void texts_for_people_are_mended_not_refused(void **state)
{
    struct bench *bench = *state;
    struct message message = sample_of(MESSAGE_LOAD_FAILED);
    char text[400];

    memset(text, 'e', sizeof text);
    memcpy(text, "a\xff\xc3\xa9", 4);
    memcpy(text + CODEC_TEXT_BYTES_MAX - 1, "\xe2\x82\xac", 3); /* would be cut in two */
    text[sizeof text - 1] = '\0';
    message.load_failed.text = text;
    assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
    assert_int_equal(bench_decode(bench, bench->bytes, bench->size), QN_STATUS_OK);
    assert_memory_equal(bench->decoded.load_failed.text, "a?\xc3\xa9", 4);
    assert_int_equal(strlen(bench->decoded.load_failed.text), CODEC_TEXT_BYTES_MAX - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_survives_a_round_trip),
        TEST(a_nearly_empty_message_has_no_null_strings),
        TEST(a_traceparent_that_is_none_is_left_out),
        TEST(no_bytes_are_a_message_of_no_kind),
        TEST(a_body_from_the_future_is_a_message_of_no_kind),
        TEST(unknown_fields_are_ignored),
        TEST(a_refused_body_leaves_the_envelope),
        TEST(truncation_never_crashes_and_never_passes_for_the_whole),
        TEST(flipped_bits_never_crash),
        TEST(random_bytes_never_crash),
        TEST(a_mebibyte_of_empty_messages_costs_no_more_than_the_cap),
        TEST(a_message_beyond_the_limit_is_refused_unread),
        TEST(memory_may_run_out_at_any_allocation),
        TEST(texts_for_people_are_mended_not_refused),
    };

    return cmocka_run_group_tests_name("channel_codec", tests, NULL, NULL);
}
