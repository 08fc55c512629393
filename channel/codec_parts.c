/* SPDX-License-Identifier: Apache-2.0
 * Trouble, memory, rules and the small parts that several bodies share. */
#include "channel/codec_internal.h"

#include "base/check.h"
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void codec_fail(struct codec *codec, const char *field, const char *format, ...)
{
    char text[128];
    va_list arguments;

    if (codec->status != QN_STATUS_OK)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    codec->status = codec->broken_rule;
    const char *dot = field == NULL ? "" : ".";
    field = field == NULL ? "" : field;
    if (codec->index == CODEC_NO_INDEX)
        (void)error_set(codec->error, codec->status, "%s%s%s: %s", codec->place, dot, field, text);
    else
        (void)error_set(codec->error, codec->status, "%s[%zu]%s%s: %s", codec->place, codec->index,
                        dot, field, text);
}

static void *note_exhausted(struct codec *codec, void *memory)
{
    if (memory == NULL)
        codec->status =
            error_set(codec->error, QN_STATUS_NO_MEMORY, "%s: no memory (at most %zu bytes)",
                      codec->place, codec->arena->cap_bytes);
    return memory;
}

void *codec_alloc(struct codec *codec, size_t count, size_t bytes)
{
    if (count == 0 || codec->status != QN_STATUS_OK)
        return NULL;
    return note_exhausted(codec, arena_calloc(codec->arena, count, bytes));
}

void *codec_alloc_bytes(struct codec *codec, size_t bytes)
{
    if (codec->status != QN_STATUS_OK)
        return NULL;
    return note_exhausted(codec, arena_alloc(codec->arena, bytes == 0 ? 1 : bytes));
}

void codec_at(struct codec *codec, const char *place, size_t index)
{
    codec->place = place;
    codec->index = index;
}

bool codec_check_list(struct codec *codec, const char *place, size_t count, size_t count_max)
{
    codec_at(codec, place, CODEC_NO_INDEX);
    if (count > count_max)
        codec_fail(codec, NULL, "%zu entries, at most %zu wanted", count, count_max);
    return codec->status == QN_STATUS_OK;
}

void codec_check_range(struct codec *codec, const char *field, uint64_t value, uint64_t low,
                       uint64_t high)
{
    if (value < low || value > high)
        codec_fail(codec, field, "%llu, %llu to %llu wanted", (unsigned long long)value,
                   (unsigned long long)low, (unsigned long long)high);
}

/* Bytes of the character at text (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF); 0
 * if there is none. Ends before a terminating zero, because that is no continuation byte. */
static size_t utf8_character_bytes(const unsigned char *text)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high, bytes;
    } rows[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t row = 0;

    while (row < COUNT_OF(rows) &&
           (text[0] < rows[row].first_low || text[0] > rows[row].first_high))
        row++;
    if (row == COUNT_OF(rows))
        return 0;
    if (rows[row].bytes == 1)
        return 1;
    if (text[1] < rows[row].second_low || text[1] > rows[row].second_high)
        return 0;
    for (size_t i = 2; i < rows[row].bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return rows[row].bytes;
}

static bool is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0') {
        size_t bytes = utf8_character_bytes(at);
        if (bytes == 0)
            return false;
        at += bytes;
    }
    return true;
}

static void check_string(struct codec *codec, const char *field, const char *text, size_t bytes_max)
{
    size_t bytes = strlen(text);

    if (bytes > bytes_max)
        codec_fail(codec, field, "%zu bytes, at most %zu wanted", bytes, bytes_max);
    else if (!is_utf8(text))
        codec_fail(codec, field, "not UTF-8");
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

bool codec_name_is_valid(const char *text)
{
    return strlen(text) <= LIMIT_NAME_BYTES && is_utf8(text) && !has_control(text);
}

void codec_check_name(struct codec *codec, const char *field, const char *text)
{
    if (text == NULL)
        return;
    check_string(codec, field, text, LIMIT_NAME_BYTES);
    if (has_control(text))
        codec_fail(codec, field, "a control character");
}

void codec_check_path(struct codec *codec, const char *field, const char *text)
{
    if (text != NULL)
        check_string(codec, field, text, LIMIT_PATH_BYTES);
}

void codec_check_text(struct codec *codec, const char *field, const char *text)
{
    if (text != NULL)
        check_string(codec, field, text, CODEC_TEXT_BYTES_MAX);
}

void codec_check_page(struct codec *codec, uint32_t page, uint32_t pages, uint32_t pages_max)
{
    codec_check_range(codec, "pages", pages, 1, pages_max);
    codec_check_range(codec, "page", page, 0, pages == 0 ? 0 : pages - 1);
}

void codec_check_status(struct codec *codec, enum qn_status status)
{
    codec_check_range(codec, "status", (uint64_t)(unsigned)status, QN_STATUS_OK,
                      QN_STATUS_NOT_PERMITTED);
}

struct qn_epoch codec_epoch_decode(const wire_epoch *from)
{
    return from == NULL ? (struct qn_epoch){0}
                        : (struct qn_epoch){.term = from->term, .version = from->version};
}

wire_epoch *codec_epoch_encode(struct codec *codec, struct qn_epoch epoch)
{
    if (epoch.term == 0 && epoch.version == 0)
        return NULL;
    wire_epoch *to = codec_alloc(codec, 1, sizeof *to);
    if (to == NULL)
        return NULL;
    *to = (wire_epoch)QNODE__V1__EPOCH__INIT;
    to->term = epoch.term;
    to->version = epoch.version;
    return to;
}

bool codec_hash_decode(struct codec *codec, const char *field, ProtobufCBinaryData from,
                       struct qn_hash *to)
{
    *to = (struct qn_hash){0};
    if (from.len == 0)
        return false;
    if (from.len != sizeof to->bytes) {
        codec_fail(codec, field, "%zu bytes, %zu wanted", from.len, sizeof to->bytes);
        return false;
    }
    memcpy(to->bytes, from.data, sizeof to->bytes);
    return true;
}

void codec_hash_decode_wanted(struct codec *codec, const char *field, ProtobufCBinaryData from,
                              struct qn_hash *to)
{
    if (!codec_hash_decode(codec, field, from, to))
        codec_fail(codec, field, "%zu bytes, %zu wanted", from.len, sizeof to->bytes);
}

ProtobufCBinaryData codec_hash_encode(const struct qn_hash *from)
{
    return (ProtobufCBinaryData){.len = sizeof from->bytes, .data = (uint8_t *)from->bytes};
}

ProtobufCBinaryData codec_hash_encode_if_known(const struct qn_hash *from)
{
    static const struct qn_hash unknown;

    return qn_hash_equal(from, &unknown) ? (ProtobufCBinaryData){0} : codec_hash_encode(from);
}

char *codec_string_encode(const char *text)
{
    return text == NULL ? (char *)protobuf_c_empty_string : (char *)text;
}

char *codec_text_encode(struct codec *codec, const char *text)
{
    if (text == NULL || (strlen(text) <= CODEC_TEXT_BYTES_MAX && is_utf8(text)))
        return codec_string_encode(text);
    char *mended = codec_alloc(codec, CODEC_TEXT_BYTES_MAX + 1, 1);
    if (mended == NULL)
        return codec_string_encode(NULL);

    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != '\0') {
        size_t bytes = utf8_character_bytes(at);
        const void *character = bytes == 0 ? (const void *)"?" : at;

        bytes = bytes == 0 ? 1 : bytes;
        if (used + bytes > CODEC_TEXT_BYTES_MAX)
            break;
        memcpy(mended + used, character, bytes);
        used += bytes;
        at += bytes;
    }
    return mended;
}

void codec_segment_info_decode(struct codec *codec, const wire_segment_info *from,
                               struct segment_info *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(collection_id);
    CODEC_COPY(partition_id);
    CODEC_COPY(mem_size);
    CODEC_COPY(num_rows);
    CODEC_COPY(node_id);
    CODEC_COPY(delete_generation);
    CODEC_COPY(replica);
    to->state = (enum qn_segment_state)from->state;
    to->copy_state = (enum qn_copy_state)from->copy_state;
    to->epoch = codec_epoch_decode(from->epoch);
    (void)codec_hash_decode(codec, "segment_info.content_hash", from->content_hash,
                            &to->content_hash);
}

void codec_segment_info_encode(struct codec *codec, const struct segment_info *from,
                               wire_segment_info *to)
{
    *to = (wire_segment_info)QNODE__V1__SEGMENT_INFO__INIT;
    CODEC_COPY(segment_id);
    CODEC_COPY(collection_id);
    CODEC_COPY(partition_id);
    CODEC_COPY(mem_size);
    CODEC_COPY(num_rows);
    CODEC_COPY(node_id);
    CODEC_COPY(delete_generation);
    to->replica = codec_string_encode(from->replica);
    to->state = (Qnode__V1__SegmentState)from->state;
    to->copy_state = (Qnode__V1__CopyState)from->copy_state;
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->content_hash = codec_hash_encode_if_known(&from->content_hash);
}

void codec_segment_info_check(struct codec *codec, const struct segment_info *info)
{
    codec_check_range(codec, "state", (unsigned)info->state, QN_SEGMENT_UNSPECIFIED,
                      QN_SEGMENT_SEALED);
    codec_check_range(codec, "copy_state", (unsigned)info->copy_state, QN_COPY_ABSENT,
                      QN_COPY_DRAINING);
    codec_check_name(codec, "replica", info->replica);
}

#define segment_info_decode codec_segment_info_decode
#define segment_info_encode codec_segment_info_encode
CODEC_DEFINE_LIST(segment_info, struct segment_info, wire_segment_info)

const struct segment_info *codec_segment_infos_decode(struct codec *codec,
                                                      wire_segment_info *const *from, size_t count)
{
    return segment_info_list_decode(codec, from, count);
}

wire_segment_info **codec_segment_infos_encode(struct codec *codec, const struct segment_info *from,
                                               size_t count)
{
    return segment_info_list_encode(codec, from, count);
}

void codec_segment_infos_check(struct codec *codec, const char *place,
                               const struct segment_info *infos, size_t count)
{
    if (!codec_check_list(codec, place, count, LIMIT_SEGMENTS_PER_REQUEST_MAX))
        return;
    for (size_t i = 0; i < count; i++) {
        codec_at(codec, place, i);
        codec_segment_info_check(codec, &infos[i]);
    }
}

void codec_memory_report_decode(const wire_memory_report *from, struct memory_report *to)
{
    if (from == NULL) {
        *to = (struct memory_report){0};
        return;
    }
    CODEC_COPY(budget_bytes);
    CODEC_COPY(ledger_bytes);
    CODEC_COPY(reserved_bytes);
    CODEC_COPY(anon_bytes);
    CODEC_COPY(locked_bytes);
    CODEC_COPY(cgroup_limit_bytes);
    CODEC_COPY(available_bytes);
    CODEC_COPY(heap_allocated_bytes);
    CODEC_COPY(heap_resident_bytes);
    CODEC_COPY(heap_retained_bytes);
    CODEC_COPY(numa_ledger_bytes);
    CODEC_COPY(numa_total_bytes);
    to->numa_ledger_count = from->n_numa_ledger_bytes;
    to->numa_total_count = from->n_numa_total_bytes;
}

wire_memory_report *codec_memory_report_encode(struct codec *codec,
                                               const struct memory_report *from)
{
    wire_memory_report *to = codec_alloc(codec, 1, sizeof *to);

    if (to == NULL)
        return NULL;
    *to = (wire_memory_report)QNODE__V1__MEMORY_REPORT__INIT;
    CODEC_COPY(budget_bytes);
    CODEC_COPY(ledger_bytes);
    CODEC_COPY(reserved_bytes);
    CODEC_COPY(anon_bytes);
    CODEC_COPY(locked_bytes);
    CODEC_COPY(cgroup_limit_bytes);
    CODEC_COPY(available_bytes);
    CODEC_COPY(heap_allocated_bytes);
    CODEC_COPY(heap_resident_bytes);
    CODEC_COPY(heap_retained_bytes);
    to->n_numa_ledger_bytes = from->numa_ledger_count;
    to->numa_ledger_bytes = (uint64_t *)from->numa_ledger_bytes;
    to->n_numa_total_bytes = from->numa_total_count;
    to->numa_total_bytes = (uint64_t *)from->numa_total_bytes;
    return to;
}

void codec_memory_report_check(struct codec *codec, const struct memory_report *report)
{
    (void)codec_check_list(codec, "memory.numa_ledger_bytes", report->numa_ledger_count,
                           LIMIT_NUMA_NODES_MAX);
    (void)codec_check_list(codec, "memory.numa_total_bytes", report->numa_total_count,
                           LIMIT_NUMA_NODES_MAX);
}
