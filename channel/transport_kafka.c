/* SPDX-License-Identifier: Apache-2.0
 * The transport on Kafka: subjects are places in eight topics (topic.h), partitions are assigned by
 * hand, wildcards are ours (fanout.h). The library itself is behind kafka.h.
 *
 * Two handles: a producer and a reader, each with a thread of ours. The keeper serves the
 * producer's trouble and puts a new handle in the place of one that is fatally broken (what was
 * queued in it is lost, as it may be). The listener takes records one by one and calls handlers. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include "channel/transport_kafka_internal.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 500,
    REACH_MS = 500,
    AGAIN_MS = 50,
    FLUSH_MS = 2000,
    CONNECT_PAUSE_MS = 20,
    REPLACE_PAUSE_MS = 1000
};

static uint64_t now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}

static bool is_lately(uint64_t at_ms, uint64_t within_ms)
{
    return at_ms > 0 && now_ms() - at_ms <= within_ms;
}

/* ---- the threads ---- */

/* The broker says no after the fact: kept with the topic until somebody asks. */
static void note_refusal(struct kafka_transport *transport, enum kafka_trouble_kind kind,
                         const char *topic)
{
    if (topic == NULL) {
        atomic_store(kind == KAFKA_NO_LOGIN ? &transport->no_login_ms : &transport->not_written_ms,
                     now_ms());
        return;
    }
    (void)pthread_rwlock_rdlock(&transport->lock);
    struct known_topic *known = kafka_topic_find(transport, topic);
    if (known != NULL)
        atomic_store(kind == KAFKA_NOT_READ ? &known->not_read_ms : &known->not_written_ms,
                     now_ms());
    (void)pthread_rwlock_unlock(&transport->lock);
}

static void on_trouble(void *owner, enum kafka_trouble_kind kind, const char *topic,
                       const char *text)
{
    struct kafka_transport *transport = owner;

    LOG_DEBUG("bus", "%s%s%s", topic != NULL ? topic : "", topic != NULL ? ": " : "", text);
    atomic_fetch_add(&transport->troubles_total, 1);
    if (kind == KAFKA_FATAL)
        atomic_store(&transport->broken, true);
    if (kind == KAFKA_DOWN)
        atomic_store(&transport->connected, false);
    (void)pthread_mutex_lock(&transport->obstacle_lock);
    kafka_obstacle_note(&transport->obstacle, kind, text);
    (void)pthread_mutex_unlock(&transport->obstacle_lock);
    if (kind == KAFKA_NO_LOGIN || kind == KAFKA_NOT_READ || kind == KAFKA_NOT_WRITTEN)
        note_refusal(transport, kind, topic);
}

static enum qn_status open_handle(struct kafka_transport *transport, enum kafka_role role,
                                  struct kafka **ret_kafka, struct qn_error *error)
{
    struct kafka_trouble trouble = {.on_trouble = on_trouble, .owner = transport};

    return kafka_open(role, &transport->options, &trouble, ret_kafka, error);
}

static void replace_producer(struct kafka_transport *transport)
{
    struct kafka *fresh, *old = transport->producer;

    if (open_handle(transport, KAFKA_PRODUCER, &fresh, NULL) != QN_STATUS_OK)
        return; /* tried again at the next turn */
    LOG_DEBUG("bus", "a new producer in the place of a broken one");
    (void)pthread_rwlock_wrlock(&transport->lock);
    transport->producer = fresh;
    atomic_store(&transport->broken, false);
    (void)pthread_rwlock_unlock(&transport->lock);
    kafka_close(old, 0);
}

static void *keep(void *owner)
{
    struct kafka_transport *transport = owner;
    uint64_t replaced_ms = 0;

    while (!atomic_load(&transport->stop)) {
        bool connected = atomic_load(&transport->connected);
        if (!connected && kafka_reach(transport->producer, REACH_MS))
            atomic_store(&transport->connected, true);
        kafka_poll(transport->producer, connected ? POLL_MS : AGAIN_MS);
        /* Not at once again: of an account that may write nothing each producer breaks. */
        if (atomic_load(&transport->broken) && !is_lately(replaced_ms, REPLACE_PAUSE_MS)) {
            replace_producer(transport);
            replaced_ms = now_ms();
        }
    }
    return NULL;
}

/* For who waits until all that was retained is heard. */
static void note_passed(struct kafka_transport *transport, const struct kafka_record *record)
{
    (void)pthread_rwlock_rdlock(&transport->lock);
    const struct known_topic *topic = kafka_topic_find(transport, record->topic);
    if (topic != NULL && record->partition < topic->partitions_count)
        atomic_store(&topic->passed[record->partition],
                     record->offset + (record->bytes != NULL ? 1 : 0));
    (void)pthread_rwlock_unlock(&transport->lock);
}

static void hear(struct kafka_transport *transport, const struct kafka_record *record)
{
    struct subject subject;

    if (record->size > LIMIT_MESSAGE_BYTES_MAX ||
        !topic_subject_of(record->topic, record->key, record->key_bytes, &subject) ||
        fanout_deliver(&transport->fanout, subject.text, record->bytes, record->size) == 0)
        atomic_fetch_add_explicit(&transport->skipped_total, 1, memory_order_relaxed);
}

static void on_record(void *owner, const struct kafka_record *record)
{
    struct kafka_transport *transport = owner;

    if (record->bytes != NULL)
        hear(transport, record);
    if (atomic_load(&transport->waiting) > 0)
        note_passed(transport, record);
}

static void *listen_to(void *owner)
{
    struct kafka_transport *transport = owner;

    while (!atomic_load(&transport->stop))
        (void)kafka_receive(transport->reader, POLL_MS, on_record, transport);
    return NULL;
}

/* ---- publishing ---- */

/* False: the topic is not known yet, and *ret_status says why. */
static bool publish_to_known(struct kafka_transport *transport, const struct topic_place *place,
                             const void *bytes, size_t size, enum qn_status *ret_status)
{
    (void)pthread_rwlock_rdlock(&transport->lock);
    const struct known_topic *topic = kafka_topic_find(transport, place->topic.text);
    bool is_known = topic != NULL && topic->status == QN_STATUS_OK;
    *ret_status = topic != NULL && topic->status == QN_STATUS_NOT_PERMITTED
                      ? QN_STATUS_NOT_PERMITTED
                      : QN_STATUS_UNAVAILABLE;
    if (is_known)
        *ret_status =
            kafka_produce(transport->producer,
                          &(struct kafka_record){
                              .topic = place->topic.text,
                              .partition = topic_partition(place->number, topic->partitions_count),
                              .key = place->key,
                              .key_bytes = strlen(place->key),
                              .bytes = bytes,
                              .size = size});
    (void)pthread_rwlock_unlock(&transport->lock);
    return is_known;
}

static enum qn_status kafka_publish(void *self, const char *subject, const char *reply_subject,
                                    const void *bytes, size_t size)
{
    struct kafka_transport *transport = self;
    struct topic_place place, reply;
    enum qn_status status = QN_STATUS_UNAVAILABLE;

    if (size > LIMIT_MESSAGE_BYTES_MAX || !topic_place_of(subject, &place) ||
        (reply_subject != NULL && !topic_place_of(reply_subject, &reply)))
        return QN_STATUS_INVALID;
    if (!atomic_load(&transport->connected))
        return QN_STATUS_UNAVAILABLE; /* what waits for a broker is stale when it comes back */
    if (!publish_to_known(transport, &place, bytes, size, &status)) {
        (void)pthread_mutex_lock(&transport->subscribing);
        (void)kafka_topic_look_up(transport, place.topic.text);
        (void)pthread_mutex_unlock(&transport->subscribing);
        (void)publish_to_known(transport, &place, bytes, size, &status);
    }
    if (status == QN_STATUS_UNAVAILABLE &&
        is_lately(atomic_load(&transport->not_written_ms), 2 * REPLACE_PAUSE_MS))
        status = QN_STATUS_NOT_PERMITTED; /* the producer is broken, that is why */
    if (status == QN_STATUS_NOT_PERMITTED)
        note_refusal(transport, KAFKA_NOT_WRITTEN, place.topic.text);
    return status;
}

/* ---- the rest ---- */

static enum qn_status kafka_transport_flush(void *self, uint64_t timeout_ms)
{
    struct kafka_transport *transport = self;

    (void)pthread_rwlock_rdlock(&transport->lock); /* the producer stays */
    enum qn_status status =
        kafka_flush(transport->producer, timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX);
    (void)pthread_rwlock_unlock(&transport->lock);
    return status;
}

static enum qn_status topic_refused(struct kafka_transport *transport, struct topic_name name,
                                    uint64_t within_ms, struct qn_error *error)
{
    (void)pthread_rwlock_rdlock(&transport->lock);
    const struct known_topic *topic = kafka_topic_find(transport, name.text);
    uint64_t not_read_ms = topic != NULL ? atomic_load(&topic->not_read_ms) : 0;
    uint64_t not_written_ms = topic != NULL ? atomic_load(&topic->not_written_ms) : 0;
    (void)pthread_rwlock_unlock(&transport->lock);

    if (is_lately(not_written_ms, within_ms) ||
        is_lately(atomic_load(&transport->not_written_ms), within_ms))
        return kafka_say_no_acl(&transport->options, "write", name.text, error);
    if (is_lately(not_read_ms, within_ms))
        return kafka_say_no_acl(&transport->options, "read", name.text, error);
    return QN_STATUS_OK;
}

static enum qn_status kafka_refused(void *self, const char *subject, uint64_t within_ms,
                                    struct qn_error *error)
{
    struct kafka_transport *transport = self;
    struct topic_wanted wanted;
    enum qn_status status = QN_STATUS_OK;

    if (subject == NULL)
        return is_lately(atomic_load(&transport->no_login_ms), within_ms)
                   ? kafka_say_no_login(&transport->options, error)
                   : QN_STATUS_OK;
    if (!topic_wanted_by(subject, &wanted))
        return QN_STATUS_OK;
    for (enum topic_kind kind = 0; status == QN_STATUS_OK && kind < TOPIC_KINDS; kind++)
        if (wanted.kinds[kind].wanted)
            status = topic_refused(transport, topic_name(wanted.cluster, kind), within_ms, error);
    return status;
}

/* Compaction keeps it: a matter of the topic's policies. */
static enum qn_status kafka_retain(void *self, const char *pattern, struct qn_error *error)
{
    struct topic_wanted wanted;

    (void)self;
    bool is_ours = topic_wanted_by(pattern, &wanted);
    for (enum topic_kind kind = 0; is_ours && kind < TOPIC_KINDS; kind++)
        is_ours = topic_is_retained(kind) || !wanted.kinds[kind].wanted;
    return is_ours ? QN_STATUS_OK
                   : error_set(error, QN_STATUS_UNSUPPORTED, "Kafka keeps only qnode.*.query");
}

static size_t kafka_max_payload(void *self)
{
    (void)self;
    return LIMIT_MESSAGE_BYTES_MAX;
}

static bool kafka_is_connected(void *self)
{
    struct kafka_transport *transport = self;

    return atomic_load(&transport->connected);
}

static void transport_free(struct kafka_transport *transport)
{
    kafka_topics_free(transport);
    fanout_done(&transport->fanout);
    kafka_options_done(&transport->options);
    (void)pthread_rwlock_destroy(&transport->lock);
    (void)pthread_mutex_destroy(&transport->subscribing);
    (void)pthread_mutex_destroy(&transport->obstacle_lock);
    free(transport);
}

static void kafka_close_transport(void *self)
{
    struct kafka_transport *transport = self;

    atomic_store(&transport->stop, true);
    kafka_wake(transport->reader);
    (void)pthread_join(transport->listener, NULL);
    (void)pthread_rwlock_rdlock(&transport->lock); /* or the keeper replaces it meanwhile */
    kafka_wake(transport->producer);
    (void)pthread_rwlock_unlock(&transport->lock);
    (void)pthread_join(transport->keeper, NULL);
    LOG_DEBUG("bus", "closed: %lu troubles, %lu records skipped",
              (unsigned long)transport->troubles_total, (unsigned long)transport->skipped_total);
    kafka_close(transport->producer, atomic_load(&transport->connected) ? FLUSH_MS : 0);
    kafka_close(transport->reader, 0);
    transport_free(transport);
}

static const struct transport_ops ops = {
    .name = "kafka",
    .publish = kafka_publish,
    .subscribe = kafka_subscribe,
    .max_payload = kafka_max_payload,
    .is_connected = kafka_is_connected,
    .close = kafka_close_transport,
    .flush = kafka_transport_flush,
    .refused = kafka_refused,
    .retain = kafka_retain,
};

/* ---- opening ---- */

static struct kafka_transport *transport_new(void)
{
    struct kafka_transport *transport = calloc(1, sizeof *transport);

    if (transport == NULL)
        return NULL;
    (void)pthread_rwlock_init(&transport->lock, NULL);
    (void)pthread_mutex_init(&transport->subscribing, NULL);
    (void)pthread_mutex_init(&transport->obstacle_lock, NULL);
    return transport;
}

static enum qn_status start_threads(struct kafka_transport *transport, struct qn_error *error)
{
    enum qn_status status =
        thread_start(&transport->keeper, "kafka-keeper", keep, transport, error);

    if (status != QN_STATUS_OK)
        return status;
    status = thread_start(&transport->listener, "kafka-listener", listen_to, transport, error);
    if (status == QN_STATUS_OK)
        return status;
    atomic_store(&transport->stop, true);
    kafka_wake(transport->producer);
    (void)pthread_join(transport->keeper, NULL);
    return status;
}

/* The keeper finds the broker, or what is in the way. Only a refused login will not change soon:
 * a broker that starts refuses TLS, too. */
static enum qn_status await_broker(struct kafka_transport *transport, uint64_t connect_ms,
                                   struct qn_error *error)
{
    uint64_t deadline_ms = now_ms() + connect_ms;

    while (!atomic_load(&transport->connected) && atomic_load(&transport->no_login_ms) == 0 &&
           now_ms() < deadline_ms)
        clock_nap_us(CONNECT_PAUSE_MS * 1000);
    if (atomic_load(&transport->connected))
        return QN_STATUS_OK;
    (void)pthread_mutex_lock(&transport->obstacle_lock);
    enum qn_status status = kafka_obstacle_say(&transport->obstacle, &transport->options, error);
    (void)pthread_mutex_unlock(&transport->obstacle_lock);
    return status;
}

enum qn_status transport_kafka_open(const char *url, const char *name, uint64_t connect_ms,
                                    struct transport *ret_transport, struct qn_error *error)
{
    struct kafka_transport *transport = transport_new();

    if (transport == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "bus: open");
    enum qn_status status = kafka_options_read(url, name, &transport->options, error);
    if (status == QN_STATUS_OK)
        status = open_handle(transport, KAFKA_PRODUCER, &transport->producer, error);
    if (status == QN_STATUS_OK)
        status = open_handle(transport, KAFKA_READER, &transport->reader, error);
    if (status == QN_STATUS_OK)
        status = start_threads(transport, error);
    if (status != QN_STATUS_OK) {
        kafka_close(transport->producer, 0);
        kafka_close(transport->reader, 0);
        transport_free(transport);
        return status;
    }
    status = await_broker(transport, connect_ms, error);
    if (status != QN_STATUS_OK) {
        kafka_close_transport(transport);
        return status;
    }
    *ret_transport = (struct transport){.ops = &ops, .self = transport};
    return QN_STATUS_OK;
}
