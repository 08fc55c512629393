/* SPDX-License-Identifier: Apache-2.0
 * Reports and receipts of agents. */
#include "channel/codec_internal.h"

typedef Qnode__V1__CopyReport wire_copy_report;
typedef Qnode__V1__NodeReport wire_node_report;
typedef Qnode__V1__SegmentLoaded wire_segment_loaded;
typedef Qnode__V1__SegmentReleased wire_segment_released;
typedef Qnode__V1__LoadFailed wire_load_failed;
typedef Qnode__V1__ReleaseHeld wire_release_held;
typedef Qnode__V1__Leaving wire_leaving;
typedef Qnode__V1__CommandRefused wire_command_refused;

static void copy_decode(struct codec *codec, const wire_copy_report *from, struct copy_report *to)
{
    CODEC_COPY(numa_node);
    CODEC_COPY(loaded_bytes);
    CODEC_COPY(searches);
    if (from->segment == NULL)
        codec_fail(codec, "copies.segment", "missing");
    else
        codec_segment_info_decode(codec, from->segment, &to->segment);
}

static void copy_encode(struct codec *codec, const struct copy_report *from, wire_copy_report *to)
{
    *to = (wire_copy_report)QNODE__V1__COPY_REPORT__INIT;
    CODEC_COPY(numa_node);
    CODEC_COPY(loaded_bytes);
    CODEC_COPY(searches);
    to->segment = codec_alloc(codec, 1, sizeof *to->segment);
    if (to->segment != NULL)
        codec_segment_info_encode(codec, &from->segment, to->segment);
}

CODEC_DEFINE_LIST(copy, struct copy_report, wire_copy_report)

static void node_report_decode(struct codec *codec, const wire_node_report *from,
                               struct node_report *to)
{
    CODEC_COPY(node_id);
    CODEC_COPY(report_number);
    CODEC_COPY(uptime_ms);
    CODEC_COPY(copies_digest);
    CODEC_COPY(copies_count);
    CODEC_COPY(has_copies);
    CODEC_COPY(page);
    CODEC_COPY(pages);
    CODEC_COPY(searches_total);
    CODEC_COPY(refused_total);
    CODEC_COPY(dropped_total);
    CODEC_COPY(leaving);
    CODEC_COPY(kernels);
    codec_memory_report_decode(from->memory, &to->memory);
    to->copies = copy_list_decode(codec, from->copies, from->n_copies);
    to->copies_in_page = from->n_copies;
}

static void node_report_encode(struct codec *codec, const struct node_report *from,
                               wire_node_report *to)
{
    CODEC_COPY(node_id);
    CODEC_COPY(report_number);
    CODEC_COPY(uptime_ms);
    CODEC_COPY(copies_digest);
    CODEC_COPY(copies_count);
    CODEC_COPY(has_copies);
    CODEC_COPY(page);
    CODEC_COPY(pages);
    CODEC_COPY(searches_total);
    CODEC_COPY(refused_total);
    CODEC_COPY(dropped_total);
    CODEC_COPY(leaving);
    to->kernels = codec_string_encode(from->kernels);
    to->memory = codec_memory_report_encode(codec, &from->memory);
    to->copies = copy_list_encode(codec, from->copies, from->copies_in_page);
    to->n_copies = from->copies_in_page;
}

static void node_report_check(struct codec *codec, const struct node_report *report)
{
    codec_check_name(codec, "kernels", report->kernels);
    codec_check_range(codec, "copies_count", report->copies_count, 0, LIMIT_SEGMENTS_PER_NODE_MAX);
    if (report->has_copies)
        codec_check_page(codec, report->page, report->pages, LIMIT_REPORT_PAGES_MAX);
    codec_check_range(codec, "copies", report->copies_in_page, 0,
                      report->has_copies ? LIMIT_REPORT_PAGE_COPIES : 0);
    for (size_t i = 0; codec->status == QN_STATUS_OK && i < report->copies_in_page; i++) {
        codec_at(codec, "node_report.copies", i);
        codec_check_range(codec, "numa_node", report->copies[i].numa_node, 0,
                          LIMIT_NUMA_NODES_MAX - 1);
        codec_segment_info_check(codec, &report->copies[i].segment);
    }
    codec_memory_report_check(codec, &report->memory);
}

CODEC_DEFINE_BODY(node_report, wire_node_report, node_report, NODE_REPORT,
                  QNODE__V1__NODE_REPORT__INIT)

/* ---- receipts ---- */

static void segment_loaded_decode(struct codec *codec, const wire_segment_loaded *from,
                                  struct segment_loaded *to)
{
    (void)codec;
    CODEC_COPY(segment_id);
    CODEC_COPY(bytes);
    CODEC_COPY(numa_node);
    CODEC_COPY(took_ms);
    CODEC_COPY(adopted);
    to->epoch = codec_epoch_decode(from->epoch);
}

static void segment_loaded_encode(struct codec *codec, const struct segment_loaded *from,
                                  wire_segment_loaded *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(bytes);
    CODEC_COPY(numa_node);
    CODEC_COPY(took_ms);
    CODEC_COPY(adopted);
    to->epoch = codec_epoch_encode(codec, from->epoch);
}

static void segment_loaded_check(struct codec *codec, const struct segment_loaded *loaded)
{
    codec_check_range(codec, "numa_node", loaded->numa_node, 0, LIMIT_NUMA_NODES_MAX - 1);
}

CODEC_DEFINE_BODY(segment_loaded, wire_segment_loaded, segment_loaded, SEGMENT_LOADED,
                  QNODE__V1__SEGMENT_LOADED__INIT)

static void segment_released_decode(struct codec *codec, const wire_segment_released *from,
                                    struct segment_released *to)
{
    (void)codec;
    CODEC_COPY(segment_id);
    CODEC_COPY(bytes);
    CODEC_COPY(rss_before);
    CODEC_COPY(rss_after);
    CODEC_COPY(numa_node);
    CODEC_COPY(waited_ms);
    CODEC_COPY(moved_to);
    to->epoch = codec_epoch_decode(from->epoch);
    to->ground = (enum ground)from->ground;
}

static void segment_released_encode(struct codec *codec, const struct segment_released *from,
                                    wire_segment_released *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(bytes);
    CODEC_COPY(rss_before);
    CODEC_COPY(rss_after);
    CODEC_COPY(numa_node);
    CODEC_COPY(waited_ms);
    CODEC_COPY(moved_to);
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->ground = (Qnode__V1__Ground)from->ground;
}

static void segment_released_check(struct codec *codec, const struct segment_released *released)
{
    codec_check_range(codec, "numa_node", released->numa_node, 0, LIMIT_NUMA_NODES_MAX - 1);
    codec_check_range(codec, "ground", (unsigned)released->ground, GROUND_UNSPECIFIED,
                      GROUND_FORCE);
}

CODEC_DEFINE_BODY(segment_released, wire_segment_released, segment_released, SEGMENT_RELEASED,
                  QNODE__V1__SEGMENT_RELEASED__INIT)

static void load_failed_decode(struct codec *codec, const wire_load_failed *from,
                               struct load_failed *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(text);
    CODEC_COPY(need_bytes);
    CODEC_COPY(free_bytes);
    to->epoch = codec_epoch_decode(from->epoch);
    to->status = (enum qn_status)from->status;
    codec_check_text(codec, "text", to->text);
}

static void load_failed_encode(struct codec *codec, const struct load_failed *from,
                               wire_load_failed *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(need_bytes);
    CODEC_COPY(free_bytes);
    to->text = codec_text_encode(codec, from->text);
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->status = (Qnode__V1__Status)from->status;
}

static void load_failed_check(struct codec *codec, const struct load_failed *failed)
{
    codec_check_status(codec, failed->status);
}

CODEC_DEFINE_BODY(load_failed, wire_load_failed, load_failed, LOAD_FAILED,
                  QNODE__V1__LOAD_FAILED__INIT)

static void release_held_decode(struct codec *codec, const wire_release_held *from,
                                struct release_held *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(text);
    CODEC_COPY(witness_node_id);
    to->epoch = codec_epoch_decode(from->epoch);
    to->status = (enum qn_status)from->status;
    codec_check_text(codec, "text", to->text);
}

static void release_held_encode(struct codec *codec, const struct release_held *from,
                                wire_release_held *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(witness_node_id);
    to->text = codec_text_encode(codec, from->text);
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->status = (Qnode__V1__Status)from->status;
}

static void release_held_check(struct codec *codec, const struct release_held *held)
{
    codec_check_status(codec, held->status);
}

CODEC_DEFINE_BODY(release_held, wire_release_held, release_held, RELEASE_HELD,
                  QNODE__V1__RELEASE_HELD__INIT)

static void leaving_decode(struct codec *codec, const wire_leaving *from, struct leaving *to)
{
    (void)codec;
    CODEC_COPY(segment_id);
    to->epoch = codec_epoch_decode(from->epoch);
}

static void leaving_encode(struct codec *codec, const struct leaving *from, wire_leaving *to)
{
    CODEC_COPY(segment_id);
    to->epoch = codec_epoch_encode(codec, from->epoch);
}

static void leaving_check(struct codec *codec, const struct leaving *leaving)
{
    (void)codec;
    (void)leaving;
}

CODEC_DEFINE_BODY(leaving, wire_leaving, leaving, LEAVING, QNODE__V1__LEAVING__INIT)

static void command_refused_decode(struct codec *codec, const wire_command_refused *from,
                                   struct command_refused *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(text);
    CODEC_COPY(command_term);
    to->epoch = codec_epoch_decode(from->epoch);
    to->status = (enum qn_status)from->status;
    codec_check_text(codec, "text", to->text);
}

static void command_refused_encode(struct codec *codec, const struct command_refused *from,
                                   wire_command_refused *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(command_term);
    to->text = codec_text_encode(codec, from->text);
    to->epoch = codec_epoch_encode(codec, from->epoch);
    to->status = (Qnode__V1__Status)from->status;
}

static void command_refused_check(struct codec *codec, const struct command_refused *refused)
{
    codec_check_status(codec, refused->status);
}

CODEC_DEFINE_BODY(command_refused, wire_command_refused, command_refused, COMMAND_REFUSED,
                  QNODE__V1__COMMAND_REFUSED__INIT)
