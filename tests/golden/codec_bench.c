/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/golden/codec_bench.h"

#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

int bench_open(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    arena_init(&bench->in, ARENA_BYTES);
    arena_init(&bench->out, ARENA_BYTES);
    *state = bench;
    return 0;
}

int bench_close(void **state)
{
    struct bench *bench = *state;

    arena_done(&bench->in);
    arena_done(&bench->out);
    free(bench);
    return 0;
}

enum qn_status bench_encode(struct bench *bench, const struct message *message)
{
    arena_reset(&bench->in);
    return codec_encode(message, &bench->in, &bench->bytes, &bench->size, &bench->error);
}

enum qn_status bench_decode(struct bench *bench, const void *bytes, size_t size)
{
    arena_reset(&bench->out);
    return codec_decode(bytes, size, &bench->out, &bench->decoded, &bench->error);
}

struct message sample_of(enum message_kind kind)
{
    size_t index = 0;

    while (samples_at(index).kind != kind)
        index++;
    return samples_at(index);
}

void put_varint(struct wire *wire, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        wire->bytes[wire->size++] = (uint8_t)(value | 0x80);
    wire->bytes[wire->size++] = (uint8_t)value;
}

void put_number(struct wire *wire, unsigned field, uint64_t value)
{
    put_varint(wire, field << 3);
    put_varint(wire, value);
}

void put_block(struct wire *wire, unsigned field, const void *bytes, size_t size)
{
    put_varint(wire, field << 3 | 2);
    put_varint(wire, size);
    assert_true(wire->size + size <= sizeof wire->bytes);
    memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
}
