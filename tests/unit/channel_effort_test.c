/* SPDX-License-Identifier: Apache-2.0
 * How well to search: recall, and what goes instead of it. (channel_limits_test.c has the bounds of
 * the page.) */
#include "base/check.h"
#include "tests/golden/codec_bench.h"
#include "tests/test.h"
#include <math.h>
#include <string.h>

enum { BODY = 40, RECALL = 9, NPROBE = 10, REFINE = 11, EF = 12 };

static const struct {
    float recall;
    uint32_t nprobe, ef, refine;
    const char *says; /* NULL: taken */
} efforts[] = {
    {0, 0, 0, 0, NULL},
    {1, LIMIT_NPROBE_MAX, LIMIT_EF_MAX, LIMIT_REFINE_MAX, NULL},
    {0, 0, 1, 0, NULL},
    {-0.5F, 0, 0, 0, "search_request.recall: -0.5, 0 to 1 wanted"},
    {1.5F, 0, 0, 0, "search_request.recall: 1.5, 0 to 1 wanted"},
    {NAN, 0, 0, 0, "search_request.recall: nan, 0 to 1 wanted"},
    {0, LIMIT_NPROBE_MAX + 1, 0, 0, "search_request.nprobe: 1048577, 0 to 1048576 wanted"},
    {0, 0, LIMIT_EF_MAX + 1, 0, "search_request.ef: 65537, 0 to 65536 wanted"},
    {0, 0, UINT32_MAX, 0, "search_request.ef: 4294967295, 0 to 65536 wanted"},
    {0, 0, 0, LIMIT_REFINE_MAX + 1, "search_request.refine: 65537, 0 to 65536 wanted"},
};

static struct message message_of(size_t row)
{
    struct message message = sample_of(MESSAGE_SEARCH_REQUEST);

    message.search_request.recall = efforts[row].recall;
    message.search_request.nprobe = efforts[row].nprobe;
    message.search_request.ef = efforts[row].ef;
    message.search_request.refine = efforts[row].refine;
    return message;
}

static void what_is_encoded_is_decoded_or_refused_by_name(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < COUNT_OF(efforts); i++) {
        struct message message = message_of(i);
        if (efforts[i].says != NULL) {
            assert_int_equal(bench_encode(bench, &message), QN_STATUS_INVALID);
            assert_string_equal(bench->error.text, efforts[i].says);
            continue;
        }
        assert_int_equal(bench_encode(bench, &message), QN_STATUS_OK);
        assert_int_equal(bench_decode(bench, bench->bytes, bench->size), QN_STATUS_OK);
        samples_assert_same(&message, &bench->decoded);
    }
}

/* One query of one dimension, by another's encoder. The float's key is of four bytes. */
static void put_search(struct wire *wire, size_t row)
{
    static const uint8_t zeros[8];
    static struct wire body;

    body.size = 0;
    put_number(&body, 2, 1);
    put_number(&body, 3, 1);
    put_number(&body, 4, 1);
    put_block(&body, 6, zeros, 4);
    put_block(&body, 7, zeros, 8);
    put_varint(&body, RECALL << 3 | 5);
    memcpy(body.bytes + body.size, &efforts[row].recall, sizeof(float));
    body.size += sizeof(float);
    put_number(&body, NPROBE, efforts[row].nprobe);
    put_number(&body, REFINE, efforts[row].refine);
    put_number(&body, EF, efforts[row].ef);
    put_block(wire, BODY, body.bytes, body.size);
}

static void the_decoder_refuses_what_others_encode(void **state)
{
    struct bench *bench = *state;
    static struct wire wire;

    for (size_t i = 0; i < COUNT_OF(efforts); i++) {
        wire.size = 0;
        put_search(&wire, i);
        enum qn_status status = bench_decode(bench, wire.bytes, wire.size);
        if (efforts[i].says != NULL) {
            assert_int_equal(status, QN_STATUS_CORRUPT);
            assert_string_equal(bench->error.text, efforts[i].says);
            continue;
        }
        assert_int_equal(status, QN_STATUS_OK);
        assert_int_equal(bench->decoded.search_request.ef, efforts[i].ef);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_encoded_is_decoded_or_refused_by_name),
        TEST(the_decoder_refuses_what_others_encode),
    };

    return cmocka_run_group_tests_name("channel_effort", tests, NULL, NULL);
}
