/* SPDX-License-Identifier: Apache-2.0
 * librdkafka as we use it: one handle that produces, one that reads partitions assigned by hand,
 * and what an administrator asks. kafka.c is the only file that includes the library; the rules of
 * the transport are in transport_kafka.c. Times are milliseconds; a call with one blocks at most
 * about that long. */
#ifndef CHANNEL_KAFKA_H
#define CHANNEL_KAFKA_H

#include "channel/kafka_options.h"

enum { KAFKA_TOPICS_MAX = 8 /* of one cluster: TOPIC_KINDS */ };

struct kafka;

/* Trouble, for people; called by whoever polls the handle. What says more comes later. */
enum kafka_trouble_kind {
    KAFKA_DOWN, /* no broker is reachable */
    KAFKA_PASSING,
    KAFKA_NO_TLS,
    KAFKA_NO_LOGIN,
    KAFKA_NOT_READ,    /* we may not read this topic */
    KAFKA_NOT_WRITTEN, /* we may not write this topic; NULL: any topic */
    KAFKA_FATAL,       /* the handle sends nothing any more */
};

struct kafka_trouble {
    void (*on_trouble)(void *owner, enum kafka_trouble_kind kind, const char *topic,
                       const char *text);
    void *owner;
};

/* CONFIG: a property of the file is unknown or has a bad value. */
enum qn_status kafka_open(enum kafka_role role, const struct kafka_options *options,
                          const struct kafka_trouble *trouble, struct kafka **ret_kafka,
                          struct qn_error *error);
/* Sends what is queued within flush_ms, forgets the rest. NULL is fine. */
void kafka_close(struct kafka *kafka, int flush_ms);

/* Ends the poll or receive that waits or comes next; any thread. */
void kafka_wake(struct kafka *kafka);
/* Whether a broker answers. */
bool kafka_reach(struct kafka *kafka, int ms);
/* NOT_FOUND: there is no such topic. */
enum qn_status kafka_partitions(struct kafka *kafka, const char *topic, int ms, int32_t *ret_count);

struct kafka_record {
    const char *topic;
    int32_t partition;
    const void *key, *bytes;
    size_t key_bytes, size;
    /* Received: its number in the partition. bytes NULL: there is no record yet of that number,
     * which comes next. */
    int64_t offset;
};

/* ---- the producer ---- */

/* Copies; any thread. BUSY: the queue is full. UNAVAILABLE: the handle is fatally broken. */
enum qn_status kafka_produce(struct kafka *kafka, const struct kafka_record *record);
/* Serves trouble for ms. */
void kafka_poll(struct kafka *kafka, int ms);
/* Waits until what was produced is with the broker. */
enum qn_status kafka_flush(struct kafka *kafka, int ms);
/* offsets[i]: of the record that partitions[i] gets next. */
enum qn_status kafka_ends(struct kafka *kafka, const char *topic, const int32_t *partitions,
                          size_t count, int64_t *ret_offsets);

/* ---- the reader ---- */

enum { KAFKA_BEGINNING = -2 /* as an offset */ };

/* NOT_PERMITTED: we may not read this topic. TIMEOUT: unknown, nothing was heard of it. Not of a
 * partition that is being read. */
enum qn_status kafka_may_read(struct kafka *kafka, const char *topic, int32_t partition, int ms);

/* One caller at a time. A partition that is being read is read from that offset again. */
enum qn_status kafka_read(struct kafka *kafka, const char *topic, int32_t partition,
                          int64_t offset);

/* Waits at most ms for a record, calls on_record, returns. False: there was none. */
bool kafka_receive(struct kafka *kafka, int ms,
                   void (*on_record)(void *owner, const struct kafka_record *record), void *owner);

/* ---- the administrator ---- */

struct kafka_setting {
    const char *name, *value;
};

struct kafka_new_topic {
    const char *name;
    int32_t partitions;
    const struct kafka_setting *settings;
    size_t settings_count;
};

/* Results, in no order. on_topic: of making, CONFLICT: it exists already; of describing, only what
 * was refused. on_setting: of describing. */
struct kafka_admin {
    void (*on_topic)(void *owner, const char *topic, enum qn_status status, const char *text);
    void (*on_setting)(void *owner, const char *topic, const char *name, const char *value);
    void *owner;
};

/* replication 0: the broker's default. */
enum qn_status kafka_topics_make(struct kafka *kafka, const struct kafka_new_topic *topics,
                                 size_t count, int replication, const struct kafka_admin *admin);
/* NOT_FOUND: not all of the broker knows one of them yet. */
enum qn_status kafka_topics_describe(struct kafka *kafka, const char *const *topics, size_t count,
                                     const struct kafka_admin *admin);

#endif
