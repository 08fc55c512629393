/* SPDX-License-Identifier: Apache-2.0
 * librdkafka's mock cluster as a program: a Kafka broker on a free port of 127.0.0.1, for tests.
 *
 *     kafka_mock CLUSTER...
 *
 * makes the eight topics of each cluster, prints host:port, then obeys the words of its input, each
 * answered by a line: down, up (the broker), unled, led (the partitions of the first cluster's
 * event topic), break (the next produce request is answered with an error that is fatal for an
 * idempotent producer). Ends when its input does.
 *
 * It wakes no waiting fetch: readers want fetch.wait.max.ms=1. It knows no administrator, keeps 5
 * MiB a partition, compacts nothing, and refuses no offset. */
#include "base/check.h"
#include "channel/topic.h"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

enum { BROKER = 1, PARTITIONS = 4, API_PRODUCE = 0 };

static void say_nothing(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

/* Each call takes the mock a quarter of a second: one topic must do. */
static bool set_leader(rd_kafka_mock_cluster_t *cluster, const char *name, int32_t broker)
{
    bool done = true;

    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        done &= rd_kafka_mock_partition_set_leader(cluster, topic_name(name, TOPIC_EVENT).text,
                                                   partition, broker) == RD_KAFKA_RESP_ERR_NO_ERROR;
    return done;
}

/* name: of the first cluster. */
static bool obey(rd_kafka_mock_cluster_t *cluster, const char *name, const char *word)
{
    if (strcmp(word, "down") == 0)
        return rd_kafka_mock_broker_set_down(cluster, BROKER) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (strcmp(word, "up") == 0)
        return rd_kafka_mock_broker_set_up(cluster, BROKER) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (strcmp(word, "unled") == 0 || strcmp(word, "led") == 0)
        return set_leader(cluster, name, *word == 'u' ? -1 : BROKER);
    if (strcmp(word, "break") != 0)
        return false;
    rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    return true;
}

int main(int argc, char **argv)
{
    char text[256], word[16];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    rd_kafka_conf_set_log_cb(conf, say_nothing);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    CHECK(handle != NULL);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, 1);
    CHECK(cluster != NULL);
    for (int i = 1; i < argc; i++)
        for (enum topic_kind kind = 0; kind < TOPIC_KINDS; kind++)
            CHECK(rd_kafka_mock_topic_create(cluster, topic_name(argv[i], kind).text, PARTITIONS,
                                             1) == RD_KAFKA_RESP_ERR_NO_ERROR);
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    (void)fflush(stdout);
    while (scanf("%15s", word) == 1) {
        printf("%s\n", obey(cluster, argv[1], word) ? "ok" : "what?");
        (void)fflush(stdout);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    return 0;
}
