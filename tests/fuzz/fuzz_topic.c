/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing Kafka's names. Three texts, divided by line ends: a subject (also a topic), a key, a
 * pattern. A subject with a place comes back from the place's topic and key; a topic and a key that
 * are a subject come back from it; and who wants what a pattern matches reads its partition. */
#include "base/check.h"
#include "channel/topic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number has one way to be written, or two subjects would be one to us and two to the bus. */
static void check_number(const struct topic_place *place)
{
    char number[32];

    (void)snprintf(number, sizeof number, "%lld", (long long)place->number);
    size_t bytes = strlen(number);
    CHECK(strncmp(place->key, number, bytes) == 0);
    CHECK(place->key[bytes] == '\0' || (place->kind == TOPIC_QUERY && place->key[bytes] == '.'));
}

static void check_subject(const char *text, int32_t partitions_count)
{
    struct topic_place place;
    struct subject again;

    if (!topic_place_of(text, &place))
        return;
    CHECK(subject_is_valid(text));
    CHECK(place.kind >= 0 && place.kind < TOPIC_KINDS);
    CHECK(topic_subject_of(place.topic.text, place.key, strlen(place.key), &again));
    CHECK(strcmp(again.text, text) == 0);
    if (place.kind != TOPIC_COORD && place.kind != TOPIC_REPLY)
        check_number(&place);
    int32_t partition = topic_partition(place.number, partitions_count);
    CHECK(partition >= 0 && partition < partitions_count);
    CHECK((place.number % partitions_count - partition) % partitions_count == 0);
}

static void check_key(const char *topic, const char *key, size_t key_bytes)
{
    struct topic_place place;
    struct subject subject;

    if (!topic_subject_of(topic, key, key_bytes, &subject))
        return;
    CHECK(subject_is_valid(subject.text));
    CHECK(topic_place_of(subject.text, &place));
    CHECK(strcmp(place.topic.text, topic) == 0);
    CHECK(strlen(place.key) == key_bytes && memcmp(place.key, key, key_bytes) == 0);
}

/* The second token, which is the cluster. */
static bool names_cluster(const char *pattern)
{
    const char *dot = strchr(pattern, '.');

    return dot != NULL && strncmp(pattern, "qnode.", 6) == 0 && dot[1] != '*' && dot[1] != '>';
}

static void check_pattern(const char *pattern, const char *subject)
{
    struct topic_wanted wanted;
    struct topic_place place;
    bool is_wanted = topic_wanted_by(pattern, &wanted);

    CHECK(!is_wanted || (subject_pattern_is_valid(pattern) && names_cluster(pattern)));
    if (!subject_pattern_is_valid(pattern) || !names_cluster(pattern) ||
        !topic_place_of(subject, &place) || !subject_matches(pattern, subject))
        return;
    CHECK(is_wanted && wanted.kinds[place.kind].wanted);
    CHECK(wanted.kinds[place.kind].all || wanted.kinds[place.kind].number == place.number);
    CHECK(strcmp(topic_name(wanted.cluster, place.kind).text, place.topic.text) == 0);
}

/* The text up to a line end or the end, in a block of its own; *at is behind it. */
static char *next_text(const uint8_t *bytes, size_t size, size_t *at)
{
    const uint8_t *end = *at < size ? memchr(bytes + *at, '\n', size - *at) : NULL;
    size_t count = end != NULL ? (size_t)(end - bytes) - *at : size - *at;
    char *text = strndup((const char *)bytes + *at, count);

    CHECK(text != NULL);
    *at = *at + count + (end != NULL ? 1 : 0);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* First byte: the count of partitions. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t at = 1;

    if (size == 0)
        return 0;
    char *subject = next_text(bytes, size, &at);
    char *key = next_text(bytes, size, &at);
    char *pattern = next_text(bytes, size, &at);
    check_subject(subject, 1 + bytes[0]);
    check_subject(key, 1 + bytes[0]);
    check_key(subject, key, strlen(key));
    check_pattern(pattern, subject);
    check_pattern(pattern, key);
    check_pattern(subject, subject);
    free(subject);
    free(key);
    free(pattern);
    return 0;
}
