/* SPDX-License-Identifier: Apache-2.0
 * A small world for the coordinator's judgement: virtual time in steps of 10 ms, a state that
 * survives restarts, three nodes that run the agents' own judgement, and a bus of real bytes. */
#ifndef TESTS_UNIT_COORDINATOR_WORLD_H
#define TESTS_UNIT_COORDINATOR_WORLD_H

#include "agent/node.h"
#include "coordinator/core.h"
#include "segstore/manifest.h"
#include "tests/test.h"

enum {
    WORLD_NODES = 4, /* ids 1, 2, 3; 0 stays empty */
    WORLD_COLLECTION = 7,
    WORLD_SEGMENT_BYTES = 4096,
    WORLD_BUDGET_BYTES = 64 * WORLD_SEGMENT_BYTES,
    WORLD_OVERLAP_MS = 300,
    WORLD_CEASED_WAIT_MS = 500,
};

/* Where a message goes: to the coordinator, or to a node. */
enum { WORLD_TO_COORDINATOR = 0 };

struct world_timer {
    uint64_t at_ms;
    enum node_event_kind kind;
    int64_t segment_id;
    bool used;
};

struct world_node {
    struct node *node; /* NULL: dead */
    uint64_t boot, term, started_ms, report_number, heartbeat_ms;
    uint64_t budget_bytes;
    bool list_wanted;
    bool cut;                   /* neither hears nor is heard by the coordinator */
    bool deaf;                  /* other nodes' asks do not reach it */
    enum qn_status load_status; /* what its loads end with */
    unsigned load_failures;     /* so many, then they succeed; 0 with a status: always */
    uint64_t load_ms;
    struct world_timer timers[256];
};

struct world_letter {
    struct world_letter *next;
    uint64_t at_ms;
    int64_t to;
    size_t size;
    uint8_t bytes[];
};

/* The newest view of the collection, as a client holds it. */
struct world_view {
    struct qn_epoch version;
    uint64_t readable_version;
    size_t items_count, published_count;
    uint32_t pages;
    struct {
        int64_t segment_id;
        size_t copies_count;
        int64_t node_ids[8];
    } items[64];
};

struct world {
    uint64_t now_ms, tick_ms;
    struct core *core; /* NULL: dead */
    struct outbox outbox;
    struct state_row *rows;
    size_t rows_count, rows_capacity;
    struct world_node nodes[WORLD_NODES];
    struct world_letter *letters;
    struct arena arena, encode_arena;
    struct node_actions *actions;

    /* Drops a message if it says so. NULL: none is dropped. */
    bool (*drops)(struct world *world, int64_t to, const struct message *message);
    unsigned drops_left;
    size_t payload_max; /* of the bus; 0: any */
    bool mute;          /* what the coordinator publishes to nodes is lost */

    const struct manifest *manifest; /* what read_manifest gives; NULL: not found */
    unsigned manifests_read;

    struct world_view view;
    size_t change_infos;  /* on the query channel */
    size_t announcements; /* to other coordinators */
    size_t sent[128];     /* commands by kind */
    size_t steps;         /* of the coordinator that said or kept something */
    size_t kill_at;       /* restart after this step; SIZE_MAX: never */
    bool kill_before_send;
    char failure[256];

    enum qn_status answer_status; /* of the last answer */
    char answer_text[4096];
    size_t answer_pages, answer_moves, answer_collections;
    uint32_t answer_segments, answer_serving; /* of the last collection in it */
    uint64_t request_id;
};

void world_open(struct world *world);
void world_close(struct world *world);
void world_start_node(struct world *world, int64_t node_id);
void world_kill_node(struct world *world, int64_t node_id);
void world_start_coordinator(struct world *world);
void world_kill_coordinator(struct world *world);
/* Nodes 1, 2, 3 and the coordinator, term taken. */
void world_start(struct world *world);

/* As a fixture: *state is the world, started. */
int world_set_up(void **state);
int world_tear_down(void **state);

void world_run(struct world *world, uint64_t ms);
/* Until it is true; fails after limit_ms. */
void world_until(struct world *world, bool (*is_true)(struct world *world), uint64_t limit_ms);
/* To the coordinator, now; its bytes are decoded first. */
void world_deliver(struct world *world, const struct message *message);

/* A command to a node, as if it had been on the bus for long. */
void world_tell(struct world *world, int64_t node_id, struct message *message);

/* Segments 1..count on node, all serving. */
void world_load(struct world *world, size_t count, int64_t node_id);
struct manifest *world_manifest(size_t segments_count);
/* The answer is in world->answer_*. */
void world_request(struct world *world, const struct coord_request *request);
void world_balance(struct world *world, int64_t src, int64_t dst, int64_t segment_id);
void world_ask(struct world *world, enum coord_verb verb, const char *collection);
/* The last answer has this status, and this part of a text. */
void world_assert_answer(const struct world *world, enum qn_status status, const char *part);

/* Between coordinator_world*.c. */
void world_send(struct world *world, int64_t to, const struct message *message);
void world_node_event(struct world *world, int64_t node_id, struct node_event event);
void world_node_turn(struct world *world, int64_t node_id);

const struct catalog_move *world_move(const struct world *world, uint64_t move_id);
const char *world_phase(const struct world *world, uint64_t move_id);
bool world_view_has(const struct world *world, int64_t segment_id, int64_t node_id);
enum qn_copy_state world_copy(const struct world *world, int64_t node_id, int64_t segment_id);
/* True if no move is open, each segment has exactly the copies that are wanted, and the view says
 * so. */
bool world_is_settled(struct world *world);
/* At least one node answers searches on the segment. */
bool world_serves(const struct world *world, int64_t segment_id);

#endif
