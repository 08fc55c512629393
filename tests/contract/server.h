/* SPDX-License-Identifier: Apache-2.0
 * The server of each kind of bus, for the tests of the contract: its own, on a free port of
 * 127.0.0.1, killed and brought back on the same port. A real Kafka broker takes seconds to start:
 * with QNODE_KAFKA_FOLDER in the environment the one in that folder is used (kafka_broker). */
#ifndef TESTS_CONTRACT_SERVER_H
#define TESTS_CONTRACT_SERVER_H

#include "tests/contract/nats_server.h"
#include <stdio.h>

enum bus_kind { BUS_INPROC, BUS_NATS, BUS_JETSTREAM, BUS_KAFKA_MOCK, BUS_KAFKA, BUS_KINDS };

struct bus_server {
    enum bus_kind kind;
    char url[320];
    struct nats_server nats;
    char folder[64];           /* JetStream's store, the mock's properties, the broker's data */
    pid_t pid;                 /* of the mock, of the broker */
    FILE *to_mock, *from_mock; /* words and answers */
    bool is_shared;            /* somebody else's broker */
};

/* "kafka-mock" */
const char *bus_kind_name(enum bus_kind kind);
/* Why such a server cannot run here; NULL: it can. */
const char *bus_server_lacks(enum bus_kind kind);
/* These end the test program if they fail. */
void bus_server_start(struct bus_server *server, enum bus_kind kind);
void bus_server_stop(struct bus_server *server);
/* SIGKILL; up: on the same port with the same data. The mock's broker closes and opens its sockets
 * instead: its port is another one in each life. */
void bus_server_down(struct bus_server *server);
void bus_server_up(struct bus_server *server);
/* SIGSTOP and SIGCONT. */
void bus_server_freeze(struct bus_server *server, bool frozen);
/* The mock's next answer to a producer is fatal for it. */
void bus_server_break_producer(struct bus_server *server);
/* The partitions of the mock's topic qnode.t1.event have a leader, or none. */
void bus_server_lead(struct bus_server *server, bool led);

#endif
