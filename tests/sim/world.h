/* SPDX-License-Identifier: Apache-2.0
 * The simulated world: see world.c for how it lives. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "tests/sim/checkers.h"
#include "tests/sim/client.h"
#include "tests/sim/collection.h"
#include "tests/sim/commands.h"
#include "tests/sim/net.h"
#include "tests/sim/observer.h"
#include "tests/sim/operator.h"
#include "tests/sim/oracle.h"
#include "tests/sim/process.h"
#include "tests/sim/published.h"
#include "tests/sim/stats.h"
#include "tests/sim/trace.h"

#define WORLD_CLUSTER "sim"

struct world {
    uint64_t seed;
    struct options options;
    struct prng prng_net, prng_disk, prng_life, prng_operator, prng_search, prng_heap;
    struct timeline timeline;
    struct trace trace;
    struct stats stats;
    struct net net;
    struct process processes[NET_PROCESSES_MAX]; /* coordinator, agents, clients, operator, rival */
    unsigned processes_count;
    struct process *rival;      /* the second coordinator: retired until rival.c calls it */
    struct process *leader;     /* the coordinator that is left when the world is healed */
    struct state_memory backup; /* of the first coordinator's state, from some time ago */
    struct sim_client clients[OPTIONS_CLIENTS_MAX];
    struct operator operator;
    struct observer observer;
    struct commands commands;
    struct published published[2]; /* of the first coordinator, of the rival */
    struct published_newest newest_views[OPTIONS_COLLECTIONS_MAX];
    struct collection collections[OPTIONS_COLLECTIONS_MAX]; /* the editor's is the last */
    uint32_t collections_count;
    bool collection_was_released[OPTIONS_COLLECTIONS_MAX];
    uint64_t agent_budget_bytes;
    bool is_healed, is_over, is_failed;
    char failure[512];
};

struct world_outcome {
    bool is_failed;
    char failure[512];
    uint64_t trace_hash, trace_lines;
    uint64_t converged_ms; /* after healing */
    uint32_t agents;
    uint64_t moves; /* done by the coordinator that is left */
    struct stats stats;
};

/* Lives one world from its seed. */
void world_live(uint64_t seed, bool is_traced, struct world_outcome *ret_outcome);

/* Lives until then, or until a checker has seen enough. */
void world_live_until(struct world *world, uint64_t until_us);

/* Only the first failure is kept. checker: its number in SIMULATOR.md. */
void world_fail(struct world *world, const char *checker, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Negative: not of this world. */
int world_collection_number(const struct world *world, int64_t collection_id);
int world_segment_index(const struct world *world, int64_t segment_id);
int64_t world_segment_id(const struct world *world, int index);
/* Images by path and by handle; negative when there is no such file. */
int64_t world_find_image(const struct world *world, const char *path,
                         const struct collection_segment **ret_segment);
const struct collection_segment *world_image(const struct world *world, int64_t handle);
enum qn_status world_read_manifest(struct world *world, const char *folder,
                                   struct manifest **ret_manifest, struct qn_error *error);

#endif
