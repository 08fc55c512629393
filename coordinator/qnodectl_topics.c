/* SPDX-License-Identifier: Apache-2.0
 * The verbs for Kafka's topics: they talk to the broker, not to a coordinator. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "channel/kafka_topics.h"
#include <string.h>

enum { CONNECT_MS = 5000 };

static void print_json(const struct kafka_topic_report *reports)
{
    struct doc *rows = doc_array();

    for (size_t i = 0; i < TOPIC_KINDS; i++) {
        struct doc *row = doc_object();
        doc_set_string(row, "topic", reports[i].name.text);
        doc_set_string(row, "state", kafka_topic_state_name(reports[i].state));
        doc_set_int(row, "partitions", reports[i].partitions);
        doc_set_string(row, "text", reports[i].text);
        doc_append(rows, row);
    }
    doc_print(rows);
    doc_free(rows);
}

static void print_table(const struct kafka_topic_report *reports)
{
    static const struct table_column columns[] = {
        {"topic", false}, {"state", false}, {"partitions", true}, {"remarks", false}};
    struct table *table = table_new(columns, COUNT_OF(columns));

    for (size_t i = 0; i < TOPIC_KINDS; i++) {
        table_cell(table, "%s", reports[i].name.text);
        table_cell(table, "%s", kafka_topic_state_name(reports[i].state));
        table_cell(table, "%d", (int)reports[i].partitions);
        table_cell(table, "%s", reports[i].text);
    }
    table_print(table, stdout);
    (void)table_free(table);
}

static int next_step(const struct ctl *ctl, const struct kafka_topic_report *reports)
{
    bool missing = false, refused = false, differs = false;

    for (size_t i = 0; i < TOPIC_KINDS; i++) {
        missing |= reports[i].state == KAFKA_TOPIC_MISSING;
        refused |= reports[i].state == KAFKA_TOPIC_REFUSED;
        differs |= reports[i].state == KAFKA_TOPIC_DIFFERS;
    }
    (void)fflush(stdout);
    if (missing)
        (void)fprintf(stderr, "next: qnodectl topics create --cluster %s\n",
                      ctl->arguments->cluster);
    if (differs)
        (void)fprintf(stderr, "next: set them right with Kafka's kafka-configs.sh --alter "
                              "--entity-type topics\n");
    return missing || refused || differs ? 1 : 0;
}

static int topics(struct ctl *ctl, bool create)
{
    struct kafka_topic_report reports[TOPIC_KINDS];
    struct kafka_topics_options options = {
        .url = ctl->arguments->bus,
        .cluster = ctl->arguments->cluster,
        .partitions = (int32_t)ctl->arguments->partitions,
        .replication = (int)ctl->arguments->replication,
        .create = create,
        .connect_ms = CONNECT_MS,
    };
    struct qn_error error = {0};

    if (strncmp(options.url, "kafka://", strlen("kafka://")) != 0) {
        printf("this bus needs no topics: only Kafka has them\n");
        return 0;
    }
    if (kafka_topics(&options, reports, &error) != QN_STATUS_OK)
        return ctl_fail(&error);
    if (ctl->arguments->json)
        print_json(reports);
    else
        print_table(reports);
    return next_step(ctl, reports);
}

int ctl_topics_create(struct ctl *ctl)
{
    return topics(ctl, true);
}

int ctl_topics_list(struct ctl *ctl)
{
    return topics(ctl, false);
}
