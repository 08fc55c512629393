/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/subject.h"

#include "base/check.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLUSTER_BYTES_MAX = 64 };

bool subject_cluster_is_valid(const char *cluster)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-";
    size_t bytes = strlen(cluster);

    return bytes >= 1 && bytes <= CLUSTER_BYTES_MAX && strspn(cluster, letters) == bytes;
}

/* One token of a subject: not empty, printable ASCII, none of the wildcards. */
static bool token_is_plain(const char *token, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (token[i] <= ' ' || token[i] > '~' || token[i] == '*' || token[i] == '>')
            return false;
    return bytes > 0;
}

static bool is_valid(const char *text, bool wildcards)
{
    if (strnlen(text, LIMIT_SUBJECT_BYTES) == LIMIT_SUBJECT_BYTES)
        return false;
    for (;;) {
        size_t bytes = strcspn(text, ".");
        bool is_last = text[bytes] == '\0';
        bool is_wild = bytes == 1 && (text[0] == '*' || (text[0] == '>' && is_last));

        if (!token_is_plain(text, bytes) && !(wildcards && is_wild))
            return false;
        if (is_last)
            return true;
        text += bytes + 1;
    }
}

bool subject_is_valid(const char *subject)
{
    return is_valid(subject, false);
}

bool subject_pattern_is_valid(const char *pattern)
{
    return is_valid(pattern, true);
}

bool subject_matches(const char *pattern, const char *subject)
{
    for (;;) {
        size_t pattern_bytes = strcspn(pattern, ".");
        size_t subject_bytes = strcspn(subject, ".");

        if (strcmp(pattern, ">") == 0)
            return subject_bytes > 0;
        bool is_star = pattern_bytes == 1 && pattern[0] == '*';
        if (!is_star &&
            (pattern_bytes != subject_bytes || memcmp(pattern, subject, pattern_bytes) != 0))
            return false;
        if (pattern[pattern_bytes] == '\0' || subject[subject_bytes] == '\0')
            return pattern[pattern_bytes] == subject[subject_bytes];
        pattern += pattern_bytes + 1;
        subject += subject_bytes + 1;
    }
}

static struct subject make(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct subject make(const char *format, ...)
{
    struct subject subject;
    va_list arguments;

    va_start(arguments, format);
    int bytes = vsnprintf(subject.text, sizeof subject.text, format, arguments);
    va_end(arguments);
    CHECK(bytes > 0 && (size_t)bytes < sizeof subject.text);
    return subject;
}

struct subject subject_query(const char *cluster, int64_t collection_id)
{
    return make("qnode.%s.query.%" PRId64, cluster, collection_id);
}

struct subject subject_query_page(const char *cluster, int64_t collection_id, uint32_t page)
{
    return make("qnode.%s.query.%" PRId64 ".%" PRIu32, cluster, collection_id, page);
}

struct subject subject_query_all(const char *cluster)
{
    return make("qnode.%s.query.>", cluster);
}

struct subject subject_control(const char *cluster, int64_t node_id)
{
    return make("qnode.%s.agent.%" PRId64 ".control", cluster, node_id);
}

struct subject subject_ask(const char *cluster, int64_t node_id)
{
    return make("qnode.%s.agent.%" PRId64 ".ask", cluster, node_id);
}

struct subject subject_ask_all(const char *cluster)
{
    return make("qnode.%s.agent.*.ask", cluster);
}

struct subject subject_search(const char *cluster, int64_t node_id)
{
    return make("qnode.%s.agent.%" PRId64 ".search", cluster, node_id);
}

struct subject subject_report(const char *cluster, int64_t node_id)
{
    return make("qnode.%s.report.%" PRId64, cluster, node_id);
}

struct subject subject_report_all(const char *cluster)
{
    return make("qnode.%s.report.*", cluster);
}

struct subject subject_event(const char *cluster, int64_t node_id)
{
    return make("qnode.%s.event.%" PRId64, cluster, node_id);
}

struct subject subject_event_all(const char *cluster)
{
    return make("qnode.%s.event.*", cluster);
}

struct subject subject_all(const char *cluster)
{
    return make("qnode.%s.>", cluster);
}

struct subject subject_coord(const char *cluster)
{
    return make("qnode.%s.coord", cluster);
}

struct subject subject_reply(const char *cluster, const char *client, uint64_t request_id)
{
    return make("qnode.%s.reply.%s.%" PRIu64, cluster, client, request_id);
}

struct subject subject_reply_all(const char *cluster, const char *client)
{
    return make("qnode.%s.reply.%s.>", cluster, client);
}

bool subject_is_reply(const char *cluster, const char *subject)
{
    static const char prefix[] = "qnode.", channel[] = ".reply.";
    const size_t cluster_bytes = strlen(cluster), start = sizeof prefix - 1 + cluster_bytes;

    /* Asked of each message: no text is made for it. */
    return subject_cluster_is_valid(cluster) && strncmp(subject, prefix, sizeof prefix - 1) == 0 &&
           strncmp(subject + sizeof prefix - 1, cluster, cluster_bytes) == 0 &&
           strncmp(subject + start, channel, sizeof channel - 1) == 0 && subject_is_valid(subject);
}

struct subject subject_announce(const char *cluster)
{
    return subject_control(cluster, 0);
}
