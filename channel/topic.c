/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/topic.h"

#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 3, DECIMAL_BYTES_MAX = 20, CLUSTER_BYTES_MAX = 64 };

/* A subject after "qnode.<cluster>.", token by token. '#': a decimal int64; '$': any token; '%': a
 * decimal without sign. The second token chooses the partition; the key is the number alone
 * (KEY_NUMBER), all behind the first token (KEY_REST), or the word itself (KEY_WORD). */
enum key_form { KEY_NUMBER, KEY_REST, KEY_WORD };

static const struct shape {
    enum topic_kind kind;
    enum key_form key;
    size_t tokens_count;
    const char *tokens[TOKENS_MAX];
} shapes[] = {
    {TOPIC_CONTROL, KEY_NUMBER, 3, {"agent", "#", "control"}},
    {TOPIC_ASK, KEY_NUMBER, 3, {"agent", "#", "ask"}},
    {TOPIC_SEARCH, KEY_NUMBER, 3, {"agent", "#", "search"}},
    {TOPIC_REPORT, KEY_NUMBER, 2, {"report", "#"}},
    {TOPIC_EVENT, KEY_NUMBER, 2, {"event", "#"}},
    {TOPIC_QUERY, KEY_REST, 2, {"query", "#"}},
    {TOPIC_QUERY, KEY_REST, 3, {"query", "#", "%"}},
    {TOPIC_COORD, KEY_WORD, 1, {"coord"}},
    {TOPIC_REPLY, KEY_REST, 3, {"reply", "$", "$"}},
};

static const char *const names[TOPIC_KINDS] = {
    [TOPIC_CONTROL] = "control", [TOPIC_ASK] = "ask",     [TOPIC_SEARCH] = "search",
    [TOPIC_REPORT] = "report",   [TOPIC_EVENT] = "event", [TOPIC_QUERY] = "query",
    [TOPIC_COORD] = "coord",     [TOPIC_REPLY] = "reply",
};

struct token {
    const char *text;
    size_t bytes;
};

static const char prefix[] = "qnode.";

static bool token_is(const struct token *token, const char *word)
{
    return strlen(word) == token->bytes && memcmp(token->text, word, token->bytes) == 0;
}

/* Splits at dots; the count, TOKENS_MAX + 1 if there are more. */
static size_t split(const char *text, struct token tokens[TOKENS_MAX + 1])
{
    size_t count = 0;

    while (count <= TOKENS_MAX) {
        size_t bytes = strcspn(text, ".");
        tokens[count++] = (struct token){.text = text, .bytes = bytes};
        if (text[bytes] == '\0')
            break;
        text += bytes + 1;
    }
    return count;
}

/* As printf("%d") writes it, and nothing else: it must read back as the same text. */
static bool number_of(const struct token *token, int64_t *ret_number)
{
    char text[DECIMAL_BYTES_MAX + 1], again[DECIMAL_BYTES_MAX + 2];

    if (token->bytes == 0 || token->bytes > DECIMAL_BYTES_MAX)
        return false;
    memcpy(text, token->text, token->bytes);
    text[token->bytes] = '\0';
    *ret_number = strtoll(text, NULL, 10);
    (void)snprintf(again, sizeof again, "%lld", (long long)*ret_number);
    return strcmp(text, again) == 0;
}

/* CRC-32 of zlib: few bytes, and this is no hot loop. */
static uint32_t crc32_of(const struct token *token)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < token->bytes; i++) {
        crc ^= (uint8_t)token->text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* Whether a token of a subject fits one of a shape; its number, if it has one. */
static bool token_fits(const struct token *token, const char *wanted, int64_t *ret_number)
{
    switch (*wanted) {
    case '#':
        return number_of(token, ret_number);
    case '%':
        return number_of(token, ret_number) && *ret_number >= 0;
    case '$':
        *ret_number = crc32_of(token);
        return token->bytes > 0;
    default:
        *ret_number = 0;
        return token_is(token, wanted);
    }
}

static bool shape_fits(const struct shape *shape, const struct token *tokens, int64_t *ret_number)
{
    int64_t numbers[TOKENS_MAX] = {0};

    for (size_t i = 0; i < shape->tokens_count; i++)
        if (!token_fits(&tokens[i], shape->tokens[i], &numbers[i]))
            return false;
    *ret_number = numbers[1];
    return true;
}

/* Cuts "qnode.<cluster>." off; NULL: it does not begin so. */
static const char *after_cluster(const char *text, char ret_cluster[LIMIT_NAME_BYTES + 1])
{
    if (strncmp(text, prefix, strlen(prefix)) != 0)
        return NULL;
    text += strlen(prefix);
    size_t bytes = strcspn(text, ".");
    if (text[bytes] == '\0' || bytes > CLUSTER_BYTES_MAX)
        return NULL;
    memcpy(ret_cluster, text, bytes);
    ret_cluster[bytes] = '\0';
    return subject_cluster_is_valid(ret_cluster) ? text + bytes + 1 : NULL;
}

struct topic_name topic_name(const char *cluster, enum topic_kind kind)
{
    struct topic_name name;

    CHECK(kind >= 0 && kind < TOPIC_KINDS && subject_cluster_is_valid(cluster));
    (void)snprintf(name.text, sizeof name.text, "%s%s.%s", prefix, cluster, names[kind]);
    return name;
}

bool topic_is_retained(enum topic_kind kind)
{
    return kind == TOPIC_QUERY;
}

static void key_write(const struct shape *shape, const struct token *tokens,
                      char ret_key[LIMIT_SUBJECT_BYTES])
{
    const struct token *first = &tokens[shape->key == KEY_WORD ? 0 : 1];
    const struct token *last = shape->key == KEY_REST ? &tokens[shape->tokens_count - 1] : first;
    size_t bytes = (size_t)(last->text + last->bytes - first->text);

    memcpy(ret_key, first->text, bytes);
    ret_key[bytes] = '\0';
}

bool topic_place_of(const char *subject, struct topic_place *ret_place)
{
    char cluster[LIMIT_NAME_BYTES + 1];
    struct token tokens[TOKENS_MAX + 1];

    if (!subject_is_valid(subject))
        return false;
    const char *rest = after_cluster(subject, cluster);
    if (rest == NULL)
        return false;
    size_t count = split(rest, tokens);
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        if (shapes[i].tokens_count != count || !shape_fits(&shapes[i], tokens, &ret_place->number))
            continue;
        ret_place->kind = shapes[i].kind;
        ret_place->topic = topic_name(cluster, shapes[i].kind);
        key_write(&shapes[i], tokens, ret_place->key);
        return true;
    }
    return false;
}

int32_t topic_partition(int64_t number, int32_t partitions_count)
{
    CHECK(partitions_count > 0);
    int64_t rest = number % partitions_count;
    return (int32_t)(rest < 0 ? rest + partitions_count : rest);
}

/* The kind by its name; TOPIC_KINDS: none. */
static enum topic_kind kind_of(const char *name)
{
    enum topic_kind kind = 0;

    while (kind < TOPIC_KINDS && strcmp(names[kind], name) != 0)
        kind++;
    return kind;
}

bool topic_subject_of(const char *topic, const void *key, size_t key_bytes,
                      struct subject *ret_subject)
{
    char cluster[LIMIT_NAME_BYTES + 1];
    const char *name = after_cluster(topic, cluster);
    struct topic_place place;
    enum topic_kind kind;

    if (name == NULL || (kind = kind_of(name)) == TOPIC_KINDS || key == NULL || key_bytes == 0 ||
        key_bytes >= LIMIT_SUBJECT_BYTES || memchr(key, '\0', key_bytes) != NULL)
        return false;
    int bytes;
    if (kind <= TOPIC_SEARCH)
        bytes = snprintf(ret_subject->text, sizeof ret_subject->text, "%s%s.agent.%.*s.%s", prefix,
                         cluster, (int)key_bytes, (const char *)key, name);
    else if (kind == TOPIC_COORD)
        bytes = snprintf(ret_subject->text, sizeof ret_subject->text, "%s%s.%.*s", prefix, cluster,
                         (int)key_bytes, (const char *)key);
    else
        bytes = snprintf(ret_subject->text, sizeof ret_subject->text, "%s%s.%s.%.*s", prefix,
                         cluster, name, (int)key_bytes, (const char *)key);
    /* What does not come back as the same place was no key of ours. */
    return bytes > 0 && (size_t)bytes < sizeof ret_subject->text &&
           topic_place_of(ret_subject->text, &place) && place.kind == kind;
}

/* Whether a pattern may match subjects of a shape; *ret_all: of all its partitions. */
static bool pattern_fits(const struct shape *shape, const struct token *tokens, size_t count,
                         bool *ret_all, int64_t *ret_number)
{
    *ret_all = shape->tokens_count > 1;
    *ret_number = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t number;
        if (token_is(&tokens[i], ">"))
            return i < shape->tokens_count;
        if (i == shape->tokens_count)
            return false;
        if (token_is(&tokens[i], "*"))
            continue;
        if (!token_fits(&tokens[i], shape->tokens[i], &number))
            return false;
        if (i == 1) {
            *ret_all = false;
            *ret_number = number;
        }
    }
    return count == shape->tokens_count;
}

bool topic_wanted_by(const char *pattern, struct topic_wanted *ret_wanted)
{
    struct token tokens[TOKENS_MAX + 1];
    bool wanted = false, all;
    int64_t number;

    *ret_wanted = (struct topic_wanted){.cluster = ""};
    if (!subject_pattern_is_valid(pattern))
        return false;
    const char *rest = after_cluster(pattern, ret_wanted->cluster);
    if (rest == NULL)
        return false;
    size_t count = split(rest, tokens);
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        if (!pattern_fits(&shapes[i], tokens, count, &all, &number))
            continue;
        enum topic_kind kind = shapes[i].kind;
        wanted = true;
        ret_wanted->kinds[kind].wanted = true;
        ret_wanted->kinds[kind].all = all;
        ret_wanted->kinds[kind].number = number;
    }
    return wanted;
}
