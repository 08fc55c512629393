/* SPDX-License-Identifier: Apache-2.0
 * The envelope and the table of bodies. Decoding gives protobuf-c an allocator over the caller's
 * arena: its cap bounds what a hostile message can cost (a mebibyte of empty sub-messages would
 * take 55 MiB from malloc), and nothing needs to be freed on the way out. */
#include "channel/codec_internal.h"

#include "base/check.h"
#include "base/error.h"
#include "channel/subject.h"

static const struct codec_body *const bodies[] = {
    [MESSAGE_LOAD_SEGMENTS] = &codec_load_segments,
    [MESSAGE_RELEASE_SEGMENTS] = &codec_release_segments,
    [MESSAGE_CHANGE_INFO] = &codec_change_info,
    [MESSAGE_REPORT_REQUEST] = &codec_report_request,
    [MESSAGE_COPY_STATUS_REQUEST] = &codec_copy_status_request,
    [MESSAGE_COPY_STATUS] = &codec_copy_status,
    [MESSAGE_SEARCH_REQUEST] = &codec_search_request,
    [MESSAGE_SEARCH_ANSWER] = &codec_search_answer,
    [MESSAGE_NODE_REPORT] = &codec_node_report,
    [MESSAGE_SEGMENT_LOADED] = &codec_segment_loaded,
    [MESSAGE_SEGMENT_RELEASED] = &codec_segment_released,
    [MESSAGE_LOAD_FAILED] = &codec_load_failed,
    [MESSAGE_RELEASE_HELD] = &codec_release_held,
    [MESSAGE_LEAVING] = &codec_leaving,
    [MESSAGE_COMMAND_REFUSED] = &codec_command_refused,
    [MESSAGE_COLLECTION_VIEW] = &codec_collection_view,
    [MESSAGE_COORD_REQUEST] = &codec_coord_request,
    [MESSAGE_COORD_ANSWER] = &codec_coord_answer,
};

/* The oneof's numbers are our kinds. */
static_assert((int)QNODE__V1__MESSAGE__BODY_LOAD_SEGMENTS == MESSAGE_LOAD_SEGMENTS, "schema");
static_assert((int)QNODE__V1__MESSAGE__BODY_SEARCH_ANSWER == MESSAGE_SEARCH_ANSWER, "schema");
static_assert((int)QNODE__V1__MESSAGE__BODY_COMMAND_REFUSED == MESSAGE_COMMAND_REFUSED, "schema");
static_assert((int)QNODE__V1__MESSAGE__BODY_COORD_ANSWER == MESSAGE_COORD_ANSWER, "schema");

static const struct codec_body *body_of(enum message_kind kind)
{
    return (unsigned)kind < COUNT_OF(bodies) ? bodies[kind] : NULL;
}

static void *wire_alloc(void *owner, size_t bytes)
{
    return codec_alloc_bytes(owner, bytes);
}

static void wire_free(void *owner, void *memory)
{
    (void)owner;
    (void)memory;
}

/* Who asks names where an answer goes, and the one who answers may publish in more places: an
 * answer on control or query would be said in its name. Agents ask each other on their own
 * subjects. */
static bool is_reply_to(const struct message *message)
{
    if (message->cluster == NULL || subject_is_reply(message->cluster, message->reply_to))
        return message->cluster != NULL;
    if (message->kind != MESSAGE_COPY_STATUS_REQUEST ||
        !subject_cluster_is_valid(message->cluster) || !subject_is_valid(message->reply_to))
        return false;
    struct subject asks = subject_ask_all(message->cluster);
    return subject_matches(asks.text, message->reply_to);
}

static void check_envelope(struct codec *codec, const struct message *message)
{
    codec_at(codec, "message", CODEC_NO_INDEX);
    codec_check_name(codec, "cluster", message->cluster);
    codec_check_name(codec, "sender", message->sender);
    codec_check_range(codec, "needs", message->needs_count, 0, LIMIT_NEEDS_MAX);
    if (message->reply_to != NULL && message->reply_to[0] != '\0' && !is_reply_to(message))
        codec_fail(codec, "reply_to", "not a reply subject of the cluster");
}

static void envelope_decode(const wire_message *from, struct message *to)
{
    CODEC_COPY(cluster);
    CODEC_COPY(sender);
    CODEC_COPY(boot);
    CODEC_COPY(term);
    CODEC_COPY(needs);
    CODEC_COPY(request_id);
    CODEC_COPY(reply_to);
    to->traceparent = traceparent_is_valid(from->traceparent) ? from->traceparent : "";
    to->needs_count = from->n_needs;
    to->kind = (enum message_kind)from->body_case;
}

static void decode_body(struct codec *codec, const wire_message *from, struct message *to)
{
    const struct codec_body *body = body_of(to->kind);

    if (body == NULL) {
        to->kind = MESSAGE_NONE;
        return;
    }
    codec_at(codec, body->name, CODEC_NO_INDEX);
    body->decode(codec, from, to);
    if (codec->status == QN_STATUS_OK)
        body->check(codec, to);
}

enum qn_status codec_decode(const void *bytes, size_t size, struct arena *arena,
                            struct message *ret_message, struct qn_error *error)
{
    struct codec codec = {
        .arena = arena,
        .error = error,
        .broken_rule = QN_STATUS_CORRUPT,
        .place = "message",
        .index = CODEC_NO_INDEX,
    };
    ProtobufCAllocator allocator = {wire_alloc, wire_free, &codec};

    *ret_message = (struct message){.cluster = "", .sender = "", .reply_to = "", .traceparent = ""};
    if (size > LIMIT_MESSAGE_BYTES_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "message: %zu bytes, at most %d wanted", size,
                         LIMIT_MESSAGE_BYTES_MAX);
    codec_check_zeros(&codec, bytes, size);
    if (codec.status != QN_STATUS_OK)
        return codec.status;
    wire_message *wire = qnode__v1__message__unpack(&allocator, size, bytes);
    if (wire == NULL && codec.status == QN_STATUS_OK)
        return error_set(error, QN_STATUS_CORRUPT, "message: not a qnode.v1.Message");
    if (wire == NULL)
        return codec.status;

    struct message message = {0};
    envelope_decode(wire, &message);
    check_envelope(&codec, &message);
    if (codec.status != QN_STATUS_OK)
        return codec.status;
    decode_body(&codec, wire, &message);
    *ret_message = message;
    return codec.status;
}

static void envelope_encode(const struct message *from, wire_message *to)
{
    CODEC_COPY(boot);
    CODEC_COPY(term);
    CODEC_COPY(request_id);
    to->cluster = codec_string_encode(from->cluster);
    to->sender = codec_string_encode(from->sender);
    to->reply_to = codec_string_encode(from->reply_to);
    if (from->traceparent != NULL && traceparent_is_valid(from->traceparent))
        to->traceparent = codec_string_encode(from->traceparent);
    to->needs = (uint32_t *)from->needs;
    to->n_needs = from->needs_count;
}

static void fill(struct codec *codec, const struct codec_body *body, const struct message *from,
                 wire_message *to)
{
    envelope_encode(from, to);
    if (body == NULL)
        return;
    codec_at(codec, body->name, CODEC_NO_INDEX);
    body->encode(codec, from, to);
}

size_t codec_size(const struct message *message, struct arena *arena)
{
    struct codec codec = {
        .arena = arena, .broken_rule = QN_STATUS_INVALID, .index = CODEC_NO_INDEX};
    wire_message wire = QNODE__V1__MESSAGE__INIT;

    fill(&codec, body_of(message->kind), message, &wire);
    return codec.status == QN_STATUS_OK ? qnode__v1__message__get_packed_size(&wire) : SIZE_MAX;
}

static enum qn_status pack(struct codec *codec, const wire_message *wire, const uint8_t **ret_bytes,
                           size_t *ret_size)
{
    size_t size = qnode__v1__message__get_packed_size(wire);

    codec_at(codec, "message", CODEC_NO_INDEX);
    if (size > LIMIT_MESSAGE_BYTES_MAX)
        codec_fail(codec, NULL, "%zu bytes, at most %d wanted", size, LIMIT_MESSAGE_BYTES_MAX);
    uint8_t *bytes = codec_alloc_bytes(codec, size);
    if (bytes == NULL)
        return codec->status;
    *ret_size = qnode__v1__message__pack(wire, bytes);
    *ret_bytes = bytes;
    return QN_STATUS_OK;
}

enum qn_status codec_encode(const struct message *message, struct arena *arena,
                            const uint8_t **ret_bytes, size_t *ret_size, struct qn_error *error)
{
    struct codec codec = {
        .arena = arena,
        .error = error,
        .broken_rule = QN_STATUS_INVALID,
        .index = CODEC_NO_INDEX,
    };
    const struct codec_body *body = body_of(message->kind);
    wire_message wire = QNODE__V1__MESSAGE__INIT;

    if (body == NULL && message->kind != MESSAGE_NONE)
        return error_set(error, QN_STATUS_INVALID, "message: unknown kind %d", (int)message->kind);
    check_envelope(&codec, message);
    if (body != NULL && codec.status == QN_STATUS_OK)
        body->check(&codec, message);
    if (codec.status != QN_STATUS_OK)
        return codec.status;

    fill(&codec, body, message, &wire);
    if (codec.status != QN_STATUS_OK)
        return codec.status;
    return pack(&codec, &wire, ret_bytes, ret_size);
}
