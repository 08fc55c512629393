/* SPDX-License-Identifier: Apache-2.0
 * What matters about librdkafka 2.0.2:
 * - Producing never blocks: the library waits for the topic's metadata itself.
 * - Readers use the old consumer interface (consume_start_queue): partitions may be added at any
 *   time, no group, no committed offset, and a seek does not disturb the others.
 * - A broker serves a connection's requests one by one, and a fetch waits there up to
 *   fetch.wait.max.ms for news. So who asks for offsets asks through the producer's connection.
 * - An error callback makes the library hand errors over instead of writing them to stderr. */
#include "channel/kafka.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "channel/kafka_resolve.h"
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OFFSETS_MS = 5000, ADMIN_MS = 10000, SEEK_MS = 5000, TEXT_BYTES_MAX = 512 };

struct kafka {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue; /* a producer's main queue, a reader's arrivals */
    struct reading *readings;
    struct kafka_trouble trouble;
};

/* A topic handle per partition that is read. */
struct reading {
    rd_kafka_topic_t *topic;
    int32_t partition;
    struct reading *next;
};

static const struct {
    rd_kafka_resp_err_t code;
    enum qn_status status;
} statuses[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, QN_STATUS_OK},
    {RD_KAFKA_RESP_ERR__PARTITION_EOF, QN_STATUS_OK},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, QN_STATUS_BUSY},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, QN_STATUS_INVALID},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, QN_STATUS_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, QN_STATUS_NOT_FOUND},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, QN_STATUS_NOT_FOUND},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, QN_STATUS_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, QN_STATUS_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, QN_STATUS_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, QN_STATUS_TIMEOUT},
    {RD_KAFKA_RESP_ERR__TRANSPORT, QN_STATUS_TIMEOUT},
    {RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, QN_STATUS_CONFLICT},
};

static enum qn_status status_of(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (statuses[i].code == code)
            return statuses[i].status;
    return QN_STATUS_UNAVAILABLE;
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    LOG_DEBUG("bus", "%s: %s", facility, text);
}

static enum kafka_trouble_kind trouble_kind(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FATAL              ? KAFKA_FATAL
           : code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ? KAFKA_DOWN
           : code == RD_KAFKA_RESP_ERR__SSL              ? KAFKA_NO_TLS
           : code == RD_KAFKA_RESP_ERR__AUTHENTICATION   ? KAFKA_NO_LOGIN
                                                         : KAFKA_PASSING;
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct kafka *kafka = opaque;
    char text[TEXT_BYTES_MAX];

    (void)snprintf(text, sizeof text, "%s", reason);
    if (code == RD_KAFKA_RESP_ERR__FATAL &&
        status_of(rd_kafka_fatal_error(handle, text, sizeof text)) == QN_STATUS_NOT_PERMITTED)
        kafka->trouble.on_trouble(kafka->trouble.owner, KAFKA_NOT_WRITTEN, NULL, text);
    kafka->trouble.on_trouble(kafka->trouble.owner, trouble_kind((rd_kafka_resp_err_t)code), NULL,
                              text);
}

/* A record that was not delivered, or a fetch that failed. */
static void on_failed(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka *kafka = opaque;
    enum kafka_trouble_kind kind = trouble_kind(message->err);

    if (status_of(message->err) == QN_STATUS_NOT_PERMITTED)
        kind = rd_kafka_type(handle) == RD_KAFKA_PRODUCER ? KAFKA_NOT_WRITTEN : KAFKA_NOT_READ;
    kafka->trouble.on_trouble(kafka->trouble.owner, kind,
                              message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : NULL,
                              rd_kafka_err2str(message->err));
}

/* ---- opening and closing ---- */

static enum qn_status set_properties(rd_kafka_conf_t *conf, const char *path,
                                     const struct kafka_property *properties, size_t count,
                                     struct qn_error *error)
{
    char text[TEXT_BYTES_MAX];

    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, properties[i].name, properties[i].value, text, sizeof text) !=
            RD_KAFKA_CONF_OK)
            return error_set(error, QN_STATUS_CONFIG, "bus: %s:%u: %.160s", path,
                             properties[i].line, text);
    return QN_STATUS_OK;
}

/* NULL: error is set. */
static rd_kafka_conf_t *conf_new(enum kafka_role role, const struct kafka_options *options,
                                 struct qn_error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_resolve_cb(conf, kafka_resolve);
    if (role == KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_failed);
    size_t defaults_count;
    const struct kafka_property *defaults = kafka_defaults(role, &defaults_count);
    if (set_properties(conf, "defaults", defaults, defaults_count, error) == QN_STATUS_OK &&
        set_properties(conf, options->path, options->properties, options->properties_count,
                       error) == QN_STATUS_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

enum qn_status kafka_open(enum kafka_role role, const struct kafka_options *options,
                          const struct kafka_trouble *trouble, struct kafka **ret_kafka,
                          struct qn_error *error)
{
    char text[TEXT_BYTES_MAX];
    rd_kafka_conf_t *conf = conf_new(role, options, error);

    if (conf == NULL)
        return QN_STATUS_CONFIG;
    struct kafka *kafka = calloc(1, sizeof *kafka);
    CHECK(kafka != NULL);
    kafka->trouble = *trouble;
    rd_kafka_conf_set_opaque(conf, kafka);
    kafka->handle = rd_kafka_new(role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
                                 conf, text, sizeof text);
    if (kafka->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        free(kafka);
        return error_set(error, QN_STATUS_CONFIG, "bus: %s: %.180s", options->servers, text);
    }
    kafka->queue = role == KAFKA_PRODUCER ? rd_kafka_queue_get_main(kafka->handle)
                                          : rd_kafka_queue_new(kafka->handle);
    *ret_kafka = kafka;
    return QN_STATUS_OK;
}

void kafka_close(struct kafka *kafka, int flush_ms)
{
    if (kafka == NULL)
        return;
    while (kafka->readings != NULL) {
        struct reading *at = kafka->readings;
        kafka->readings = at->next;
        (void)rd_kafka_consume_stop(at->topic, at->partition);
        rd_kafka_topic_destroy(at->topic);
        free(at);
    }
    if (flush_ms > 0)
        (void)kafka_flush(kafka, flush_ms);
    (void)rd_kafka_purge(kafka->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_queue_destroy(kafka->queue);
    rd_kafka_destroy_flags(kafka->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(kafka);
}

void kafka_wake(struct kafka *kafka)
{
    rd_kafka_queue_yield(kafka->queue);
}

static rd_kafka_resp_err_t ask_metadata(struct kafka *kafka, rd_kafka_topic_t *topic, int ms,
                                        int32_t *ret_partitions)
{
    const struct rd_kafka_metadata *found;
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka->handle, 0, topic, &found, ms);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    for (int i = 0; i < found->topic_cnt && topic != NULL; i++) {
        code = found->topics[i].err;
        *ret_partitions = found->topics[i].partition_cnt;
    }
    rd_kafka_metadata_destroy(found);
    return code;
}

bool kafka_reach(struct kafka *kafka, int ms)
{
    return ask_metadata(kafka, NULL, ms, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum qn_status kafka_partitions(struct kafka *kafka, const char *topic, int ms, int32_t *ret_count)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka->handle, topic, NULL);

    CHECK(handle != NULL);
    enum qn_status status = status_of(ask_metadata(kafka, handle, ms, ret_count));
    rd_kafka_topic_destroy(handle);
    return status;
}

/* ---- the producer ---- */

enum qn_status kafka_produce(struct kafka *kafka, const struct kafka_record *record)
{
    const void *bytes = record->size > 0 ? record->bytes : ""; /* not a tombstone */

    return status_of(rd_kafka_producev(kafka->handle, RD_KAFKA_V_TOPIC(record->topic),
                                       RD_KAFKA_V_PARTITION(record->partition),
                                       RD_KAFKA_V_KEY(record->key, record->key_bytes),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t)bytes, record->size),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END));
}

enum qn_status kafka_flush(struct kafka *kafka, int ms)
{
    return status_of(rd_kafka_flush(kafka->handle, ms));
}

void kafka_poll(struct kafka *kafka, int ms)
{
    (void)rd_kafka_poll(kafka->handle, ms);
}

enum qn_status kafka_ends(struct kafka *kafka, const char *topic, const int32_t *partitions,
                          size_t count, int64_t *ret_offsets)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

    /* RD_KAFKA_OFFSET_END as a time is the end. */
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, partitions[i])->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(kafka->handle, list, OFFSETS_MS);
    for (size_t i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < count; i++) {
        const rd_kafka_topic_partition_t *found =
            rd_kafka_topic_partition_list_find(list, topic, partitions[i]);
        code = found->err == 0 && found->offset < 0 ? RD_KAFKA_RESP_ERR__TIMED_OUT : found->err;
        ret_offsets[i] = found->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status_of(code);
}

/* ---- the reader ---- */

/* Only a fetch tells, so one is made: of the last record, or of none. */
enum qn_status kafka_may_read(struct kafka *kafka, const char *topic, int32_t partition, int ms)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka->handle, topic, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->handle);

    CHECK(handle != NULL && queue != NULL);
    CHECK(rd_kafka_consume_start_queue(handle, partition, RD_KAFKA_OFFSET_TAIL(1), queue) == 0);
    rd_kafka_message_t *first = rd_kafka_consume_queue(queue, ms);
    enum qn_status status = first != NULL ? status_of(first->err) : QN_STATUS_TIMEOUT;
    if (first != NULL)
        rd_kafka_message_destroy(first);
    (void)rd_kafka_consume_stop(handle, partition);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(handle);
    return status;
}

enum qn_status kafka_read(struct kafka *kafka, const char *topic, int32_t partition, int64_t offset)
{
    for (const struct reading *at = kafka->readings; at != NULL; at = at->next)
        if (at->partition == partition && strcmp(rd_kafka_topic_name(at->topic), topic) == 0)
            return status_of(rd_kafka_seek(at->topic, partition, offset, SEEK_MS));
    struct reading *at = calloc(1, sizeof *at);
    CHECK(at != NULL);
    at->topic = rd_kafka_topic_new(kafka->handle, topic, NULL);
    CHECK(at->topic != NULL);
    at->partition = partition;
    at->next = kafka->readings;
    kafka->readings = at;
    /* Fails only for what is none or is started already: a bug of ours. */
    CHECK(rd_kafka_consume_start_queue(at->topic, partition, offset, kafka->queue) == 0);
    return QN_STATUS_OK;
}

bool kafka_receive(struct kafka *kafka, int ms,
                   void (*on_record)(void *owner, const struct kafka_record *record), void *owner)
{
    rd_kafka_message_t *message = rd_kafka_consume_queue(kafka->queue, ms);

    (void)rd_kafka_poll(kafka->handle, 0); /* trouble */
    if (message == NULL)
        return false;
    if (status_of(message->err) != QN_STATUS_OK) {
        on_failed(kafka->handle, message, kafka);
    } else {
        bool is_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        on_record(owner, &(struct kafka_record){.topic = rd_kafka_topic_name(message->rkt),
                                                .partition = message->partition,
                                                .key = is_end ? NULL : message->key,
                                                .key_bytes = is_end ? 0 : message->key_len,
                                                .bytes = is_end ? NULL : message->payload,
                                                .size = is_end ? 0 : message->len,
                                                .offset = message->offset});
    }
    rd_kafka_message_destroy(message);
    return true;
}

/* ---- the administrator: at most KAFKA_TOPICS_MAX topics ---- */

/* Destroying no answer is fine. */
static enum qn_status await_answer(rd_kafka_queue_t *queue, rd_kafka_event_t **ret_answer)
{
    *ret_answer = rd_kafka_queue_poll(queue, ADMIN_MS);
    rd_kafka_queue_destroy(queue);
    return *ret_answer == NULL ? QN_STATUS_TIMEOUT : status_of(rd_kafka_event_error(*ret_answer));
}

static rd_kafka_NewTopic_t *new_topic(const struct kafka_new_topic *topic, int replication)
{
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic->name, topic->partitions,
                                                      replication > 0 ? replication : -1, NULL, 0);

    CHECK(made != NULL);
    for (size_t i = 0; i < topic->settings_count; i++)
        (void)rd_kafka_NewTopic_set_config(made, topic->settings[i].name, topic->settings[i].value);
    return made;
}

enum qn_status kafka_topics_make(struct kafka *kafka, const struct kafka_new_topic *topics,
                                 size_t count, int replication, const struct kafka_admin *admin)
{
    rd_kafka_NewTopic_t *wanted[KAFKA_TOPICS_MAX];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->handle);
    rd_kafka_event_t *answer;
    size_t results_count;

    for (size_t i = 0; i < count; i++)
        wanted[i] = new_topic(&topics[i], replication);
    rd_kafka_CreateTopics(kafka->handle, wanted, count, NULL, queue);
    enum qn_status status = await_answer(queue, &answer);
    if (status == QN_STATUS_OK) {
        const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(answer), &results_count);
        for (size_t i = 0; i < results_count; i++)
            admin->on_topic(admin->owner, rd_kafka_topic_result_name(results[i]),
                            status_of(rd_kafka_topic_result_error(results[i])),
                            rd_kafka_topic_result_error_string(results[i]));
    }
    rd_kafka_NewTopic_destroy_array(wanted, count);
    rd_kafka_event_destroy(answer);
    return status;
}

/* NOT_FOUND: a topic that was just made is not known to all of the broker yet. */
static enum qn_status describe_one(const rd_kafka_ConfigResource_t *topic,
                                   const struct kafka_admin *admin)
{
    enum qn_status status = status_of(rd_kafka_ConfigResource_error(topic));
    size_t count;

    if (status != QN_STATUS_OK && status != QN_STATUS_NOT_FOUND)
        admin->on_topic(admin->owner, rd_kafka_ConfigResource_name(topic), status,
                        rd_kafka_ConfigResource_error_string(topic));
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(topic, &count);

    for (size_t i = 0; i < count; i++)
        if (rd_kafka_ConfigEntry_value(entries[i]) != NULL)
            admin->on_setting(admin->owner, rd_kafka_ConfigResource_name(topic),
                              rd_kafka_ConfigEntry_name(entries[i]),
                              rd_kafka_ConfigEntry_value(entries[i]));
    return status == QN_STATUS_NOT_FOUND ? status : QN_STATUS_OK;
}

enum qn_status kafka_topics_describe(struct kafka *kafka, const char *const *topics, size_t count,
                                     const struct kafka_admin *admin)
{
    rd_kafka_ConfigResource_t *asked[KAFKA_TOPICS_MAX];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->handle);
    rd_kafka_event_t *answer;
    size_t results_count;

    for (size_t i = 0; i < count; i++)
        asked[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i]);
    rd_kafka_DescribeConfigs(kafka->handle, asked, count, NULL, queue);
    enum qn_status status = await_answer(queue, &answer);
    if (status == QN_STATUS_OK) {
        const rd_kafka_ConfigResource_t **results = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(answer), &results_count);
        for (size_t i = 0; i < results_count; i++)
            if (describe_one(results[i], admin) == QN_STATUS_NOT_FOUND)
                status = QN_STATUS_NOT_FOUND;
    }
    rd_kafka_ConfigResource_destroy_array(asked, count);
    rd_kafka_event_destroy(answer);
    return status;
}
