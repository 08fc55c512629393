/* SPDX-License-Identifier: Apache-2.0
 * subscribe() learns the ends of its partitions before it returns and reads from there, so that
 * what is published afterwards is not missed. A partition is read once, however many subscriptions
 * want it: a later one hears from where the listener is, and of what it does not want the keys are
 * skipped. Retained topics (query) are read from their beginning; one more subscription makes all
 * others hear the retained messages again (C1 lets them be repeated). The first returns when all
 * that was retained is heard.
 *
 * A topic that was just made has no leader for a moment, which is waited for. Whether we may read a
 * topic is asked before it is first read: the broker says no to each fetch, and nobody else hears.
 *
 * A topic is looked up once, before it is first used: brokers that create topics by themselves
 * would give them the wrong policies. Their number of partitions must stay as it is while nodes
 * run. */
#include "base/clock.h"
#include "base/error.h"
#include "channel/transport_kafka_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_UP_MS = 2000,
    LOOK_AGAIN_MS = 1000, /* after a look-up in vain */
    LEADER_MS = 10000,    /* how long a leader is waited for: a broker that starts takes seconds */
    LEADER_PAUSE_MS = 50,
    MAY_READ_MS = 3000,
    RETAINED_MS = 20000, /* how long what is retained may take to come */
    RETAINED_PAUSE_US = 1000,
};

static uint64_t now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}

struct known_topic *kafka_topic_find(const struct kafka_transport *transport, const char *name)
{
    struct known_topic *at = transport->topics;

    while (at != NULL && strcmp(at->name.text, name) != 0)
        at = at->next;
    return at;
}

static struct known_topic *add(struct kafka_transport *transport, const char *name)
{
    struct known_topic *topic = calloc(1, sizeof *topic);

    if (topic == NULL)
        return NULL;
    (void)snprintf(topic->name.text, sizeof topic->name.text, "%s", name);
    topic->status = QN_STATUS_UNAVAILABLE;
    (void)pthread_rwlock_wrlock(&transport->lock);
    topic->next = transport->topics;
    transport->topics = topic;
    (void)pthread_rwlock_unlock(&transport->lock);
    return topic;
}

struct known_topic *kafka_topic_look_up(struct kafka_transport *transport, const char *name)
{
    struct known_topic *topic = kafka_topic_find(transport, name);
    int32_t partitions_count = 0;
    atomic_int_fast64_t *passed = NULL;
    bool *is_read = NULL;

    if (topic == NULL)
        topic = add(transport, name);
    if (topic == NULL || topic->status == QN_STATUS_OK ||
        (topic->looked_ms > 0 && now_ms() - topic->looked_ms < LOOK_AGAIN_MS))
        return topic;
    enum qn_status status =
        kafka_partitions(transport->reader, name, LOOK_UP_MS, &partitions_count);
    if (status == QN_STATUS_OK && partitions_count < 1)
        status = QN_STATUS_UNAVAILABLE;
    if (status == QN_STATUS_OK) {
        is_read = calloc((size_t)partitions_count, sizeof *is_read);
        passed = calloc((size_t)partitions_count, sizeof *passed);
        status = is_read == NULL || passed == NULL ? QN_STATUS_NO_MEMORY : QN_STATUS_OK;
    }
    (void)pthread_rwlock_wrlock(&transport->lock);
    topic->status = status;
    topic->partitions_count = status == QN_STATUS_OK ? partitions_count : 0;
    topic->is_read = is_read;
    topic->passed = passed;
    topic->looked_ms = now_ms();
    (void)pthread_rwlock_unlock(&transport->lock);
    return topic;
}

void kafka_topics_free(struct kafka_transport *transport)
{
    while (transport->topics != NULL) {
        struct known_topic *topic = transport->topics;
        transport->topics = topic->next;
        free(topic->is_read);
        free(topic->passed);
        free(topic);
    }
}

/* All eight at once: a program that starts learns what is missing, not the first that needs it. */
static enum qn_status check_topics(struct kafka_transport *transport, const char *cluster,
                                   struct qn_error *error)
{
    char missing[128] = "";
    size_t bytes = 0;

    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
        struct topic_name name = topic_name(cluster, kind);
        const struct known_topic *topic = kafka_topic_look_up(transport, name.text);
        if (topic == NULL || topic->status == QN_STATUS_TIMEOUT)
            return error_set(error, QN_STATUS_UNAVAILABLE, "bus: topic %s: no answer", name.text);
        if (topic->status == QN_STATUS_NOT_FOUND && bytes < sizeof missing)
            bytes += (size_t)snprintf(missing + bytes, sizeof missing - bytes, "%s%s",
                                      bytes > 0 ? "," : "", strrchr(name.text, '.') + 1);
    }
    if (bytes == 0)
        return QN_STATUS_OK;
    return error_set(error, QN_STATUS_CONFIG,
                     "bus: no topic qnode.%s.{%s}: make it with qnodectl topics create "
                     "--cluster %s",
                     cluster, missing, cluster);
}

/* The partitions of one topic that a subscription wants, and where it reads them from. */
struct part {
    struct known_topic *topic;
    bool is_retained;
    size_t count;
    int32_t *partitions;
    int64_t *offsets; /* the ends as of now */
};

static void part_done(struct part *part)
{
    free(part->partitions);
    free(part->offsets);
}

/* Those that nobody reads yet; of a retained topic all: it is read from its beginning. */
static void part_list(struct part *part, bool all, int64_t number)
{
    int32_t first = all ? 0 : topic_partition(number, part->topic->partitions_count);
    int32_t end = all ? part->topic->partitions_count : first + 1;

    for (int32_t i = first; i < end; i++)
        if (part->is_retained || !part->topic->is_read[i])
            part->partitions[part->count++] = i;
}

/* UNAVAILABLE: no leader came. */
static enum qn_status part_ends(struct kafka_transport *transport, const struct part *part)
{
    uint64_t deadline_ms = now_ms() + LEADER_MS;
    enum qn_status status = QN_STATUS_OK;

    if (part->count == 0)
        return status;
    for (;;) {
        (void)pthread_rwlock_rdlock(&transport->lock); /* the producer stays */
        status = kafka_ends(transport->producer, part->topic->name.text, part->partitions,
                            part->count, part->offsets);
        (void)pthread_rwlock_unlock(&transport->lock);
        if (status == QN_STATUS_NOT_FOUND) /* the leader does not know yet that it is one */
            status = QN_STATUS_UNAVAILABLE;
        if (status != QN_STATUS_UNAVAILABLE || now_ms() >= deadline_ms)
            return status;
        clock_nap_us(LEADER_PAUSE_MS * 1000);
    }
}

/* What is not answered in time is no refusal: it is read when the broker answers. */
static enum qn_status part_may_read(struct kafka_transport *transport, const struct part *part)
{
    if (part->topic->is_readable || part->count == 0)
        return QN_STATUS_OK;
    enum qn_status status =
        kafka_may_read(transport->reader, part->topic->name.text, part->partitions[0], MAY_READ_MS);
    part->topic->is_readable = status == QN_STATUS_OK;
    return status == QN_STATUS_NOT_PERMITTED ? status : QN_STATUS_OK;
}

static enum qn_status part_plan(struct kafka_transport *transport,
                                const struct topic_wanted *wanted, enum topic_kind kind,
                                struct part *ret_part, struct qn_error *error)
{
    struct topic_name name = topic_name(wanted->cluster, kind);
    struct known_topic *topic = kafka_topic_look_up(transport, name.text);
    enum qn_status status = topic != NULL ? topic->status : QN_STATUS_NO_MEMORY;

    if (status == QN_STATUS_OK) {
        size_t count = (size_t)topic->partitions_count;
        *ret_part = (struct part){.topic = topic,
                                  .is_retained = topic_is_retained(kind),
                                  .partitions = calloc(count, sizeof(int32_t)),
                                  .offsets = calloc(count, sizeof(int64_t))};
        if (ret_part->partitions == NULL || ret_part->offsets == NULL)
            status = QN_STATUS_NO_MEMORY;
    }
    if (status == QN_STATUS_OK) {
        part_list(ret_part, wanted->kinds[kind].all, wanted->kinds[kind].number);
        status = part_ends(transport, ret_part);
    }
    if (status == QN_STATUS_OK)
        status = part_may_read(transport, ret_part);
    if (status == QN_STATUS_OK)
        return status;
    if (status == QN_STATUS_NOT_PERMITTED)
        return kafka_say_no_acl(&transport->options, "read", name.text, error);
    return error_set(error, status == QN_STATUS_TIMEOUT ? QN_STATUS_UNAVAILABLE : status,
                     "bus: topic %s: %s", name.text,
                     status == QN_STATUS_UNAVAILABLE ? "its partitions have no leader"
                                                     : qn_status_text(status));
}

static enum qn_status part_read(struct kafka_transport *transport, const struct part *part,
                                struct qn_error *error)
{
    for (size_t i = 0; i < part->count; i++) {
        enum qn_status status =
            kafka_read(transport->reader, part->topic->name.text, part->partitions[i],
                       part->is_retained ? KAFKA_BEGINNING : part->offsets[i]);
        if (status != QN_STATUS_OK)
            return error_set(error, QN_STATUS_UNAVAILABLE, "bus: read topic %s: %s",
                             part->topic->name.text, qn_status_text(status));
        part->topic->is_read[part->partitions[i]] = true;
    }
    return QN_STATUS_OK;
}

/* An old view is complete in itself: who used it before the newest has come would call an answer
 * complete that is not. So nobody is told that he hears retained messages before he has heard all.
 */
static enum qn_status part_heard(const struct part *part, uint64_t deadline_ms,
                                 struct qn_error *error)
{
    for (size_t i = 0; part->is_retained && i < part->count; i++)
        while (atomic_load(&part->topic->passed[part->partitions[i]]) < part->offsets[i]) {
            if (now_ms() >= deadline_ms)
                return error_set(error, QN_STATUS_UNAVAILABLE,
                                 "bus: topic %s: what is retained there did not come within %d s",
                                 part->topic->name.text, RETAINED_MS / 1000);
            clock_nap_us(RETAINED_PAUSE_US);
        }
    return QN_STATUS_OK;
}

/* From the beginning of the retained ones, from the end of the others. */
static enum qn_status parts_read(struct kafka_transport *transport, const struct part *parts,
                                 struct qn_error *error)
{
    enum qn_status status = QN_STATUS_OK;

    atomic_fetch_add(&transport->waiting, 1);
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
        for (size_t i = 0; i < parts[kind].count; i++)
            atomic_store(&parts[kind].topic->passed[parts[kind].partitions[i]], 0);
    for (enum topic_kind kind = 0; status == QN_STATUS_OK && kind < TOPIC_KINDS; kind++)
        status = part_read(transport, &parts[kind], error);
    uint64_t deadline_ms = now_ms() + RETAINED_MS;
    for (enum topic_kind kind = 0; status == QN_STATUS_OK && kind < TOPIC_KINDS; kind++)
        status = part_heard(&parts[kind], deadline_ms, error);
    atomic_fetch_sub(&transport->waiting, 1);
    return status;
}

static enum qn_status subscribe_locked(struct kafka_transport *transport,
                                       const struct topic_wanted *wanted, const char *pattern,
                                       struct fanout_handler handler, struct qn_error *error)
{
    struct part parts[TOPIC_KINDS] = {{.count = 0}};
    enum qn_status status = check_topics(transport, wanted->cluster, error);

    for (enum topic_kind kind = 0; status == QN_STATUS_OK && kind < TOPIC_KINDS; kind++)
        if (wanted->kinds[kind].wanted)
            status = part_plan(transport, wanted, kind, &parts[kind], error);
    if (status == QN_STATUS_OK && !fanout_add(&transport->fanout, pattern, handler))
        status = error_set(error, QN_STATUS_NO_MEMORY, "subscribe to %s", pattern);
    if (status == QN_STATUS_OK)
        status = parts_read(transport, parts, error);
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
        part_done(&parts[kind]);
    return status;
}

enum qn_status kafka_subscribe(void *self, const char *subject, bus_handler *on_message,
                               void *owner, struct qn_error *error)
{
    struct kafka_transport *transport = self;
    struct fanout_handler handler = {.on_message = on_message, .owner = owner};
    struct topic_wanted wanted;

    if (!topic_wanted_by(subject, &wanted))
        return error_set(error, QN_STATUS_INVALID,
                         "subscribe: \"%.64s\" is no subject of the channel", subject);
    (void)pthread_mutex_lock(&transport->subscribing);
    enum qn_status status = subscribe_locked(transport, &wanted, subject, handler, error);
    (void)pthread_mutex_unlock(&transport->subscribing);
    return status;
}
