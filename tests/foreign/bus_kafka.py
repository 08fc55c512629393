# SPDX-License-Identifier: Apache-2.0
"""The bus on Kafka, with confluent-kafka: PROTOCOL.md, section 2, "On Kafka". A subject becomes a
topic, a partition and a key; topic and key become the subject again."""
import sys
import time
import zlib

import confluent_kafka

TOPICS = ("report", "event", "coord", "query", "reply")  # what a coordinator and its client hear
AGENT_TOPICS = ("control", "ask", "search")  # of control only what coordinators tell each other


def place(subject, partitions):
    """(topic, partition, key) of a subject; both without `qnode.<cluster>.`."""
    words = subject.split(".")
    if words[0] == "agent":
        return words[2], int(words[1]) % partitions[words[2]], words[1]
    if words[0] == "coord":
        return "coord", 0, "coord"
    if words[0] == "reply":
        return "reply", zlib.crc32(words[1].encode()) % partitions["reply"], ".".join(words[1:])
    return words[0], int(words[1]) % partitions[words[0]], ".".join(words[1:])


def subject_of(topic, key):
    """The way back; of the topics a coordinator reads."""
    if topic == "control":
        return f"agent.{key}.control"
    return "coord" if topic == "coord" else f"{topic}.{key}"


class Bus:
    """Subjects are what follows `qnode.<cluster>.`: the callers know nothing of Kafka."""
    name = "Kafka"

    def __init__(self, url, cluster, client):
        self.prefix = f"qnode.{cluster}."
        self.client = client
        servers = {"bootstrap.servers": url.split("://")[1]}
        self.producer = confluent_kafka.Producer({**servers, "enable.idempotence": True,
                                                  "linger.ms": 0})
        known = self.producer.list_topics(timeout=30).topics
        self.partitions = {name[len(self.prefix):]: len(topic.partitions)
                           for name, topic in known.items() if name.startswith(self.prefix)}
        # librdkafka wants the name of a group; we neither join it nor commit anything.
        self.consumer = confluent_kafka.Consumer({
            **servers, "group.id": "unused", "enable.auto.commit": False,
            "enable.auto.offset.store": False, "fetch.wait.max.ms": 20})
        for topic in AGENT_TOPICS:  # written to only: they must be there
            for partition in range(self.partitions[topic]):
                self._start(topic, partition)
        self.consumer.assign([self._start("control", 0)] +
                             [self._start(topic, partition) for topic in TOPICS
                              for partition in range(self.partitions[topic])])

    def _start(self, topic, partition):
        """The end of the partition as of now, by its number; retained views from the beginning."""
        where = confluent_kafka.TopicPartition(self.prefix + topic, partition)
        low, high = self._watermarks(where)
        where.offset = low if topic == "query" else high
        return where

    def _watermarks(self, where):
        """A partition that was just made has no leader for a moment: asked again."""
        until = time.monotonic() + 30
        while True:
            try:
                return self.consumer.get_watermark_offsets(where, timeout=30)
            except confluent_kafka.KafkaException:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def publish(self, subject, data, reply=""):
        """`reply` means nothing here: nobody is told that nobody listens."""
        topic, partition, key = place(subject, self.partitions)
        self.producer.produce(self.prefix + topic, value=data, key=key, partition=partition)
        self.producer.poll(0)

    def next(self, seconds):
        """(subject, bytes) of the next message, or None when that many seconds are over."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            record = self.consumer.poll(left)
            if record is None or record.error():
                continue
            subject = subject_of(record.topic()[len(self.prefix):], record.key().decode())
            # Several share a partition: what has another's key is skipped.
            if subject.startswith("reply.") and subject.split(".")[1] != self.client or \
                    subject.startswith("agent.") and subject != "agent.0.control":
                continue
            return subject, record.value()
        return None

    def close(self):
        self.producer.flush(5)
        self.consumer.close()


if __name__ == "__main__":  # URL CLUSTER: returns when all topics can be used
    Bus(*sys.argv[1:], "nobody").close()
