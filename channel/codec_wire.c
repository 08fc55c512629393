/* SPDX-License-Identifier: Apache-2.0
 * A look at the bytes before they are unpacked. protobuf-c ends a string with a zero and forgets
 * how long it was: of "demo\0x" we would see "demo", and every other language something else. So a
 * string with a zero byte in it is found here. What is malformed is left to the unpacking. */
#include "channel/codec_internal.h"

#include <string.h>

enum { DEPTH_MAX = 8 }; /* Message > CoordAnswer > view > items > copies > epoch is 6 */

/* One level: the rest of a message of that type. */
struct reader {
    const ProtobufCMessageDescriptor *type;
    const uint8_t *at, *end;
};

/* False: cut short. */
static bool read_varint(struct reader *reader, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct reader *reader, uint64_t bytes)
{
    if (bytes > (uint64_t)(reader->end - reader->at))
        return false;
    reader->at += bytes;
    return true;
}

/* Reads one field; ret_block is empty unless it is a block. False: malformed. */
static bool read_field(struct reader *reader, uint64_t *ret_number, struct reader *ret_block)
{
    uint64_t key, value = 0;

    *ret_block = (struct reader){.at = NULL};
    if (!read_varint(reader, &key))
        return false;
    *ret_number = key >> 3;
    switch (key & 7) {
    case 0:
        return read_varint(reader, &value);
    case 1:
        return skip(reader, sizeof(uint64_t));
    case 2:
        if (!read_varint(reader, &value) || value > (uint64_t)(reader->end - reader->at))
            return false;
        ret_block->at = reader->at;
        ret_block->end = reader->at + value;
        return skip(reader, value);
    case 5:
        return skip(reader, sizeof(uint32_t));
    default:
        return false;
    }
}

/* The descriptor of a block that is there; NULL: unknown here, or not a block. */
static const ProtobufCFieldDescriptor *field_of(const struct reader *reader, uint64_t number,
                                                const struct reader *block)
{
    if (block->at == NULL || number > UINT32_MAX >> 3)
        return NULL;
    return protobuf_c_message_descriptor_get_field(reader->type, (unsigned)number);
}

void codec_check_zeros(struct codec *codec, const uint8_t *bytes, size_t size)
{
    struct reader stack[DEPTH_MAX] = {
        {.type = &qnode__v1__message__descriptor, .at = bytes, .end = bytes + size}};
    size_t depth = 1;

    while (depth > 0) {
        struct reader *reader = &stack[depth - 1], block;
        uint64_t number;
        if (reader->at == reader->end) {
            depth--;
            continue;
        }
        if (!read_field(reader, &number, &block))
            return;
        const ProtobufCFieldDescriptor *field = field_of(reader, number, &block);
        if (field == NULL)
            continue;
        if (field->type == PROTOBUF_C_TYPE_STRING &&
            memchr(block.at, '\0', (size_t)(block.end - block.at)) != NULL) {
            codec_fail(codec, field->name, "a zero byte");
            return;
        }
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (depth == DEPTH_MAX)
            return;
        block.type = field->descriptor;
        stack[depth++] = block;
    }
}
