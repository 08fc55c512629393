/* SPDX-License-Identifier: Apache-2.0
 * Bytes of each kind of message, checked in: from release 1.0 on they must decode for ever. They
 * are written with `channel_golden_test --write`, beside a text form by protoc (protoc_check.sh).
 */
#include "tests/golden/codec_bench.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 4096 };

static FILE *open_golden(size_t index, const char *mode)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s.bin", GOLDEN_DIR, samples_name(index));
    return fopen(path, mode);
}

static size_t read_golden(size_t index, uint8_t *ret_bytes)
{
    FILE *file = open_golden(index, "rb");

    assert_non_null(file);
    size_t size = fread(ret_bytes, 1, FILE_BYTES_MAX, file);
    (void)fclose(file);
    assert_true(size > 0 && size < FILE_BYTES_MAX);
    return size;
}

static void golden_bytes_decode_to_what_they_were_made_of(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[FILE_BYTES_MAX];

    for (size_t i = 0; i < SAMPLES_COUNT; i++) {
        struct message message = samples_at(i);
        size_t size = read_golden(i, bytes);
        assert_int_equal(bench_decode(bench, bytes, size), QN_STATUS_OK);
        samples_assert_same(&message, &bench->decoded);
    }
}

static void golden_bytes_encode_again_to_the_same_bytes(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[FILE_BYTES_MAX];

    for (size_t i = 0; i < SAMPLES_COUNT; i++) {
        size_t size = read_golden(i, bytes);
        assert_int_equal(bench_decode(bench, bytes, size), QN_STATUS_OK);
        assert_int_equal(bench_encode(bench, &bench->decoded), QN_STATUS_OK);
        assert_int_equal(bench->size, size);
        assert_memory_equal(bench->bytes, bytes, size);
    }
}

/* The numbers of the oneof are the kinds: whatever has a name there has bytes here. */
static void every_kind_has_golden_bytes(void **state)
{
    (void)state;
    for (int kind = 1; kind < 1000; kind++) {
        size_t index = 0;
        if (strcmp(message_kind_name((enum message_kind)kind), "message?") == 0)
            continue;
        while (index < SAMPLES_COUNT && samples_at(index).kind != (enum message_kind)kind)
            index++;
        if (index == SAMPLES_COUNT)
            fail_msg("no golden bytes of %s", message_kind_name((enum message_kind)kind));
    }
}

static int write_golden(void)
{
    struct bench bench = {.size = 0};

    arena_init(&bench.in, 1 << 20);
    for (size_t i = 0; i < SAMPLES_COUNT; i++) {
        struct message message = samples_at(i);
        FILE *file = open_golden(i, "wb");
        if (file == NULL || bench_encode(&bench, &message) != QN_STATUS_OK ||
            fwrite(bench.bytes, 1, bench.size, file) != bench.size || fclose(file) != 0)
            return 1;
    }
    arena_done(&bench.in);
    return 0;
}

int main(int arguments_count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        TEST(golden_bytes_decode_to_what_they_were_made_of),
        TEST(golden_bytes_encode_again_to_the_same_bytes),
        TEST(every_kind_has_golden_bytes),
    };

    if (arguments_count == 2 && strcmp(arguments[1], "--write") == 0)
        return write_golden();
    return cmocka_run_group_tests_name("channel_golden", tests, NULL, NULL);
}
