/* SPDX-License-Identifier: Apache-2.0
 * The executor port: who runs searches and loads. Threads in production, inline in the simulator.
 */
#ifndef BASE_EXECUTOR_H
#define BASE_EXECUTOR_H

#include "qnode/types.h"

/* Embedded in what is to be run; run() owns it from then on. */
struct task {
    void (*run)(struct task *task);
};

enum executor_lane {
    EXECUTOR_LANE_SEARCH, /* workers, one set per NUMA node */
    EXECUTOR_LANE_LOAD,   /* loaders */
};

/* Contract: submit() never blocks and may be called by any thread; false means full, and the task
 * was not taken. run() is called exactly once per taken task. is_idle(): nothing queued and a
 * worker free on that NUMA node (a hint). concurrency(): how many tasks of the lane can run at
 * once. */
struct executor_ops {
    bool (*submit)(void *self, enum executor_lane lane, unsigned numa_node, struct task *task);
    bool (*is_idle)(void *self, enum executor_lane lane, unsigned numa_node);
    unsigned (*concurrency)(void *self, enum executor_lane lane);
};

struct executor {
    const struct executor_ops *ops;
    void *self;
};

/* Runs each task inside submit(), on the caller's thread. */
struct executor executor_inline(void);

struct executor_threads;

struct executor_threads_options {
    unsigned numa_nodes;            /* >= 1 */
    unsigned workers_per_numa_node; /* >= 1 */
    unsigned loaders;               /* >= 1 */
};

/* Workers are pinned to their NUMA node. */
enum qn_status executor_threads_open(const struct executor_threads_options *options,
                                     struct executor_threads **ret_threads, struct qn_error *error);
struct executor executor_threads_port(struct executor_threads *threads);
/* Runs what was taken, then joins. */
void executor_threads_close(struct executor_threads *threads);

#endif
