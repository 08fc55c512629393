/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/executor.h"

#include "base/check.h"
#include "tests/sim/heap.h"
#include "tests/sim/inside.h"
#include "tests/sim/world.h"

enum { EXECUTOR_SLOW_US = 1000000 };

void sim_executor_init(struct sim_executor *executor, struct process *process)
{
    *executor = (struct sim_executor){.process = process};
}

static void run_slot(struct sim_executor *executor, struct sim_executor_slot *slot)
{
    struct task *task = slot->task;

    slot->task = NULL;
    executor->waiting[slot->lane]--;
    HEAP_INSIDE(executor->process);
    task->run(task);
}

/* tag: the ticket; a task that was drained with its process has none any more. */
static void run_later(void *owner, uint64_t tag)
{
    struct sim_executor *executor = owner;

    for (size_t i = 0; i < SIM_EXECUTOR_SLOTS; i++) {
        struct sim_executor_slot *slot = &executor->slots[i];
        if (slot->task == NULL || slot->ticket != tag)
            continue;
        executor->process->world->stats.tasks_deferred++;
        run_slot(executor, slot);
        inside_check(executor->process);
        process_after_step(executor->process);
        return;
    }
}

static uint64_t duration_us(struct sim_executor *executor, enum executor_lane lane)
{
    struct world *world = executor->process->world;
    uint32_t max_us =
        lane == EXECUTOR_LANE_SEARCH ? world->options.search_max_us : world->options.load_max_us;

    uint64_t us = 5 + prng_below(&world->prng_disk, max_us);
    world->stats.disk_slow += lane == EXECUTOR_LANE_LOAD && us > EXECUTOR_SLOW_US ? 1 : 0;
    return us;
}

static struct sim_executor_slot *free_slot(struct sim_executor *executor)
{
    for (size_t i = 0; i < SIM_EXECUTOR_SLOTS; i++)
        if (executor->slots[i].task == NULL)
            return &executor->slots[i];
    return NULL;
}

static bool is_inline(const struct sim_executor *executor)
{
    return executor->process->world->options.load_max_us == 0 || !executor->process->is_alive;
}

static bool sim_submit(void *self, enum executor_lane lane, unsigned numa_node, struct task *task)
{
    struct sim_executor *executor = self;
    struct world *world = executor->process->world;
    struct sim_executor_slot *slot = free_slot(executor);

    (void)numa_node;
    if (is_inline(executor)) {
        task->run(task);
        return true;
    }
    if (slot == NULL || (world->options.full_per_mille > 0 &&
                         prng_below(&world->prng_disk, 1000) < world->options.full_per_mille)) {
        world->stats.tasks_refused++;
        return false;
    }
    HEAP_OUTSIDE;
    *slot =
        (struct sim_executor_slot){.task = task, .lane = lane, .ticket = ++executor->tickets_count};
    executor->waiting[lane]++;
    timeline_at(&world->timeline, world->timeline.now_us + duration_us(executor, lane), run_later,
                executor, slot->ticket);
    return true;
}

static bool sim_is_idle(void *self, enum executor_lane lane, unsigned numa_node)
{
    struct sim_executor *executor = self;

    (void)numa_node;
    /* A hint, so it may lie: else small worlds would never search on a worker. */
    return is_inline(executor) || (executor->waiting[lane] == 0 &&
                                   prng_below(&executor->process->world->prng_disk, 2) == 0);
}

static unsigned sim_concurrency(void *self, enum executor_lane lane)
{
    struct sim_executor *executor = self;

    (void)lane;
    return is_inline(executor) ? 1 : 3;
}

struct executor sim_executor_port(struct sim_executor *executor)
{
    static const struct executor_ops ops = {sim_submit, sim_is_idle, sim_concurrency};

    return (struct executor){.ops = &ops, .self = executor};
}

void sim_executor_drain(struct sim_executor *executor)
{
    for (size_t i = 0; i < SIM_EXECUTOR_SLOTS; i++)
        if (executor->slots[i].task != NULL)
            run_slot(executor, &executor->slots[i]);
}
