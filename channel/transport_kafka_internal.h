/* SPDX-License-Identifier: Apache-2.0
 * What the two files of the transport on Kafka share: transport_kafka.c has handles, threads and
 * publishing, kafka_subscribe.c topics and subscriptions. */
#ifndef CHANNEL_TRANSPORT_KAFKA_INTERNAL_H
#define CHANNEL_TRANSPORT_KAFKA_INTERNAL_H

#include "base/limits.h"
#include "channel/fanout.h"
#include "channel/kafka_trouble.h"
#include "channel/topic.h"
#include "channel/transport.h"
#include <pthread.h>
#include <stdatomic.h>

/* A topic that was looked up. Written under both locks of the transport, read under either. */
struct known_topic {
    struct topic_name name;
    enum qn_status status; /* of the last look-up */
    uint64_t looked_ms;
    atomic_uint_fast64_t not_read_ms, not_written_ms; /* refused; 0: never; any thread */
    bool is_readable;                                 /* as a fetch has shown */
    int32_t partitions_count;
    bool *is_read;               /* partitions_count */
    atomic_int_fast64_t *passed; /* partitions_count: what is next; kept while somebody waits */
    struct known_topic *next;
};

struct kafka_transport {
    struct kafka_options options;
    struct kafka *producer, *reader;
    pthread_rwlock_t lock;       /* the producer's handle, the known topics */
    pthread_mutex_t subscribing; /* and who changes them, one at a time */
    struct known_topic *topics;
    struct fanout fanout;
    atomic_int waiting; /* for retained messages: the listener tells how far it is */
    pthread_t keeper, listener;
    atomic_bool stop, connected, broken;
    atomic_uint_fast64_t troubles_total, skipped_total;
    /* When the broker did not let us in, or not write anything; 0: never. */
    atomic_uint_fast64_t no_login_ms, not_written_ms;
    pthread_mutex_t obstacle_lock;
    struct kafka_obstacle obstacle; /* to the first connection */
};

/* A known topic; NULL: never heard of. The caller holds one of the locks. */
struct known_topic *kafka_topic_find(const struct kafka_transport *transport, const char *name);
/* Looks a topic up unless it is known; NULL: no memory. The caller is the one who subscribes. */
struct known_topic *kafka_topic_look_up(struct kafka_transport *transport, const char *name);
void kafka_topics_free(struct kafka_transport *transport);
/* transport_ops.subscribe */
enum qn_status kafka_subscribe(void *self, const char *subject, bus_handler *on_message,
                               void *owner, struct qn_error *error);

#endif
