/* SPDX-License-Identifier: Apache-2.0
 * The channel on Kafka (PROTOCOL.md, "On Kafka"): which topic, partition and key a subject is, and
 * back. Pure. A cluster has eight topics, `qnode.<cluster>.<kind>`; a record's value is the Message
 * and its key says the rest of the subject, so that subject = f(topic, key).
 *
 *     agent.<node>.control | ask | search   control, ask, search   node mod P         <node>
 *     report.<node>, event.<node>           report, event          node mod P         <node>
 *     query.<collection>[.<page>]           query                  collection mod P   what follows
 *     coord                                 coord                  0                  coord
 *     reply.<client>.<request>              reply                  crc32 mod P        what follows
 *
 * Numbers are decimal as printf writes them (no sign +, no leading zero): one subject, one key. */
#ifndef CHANNEL_TOPIC_H
#define CHANNEL_TOPIC_H

#include "base/limits.h"
#include "channel/subject.h"

enum topic_kind {
    TOPIC_CONTROL,
    TOPIC_ASK,
    TOPIC_SEARCH,
    TOPIC_REPORT,
    TOPIC_EVENT,
    TOPIC_QUERY,
    TOPIC_COORD,
    TOPIC_REPLY,
    TOPIC_KINDS,
};

enum { TOPIC_BYTES = 128 /* "qnode." + a cluster + "." + a kind + 0 */ };

struct topic_name {
    char text[TOPIC_BYTES];
};

/* Where a subject's messages are. */
struct topic_place {
    struct topic_name topic;
    enum topic_kind kind;
    int64_t number; /* the node, the collection, the client's crc32; of coord 0 */
    char key[LIMIT_SUBJECT_BYTES];
};

/* cluster must be valid (subject.h). */
struct topic_name topic_name(const char *cluster, enum topic_kind kind);
/* It is read from its beginning and compacted: it holds the retained views. */
bool topic_is_retained(enum topic_kind kind);
/* False: the subject is none of the table above; *ret_place is undefined. */
bool topic_place_of(const char *subject, struct topic_place *ret_place);
/* number mod partitions_count, never negative; partitions_count > 0. */
int32_t topic_partition(int64_t number, int32_t partitions_count);
/* The inverse of topic_place_of. False: no topic or no key of ours. */
bool topic_subject_of(const char *topic, const void *key, size_t key_bytes,
                      struct subject *ret_subject);

/* What a pattern may match: of each topic nothing, one partition, or all. */
struct topic_wanted {
    char cluster[LIMIT_NAME_BYTES + 1];
    struct {
        bool wanted, all;
        int64_t number; /* unless all: of the one partition */
    } kinds[TOPIC_KINDS];
};

/* False: it matches no subject of the table, or does not name its cluster. */
bool topic_wanted_by(const char *pattern, struct topic_wanted *ret_wanted);

#endif
