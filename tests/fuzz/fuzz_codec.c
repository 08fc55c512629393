/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing the decoder. Whatever decodes encodes again, to bytes that decode to the same message,
 * field by field, and encode to themselves. What is refused still has an envelope that can be read.
 * Memory that runs out is never worse than a refusal. Mutations keep the lengths of blocks right
 * (mutate.h); seeds: tests/golden. */
#include "base/check.h"
#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/fuzz/mutate.h"
#include "tests/golden/samples.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t capacity);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t capacity, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t capacity, unsigned seed)
{
    if (seed % 8 == 0)
        return LLVMFuzzerMutate(bytes, size, capacity);
    return mutate_message(bytes, size, capacity, seed);
}

static void check_envelope(const struct message *message)
{
    CHECK(strlen(message->cluster) <= LIMIT_NAME_BYTES && codec_name_is_valid(message->cluster));
    CHECK(strlen(message->sender) <= LIMIT_NAME_BYTES && codec_name_is_valid(message->sender));
    CHECK(message->reply_to[0] == '\0' || subject_is_valid(message->reply_to));
    CHECK(message->needs_count <= LIMIT_NEEDS_MAX);
    CHECK((message->needs == NULL) == (message->needs_count == 0));
    CHECK(strcmp(message_kind_name(message->kind), "message?") != 0);
}

static void check_round_trip(const struct message *message)
{
    struct arena first, second;
    struct message again;
    const uint8_t *bytes, *bytes_again;
    size_t size, size_again;

    /* What fits into one arena when decoded may not fit when it is encoded there, too. */
    arena_init(&first, (size_t)4 * LIMIT_DECODE_ARENA_BYTES);
    arena_init(&second, (size_t)4 * LIMIT_DECODE_ARENA_BYTES);
    CHECK(codec_encode(message, &first, &bytes, &size, NULL) == QN_STATUS_OK);
    CHECK(codec_decode(bytes, size, &first, &again, NULL) == QN_STATUS_OK);
    if (message->kind != MESSAGE_NONE)
        samples_assert_same(message, &again);
    CHECK(again.kind == message->kind);
    CHECK(codec_encode(&again, &second, &bytes_again, &size_again, NULL) == QN_STATUS_OK);
    CHECK(size_again == size && (size == 0 || memcmp(bytes_again, bytes, size) == 0));
    arena_done(&first);
    arena_done(&second);
}

static void check_little_memory(const uint8_t *bytes, size_t size)
{
    struct arena arena;
    struct message message;

    arena_init(&arena, 64 * (size % 64) + 64);
    (void)codec_decode(bytes, size, &arena, &message, NULL);
    check_envelope(&message);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena arena;
    struct message message;
    struct qn_error error = {0};

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    enum qn_status status = codec_decode(bytes, size, &arena, &message, &error);
    check_envelope(&message);
    if (status == QN_STATUS_OK)
        check_round_trip(&message);
    else
        CHECK(error.status == status && error.text[0] != '\0');
    arena_done(&arena);
    check_little_memory(bytes, size);
    return 0;
}
