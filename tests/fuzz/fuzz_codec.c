/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing the decoder: whatever decodes must encode again, and decode again. Built by clang with
 * -fsanitize=fuzzer,address,undefined; seeds: tests/golden. */
#include "base/check.h"
#include "channel/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena first, second;
    struct message message, again;
    const uint8_t *encoded;
    size_t encoded_size;

    arena_init(&first, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&second, LIMIT_DECODE_ARENA_BYTES);
    if (codec_decode(bytes, size, &first, &message, NULL) == QN_STATUS_OK) {
        CHECK(codec_encode(&message, &second, &encoded, &encoded_size, NULL) == QN_STATUS_OK);
        CHECK(codec_decode(encoded, encoded_size, &second, &again, NULL) == QN_STATUS_OK);
        CHECK(again.kind == message.kind);
    }
    arena_done(&first);
    arena_done(&second);
    return 0;
}
