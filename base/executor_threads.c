/* SPDX-License-Identifier: Apache-2.0
 * One crew per lane and NUMA node: a ring, a waiter and its threads. */
#include "base/executor.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/numa.h"
#include "base/ring.h"
#include "base/thread.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_PER_CREW_MAX = 256 };

struct crew {
    struct waiter waiter;
    struct ring ring;
    _Atomic bool stopping;
    _Atomic unsigned busy;
    unsigned numa_node, threads_count;
    enum thread_role role;
    bool pinned;
    pthread_t threads[THREADS_PER_CREW_MAX];
};

struct executor_threads {
    unsigned numa_nodes;
    struct crew *loaders;
    struct crew *workers[LIMIT_NUMA_NODES_MAX];
};

static int crew_ready(void *owner)
{
    struct crew *crew = owner;

    return ring_count(&crew->ring) > 0 || atomic_load(&crew->stopping);
}

static void *crew_run(void *owner)
{
    struct crew *crew = owner;

    thread_role_set(crew->role);
    if (crew->pinned)
        numa_pin_thread(crew->numa_node);
    for (;;) {
        struct task *task = ring_pop(&crew->ring);
        if (task != NULL) {
            (void)atomic_fetch_add(&crew->busy, 1);
            task->run(task);
            (void)atomic_fetch_sub(&crew->busy, 1);
        } else if (atomic_load(&crew->stopping)) {
            return NULL;
        } else {
            (void)waiter_wait_until(&crew->waiter, crew_ready, crew, WAITER_FOREVER);
        }
    }
}

static struct crew *crew_close(struct crew *crew)
{
    if (crew == NULL)
        return NULL;
    atomic_store(&crew->stopping, true);
    waiter_wake(&crew->waiter);
    for (unsigned i = 0; i < crew->threads_count; i++)
        (void)pthread_join(crew->threads[i], NULL);
    ring_done(&crew->ring);
    free(crew);
    return NULL;
}

static enum qn_status crew_open(enum thread_role role, unsigned numa_node, unsigned count,
                                struct crew **ret_crew, struct qn_error *error)
{
    struct crew *crew = aligned_alloc(64, sizeof *crew);

    if (crew == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "executor: out of memory");
    *crew = (struct crew){.role = role, .numa_node = numa_node};
    crew->pinned = role == THREAD_ROLE_WORKER;
    waiter_init(&crew->waiter);
    if (ring_init(&crew->ring, LIMIT_TASK_SLOTS, &crew->waiter) != QN_STATUS_OK) {
        free(crew);
        return error_set(error, QN_STATUS_NO_MEMORY, "executor: out of memory");
    }
    for (unsigned i = 0; i < count && i < THREADS_PER_CREW_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof name,
                       role == THREAD_ROLE_WORKER ? "search-%u-%u" : "load-%u-%u", numa_node, i);
        if (thread_start(&crew->threads[i], name, crew_run, crew, error) != QN_STATUS_OK) {
            crew_close(crew);
            return error->status;
        }
        crew->threads_count++;
    }
    *ret_crew = crew;
    return QN_STATUS_OK;
}

static struct crew *crew_of(struct executor_threads *threads, enum executor_lane lane,
                            unsigned numa_node)
{
    if (lane == EXECUTOR_LANE_LOAD)
        return threads->loaders;
    return threads->workers[numa_node < threads->numa_nodes ? numa_node : 0];
}

static bool threads_submit(void *self, enum executor_lane lane, unsigned numa_node,
                           struct task *task)
{
    return ring_push(&crew_of(self, lane, numa_node)->ring, task);
}

static bool threads_is_idle(void *self, enum executor_lane lane, unsigned numa_node)
{
    struct crew *crew = crew_of(self, lane, numa_node);

    return ring_count(&crew->ring) == 0 && atomic_load(&crew->busy) < crew->threads_count;
}

static unsigned threads_concurrency(void *self, enum executor_lane lane)
{
    return crew_of(self, lane, 0)->threads_count;
}

enum qn_status executor_threads_open(const struct executor_threads_options *options,
                                     struct executor_threads **ret_threads, struct qn_error *error)
{
    struct executor_threads *threads = calloc(1, sizeof *threads);

    CHECK(options->numa_nodes >= 1 && options->numa_nodes <= LIMIT_NUMA_NODES_MAX);
    if (threads == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "executor: out of memory");
    threads->numa_nodes = options->numa_nodes;
    enum qn_status status =
        crew_open(THREAD_ROLE_LOADER, 0, options->loaders, &threads->loaders, error);
    for (unsigned i = 0; status == QN_STATUS_OK && i < options->numa_nodes; i++)
        status = crew_open(THREAD_ROLE_WORKER, i, options->workers_per_numa_node,
                           &threads->workers[i], error);
    if (status != QN_STATUS_OK) {
        executor_threads_close(threads);
        return status;
    }
    *ret_threads = threads;
    return QN_STATUS_OK;
}

struct executor executor_threads_port(struct executor_threads *threads)
{
    static const struct executor_ops ops = {threads_submit, threads_is_idle, threads_concurrency};

    return (struct executor){.ops = &ops, .self = threads};
}

void executor_threads_close(struct executor_threads *threads)
{
    if (threads == NULL)
        return;
    crew_close(threads->loaders);
    for (unsigned i = 0; i < threads->numa_nodes; i++)
        crew_close(threads->workers[i]);
    free(threads);
}
