/* SPDX-License-Identifier: Apache-2.0
 * What the codec's files share. Only codec*.c include this file and, through it, generated code.
 *
 * Each body has three functions: decode (generated struct -> ours), encode (ours -> generated
 * struct) and check (rules on ours). Decoding converts and then checks, encoding checks and then
 * converts, so both sides refuse the same messages. Trouble is sticky: the first one stays in
 * codec->status and later calls do no harm, so that conversions read as plain lists of fields. The
 * depth of the call tree is the depth of the schema: nothing here calls itself. */
#ifndef CHANNEL_CODEC_INTERNAL_H
#define CHANNEL_CODEC_INTERNAL_H

#include "base/arena.h"
#include "channel/codec.h"
#include "channel/message.h"
#include "qnode.pb-c.h"

struct codec {
    struct arena *arena;
    struct qn_error *error;
    enum qn_status broken_rule; /* CORRUPT when decoding, INVALID when encoding */
    enum qn_status status;      /* the first trouble */
    const char *place;          /* what is being checked: "load_segments.segments" ... */
    size_t index;               /* ... and which entry of it, or CODEC_NO_INDEX */
};

#define CODEC_NO_INDEX SIZE_MAX

typedef Qnode__V1__Message wire_message;
typedef Qnode__V1__Epoch wire_epoch;
typedef Qnode__V1__SegmentInfo wire_segment_info;
typedef Qnode__V1__MemoryReport wire_memory_report;

/* Functions of a body. Message and wire message are whole: each takes its member of the union. */
struct codec_body {
    const char *name; /* "search_request", for error texts */
    void (*decode)(struct codec *codec, const wire_message *from, struct message *to);
    void (*encode)(struct codec *codec, const struct message *from, wire_message *to);
    void (*check)(struct codec *codec, const struct message *message);
};

extern const struct codec_body codec_load_segments, codec_release_segments, codec_change_info,
    codec_report_request, codec_copy_status_request, codec_copy_status, codec_search_request,
    codec_search_answer, codec_node_report, codec_segment_loaded, codec_segment_released,
    codec_load_failed, codec_release_held, codec_leaving, codec_command_refused,
    codec_collection_view, codec_coord_request, codec_coord_answer;

/* ---- trouble and memory ---- */

/* The first trouble is kept: "place[index].field: text". field may be NULL. */
void codec_fail(struct codec *codec, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Zeroed memory of the arena; NULL for a count of 0, and when the cap is reached. */
void *codec_alloc(struct codec *codec, size_t count, size_t bytes);
/* The same, neither zeroed nor NULL for no bytes. */
void *codec_alloc_bytes(struct codec *codec, size_t bytes);

/* ---- rules ---- */

/* Where the following checks look. */
void codec_at(struct codec *codec, const char *place, size_t index);
/* A list's length; from here on checks look at the list itself. False after any trouble. */
bool codec_check_list(struct codec *codec, const char *place, size_t count, size_t count_max);
/* value in low..high: numbers, enums. */
void codec_check_range(struct codec *codec, const char *field, uint64_t value, uint64_t low,
                       uint64_t high);
/* At most that many bytes of UTF-8; names have no control characters. NULL is "". */
void codec_check_name(struct codec *codec, const char *field, const char *text);
void codec_check_path(struct codec *codec, const char *field, const char *text);
void codec_check_text(struct codec *codec, const char *field, const char *text);
/* page < pages <= pages_max. */
void codec_check_page(struct codec *codec, uint32_t page, uint32_t pages, uint32_t pages_max);
void codec_check_status(struct codec *codec, enum qn_status status);
/* No string of the message that these bytes are holds a zero byte: in C it would end there. */
void codec_check_zeros(struct codec *codec, const uint8_t *bytes, size_t size);

/* ---- parts that several bodies share ---- */

struct qn_epoch codec_epoch_decode(const wire_epoch *from);
/* NULL for (0, 0). */
wire_epoch *codec_epoch_encode(struct codec *codec, struct qn_epoch epoch);

/* Empty or 16 bytes; anything else is trouble. True if it was there. */
bool codec_hash_decode(struct codec *codec, const char *field, ProtobufCBinaryData from,
                       struct qn_hash *to);
/* Exactly 16 bytes. */
void codec_hash_decode_wanted(struct codec *codec, const char *field, ProtobufCBinaryData from,
                              struct qn_hash *to);
ProtobufCBinaryData codec_hash_encode(const struct qn_hash *from);
/* Empty for an all-zero hash. */
ProtobufCBinaryData codec_hash_encode_if_known(const struct qn_hash *from);

/* NULL becomes "". Names, paths: checked before. */
char *codec_string_encode(const char *text);
/* Text for people (what went wrong) must not stop a receipt: it is cut and mended, never refused.
 */
char *codec_text_encode(struct codec *codec, const char *text);

const struct segment_info *codec_segment_infos_decode(struct codec *codec,
                                                      wire_segment_info *const *from, size_t count);
wire_segment_info **codec_segment_infos_encode(struct codec *codec, const struct segment_info *from,
                                               size_t count);
void codec_segment_info_decode(struct codec *codec, const wire_segment_info *from,
                               struct segment_info *to);
void codec_segment_info_encode(struct codec *codec, const struct segment_info *from,
                               wire_segment_info *to);
/* place: as of codec_at. */
void codec_segment_info_check(struct codec *codec, const struct segment_info *info);
void codec_segment_infos_check(struct codec *codec, const char *place,
                               const struct segment_info *infos, size_t count);

void codec_memory_report_decode(const wire_memory_report *from, struct memory_report *to);
wire_memory_report *codec_memory_report_encode(struct codec *codec,
                                               const struct memory_report *from);
void codec_memory_report_check(struct codec *codec, const struct memory_report *report);

/* One field of the same name and type on both sides, in either direction. */
#define CODEC_COPY(field) to->field = from->field

/* Defines NAME_list_decode and NAME_list_encode from NAME_decode and NAME_encode, which convert one
 * entry: arrays of ours <-> arrays of pointers to generated structs. */
#define CODEC_DEFINE_LIST(name, ours_type, wire_type)                                              \
    static const ours_type *name##_list_decode(struct codec *codec, wire_type *const *from,        \
                                               size_t count)                                       \
    {                                                                                              \
        ours_type *to = codec_alloc(codec, count, sizeof *to);                                     \
                                                                                                   \
        for (size_t i = 0; to != NULL && i < count; i++)                                           \
            name##_decode(codec, from[i], &to[i]);                                                 \
        return to;                                                                                 \
    }                                                                                              \
                                                                                                   \
    static wire_type **name##_list_encode(struct codec *codec, const ours_type *from,              \
                                          size_t count)                                            \
    {                                                                                              \
        wire_type **to = codec_alloc(codec, count, sizeof *to);                                    \
        wire_type *entries = codec_alloc(codec, count, sizeof *entries);                           \
                                                                                                   \
        for (size_t i = 0; to != NULL && entries != NULL && i < count; i++) {                      \
            to[i] = &entries[i];                                                                   \
            name##_encode(codec, &from[i], to[i]);                                                 \
        }                                                                                          \
        return to;                                                                                 \
    }

/* Defines the codec_body of a message whose parts are body_decode, body_encode and body_check of
 * its own structs. wire_case: the oneof's member. */
#define CODEC_DEFINE_BODY(member, wire_type, wire_member, WIRE_CASE, WIRE_INIT)                    \
    static void member##_body_decode(struct codec *codec, const wire_message *from,                \
                                     struct message *to)                                           \
    {                                                                                              \
        member##_decode(codec, from->wire_member, &to->member);                                    \
    }                                                                                              \
                                                                                                   \
    static void member##_body_encode(struct codec *codec, const struct message *from,              \
                                     wire_message *to)                                             \
    {                                                                                              \
        wire_type *body = codec_alloc(codec, 1, sizeof *body);                                     \
                                                                                                   \
        if (body == NULL)                                                                          \
            return;                                                                                \
        *body = (wire_type)WIRE_INIT;                                                              \
        member##_encode(codec, &from->member, body);                                               \
        to->body_case = QNODE__V1__MESSAGE__BODY_##WIRE_CASE;                                      \
        to->wire_member = body;                                                                    \
    }                                                                                              \
                                                                                                   \
    static void member##_body_check(struct codec *codec, const struct message *message)            \
    {                                                                                              \
        codec_at(codec, #member, CODEC_NO_INDEX);                                                  \
        member##_check(codec, &message->member);                                                   \
    }                                                                                              \
                                                                                                   \
    const struct codec_body codec_##member = {                                                     \
        .name = #member,                                                                           \
        .decode = member##_body_decode,                                                            \
        .encode = member##_body_encode,                                                            \
        .check = member##_body_check,                                                              \
    };

#endif
