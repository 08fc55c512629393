/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the codec share: memory for both directions, and a writer of raw fields. */
#ifndef TESTS_GOLDEN_CODEC_BENCH_H
#define TESTS_GOLDEN_CODEC_BENCH_H

#include "channel/codec.h"
#include "tests/golden/samples.h"

enum { ARENA_BYTES = 16 << 20 };

struct bench {
    struct arena in, out; /* memory of encoding, of decoding */
    struct qn_error error;
    const uint8_t *bytes;
    size_t size;
    struct message decoded;
};

int bench_open(void **state);
int bench_close(void **state);
enum qn_status bench_encode(struct bench *bench, const struct message *message);
enum qn_status bench_decode(struct bench *bench, const void *bytes, size_t size);
struct message sample_of(enum message_kind kind);

struct wire {
    uint8_t bytes[96 << 10];
    size_t size;
};

void put_varint(struct wire *wire, uint64_t value);
void put_number(struct wire *wire, unsigned field, uint64_t value);
void put_block(struct wire *wire, unsigned field, const void *bytes, size_t size);

#endif
