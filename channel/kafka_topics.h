/* SPDX-License-Identifier: Apache-2.0
 * The topics of a cluster on Kafka, made and checked for an operator (qnodectl topics). */
#ifndef CHANNEL_KAFKA_TOPICS_H
#define CHANNEL_KAFKA_TOPICS_H

#include "channel/topic.h"

enum { KAFKA_PARTITIONS_DEFAULT = 16, KAFKA_PARTITIONS_MAX = 4096 };

enum kafka_topic_state {
    KAFKA_TOPIC_MISSING,
    KAFKA_TOPIC_CREATED, /* just now */
    KAFKA_TOPIC_GOOD,    /* it was there, and it works */
    KAFKA_TOPIC_DIFFERS, /* it was there, and messages would be lost */
    KAFKA_TOPIC_REFUSED, /* the broker did not make it */
};

struct kafka_topic_report {
    struct topic_name name;
    enum kafka_topic_state state;
    int32_t partitions; /* 0: unknown */
    char text[256];     /* what differs, or why it was refused; for people, may be empty */
};

struct kafka_topics_options {
    const char *url, *cluster;
    int32_t partitions; /* of what is made, `coord` excepted, which has one; 0: the default */
    int replication;    /* 0: the broker's default */
    bool create;        /* what is missing; else it is only looked at */
    uint64_t connect_ms;
};

/* "created" */
const char *kafka_topic_state_name(enum kafka_topic_state state);
/* One report per topic_kind, in that order. UNAVAILABLE, CONFIG, INVALID: nothing is known. */
enum qn_status kafka_topics(const struct kafka_topics_options *options,
                            struct kafka_topic_report ret_reports[TOPIC_KINDS],
                            struct qn_error *error);

#endif
