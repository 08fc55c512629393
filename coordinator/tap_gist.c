/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/tap_gist.h"

#include "base/check.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(struct tap_gist *gist, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct tap_gist *gist, const char *format, ...)
{
    size_t used = strlen(gist->text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(gist->text + used, sizeof gist->text - used, format, arguments);
    va_end(arguments);
}

static void about_segment(struct tap_gist *gist, int64_t segment_id)
{
    if (gist->segments_count < TAP_GIST_IDS)
        gist->segment_ids[gist->segments_count] = segment_id;
    gist->segments_count++;
}

static void about_copy(struct tap_gist *gist, int64_t segment_id, struct qn_epoch epoch)
{
    about_segment(gist, segment_id);
    gist->epoch = epoch;
    say(gist, "%" PRId64 " @%" PRIu64 ".%" PRIu64, segment_id, epoch.term, epoch.version);
}

static void about_status(struct tap_gist *gist, enum qn_status status, const char *text)
{
    gist->has_status = true;
    gist->status = status;
    say(gist, " %s%s%s", qn_status_name(status), *text == '\0' ? "" : ": ", text);
}

/* "7, 8, 9 ..." */
static void say_segments(struct tap_gist *gist)
{
    for (size_t i = 0; i < gist->segments_count && i < 4; i++)
        say(gist, "%s%" PRId64, i == 0 ? "" : ", ", gist->segment_ids[i]);
    if (gist->segments_count > 4)
        say(gist, " ... %zu segments", gist->segments_count);
}

static const char *ground_name(enum ground ground)
{
    static const char *const names[] = {"no ground", "MOVED", "CEASED", "FORCE"};

    return (unsigned)ground < COUNT_OF(names) ? names[ground] : "?";
}

static void of_load(struct tap_gist *gist, const struct load_segments *load)
{
    for (size_t i = 0; i < load->segments_count; i++)
        about_segment(gist, load->segments[i].segment_id);
    if (load->segments_count == 0) {
        say(gist, "tells its term");
        return;
    }
    gist->collection_id = load->segments[0].collection_id;
    gist->epoch = load->segments[0].epoch;
    say_segments(gist);
}

static void of_release(struct tap_gist *gist, const struct release_segments *release)
{
    for (size_t i = 0; i < release->segments_count; i++)
        about_segment(gist, release->segments[i].segment_id);
    say_segments(gist);
    if (release->segments_count > 0)
        say(gist, " %s", ground_name(release->segments[0].ground));
}

static void of_change(struct tap_gist *gist, const struct change_info *change)
{
    gist->collection_id = change->collection_id;
    gist->epoch = change->version;
    for (size_t i = 0; i < change->infos_count; i++)
        for (size_t j = 0; j < change->infos[i].offline_segments_count; j++)
            about_segment(gist, change->infos[i].offline_segments[j].segment_id);
    say_segments(gist);
    if (change->infos_count > 0)
        say(gist, " from node %" PRId64 " to %" PRId64, change->infos[0].offline_node_id,
            change->infos[0].online_node_id);
    say(gist, ", view %" PRIu64 ".%" PRIu64, change->version.term, change->version.version);
}

static const char *copy_state_name(enum qn_copy_state state)
{
    static const char *const names[] = {"ABSENT", "LOADING", "SERVING", "LEAVING", "DRAINING"};

    return (unsigned)state < COUNT_OF(names) ? names[state] : "?";
}

static void of_copy_status(struct tap_gist *gist, const struct copy_status *status)
{
    gist->node_id = status->node_id;
    about_copy(gist, status->segment_id, status->epoch);
    say(gist, " %s on node %" PRId64, copy_state_name(status->state), status->node_id);
}

static void of_search(struct tap_gist *gist, const struct search_request *search)
{
    gist->collection_id = search->collection_id;
    for (size_t i = 0; i < search->segments_count; i++)
        about_segment(gist, search->segment_ids[i]);
    say(gist, "nq %u k %u in ", search->nq, search->k);
    say_segments(gist);
}

static void of_search_answer(struct tap_gist *gist, const struct search_answer *answer)
{
    gist->has_status = true;
    gist->status = answer->status;
    if (answer->status != QN_STATUS_OK) {
        say(gist, "%s: %s", qn_status_name(answer->status), answer->text);
        return;
    }
    say(gist, "covers %zu, %zu hits, %u us", answer->epochs_count, answer->hits_count,
        answer->search_us);
    if (answer->refused_count > 0)
        say(gist, ", %zu refused: %s", answer->refused_count,
            qn_status_name(answer->refused[0].status));
    if (answer->parts > 1)
        say(gist, ", part %u of %u", answer->part + 1, answer->parts);
}

static void of_report(struct tap_gist *gist, const struct node_report *report)
{
    char ledger[TEXT_BYTES];

    gist->node_id = report->node_id;
    say(gist, "%u copies, %s", report->copies_count,
        text_bytes(report->memory.ledger_bytes, ledger));
    if (report->has_copies)
        say(gist, ", list %u of %u", report->page + 1, report->pages);
    if (report->leaving)
        say(gist, ", leaving");
}

static void of_loaded(struct tap_gist *gist, const struct segment_loaded *loaded)
{
    char bytes[TEXT_BYTES];

    about_copy(gist, loaded->segment_id, loaded->epoch);
    say(gist, " %s in %" PRIu64 " ms%s", text_bytes(loaded->bytes, bytes), loaded->took_ms,
        loaded->adopted ? ", adopted" : "");
}

static void of_released(struct tap_gist *gist, const struct segment_released *released)
{
    char bytes[TEXT_BYTES], rss[TEXT_BYTES];

    about_copy(gist, released->segment_id, released->epoch);
    say(gist, " %s, %s, RSS now %s", ground_name(released->ground),
        text_bytes(released->bytes, bytes), text_bytes(released->rss_after, rss));
}

static void of_view(struct tap_gist *gist, const struct collection_view *view)
{
    gist->collection_id = view->collection_id;
    gist->epoch = view->version;
    for (size_t i = 0; i < view->items_count; i++) {
        about_segment(gist, view->items[i].segment_id);
        gist->copies_count += view->items[i].copies_count;
    }
    say(gist, "%s %" PRIu64 ".%" PRIu64 ", %zu segments, %zu copies, page %u of %u", view->name,
        view->version.term, view->version.version, view->items_count, gist->copies_count,
        view->page + 1, view->pages);
}

static void of_coord_request(struct tap_gist *gist, const struct coord_request *request)
{
    static const char *const verbs[] = {
        "?",          "GET_VIEW",        "LIST_NODES",         "LIST_SEGMENTS", "LIST_COLLECTIONS",
        "LIST_MOVES", "LOAD_COLLECTION", "RELEASE_COLLECTION", "LOAD_BALANCE"};

    for (size_t i = 0; i < request->segment_ids_count; i++)
        about_segment(gist, request->segment_ids[i]);
    say(gist, "%s", (unsigned)request->verb < COUNT_OF(verbs) ? verbs[request->verb] : "?");
    if (*request->collection != '\0' || *request->folder != '\0')
        say(gist, " %s%s", request->collection, request->folder);
    if (request->src_node_id != 0)
        say(gist, " from node %" PRId64, request->src_node_id);
}

static void of_coord_answer(struct tap_gist *gist, const struct coord_answer *answer)
{
    gist->has_status = true;
    gist->status = answer->status;
    say(gist, "%s", qn_status_name(answer->status));
    if (*answer->text != '\0')
        say(gist, ": %s", answer->text);
    if (answer->view != NULL)
        of_view(gist, answer->view);
    else if (answer->pages > 1)
        say(gist, ", page %u of %u", answer->page + 1, answer->pages);
}

static void of_receipt(const struct message *message, struct tap_gist *gist)
{
    switch (message->kind) {
    case MESSAGE_SEGMENT_LOADED:
        of_loaded(gist, &message->segment_loaded);
        break;
    case MESSAGE_SEGMENT_RELEASED:
        of_released(gist, &message->segment_released);
        break;
    case MESSAGE_LOAD_FAILED:
        about_copy(gist, message->load_failed.segment_id, message->load_failed.epoch);
        about_status(gist, message->load_failed.status, message->load_failed.text);
        break;
    case MESSAGE_RELEASE_HELD:
        about_copy(gist, message->release_held.segment_id, message->release_held.epoch);
        about_status(gist, message->release_held.status, message->release_held.text);
        break;
    case MESSAGE_LEAVING:
        about_copy(gist, message->leaving.segment_id, message->leaving.epoch);
        break;
    case MESSAGE_COMMAND_REFUSED:
        about_copy(gist, message->command_refused.segment_id, message->command_refused.epoch);
        about_status(gist, message->command_refused.status, message->command_refused.text);
        break;
    default:
        break;
    }
}

void tap_gist(const struct message *message, struct tap_gist *ret_gist)
{
    struct tap_gist *gist = ret_gist;

    *gist = (struct tap_gist){.node_id = 0};
    if (strncmp(message->sender, "node/", 5) == 0)
        (void)sscanf(message->sender, "node/%" SCNd64, &gist->node_id);
    switch (message->kind) {
    case MESSAGE_LOAD_SEGMENTS:
        of_load(gist, &message->load_segments);
        break;
    case MESSAGE_RELEASE_SEGMENTS:
        of_release(gist, &message->release_segments);
        break;
    case MESSAGE_CHANGE_INFO:
        of_change(gist, &message->change_info);
        break;
    case MESSAGE_COPY_STATUS_REQUEST:
        about_segment(gist, message->copy_status_request.segment_id);
        say(gist, "%" PRId64 ", from node %" PRId64, message->copy_status_request.segment_id,
            message->copy_status_request.node_id);
        break;
    case MESSAGE_COPY_STATUS:
        of_copy_status(gist, &message->copy_status);
        break;
    case MESSAGE_SEARCH_REQUEST:
        of_search(gist, &message->search_request);
        break;
    case MESSAGE_SEARCH_ANSWER:
        of_search_answer(gist, &message->search_answer);
        break;
    case MESSAGE_NODE_REPORT:
        of_report(gist, &message->node_report);
        break;
    case MESSAGE_COLLECTION_VIEW:
        of_view(gist, &message->collection_view);
        break;
    case MESSAGE_COORD_REQUEST:
        of_coord_request(gist, &message->coord_request);
        break;
    case MESSAGE_COORD_ANSWER:
        of_coord_answer(gist, &message->coord_answer);
        break;
    default:
        of_receipt(message, gist);
        break;
    }
}
