/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing subject names: two texts, divided by a line end, are a pattern and a subject. Validity
 * and matching must agree with a slow and plain reading of the rules; a valid subject matches
 * itself and every pattern made of it; and what the builders make is valid, matched by the patterns
 * of its kind, and tells its numbers. */
#include "base/check.h"
#include "channel/subject.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = LIMIT_SUBJECT_BYTES };

struct tokens {
    char text[2 * LIMIT_SUBJECT_BYTES];
    const char *tokens[TOKENS_MAX];
    size_t count;
};

/* Every dot ends a token, so that "a." has two. */
static void split(const char *text, struct tokens *ret_tokens)
{
    CHECK(strlen(text) < sizeof ret_tokens->text);
    memcpy(ret_tokens->text, text, strlen(text) + 1);
    ret_tokens->count = 0;
    for (char *at = ret_tokens->text; at != NULL && ret_tokens->count < TOKENS_MAX;) {
        char *dot = strchr(at, '.');
        ret_tokens->tokens[ret_tokens->count++] = at;
        if (dot != NULL)
            *dot++ = '\0';
        at = dot;
    }
}

static bool plain_is_valid(const char *text, bool wildcards)
{
    struct tokens tokens;

    if (strlen(text) >= LIMIT_SUBJECT_BYTES)
        return false;
    split(text, &tokens);
    for (size_t i = 0; i < tokens.count; i++) {
        const char *token = tokens.tokens[i];
        bool is_star = strcmp(token, "*") == 0;
        bool is_rest = strcmp(token, ">") == 0 && i + 1 == tokens.count;
        if (wildcards && (is_star || is_rest))
            continue;
        if (token[0] == '\0')
            return false;
        for (const char *at = token; *at != '\0'; at++)
            if (*at < '!' || *at > '~' || strchr("*>", *at) != NULL)
                return false;
    }
    return true;
}

static bool plain_matches(const char *pattern, const char *subject)
{
    struct tokens wanted, given;

    split(pattern, &wanted);
    split(subject, &given);
    for (size_t i = 0; i < wanted.count; i++) {
        if (strcmp(wanted.tokens[i], ">") == 0)
            return given.count > i;
        if (i >= given.count)
            return false;
        if (strcmp(wanted.tokens[i], "*") != 0 && strcmp(wanted.tokens[i], given.tokens[i]) != 0)
            return false;
    }
    return wanted.count == given.count;
}

/* Tokens of the subject become stars where bits of `stars` are set; from token `rest` on, ">". */
static void check_made_pattern(const char *subject, uint64_t stars, size_t rest)
{
    char pattern[LIMIT_SUBJECT_BYTES] = "";
    struct tokens tokens;
    size_t at = 0;

    split(subject, &tokens);
    for (size_t i = 0; i < tokens.count && (i == 0 || i <= rest); i++) {
        const char *token = i == rest ? ">" : stars >> i % 64 & 1 ? "*" : tokens.tokens[i];
        at += (size_t)snprintf(pattern + at, sizeof pattern - at, "%s%s", i > 0 ? "." : "", token);
        CHECK(at < sizeof pattern);
    }
    CHECK(subject_pattern_is_valid(pattern));
    CHECK(subject_matches(pattern, subject));
}

static void check_texts(const char *pattern, const char *subject, uint64_t number)
{
    bool is_pattern = subject_pattern_is_valid(pattern), is_subject = subject_is_valid(subject);

    CHECK(is_pattern == plain_is_valid(pattern, true));
    CHECK(is_subject == plain_is_valid(subject, false));
    if (is_subject) {
        CHECK(subject_pattern_is_valid(subject));
        CHECK(subject_matches(subject, subject));
        check_made_pattern(subject, number, number % 17);
    }
    if (is_pattern && is_subject)
        CHECK(subject_matches(pattern, subject) == plain_matches(pattern, subject));
}

static void check_built(const char *cluster, struct subject subject, const char *all,
                        const char *format, int64_t number)
{
    char prefix[LIMIT_SUBJECT_BYTES], wanted[LIMIT_SUBJECT_BYTES];
    int64_t found = 0;
    int used = 0;

    (void)snprintf(prefix, sizeof prefix, "qnode.%s.", cluster);
    CHECK(strncmp(subject.text, prefix, strlen(prefix)) == 0);
    CHECK(subject_is_valid(subject.text));
    CHECK(all == NULL || (subject_pattern_is_valid(all) && subject_matches(all, subject.text)));
    /* The number is read back by scanf, which takes no part in the making. */
    (void)snprintf(wanted, sizeof wanted, "%s%%n", format);
    CHECK(sscanf(subject.text + strlen(prefix), wanted, &found, &used) == 1);
    CHECK(found == number && strlen(subject.text) == strlen(prefix) + (size_t)used);
}

static void check_builders(const char *cluster, int64_t number)
{
    char client[2 * sizeof number + 1];
    struct subject reports = subject_report_all(cluster), events = subject_event_all(cluster);
    struct subject queries = subject_query_all(cluster);

    check_built(cluster, subject_query(cluster, number), queries.text, "query.%" SCNd64, number);
    struct subject page = subject_query_page(cluster, number, (uint32_t)number);
    CHECK(subject_is_valid(page.text) && subject_matches(queries.text, page.text));
    check_built(cluster, subject_control(cluster, number), NULL, "agent.%" SCNd64 ".control",
                number);
    check_built(cluster, subject_ask(cluster, number), NULL, "agent.%" SCNd64 ".ask", number);
    check_built(cluster, subject_search(cluster, number), NULL, "agent.%" SCNd64 ".search", number);
    check_built(cluster, subject_report(cluster, number), reports.text, "report.%" SCNd64, number);
    check_built(cluster, subject_event(cluster, number), events.text, "event.%" SCNd64, number);
    CHECK(subject_is_valid(subject_coord(cluster).text));
    CHECK(!subject_matches(queries.text, subject_report(cluster, number).text));
    (void)snprintf(client, sizeof client, "%" PRIx64, (uint64_t)number);
    struct subject reply = subject_reply(cluster, client, (uint64_t)number);
    CHECK(subject_is_valid(reply.text));
    CHECK(subject_matches(subject_reply_all(cluster, client).text, reply.text));
    CHECK(strtoull(strrchr(reply.text, '.') + 1, NULL, 10) == (uint64_t)number);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* First eight bytes: a number. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;

    if (size < sizeof number || size > 3 * LIMIT_SUBJECT_BYTES)
        return 0;
    memcpy(&number, bytes, sizeof number);
    bytes += sizeof number;
    size -= sizeof number;
    /* Blocks of their own, so that a read beyond an end is seen. */
    const uint8_t *divider = memchr(bytes, '\n', size);
    size_t pattern_bytes = divider == NULL ? size : (size_t)(divider - bytes);
    char *pattern = strndup((const char *)bytes, pattern_bytes);
    char *subject = divider == NULL ? strdup(pattern)
                                    : strndup((const char *)divider + 1, size - pattern_bytes - 1);
    CHECK(pattern != NULL && subject != NULL);
    if (strlen(pattern) < 2 * LIMIT_SUBJECT_BYTES && strlen(subject) < 2 * LIMIT_SUBJECT_BYTES)
        check_texts(pattern, subject, number);
    if (subject_cluster_is_valid(pattern)) {
        CHECK(strlen(pattern) <= 64 && subject_is_valid(pattern) && strchr(pattern, '.') == NULL);
        check_builders(pattern, (int64_t)number);
    }
    free(pattern);
    free(subject);
    return 0;
}
