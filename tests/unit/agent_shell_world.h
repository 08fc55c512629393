/* SPDX-License-Identifier: Apache-2.0
 * A world for one agent: inproc bus, virtual clock, real files in a folder of its own, and a peer
 * that sends as coordinator, client or other node and keeps what it hears. */
#ifndef TESTS_UNIT_AGENT_SHELL_WORLD_H
#define TESTS_UNIT_AGENT_SHELL_WORLD_H

#include "agent/agent.h"
#include "base/arena.h"
#include "channel/message.h"
#include "segstore/segment.h"
#include <pthread.h>

enum { WORLD_NODE = 7, WORLD_COLLECTION = 3, WORLD_TERM = 5, WORLD_TASKS_MAX = 16 };

#define WORLD_CLUSTER "shelltest"
#define WORLD_REPLY   "qnode." WORLD_CLUSTER ".reply.peer.1"

/* How the agent's tasks run. */
enum world_executor {
    WORLD_INLINE,   /* inside submit */
    WORLD_DEFERRED, /* searches when world_run_tasks is called, loads inside submit */
    WORLD_FULL,     /* the search lane takes nothing */
    WORLD_THREADS,  /* two workers, one loader; the clock is the host's */
};

struct world_options {
    uint64_t budget_bytes; /* 0: 1 GiB */
    enum world_executor executor;
    const char *folder; /* NULL: a new one; else of an earlier world, which kept it */
    size_t max_payload; /* 0: the bus's */
};

struct world_heard {
    struct arena arena;
    struct message message;
    char subject[LIMIT_SUBJECT_BYTES];
    struct world_heard *next;
};

struct world {
    struct world_options options;
    char folder[256];
    bool keeps_folder;
    uint64_t now_us, clock_step_us; /* every look at the clock moves it by the step */
    bool writes_fail;
    struct transport bus, peer;
    struct transport agent_bus; /* bus with max_payload changed */
    struct transport_ops agent_bus_ops;
    struct task *tasks[WORLD_TASKS_MAX];
    unsigned tasks_count;
    struct executor_threads *threads;
    struct agent *agent;
    pthread_mutex_t lock; /* of what was heard */
    struct world_heard *first, **last;
    uint64_t requests_count;
    uint64_t anon_bytes; /* what read_memory and read_anon say; the files port counts it */
    unsigned memory_reads;
};

/* Opens everything; fails the test if it does not work. */
struct world *world_open(struct world_options options);
/* Everything but the agent: agent_open is the test's. */
struct world *world_open_without_agent(struct world_options options);
enum qn_status world_open_agent(struct world *world, struct qn_error *error);
void world_close(struct world *world);

/* Polls until nothing is to be done at this time. */
void world_run(struct world *world);
/* Lets time pass, polling whenever the agent wants it. */
void world_advance(struct world *world, uint64_t ms);
/* Runs what is deferred; the number of tasks run. */
unsigned world_run_tasks(struct world *world);

/* Bytes in the arena, with the envelope filled where it is empty. */
void world_encode(struct message *message, struct arena *arena, const uint8_t **ret_bytes,
                  size_t *ret_size);
/* Sends to "control", "ask" or "search" of the node, with the envelope filled where it is empty. */
void world_send(struct world *world, const char *inbox, struct message message);
void world_send_bytes(struct world *world, const char *inbox, const void *bytes, size_t size);
/* The first message of that kind heard and not yet taken, or NULL. It stays valid until
 * world_close. */
const struct message *world_take(struct world *world, enum message_kind kind);
/* The same, polling and waiting for it: threads. Fails the test after 30 s. */
const struct message *world_await(struct world *world, enum message_kind kind);

/* A segment file with known rows. */
struct world_segment {
    struct segment_facts facts;
    char path[512];
    float *rows;
    int64_t *primary_keys;
};

struct world_segment *world_make_segment(struct world *world, int64_t segment_id, uint32_t rows,
                                         uint32_t dim, enum qn_metric metric);
void world_free_segment(struct world_segment *segment);
/* LoadSegments; the world is run. */
void world_load(struct world *world, const struct world_segment *segment, uint64_t version);
/* Loads and expects SegmentLoaded. */
void world_load_well(struct world *world, const struct world_segment *segment, uint64_t version);
/* FORCE release; the world is run. */
void world_release(struct world *world, int64_t segment_id, uint64_t version);

struct world_search {
    uint32_t k, nq, dim, deadline_ms;
    enum qn_metric metric;
    const float *queries;
    const int64_t *segment_ids;
    size_t segments_count;
};

/* One l2 query of 8 dimensions over segments 1..segments_count (at most 8), k 3. */
extern const float world_query[8];
struct world_search world_small_search(size_t segments_count);
/* The answer to that request, taken; from node 7. */
const struct search_answer *world_answer_of(struct world *world, uint64_t request_id);

/* The request as bytes; their number. */
size_t world_encode_search(const struct world_search *search, uint64_t request_id,
                           uint8_t *ret_bytes, size_t capacity);
/* Sends it; returns the request id. */
uint64_t world_search(struct world *world, const struct world_search *search);
/* The exact answer by brute force over the segments, in the defined order of operations;
 * ret_hits [nq x k]; ret_counts [nq]. */
void world_truth(const struct world_search *search, struct world_segment *const *segments,
                 size_t segments_count, struct qn_hit *ret_hits, uint32_t *ret_counts);
/* Takes all parts of one answer and checks them against the truth; status must be OK. Returns the
 * number of parts. */
uint32_t world_expect_truth(struct world *world, const struct world_search *search,
                            struct world_segment *const *segments, size_t segments_count);
bool world_covers(const struct search_answer *answer, size_t index);
float *world_make_rows(uint64_t seed, size_t count);

#endif
