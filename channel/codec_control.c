/* SPDX-License-Identifier: Apache-2.0
 * Commands to agents and the question among agents. */
#include "channel/codec_internal.h"

typedef Qnode__V1__SegmentLoadInfo wire_segment_load_info;
typedef Qnode__V1__LoadSegments wire_load_segments;
typedef Qnode__V1__Witness wire_witness;
typedef Qnode__V1__SegmentRelease wire_segment_release;
typedef Qnode__V1__ReleaseSegments wire_release_segments;
typedef Qnode__V1__SegmentChangeInfo wire_segment_change_info;
typedef Qnode__V1__SealedSegmentsChangeInfo wire_change_info;
typedef Qnode__V1__CopyStatusRequest wire_copy_status_request;
typedef Qnode__V1__CopyStatus wire_copy_status;
typedef Qnode__V1__ReportRequest wire_report_request;
typedef Qnode__V1__NotAfter wire_not_after;

static struct not_after not_after_decode(const wire_not_after *from)
{
    return from == NULL ? (struct not_after){0}
                        : (struct not_after){.boot = from->boot, .uptime_ms = from->uptime_ms};
}

static wire_not_after *not_after_encode(struct codec *codec, struct not_after not_after)
{
    if (not_after.boot == 0 && not_after.uptime_ms == 0)
        return NULL;
    wire_not_after *to = codec_alloc(codec, 1, sizeof *to);
    if (to == NULL)
        return NULL;
    *to = (wire_not_after)QNODE__V1__NOT_AFTER__INIT;
    to->boot = not_after.boot;
    to->uptime_ms = not_after.uptime_ms;
    return to;
}

/* ---- LoadSegments ---- */

static void load_info_decode(struct codec *codec, const wire_segment_load_info *from,
                             struct segment_load_info *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(collection_id);
    CODEC_COPY(partition_id);
    CODEC_COPY(replica);
    CODEC_COPY(path);
    CODEC_COPY(mem_size);
    CODEC_COPY(num_rows);
    CODEC_COPY(delete_generation);
    to->state = (enum qn_segment_state)from->state;
    to->epoch = codec_epoch_decode(from->epoch);
    codec_hash_decode_wanted(codec, "segments.content_hash", from->content_hash, &to->content_hash);
}

static void load_info_encode(struct codec *codec, const struct segment_load_info *from,
                             wire_segment_load_info *to)
{
    *to = (wire_segment_load_info)QNODE__V1__SEGMENT_LOAD_INFO__INIT;
    CODEC_COPY(segment_id);
    CODEC_COPY(collection_id);
    CODEC_COPY(partition_id);
    CODEC_COPY(mem_size);
    CODEC_COPY(num_rows);
    CODEC_COPY(delete_generation);
    to->replica = codec_string_encode(from->replica);
    to->path = codec_string_encode(from->path);
    to->state = (Qnode__V1__SegmentState)from->state;
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->content_hash = codec_hash_encode(&from->content_hash);
}

CODEC_DEFINE_LIST(load_info, struct segment_load_info, wire_segment_load_info)

static void load_segments_decode(struct codec *codec, const wire_load_segments *from,
                                 struct load_segments *to)
{
    to->segments = load_info_list_decode(codec, from->segments, from->n_segments);
    to->segments_count = from->n_segments;
    to->not_after = not_after_decode(from->not_after);
}

static void load_segments_encode(struct codec *codec, const struct load_segments *from,
                                 wire_load_segments *to)
{
    to->segments = load_info_list_encode(codec, from->segments, from->segments_count);
    to->n_segments = from->segments_count;
    to->not_after = not_after_encode(codec, from->not_after);
}

static void load_segments_check(struct codec *codec, const struct load_segments *load)
{
    if (!codec_check_list(codec, "load_segments.segments", load->segments_count,
                          LIMIT_SEGMENTS_PER_REQUEST_MAX))
        return;
    for (size_t i = 0; i < load->segments_count; i++) {
        const struct segment_load_info *info = &load->segments[i];

        codec_at(codec, "load_segments.segments", i);
        codec_check_name(codec, "replica", info->replica);
        codec_check_path(codec, "path", info->path);
        codec_check_range(codec, "state", (unsigned)info->state, QN_SEGMENT_UNSPECIFIED,
                          QN_SEGMENT_SEALED);
    }
}

CODEC_DEFINE_BODY(load_segments, wire_load_segments, load_segments, LOAD_SEGMENTS,
                  QNODE__V1__LOAD_SEGMENTS__INIT)

/* ---- ReleaseSegments ---- */

static void witness_decode(struct codec *codec, const wire_witness *from, struct witness *to)
{
    CODEC_COPY(node_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(delete_generation);
    to->epoch = codec_epoch_decode(from->epoch);
    to->has_content_hash = codec_hash_decode(codec, "segments.witnesses.content_hash",
                                             from->content_hash, &to->content_hash);
}

static void witness_encode(struct codec *codec, const struct witness *from, wire_witness *to)
{
    *to = (wire_witness)QNODE__V1__WITNESS__INIT;
    CODEC_COPY(node_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(delete_generation);
    to->epoch = codec_epoch_encode(codec, from->epoch);
    if (from->has_content_hash)
        to->content_hash = codec_hash_encode(&from->content_hash);
}

CODEC_DEFINE_LIST(witness, struct witness, wire_witness)

static void release_decode(struct codec *codec, const wire_segment_release *from,
                           struct segment_release *to)
{
    CODEC_COPY(segment_id);
    to->epoch = codec_epoch_decode(from->epoch);
    to->since = codec_epoch_decode(from->since);
    to->ground = (enum ground)from->ground;
    to->witnesses = witness_list_decode(codec, from->witnesses, from->n_witnesses);
    to->witnesses_count = from->n_witnesses;
    to->operator_name = from->operator_;
}

static void release_encode(struct codec *codec, const struct segment_release *from,
                           wire_segment_release *to)
{
    *to = (wire_segment_release)QNODE__V1__SEGMENT_RELEASE__INIT;
    CODEC_COPY(segment_id);
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->since = codec_epoch_encode(codec, from->since);
    to->ground = (Qnode__V1__Ground)from->ground;
    to->witnesses = witness_list_encode(codec, from->witnesses, from->witnesses_count);
    to->n_witnesses = from->witnesses_count;
    to->operator_ = codec_string_encode(from->operator_name);
}

CODEC_DEFINE_LIST(release, struct segment_release, wire_segment_release)

static void release_segments_decode(struct codec *codec, const wire_release_segments *from,
                                    struct release_segments *to)
{
    to->segments = release_list_decode(codec, from->segments, from->n_segments);
    to->segments_count = from->n_segments;
    to->not_after = not_after_decode(from->not_after);
}

static void release_segments_encode(struct codec *codec, const struct release_segments *from,
                                    wire_release_segments *to)
{
    to->segments = release_list_encode(codec, from->segments, from->segments_count);
    to->n_segments = from->segments_count;
    to->not_after = not_after_encode(codec, from->not_after);
}

static void release_segments_check(struct codec *codec, const struct release_segments *release)
{
    if (!codec_check_list(codec, "release_segments.segments", release->segments_count,
                          LIMIT_SEGMENTS_PER_REQUEST_MAX))
        return;
    for (size_t i = 0; i < release->segments_count; i++) {
        const struct segment_release *segment = &release->segments[i];

        codec_at(codec, "release_segments.segments", i);
        codec_check_range(codec, "ground", (unsigned)segment->ground, GROUND_UNSPECIFIED,
                          GROUND_FORCE);
        codec_check_range(codec, "witnesses", segment->witnesses_count, 0, LIMIT_WITNESSES_MAX);
        codec_check_name(codec, "operator", segment->operator_name);
    }
}

CODEC_DEFINE_BODY(release_segments, wire_release_segments, release_segments, RELEASE_SEGMENTS,
                  QNODE__V1__RELEASE_SEGMENTS__INIT)

/* ---- SealedSegmentsChangeInfo ---- */

static void move_decode(struct codec *codec, const wire_segment_change_info *from,
                        struct segment_change_info *to)
{
    CODEC_COPY(online_node_id);
    CODEC_COPY(offline_node_id);
    to->online_segments =
        codec_segment_infos_decode(codec, from->online_segments, from->n_online_segments);
    to->online_segments_count = from->n_online_segments;
    to->offline_segments =
        codec_segment_infos_decode(codec, from->offline_segments, from->n_offline_segments);
    to->offline_segments_count = from->n_offline_segments;
}

static void move_encode(struct codec *codec, const struct segment_change_info *from,
                        wire_segment_change_info *to)
{
    *to = (wire_segment_change_info)QNODE__V1__SEGMENT_CHANGE_INFO__INIT;
    CODEC_COPY(online_node_id);
    CODEC_COPY(offline_node_id);
    to->online_segments =
        codec_segment_infos_encode(codec, from->online_segments, from->online_segments_count);
    to->n_online_segments = from->online_segments_count;
    to->offline_segments =
        codec_segment_infos_encode(codec, from->offline_segments, from->offline_segments_count);
    to->n_offline_segments = from->offline_segments_count;
}

CODEC_DEFINE_LIST(move, struct segment_change_info, wire_segment_change_info)

static void change_info_decode(struct codec *codec, const wire_change_info *from,
                               struct change_info *to)
{
    CODEC_COPY(collection_id);
    to->version = codec_epoch_decode(from->version);
    to->follows = codec_epoch_decode(from->follows);
    to->infos = move_list_decode(codec, from->infos, from->n_infos);
    to->infos_count = from->n_infos;
    to->not_after = not_after_decode(from->not_after);
}

static void change_info_encode(struct codec *codec, const struct change_info *from,
                               wire_change_info *to)
{
    CODEC_COPY(collection_id);
    to->version = codec_epoch_encode(codec, from->version);
    to->follows = codec_epoch_encode(codec, from->follows);
    to->infos = move_list_encode(codec, from->infos, from->infos_count);
    to->n_infos = from->infos_count;
    to->not_after = not_after_encode(codec, from->not_after);
}

static void change_info_check(struct codec *codec, const struct change_info *change)
{
    if (!codec_check_list(codec, "change_info.infos", change->infos_count,
                          LIMIT_SEGMENTS_PER_REQUEST_MAX))
        return;
    for (size_t i = 0; i < change->infos_count; i++) {
        const struct segment_change_info *info = &change->infos[i];

        codec_segment_infos_check(codec, "change_info.infos.online_segments", info->online_segments,
                                  info->online_segments_count);
        codec_segment_infos_check(codec, "change_info.infos.offline_segments",
                                  info->offline_segments, info->offline_segments_count);
    }
}

CODEC_DEFINE_BODY(change_info, wire_change_info, sealed_segments_change_info,
                  SEALED_SEGMENTS_CHANGE_INFO, QNODE__V1__SEALED_SEGMENTS_CHANGE_INFO__INIT)

/* ---- ReportRequest: nothing in it ---- */

static void report_request_decode(struct codec *codec, const wire_message *from, struct message *to)
{
    (void)codec;
    (void)from;
    (void)to;
}

static void report_request_encode(struct codec *codec, const struct message *from, wire_message *to)
{
    wire_report_request *body = codec_alloc(codec, 1, sizeof *body);

    (void)from;
    if (body == NULL)
        return;
    *body = (wire_report_request)QNODE__V1__REPORT_REQUEST__INIT;
    to->body_case = QNODE__V1__MESSAGE__BODY_REPORT_REQUEST;
    to->report_request = body;
}

static void report_request_check(struct codec *codec, const struct message *message)
{
    (void)codec;
    (void)message;
}

const struct codec_body codec_report_request = {
    .name = "report_request",
    .decode = report_request_decode,
    .encode = report_request_encode,
    .check = report_request_check,
};

/* ---- CopyStatusRequest, CopyStatus ---- */

static void copy_status_request_decode(struct codec *codec, const wire_copy_status_request *from,
                                       struct copy_status_request *to)
{
    (void)codec;
    CODEC_COPY(node_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(nonce);
}

static void copy_status_request_encode(struct codec *codec, const struct copy_status_request *from,
                                       wire_copy_status_request *to)
{
    (void)codec;
    CODEC_COPY(node_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(nonce);
}

static void copy_status_request_check(struct codec *codec,
                                      const struct copy_status_request *request)
{
    (void)codec;
    (void)request;
}

CODEC_DEFINE_BODY(copy_status_request, wire_copy_status_request, copy_status_request,
                  COPY_STATUS_REQUEST, QNODE__V1__COPY_STATUS_REQUEST__INIT)

static void copy_status_decode(struct codec *codec, const wire_copy_status *from,
                               struct copy_status *to)
{
    CODEC_COPY(node_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(nonce);
    CODEC_COPY(asker_boot);
    CODEC_COPY(delete_generation);
    CODEC_COPY(replica);
    to->state = (enum qn_copy_state)from->state;
    to->epoch = codec_epoch_decode(from->epoch);
    (void)codec_hash_decode(codec, "content_hash", from->content_hash, &to->content_hash);
}

static void copy_status_encode(struct codec *codec, const struct copy_status *from,
                               wire_copy_status *to)
{
    CODEC_COPY(node_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(nonce);
    CODEC_COPY(asker_boot);
    CODEC_COPY(delete_generation);
    to->replica = codec_string_encode(from->replica);
    to->state = (Qnode__V1__CopyState)from->state;
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->content_hash = codec_hash_encode_if_known(&from->content_hash);
}

static void copy_status_check(struct codec *codec, const struct copy_status *status)
{
    codec_check_range(codec, "state", (unsigned)status->state, QN_COPY_ABSENT, QN_COPY_DRAINING);
    codec_check_name(codec, "replica", status->replica);
}

CODEC_DEFINE_BODY(copy_status, wire_copy_status, copy_status, COPY_STATUS,
                  QNODE__V1__COPY_STATUS__INIT)
