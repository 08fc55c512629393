/* SPDX-License-Identifier: Apache-2.0
 * qnoded's start and end; between them lies the loop of qnoded.c. */
#ifndef AGENT_QNODED_INTERNAL_H
#define AGENT_QNODED_INTERNAL_H

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/memory.h"

struct qnoded {
    struct config config;
    struct memory_budget budget;
    unsigned numa_count, workers, loaders;
    int lock_fd; /* state_dir/lock, held for life; -1: not taken */
    struct transport transport, search_transport;
    struct executor_threads *threads;
    struct agent *agent;
};

/* Figures that only the host knows, and what follows from them. CONFIG if nothing is left. */
enum qn_status qnoded_measure(struct qnoded *qnoded, struct qn_error *error);
/* State directory, lock, threads, bus, agent. Whatever stands is ended by qnoded_stop. */
enum qn_status qnoded_start(struct qnoded *qnoded, struct qn_error *error);
/* Workers first (they publish), then the bus, then the agent's memory. */
void qnoded_stop(struct qnoded *qnoded);
void qnoded_print_plan(const struct qnoded *qnoded);

#endif
