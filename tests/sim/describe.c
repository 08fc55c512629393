/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct text {
    char *at;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int wrote = vsnprintf(text->at, text->room, format, arguments);
    va_end(arguments);
    size_t used = wrote < 0 ? 0 : (size_t)wrote < text->room ? (size_t)wrote : text->room - 1;
    text->at += used;
    text->room -= used;
}

static void add_epoch(struct text *text, struct qn_epoch epoch)
{
    add(text, "@%" PRIu64 ".%" PRIu64, epoch.term, epoch.version);
}

static void describe_load(struct text *text, const struct load_segments *load)
{
    for (size_t i = 0; i < load->segments_count; i++) {
        add(text, " %" PRId64, load->segments[i].segment_id);
        add_epoch(text, load->segments[i].epoch);
    }
}

static void describe_release(struct text *text, const struct release_segments *release)
{
    static const char *const grounds[] = {"?", "moved", "ceased", "force"};

    for (size_t i = 0; i < release->segments_count; i++) {
        const struct segment_release *segment = &release->segments[i];
        add(text, " %" PRId64, segment->segment_id);
        add_epoch(text, segment->epoch);
        add(text, " %s", grounds[segment->ground]);
        for (size_t w = 0; w < segment->witnesses_count; w++)
            add(text, " (%" PRId64 " on %" PRId64 ")", segment->witnesses[w].segment_id,
                segment->witnesses[w].node_id);
    }
}

static void describe_change(struct text *text, const struct change_info *change)
{
    add(text, " c%" PRId64, change->collection_id);
    add_epoch(text, change->version);
    add(text, " follows");
    add_epoch(text, change->follows);
    for (size_t i = 0; i < change->infos_count; i++) {
        const struct segment_change_info *info = &change->infos[i];
        for (size_t s = 0; s < info->online_segments_count; s++)
            add(text, " +%" PRId64 "/%" PRId64, info->online_segments[s].segment_id,
                info->online_node_id);
        for (size_t s = 0; s < info->offline_segments_count; s++)
            add(text, " -%" PRId64 "/%" PRId64, info->offline_segments[s].segment_id,
                info->offline_node_id);
    }
}

static void describe_report(struct text *text, const struct node_report *report)
{
    add(text, " #%" PRIu64 " %u copies", report->report_number, report->copies_count);
    for (size_t i = 0; report->has_copies && i < report->copies_in_page; i++) {
        const struct segment_info *segment = &report->copies[i].segment;
        add(text, " %" PRId64 ":%s", segment->segment_id, qn_copy_state_name(segment->copy_state));
    }
}

static void describe_view(struct text *text, const struct collection_view *view)
{
    add(text, " c%" PRId64, view->collection_id);
    add_epoch(text, view->version);
    add(text, " r%" PRIu64, view->readable_version);
    for (size_t i = 0; i < view->items_count; i++) {
        add(text, " %" PRId64 "/", view->items[i].segment_id);
        for (size_t c = 0; c < view->items[i].copies_count; c++)
            add(text, "%s%" PRId64, c == 0 ? "" : "+", view->items[i].copies[c].node_id);
    }
}

static void describe_search(struct text *text, const struct search_request *request)
{
    add(text, " k%u nq%u", request->k, request->nq);
    for (size_t i = 0; i < request->segments_count; i++)
        add(text, " %" PRId64, request->segment_ids[i]);
}

static void describe_answer(struct text *text, const struct search_answer *answer)
{
    add(text, " %s %u/%u covered ", qn_status_name(answer->status), answer->part, answer->parts);
    for (size_t i = 0; i < answer->covered_bytes; i++)
        add(text, "%02x", answer->covered[i]);
    for (size_t i = 0; i < answer->refused_count; i++)
        add(text, " %u:%s", answer->refused[i].index, qn_status_name(answer->refused[i].status));
}

static void describe_coord(struct text *text, const struct coord_request *request)
{
    add(text, " verb %d %s %s %" PRId64 " >", (int)request->verb, request->collection,
        request->folder, request->src_node_id);
    for (size_t i = 0; i < request->dst_node_ids_count; i++)
        add(text, " %" PRId64, request->dst_node_ids[i]);
    add(text, " :");
    for (size_t i = 0; i < request->segment_ids_count; i++)
        add(text, " %" PRId64, request->segment_ids[i]);
}

static void describe_coord_answer(struct text *text, const struct coord_answer *answer)
{
    add(text, " %s %s", qn_status_name(answer->status), answer->text);
    for (size_t i = 0; i < answer->moves_count; i++)
        add(text, " [%" PRIu64 " %" PRId64 " %" PRId64 ">%" PRId64 " %s]", answer->moves[i].move_id,
            answer->moves[i].segment_id, answer->moves[i].src_node_id, answer->moves[i].dst_node_id,
            answer->moves[i].phase);
    if (answer->view != NULL)
        describe_view(text, answer->view);
}

static void describe_status(struct text *text, const struct copy_status *status)
{
    add(text, " %" PRId64 " %s", status->segment_id, qn_copy_state_name(status->state));
    add_epoch(text, status->epoch);
    add(text, " nonce %" PRIu64, status->nonce);
}

static void describe_receipt(struct text *text, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_SEGMENT_LOADED:
        add(text, " %" PRId64, message->segment_loaded.segment_id);
        add_epoch(text, message->segment_loaded.epoch);
        add(text, "%s", message->segment_loaded.adopted ? " adopted" : "");
        break;
    case MESSAGE_SEGMENT_RELEASED:
        add(text, " %" PRId64, message->segment_released.segment_id);
        add_epoch(text, message->segment_released.epoch);
        break;
    case MESSAGE_LOAD_FAILED:
        add(text, " %" PRId64 " %s: %s", message->load_failed.segment_id,
            qn_status_name(message->load_failed.status), message->load_failed.text);
        break;
    case MESSAGE_RELEASE_HELD:
        add(text, " %" PRId64 ": %s", message->release_held.segment_id, message->release_held.text);
        break;
    case MESSAGE_LEAVING:
        add(text, " %" PRId64, message->leaving.segment_id);
        break;
    case MESSAGE_COMMAND_REFUSED:
        add(text, " %" PRId64 " %s: %s", message->command_refused.segment_id,
            qn_status_name(message->command_refused.status), message->command_refused.text);
        break;
    default:
        break;
    }
}

void describe_message(const struct message *message, char *ret_text, size_t capacity)
{
    struct text text = {ret_text, capacity};

    add(&text, "%s b%" PRIu64 " t%" PRIu64, message_kind_name(message->kind), message->boot,
        message->term);
    switch (message->kind) {
    case MESSAGE_LOAD_SEGMENTS:
        describe_load(&text, &message->load_segments);
        break;
    case MESSAGE_RELEASE_SEGMENTS:
        describe_release(&text, &message->release_segments);
        break;
    case MESSAGE_CHANGE_INFO:
        describe_change(&text, &message->change_info);
        break;
    case MESSAGE_NODE_REPORT:
        describe_report(&text, &message->node_report);
        break;
    case MESSAGE_COLLECTION_VIEW:
        describe_view(&text, &message->collection_view);
        break;
    case MESSAGE_SEARCH_REQUEST:
        describe_search(&text, &message->search_request);
        break;
    case MESSAGE_SEARCH_ANSWER:
        describe_answer(&text, &message->search_answer);
        break;
    case MESSAGE_COORD_REQUEST:
        describe_coord(&text, &message->coord_request);
        break;
    case MESSAGE_COORD_ANSWER:
        describe_coord_answer(&text, &message->coord_answer);
        break;
    case MESSAGE_COPY_STATUS_REQUEST:
        add(&text, " %" PRId64 " nonce %" PRIu64, message->copy_status_request.segment_id,
            message->copy_status_request.nonce);
        break;
    case MESSAGE_COPY_STATUS:
        describe_status(&text, &message->copy_status);
        break;
    default:
        describe_receipt(&text, message);
        break;
    }
}
