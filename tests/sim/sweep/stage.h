/* SPDX-License-Identifier: Apache-2.0
 * One small cluster in this process: coordinator, two nodes, a client, an ear on the receipts. Node
 * 1 is the one whose calls fail. All production code runs through here, each piece under its party;
 * time passes only when all wait. */
#ifndef SWEEP_STAGE_H
#define SWEEP_STAGE_H

#include "agent/agent.h"
#include "coordinator/coordinator.h"
#include "qnode/control.h"
#include "tests/sim/sweep/fault.h"
#include "tests/sim/sweep/scene.h"

#define STAGE_CLUSTER "sweep"

struct stage_node {
    struct transport bus;
    struct agent *agent; /* NULL: it does not run */
};

/* Receipts and reports of node 1. */
struct stage_heard {
    uint64_t reports_count, loaded_count;
    uint64_t boot, term; /* of the last report */
    uint32_t copies_count;
    const char *refusal; /* kind of the last LoadFailed, ReleaseHeld, CommandRefused */
    enum qn_status refusal_status;
    bool has_text; /* every refusal had one */
};

struct stage {
    const struct scene *scene;
    struct stage_node nodes[2];
    struct transport ear;
    struct stage_heard heard; /* of node 1 */
    uint64_t ledger_bytes[2]; /* of the last report of each node */
    int64_t mapped_bytes_before;
    bool is_durable; /* the coordinator's state is SQLite */
    struct state state;
    bool has_state;
    struct transport coordinator_bus;
    struct coordinator *coordinator; /* NULL: it does not run */
    struct qn_client *client;
};

/* The ear only. */
void stage_open(struct stage *stage, const struct scene *scene, bool is_durable);
void stage_close(struct stage *stage);

/* Number 0 or 1 for node 1 or 2. A node that could not be opened is gone again. */
enum qn_status stage_open_node(struct stage *stage, int number, struct qn_error *error);
void stage_close_node(struct stage *stage, int number);
enum qn_status stage_open_coordinator(struct stage *stage, struct qn_error *error);
void stage_close_coordinator(struct stage *stage);
enum qn_status stage_open_client(struct stage *stage, struct qn_error *error);
void stage_close_client(struct stage *stage);
/* Everything but node 1, or everything; it must work. */
void stage_open_others(struct stage *stage);
void stage_open_all(struct stage *stage);

/* Runs until is_done says so (true), or for so long. */
bool stage_run(struct stage *stage, bool (*is_done)(const struct stage *stage), uint64_t ms);
bool stage_never(const struct stage *stage);

/* The ear's: to the control inbox of node 1. */
void stage_command(struct stage *stage, struct message *message);

/* The client's: the collection onto node 1; the first segment from node 1 to node 2. */
enum qn_status stage_load(struct stage *stage, uint32_t timeout_ms, struct qn_error *error);
enum qn_status stage_move(struct stage *stage, uint32_t timeout_ms, struct qn_error *error);
enum qn_status stage_list(struct stage *stage, uint32_t timeout_ms, struct qn_error *error);
enum qn_status stage_search(struct stage *stage, uint32_t deadline_ms,
                            struct qn_search_result *ret_result, struct qn_error *error);
/* Loads the collection, again if need be, until a search is COMPLETE and right. False: it never
 * was. */
bool stage_serve(struct stage *stage);

#endif
