/* SPDX-License-Identifier: Apache-2.0
 * Bytes <-> messages. The only files that include generated protobuf code are codec*.c. */
#ifndef CHANNEL_CODEC_H
#define CHANNEL_CODEC_H

#include "base/arena.h"
#include "channel/message.h"

/* Bytes of a text for people (load_failed.text and its kin); a longer one is cut when encoded. */
enum { CODEC_TEXT_BYTES_MAX = 255 };

/* Decodes into arena (reset by the caller): at most LIMIT_MESSAGE_BYTES_MAX of input, at most the
 * arena's cap of memory. Refuses CORRUPT (not a Message, lists out of step, non-finite query,
 * counts beyond limits.h, bad UTF-8 in names) or NO_MEMORY (cap); the error names the field. A body
 * that this build does not know decodes as MESSAGE_NONE.
 *
 * ret_message is always written. When only the body was refused, envelope and kind are there, so
 * that a request can be answered INVALID; the body must not be read. Otherwise it is empty. */
enum qn_status codec_decode(const void *bytes, size_t size, struct arena *arena,
                            struct message *ret_message, struct qn_error *error);

/* Encodes into memory of the arena. INVALID where decode would refuse it: what the encoder checks
 * the decoder rejects. NULL strings count as "". */
enum qn_status codec_encode(const struct message *message, struct arena *arena,
                            const uint8_t **ret_bytes, size_t *ret_size, struct qn_error *error);

/* Bytes that codec_encode would make of the message, also where they are more than it would;
 * SIZE_MAX: no memory in the arena. Nothing is checked. */
size_t codec_size(const struct message *message, struct arena *arena);

/* What a message may carry as a name: UTF-8 without control characters, not too long. Whoever takes
 * a name from elsewhere (a manifest) asks before it keeps what it could never send. */
bool codec_name_is_valid(const char *text);

#endif
