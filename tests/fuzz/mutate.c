/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/mutate.h"

#include "base/check.h"
#include "base/prng.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t capacity);

enum { FIELDS_MAX = 512, DEPTH_MAX = 6, HEAD_BYTES = 20, NEW_BYTES = 64 };

/* One field: its key at `start`, its value at `body`, both in the parent's bytes. */
struct field {
    size_t start, body, end;
    uint64_t key;
};

struct fields {
    struct field fields[FIELDS_MAX];
    size_t count;
};

static bool read_varint(const uint8_t *bytes, size_t size, size_t *at, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && *at < size; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static size_t write_varint(uint8_t *bytes, uint64_t value)
{
    size_t at = 0;

    for (; value > 0x7f; value >>= 7)
        bytes[at++] = (uint8_t)(value | 0x80);
    bytes[at++] = (uint8_t)value;
    return at;
}

static bool read_field(const uint8_t *bytes, size_t size, size_t at, struct field *ret_field)
{
    uint64_t value;

    ret_field->start = at;
    if (!read_varint(bytes, size, &at, &ret_field->key) || ret_field->key < 8)
        return false;
    ret_field->body = ret_field->end = at;
    switch (ret_field->key & 7) {
    case 0:
        return read_varint(bytes, size, &ret_field->end, &value);
    case 1:
        ret_field->end = at + 8;
        return ret_field->end <= size;
    case 2:
        if (!read_varint(bytes, size, &at, &value) || value > size - at)
            return false;
        ret_field->body = at;
        ret_field->end = at + value;
        return true;
    case 5:
        ret_field->end = at + 4;
        return ret_field->end <= size;
    default:
        return false;
    }
}

/* False: these bytes are no message. */
static bool read_fields(const uint8_t *bytes, size_t size, struct fields *ret_fields)
{
    size_t at = 0;

    ret_fields->count = 0;
    while (at < size && ret_fields->count < FIELDS_MAX) {
        struct field *field = &ret_fields->fields[ret_fields->count++];
        if (!read_field(bytes, size, at, field))
            return false;
        at = field->end;
    }
    return ret_fields->count > 0;
}

struct mutation {
    uint8_t *bytes;
    size_t size, capacity;
    struct prng prng;
};

/* Puts new bytes in the place of start..end; without room nothing changes. */
static void replace(struct mutation *m, size_t start, size_t end, const uint8_t *with, size_t count)
{
    if (m->size - (end - start) + count > m->capacity)
        return;
    memmove(m->bytes + start + count, m->bytes + end, m->size - end);
    if (count > 0)
        memcpy(m->bytes + start, with, count);
    m->size += count - (end - start);
}

/* The same field with another value; a block gets its length. */
static void rewrite(struct mutation *m, const struct field *field, const uint8_t *value,
                    size_t count)
{
    uint8_t *whole = malloc(count + HEAD_BYTES);

    CHECK(whole != NULL);
    size_t at = write_varint(whole, field->key);
    if ((field->key & 7) == 2)
        at += write_varint(whole + at, count);
    if (count > 0)
        memcpy(whole + at, value, count);
    replace(m, field->start, field->end, whole, at + count);
    free(whole);
}

static uint64_t some_number(struct prng *prng)
{
    static const uint64_t bounds[] = {
        0,     1,     2,     3,       4,         8,          16,        24,
        32,    63,    64,    255,     256,       1024,       4096,      16384,
        32768, 60000, 65536, 1 << 20, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX,
    };

    if (prng_below(prng, 4) == 0)
        return prng_next(prng) >> prng_below(prng, 64);
    return bounds[prng_below(prng, COUNT_OF(bounds))] + prng_below(prng, 3) - 1;
}

static void mutate_number(struct mutation *m, const struct field *field)
{
    uint8_t value[HEAD_BYTES];
    uint64_t number = some_number(&m->prng);

    if ((field->key & 7) == 0) {
        rewrite(m, field, value, write_varint(value, number));
        return;
    }
    if (prng_below(&m->prng, 2) == 0)
        number = prng_next(&m->prng);
    memcpy(m->bytes + field->body, &number, field->end - field->body);
}

static void mutate_block(struct mutation *m, const struct field *field, unsigned depth);

/* Removed, repeated, moved, or under another number. */
static void mutate_place(struct mutation *m, const struct fields *fields)
{
    struct field from = fields->fields[prng_below(&m->prng, fields->count)];
    struct field to = fields->fields[prng_below(&m->prng, fields->count)];
    uint8_t head[HEAD_BYTES];

    switch (prng_below(&m->prng, 4)) {
    case 0:
        replace(m, from.start, from.end, NULL, 0);
        return;
    case 1:
    case 2: {
        uint8_t *copy = malloc(from.end - from.start);
        CHECK(copy != NULL);
        memcpy(copy, m->bytes + from.start, from.end - from.start);
        replace(m, to.start, prng_below(&m->prng, 2) == 0 ? to.start : to.end, copy,
                from.end - from.start);
        free(copy);
        return;
    }
    default: {
        uint64_t number = prng_below(&m->prng, 16) + (prng_below(&m->prng, 8) == 0 ? 60 : 1);
        size_t key_bytes = write_varint(head, number << 3 | (from.key & 7));
        size_t at = from.start;
        uint64_t key;
        if (read_varint(m->bytes, m->size, &at, &key))
            replace(m, from.start, at, head, key_bytes);
    }
    }
}

static void add_field(struct mutation *m)
{
    static const unsigned kinds[] = {0, 0, 1, 2, 2, 5};
    uint8_t field[NEW_BYTES];
    unsigned kind = kinds[prng_below(&m->prng, COUNT_OF(kinds))];
    size_t at = write_varint(field, (1 + prng_below(&m->prng, 20)) << 3 | kind);
    size_t count = kind == 1 ? 8 : kind == 5 ? 4 : prng_below(&m->prng, 24);

    if (kind == 0) {
        at += write_varint(field + at, some_number(&m->prng));
        count = 0;
    }
    if (kind == 2)
        at += write_varint(field + at, count);
    for (; count > 0; count--)
        field[at++] = (uint8_t)prng_next(&m->prng);
    replace(m, m->size, m->size, field, at);
}

static void mutate_fields(struct mutation *m, unsigned depth)
{
    struct fields *fields = malloc(sizeof *fields);

    CHECK(fields != NULL);
    if (!read_fields(m->bytes, m->size, fields)) {
        m->size = LLVMFuzzerMutate(m->bytes, m->size, m->capacity);
    } else if (prng_below(&m->prng, 8) == 0) {
        add_field(m);
    } else if (prng_below(&m->prng, 4) == 0) {
        mutate_place(m, fields);
    } else {
        struct field field = fields->fields[prng_below(&m->prng, fields->count)];
        if ((field.key & 7) == 2)
            mutate_block(m, &field, depth);
        else
            mutate_number(m, &field);
    }
    free(fields);
}

static void mutate_block(struct mutation *m, const struct field *field, unsigned depth)
{
    size_t size = field->end - field->body;
    size_t capacity = size + 256;
    uint8_t *value = malloc(capacity);

    CHECK(value != NULL);
    if (size > 0)
        memcpy(value, m->bytes + field->body, size);
    struct mutation inner = {.bytes = value, .size = size, .capacity = capacity, .prng = m->prng};
    if (depth < DEPTH_MAX && prng_below(&inner.prng, 8) != 0)
        mutate_fields(&inner, depth + 1);
    else
        inner.size = LLVMFuzzerMutate(value, size, capacity);
    m->prng = inner.prng;
    rewrite(m, field, value, inner.size);
    free(value);
}

size_t mutate_message(uint8_t *bytes, size_t size, size_t capacity, unsigned seed)
{
    struct mutation m = {.bytes = bytes, .size = size, .capacity = capacity};

    if (capacity == 0)
        return 0; /* LLVMFuzzerMutate would write one byte */
    prng_init(&m.prng, seed);
    for (uint64_t changes = 1 + prng_below(&m.prng, 3); changes > 0; changes--)
        mutate_fields(&m, 0);
    return m.size;
}
