/* SPDX-License-Identifier: Apache-2.0
 * The policies of the topics. query and report are compacted: the newest record of each key stays.
 * Their segments are small and soon closed, because only closed ones are compacted, and who starts
 * reads query from its beginning. What goes through the other topics is worth nothing after
 * minutes: commands expire, and readers start at the end. */
#include "channel/kafka_topics.h"

#include "base/check.h"
#include "base/error.h"
#include "channel/kafka_trouble.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_UP_MS = 5000, REACH_MS = 1000, TRIES = 50, TRY_MS = 100, SETTINGS_MAX = 6 };

static_assert((int)TOPIC_KINDS == (int)KAFKA_TOPICS_MAX, "one call makes them all");

/* What goes wrong if a topic has another value; NULL: nothing is lost. */
static const struct policy {
    const char *name, *value;
    bool more_is_fine;
    const char *harm;
} compacted[] =
    {
        {"cleanup.policy", "compact", false, "views would go after a while, or never"},
        {"max.message.bytes", "1056768", true, "larger messages would be lost"},
        {"min.cleanable.dirty.ratio", "0.1", false, NULL},
        {"segment.bytes", "16777216", false, NULL},
        {"segment.ms", "600000", false, NULL},
},
  passing[] = {
      {"cleanup.policy", "delete", false, "records would stay for ever"},
      {"max.message.bytes", "1056768", true, "larger messages would be lost"},
      {"retention.ms", "600000", false, NULL},
      {"segment.bytes", "67108864", false, NULL},
      {"segment.ms", "300000", false, NULL},
};

static const struct policy *policies_of(enum topic_kind kind, size_t *ret_count)
{
    bool is_compacted = kind == TOPIC_QUERY || kind == TOPIC_REPORT;

    *ret_count = is_compacted ? COUNT_OF(compacted) : COUNT_OF(passing);
    return is_compacted ? compacted : passing;
}

struct work {
    const struct kafka_topics_options *options;
    struct kafka *kafka;
    struct kafka_topic_report *reports;
    struct kafka_obstacle obstacle;
};

static void note_trouble(void *owner, enum kafka_trouble_kind kind, const char *topic,
                         const char *text)
{
    struct work *work = owner;

    (void)topic;
    kafka_obstacle_note(&work->obstacle, kind, text);
}

/* NULL: none of ours. */
static struct kafka_topic_report *report_of(struct work *work, const char *topic)
{
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
        if (strcmp(work->reports[kind].name.text, topic) == 0)
            return &work->reports[kind];
    return NULL;
}

static void add_text(struct kafka_topic_report *report, const char *name, const char *value,
                     const struct policy *wanted)
{
    size_t bytes = strlen(report->text);

    (void)snprintf(report->text + bytes, sizeof report->text - bytes, "%s%s is %s, not %s%s%s",
                   bytes > 0 ? "; " : "", name, value, wanted->value,
                   wanted->harm != NULL ? ": " : "", wanted->harm != NULL ? wanted->harm : "");
}

/* A setting of a topic that was there before. */
static void compare(void *owner, const char *topic, const char *name, const char *value)
{
    struct work *work = owner;
    struct kafka_topic_report *report = report_of(work, topic);
    size_t count;

    if (report == NULL || report->state == KAFKA_TOPIC_CREATED)
        return;
    const struct policy *policies = policies_of((enum topic_kind)(report - work->reports), &count);
    for (size_t i = 0; i < count; i++) {
        const struct policy *wanted = &policies[i];
        if (strcmp(wanted->name, name) != 0 || strcmp(wanted->value, value) == 0 ||
            (wanted->more_is_fine && strtoll(value, NULL, 10) >= strtoll(wanted->value, NULL, 10)))
            continue;
        add_text(report, name, value, wanted);
        if (wanted->harm != NULL)
            report->state = KAFKA_TOPIC_DIFFERS;
    }
}

static void note_made(void *owner, const char *topic, enum qn_status status, const char *text)
{
    struct kafka_topic_report *report = report_of(owner, topic);

    if (report == NULL)
        return;
    report->state = status == QN_STATUS_OK         ? KAFKA_TOPIC_CREATED
                    : status == QN_STATUS_CONFLICT ? KAFKA_TOPIC_GOOD
                                                   : KAFKA_TOPIC_REFUSED;
    if (report->state == KAFKA_TOPIC_REFUSED)
        (void)snprintf(report->text, sizeof report->text, "%s", text != NULL ? text : "");
}

static enum qn_status look(struct work *work, struct qn_error *error)
{
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
        struct kafka_topic_report *report = &work->reports[kind];
        enum qn_status status =
            kafka_partitions(work->kafka, report->name.text, LOOK_UP_MS, &report->partitions);
        if (status == QN_STATUS_NOT_FOUND)
            report->partitions = 0;
        else if (status != QN_STATUS_OK)
            return error_set(error, status, "bus: topic %s: %s", report->name.text,
                             qn_status_text(status));
        else if (report->state == KAFKA_TOPIC_MISSING)
            report->state = KAFKA_TOPIC_GOOD;
    }
    return QN_STATUS_OK;
}

static enum qn_status make_missing(struct work *work, const struct kafka_admin *admin)
{
    struct kafka_setting settings[TOPIC_KINDS][SETTINGS_MAX];
    struct kafka_new_topic topics[TOPIC_KINDS];
    size_t topics_count = 0, count;
    int32_t partitions = work->options->partitions > 0 ? work->options->partitions
                                                       : (int32_t)KAFKA_PARTITIONS_DEFAULT;

    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
        if (work->reports[kind].state != KAFKA_TOPIC_MISSING)
            continue;
        const struct policy *policies = policies_of(kind, &count);
        for (size_t i = 0; i < count; i++)
            settings[kind][i] = (struct kafka_setting){policies[i].name, policies[i].value};
        topics[topics_count++] = (struct kafka_new_topic){
            .name = work->reports[kind].name.text,
            .partitions = kind == TOPIC_COORD ? 1 : partitions,
            .settings = settings[kind],
            .settings_count = count,
        };
    }
    if (topics_count == 0)
        return QN_STATUS_OK;
    return kafka_topics_make(work->kafka, topics, topics_count, work->options->replication, admin);
}

static enum qn_status compare_existing(struct work *work, const struct kafka_admin *admin)
{
    enum qn_status status = QN_STATUS_NOT_FOUND;

    for (int tries = 0; status == QN_STATUS_NOT_FOUND && tries < TRIES; tries++) {
        const char *names[TOPIC_KINDS];
        size_t count = 0;
        for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
            if (work->reports[kind].state == KAFKA_TOPIC_GOOD) {
                work->reports[kind].text[0] = '\0'; /* of the last try */
                names[count++] = work->reports[kind].name.text;
            }
        if (tries > 0)
            kafka_poll(work->kafka, TRY_MS);
        status =
            count == 0 ? QN_STATUS_OK : kafka_topics_describe(work->kafka, names, count, admin);
    }
    return status;
}

/* A topic that was just made, by us or by another, may take a moment to be seen. */
static void count_partitions(struct work *work)
{
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++) {
        struct kafka_topic_report *report = &work->reports[kind];
        const bool is_there =
            report->state != KAFKA_TOPIC_MISSING && report->state != KAFKA_TOPIC_REFUSED;
        for (int tries = 0; is_there && report->partitions == 0 && tries < TRIES &&
                            kafka_partitions(work->kafka, report->name.text, LOOK_UP_MS,
                                             &report->partitions) != QN_STATUS_OK;
             tries++)
            kafka_poll(work->kafka, TRY_MS);
    }
}

static enum qn_status run(struct work *work, struct qn_error *error)
{
    const struct kafka_admin admin = {.on_topic = note_made, .on_setting = compare, .owner = work};
    enum qn_status status = look(work, error);

    if (status != QN_STATUS_OK)
        return status;
    if (work->options->create)
        status = make_missing(work, &admin);
    if (status == QN_STATUS_OK)
        status = compare_existing(work, &admin);
    if (status != QN_STATUS_OK)
        return error_set(error, status, "bus: the broker as its administrator: %s",
                         qn_status_text(status));
    count_partitions(work);
    return QN_STATUS_OK;
}

static bool reach(struct work *work)
{
    for (uint64_t ms = 0; ms < work->options->connect_ms; ms += REACH_MS) {
        if (kafka_reach(work->kafka, REACH_MS))
            return true;
        kafka_poll(work->kafka, 0);
        if (work->obstacle.kind == KAFKA_NO_LOGIN)
            return false;
    }
    return false;
}

const char *kafka_topic_state_name(enum kafka_topic_state state)
{
    static const char *const names[] = {
        [KAFKA_TOPIC_MISSING] = "missing", [KAFKA_TOPIC_CREATED] = "created",
        [KAFKA_TOPIC_GOOD] = "good",       [KAFKA_TOPIC_DIFFERS] = "differs",
        [KAFKA_TOPIC_REFUSED] = "refused",
    };

    return names[state];
}

enum qn_status kafka_topics(const struct kafka_topics_options *options,
                            struct kafka_topic_report ret_reports[TOPIC_KINDS],
                            struct qn_error *error)
{
    struct kafka_options properties;
    struct work work = {.options = options, .reports = ret_reports};
    struct kafka_trouble trouble = {.on_trouble = note_trouble, .owner = &work};

    if (!subject_cluster_is_valid(options->cluster))
        return error_set(error, QN_STATUS_INVALID, "\"%.64s\" is no name of a cluster",
                         options->cluster);
    for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
        ret_reports[kind] = (struct kafka_topic_report){.name = topic_name(options->cluster, kind)};
    enum qn_status status = kafka_options_read(options->url, "qnodectl", &properties, error);
    if (status != QN_STATUS_OK)
        return status;
    /* A reader's handle, because a producer's would create what it asks for. */
    status = kafka_open(KAFKA_READER, &properties, &trouble, &work.kafka, error);
    if (status == QN_STATUS_OK && !reach(&work))
        status = kafka_obstacle_say(&work.obstacle, &properties, error);
    if (status == QN_STATUS_OK)
        status = run(&work, error);
    kafka_close(work.kafka, 0);
    kafka_options_done(&properties);
    return status;
}
