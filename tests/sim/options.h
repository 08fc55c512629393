/* SPDX-License-Identifier: Apache-2.0
 * Sizes and fault rates of a world, all of them from its seed. A rate of 0 means that this world
 * does not know the fault (swarm testing: combinations of few faults reach further than all at
 * once). Adding a fault: a line in options_from, its place in the port, a counter in stats.h. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "base/prng.h"
#include "qnode/types.h"
#include <stdio.h>

enum {
    OPTIONS_AGENTS_MAX = 6,
    OPTIONS_CLIENTS_MAX = 3,
    OPTIONS_LOADED_MAX = 2,      /* collections that the coordinator loads */
    OPTIONS_COLLECTIONS_MAX = 3, /* and the editor's */
    OPTIONS_SEGMENTS_MAX = 10,   /* per collection */
    OPTIONS_BUDGET_AMPLE_PERCENT = 400,
};

struct options {
    uint32_t agents, clients, collections;
    uint32_t segments_max, rows_max; /* per collection, per segment */
    uint32_t safety_ms, search_every_ms, move_every_ms, release_every_ms;
    uint32_t rogue_every_ms;   /* orders of another coordinator */
    uint32_t force_per_mille;  /* of them, on the ground FORCE */
    uint32_t edition_every_ms; /* views of the editor's collection; 0: there is none */
    uint32_t payload_bytes;    /* the bus takes no longer message; 0: the codec's limit */
    uint32_t budget_percent;   /* of an agent: share of all segments' bytes it could hold */

    /* net */
    uint32_t delay_max_us;
    uint32_t lost_per_mille, repeated_per_mille, reordered_per_mille, late_per_mille;
    uint32_t refused_per_mille; /* publish answers BUSY */
    uint32_t cut_every_ms;      /* one-way partitions */
    uint32_t crash_every_ms;    /* the bus loses what it took last, and is down for a while */
    uint32_t overload_every_ms; /* the bus takes its time for each message */
    uint32_t flood_every_ms;    /* more searches than an agent's inbox holds */

    /* processes */
    uint32_t kill_agent_every_ms, kill_coordinator_every_ms, pause_every_ms;
    uint32_t rival_every_ms; /* a second coordinator, on a copy of the first one's state */
    uint32_t drain_every_ms; /* a node is emptied and stopped, as for an upgrade */
    uint32_t clock_jump_every_ms, clock_drift_ppm;

    /* disk and memory of an agent, state of the coordinator */
    uint32_t read_failed_per_mille, read_flipped_per_mille, map_failed_per_mille;
    uint32_t write_failed_per_mille, commit_failed_per_mille;
    uint32_t read_short_per_mille, file_missing_per_mille, heap_failed_per_million;

    /* executor: 0 is inline */
    uint32_t search_max_us, load_max_us, full_per_mille;
};

struct options options_from(struct prng *prng);
/* The same world without faults: the liveness phase. */
void options_heal(struct options *options);
void options_print(const struct options *options, FILE *out);

#endif
