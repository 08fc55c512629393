/* SPDX-License-Identifier: Apache-2.0
 * tap: the messages of the cluster as they come, decoded, one line each. It only listens. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/standard_files.h"
#include "coordinator/tap_gist.h"
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TAP_LOOK_MS = 200, TAP_LINE_BYTES = 512 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

struct tap {
    const struct ctl_arguments *arguments;
    int64_t collection_id; /* 0: all */
    uint64_t seen, shown;
    bool is_broken; /* nothing can be printed any more */
};

/* The number behind `channel` ("agent.", "report.") in "qnode.<cluster>.<channel><number>..."; 0:
 * another channel. */
static int64_t number_in(const char *subject, const char *channel)
{
    const char *at = strchr(subject, '.');

    at = at == NULL ? NULL : strchr(at + 1, '.');
    if (at == NULL || strncmp(at + 1, channel, strlen(channel)) != 0)
        return 0;
    return strtoll(at + 1 + strlen(channel), NULL, 10);
}

/* As lines show it: short. --kind takes the long name of PROTOCOL.md, too. */
static const char *shown_kind(enum message_kind kind)
{
    return kind == MESSAGE_CHANGE_INFO ? "ChangeInfo" : message_kind_name(kind);
}

static bool names_kind(const char *kinds, const char *kind)
{
    size_t bytes = strlen(kind);

    for (const char *at = kinds; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncasecmp(at, kind, bytes) == 0 && (at[bytes] == ',' || at[bytes] == '\0'))
            return true;
    }
    return false;
}

static bool is_wanted(const struct tap *tap, const struct qn_feed_item *item,
                      const struct tap_gist *gist)
{
    const struct ctl_arguments *wanted = tap->arguments;
    const char *subject = item->subject;

    if (wanted->node != 0 && gist->node_id != wanted->node &&
        number_in(subject, "agent.") != wanted->node &&
        number_in(subject, "report.") != wanted->node &&
        number_in(subject, "event.") != wanted->node)
        return false;
    if (wanted->kinds != NULL &&
        !(item->message == NULL
              ? names_kind(wanted->kinds, "undecodable")
              : names_kind(wanted->kinds, shown_kind(item->message->kind)) ||
                    names_kind(wanted->kinds, message_kind_name(item->message->kind))))
        return false;
    return tap->collection_id == 0 || gist->collection_id == tap->collection_id ||
           number_in(subject, "query.") == tap->collection_id;
}

/* What follows "qnode.<cluster>."; a client's reply subject without its long name. */
static void short_subject(const char *subject, char *ret_text, size_t text_bytes)
{
    const char *at = strchr(subject, '.');

    at = at == NULL ? NULL : strchr(at + 1, '.');
    at = at == NULL ? subject : at + 1;
    const char *request = strrchr(at, '.');
    if (strncmp(at, "reply.", 6) == 0 && request != NULL && request - at > 11)
        (void)snprintf(ret_text, text_bytes, "%.10s~%s", at, request);
    else
        (void)snprintf(ret_text, text_bytes, "%s", at);
}

/* Anyone on the bus chooses these bytes: none of them shall steer the terminal. */
static void print_escaped(const char *line, int width)
{
    for (; *line != '\0'; line++) {
        unsigned char byte = (unsigned char)*line;
        bool is_control = byte < 0x20 || byte == 0x7f;
        width -= is_control ? 4 : 1;
        if (width < 0)
            break;
        printf(is_control ? "\\x%02x" : "%c", byte);
    }
    printf("\n");
}

static void print_line(const struct qn_feed_item *item, const struct tap_gist *gist)
{
    char line[TAP_LINE_BYTES], subject[64], time[TEXT_BYTES];

    short_subject(item->subject, subject, sizeof subject);
    if (item->message == NULL)
        (void)snprintf(line, sizeof line, "%s %-20.20s undecodable, %zu bytes: %s",
                       table_wall_ms(clock_wall_ms(), time), subject, item->size, item->trouble);
    else
        (void)snprintf(line, sizeof line, "%s %-20.20s %s %s", table_wall_ms(clock_wall_ms(), time),
                       subject, shown_kind(item->message->kind), gist->text);
    print_escaped(line, TABLE_WIDTH);
}

/* As protobuf's JSON: a reader that takes numbers for doubles would lose digits. */
static void set_u64(struct doc *row, const char *name, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    doc_set_string(row, name, text);
}

static void print_json(const struct qn_feed_item *item, const struct tap_gist *gist)
{
    const struct message *message = item->message;
    struct doc *row = doc_object(), *ids = doc_array();
    char epoch[64];

    doc_set_int(row, "wallMs", (int64_t)clock_wall_ms());
    doc_set_string(row, "subject", item->subject);
    doc_set_int(row, "bytes", (int64_t)item->size);
    doc_set_string(row, "kind", message == NULL ? "undecodable" : message_kind_name(message->kind));
    doc_set_string(row, "text", message == NULL ? item->trouble : gist->text);
    if (message != NULL) {
        doc_set_string(row, "cluster", message->cluster);
        doc_set_string(row, "sender", message->sender);
        set_u64(row, "boot", message->boot);
        set_u64(row, "term", message->term);
        set_u64(row, "requestID", message->request_id);
        doc_set_string(row, "replyTo", message->reply_to);
        doc_set_string(row, "traceparent", message->traceparent);
    }
    if (gist->has_status)
        doc_set_string(row, "status", qn_status_name(gist->status));
    if (gist->collection_id != 0)
        doc_set_int(row, "collectionID", gist->collection_id);
    (void)snprintf(epoch, sizeof epoch, "%" PRIu64 ".%" PRIu64, gist->epoch.term,
                   gist->epoch.version);
    if (gist->epoch.term != 0)
        doc_set_string(row, "epoch", epoch);
    for (size_t i = 0; i < gist->segments_count && i < TAP_GIST_IDS; i++)
        doc_append(ids, doc_int(gist->segment_ids[i]));
    doc_set(row, "segmentIDs", ids);
    doc_set_int(row, "segmentsCount", (int64_t)gist->segments_count);
    doc_set_int(row, "copiesCount", (int64_t)gist->copies_count);
    doc_print_line(row);
    doc_free(row);
}

static void take(struct tap *tap, const struct qn_feed_item *item)
{
    struct tap_gist gist = {.node_id = 0};

    tap->seen++;
    if (item->message != NULL)
        tap_gist(item->message, &gist);
    if (!is_wanted(tap, item, &gist))
        return;
    tap->shown++;
    if (tap->arguments->json)
        print_json(item, &gist);
    else
        print_line(item, &gist);
    tap->is_broken = !standard_files_flush("qnodectl");
}

static bool goes_on(const struct tap *tap, uint64_t started_ms)
{
    const struct ctl_arguments *arguments = tap->arguments;

    return !interrupted && !tap->is_broken &&
           (arguments->count == 0 || tap->shown < arguments->count) &&
           (arguments->for_s == 0 || ctl_now_ms() - started_ms < (uint64_t)arguments->for_s * 1000);
}

static bool is_kind(const char *kind, size_t bytes)
{
    static const char other[] = "undecodable";

    for (int i = MESSAGE_NONE; i < 128; i++) {
        const char *name = message_kind_name((enum message_kind)i);
        const char *shown = shown_kind((enum message_kind)i);
        if ((strlen(name) == bytes && strncasecmp(name, kind, bytes) == 0) ||
            (strlen(shown) == bytes && strncasecmp(shown, kind, bytes) == 0))
            return true;
    }
    return bytes == strlen(other) && strncasecmp(other, kind, bytes) == 0;
}

int ctl_tap_check(const struct ctl_arguments *arguments)
{
    const char *at = arguments->kinds;

    while (at != NULL) {
        size_t bytes = strcspn(at, ",");
        if (!is_kind(at, bytes))
            return ctl_usage("tap: no message is a %.*s; kinds are LoadSegments, SegmentLoaded, "
                             "SearchRequest, ... (channel/PROTOCOL.md), and undecodable",
                             (int)bytes, at);
        at = at[bytes] == '\0' ? NULL : at + bytes + 1;
    }
    return 0;
}

int ctl_tap(struct ctl *ctl)
{
    struct tap tap = {.arguments = ctl->arguments};
    struct sigaction action = {.sa_handler = on_interrupt};
    uint64_t started_ms = ctl_now_ms();
    struct qn_feed *feed;
    struct qn_error error = {0};

    if (ctl->arguments->collection != NULL &&
        ctl_collection_id(ctl, ctl->arguments->collection, &tap.collection_id, &error) !=
            QN_STATUS_OK)
        return ctl_fail(&error);
    if (qn_feed_open(ctl->client, QN_FEED_ALL, &feed, &error) != QN_STATUS_OK)
        return ctl_fail(&error);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    while (goes_on(&tap, started_ms)) {
        const struct qn_feed_item *item = qn_feed_next_item(feed, TAP_LOOK_MS);
        if (item != NULL)
            take(&tap, item);
    }
    (void)fprintf(stderr, "seen %" PRIu64 ", shown %" PRIu64 ", dropped %" PRIu64 "\n", tap.seen,
                  tap.shown, qn_feed_dropped(feed));
    qn_feed_close(feed);
    return tap.is_broken ? 1 : 0;
}
