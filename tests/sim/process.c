/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/process.h"

#include "base/check.h"
#include "tests/sim/clock.h"
#include "tests/sim/heap.h"
#include "tests/sim/inside.h"
#include "tests/sim/rival.h"
#include "tests/sim/world.h"

enum {
    PROCESS_TURN_US = 20, /* from a wake-up to the turn, at most */
    PROCESS_RESTART_MAX_US = 8000000,
    PROCESS_SPIN_POLLS_MAX = 20000,
};

void process_init(struct process *process, struct world *world, enum process_kind kind,
                  unsigned index)
{
    *process = (struct process){
        .world = world,
        .kind = kind,
        .index = index,
        .node_id = kind == PROCESS_AGENT ? (int64_t)index : 0,
        .is_alive = kind == PROCESS_CLIENT || kind == PROCESS_OPERATOR,
        .calls_left = -1,
        .poll_at_us = UINT64_MAX,
    };
    static const char *const names[] = {"coord", "agent", "client", "oper"};
    (void)snprintf(process->name, sizeof process->name, "%s%u", names[kind],
                   kind == PROCESS_OPERATOR ? 0 : index);
    disk_init(&process->disk, process);
    sim_executor_init(&process->executor, process);
    state_memory_init(&process->state, process);
}

uint64_t process_clock_us(const struct process *process)
{
    uint64_t since_us = process->world->timeline.now_us - process->clock_since_us;

    return process->clock_local_us + since_us +
           (uint64_t)((int64_t)since_us * process->clock_ppm / 1000000);
}

/* When the world's clock has come so far that the process's shows at_us. */
static uint64_t world_us(const struct process *process, uint64_t at_us)
{
    uint64_t wanted_us = at_us <= process->clock_local_us ? 0 : at_us - process->clock_local_us;

    return process->clock_since_us +
           (uint64_t)((int64_t)wanted_us * 1000000 / (1000000 + process->clock_ppm)) + 1;
}

static void set_clock(struct process *process, uint64_t local_us, int64_t ppm)
{
    process->clock_local_us = local_us;
    process->clock_since_us = process->world->timeline.now_us;
    process->clock_ppm = ppm;
}

void process_clock_jump(struct process *process, uint64_t by_us)
{
    set_clock(process, process_clock_us(process) + by_us, process->clock_ppm);
    process_wake(process);
}

void process_clock_drift(struct process *process, int64_t ppm)
{
    set_clock(process, process_clock_us(process), ppm);
}

/* Memory only: nobody hears what the dead code does. */
static void bury(struct process *process)
{
    process->is_alive = false;
    process->calls_left = -1;
    process->poll_at_us = UINT64_MAX;
    net_forget(&process->world->net, process);
    sim_executor_drain(&process->executor);
    if (process->agent != NULL)
        agent_close(process->agent);
    if (process->coordinator != NULL)
        coordinator_close(process->coordinator);
    process->agent = NULL;
    process->coordinator = NULL;
    checkers_on_buried(process);
}

void process_done(struct process *process)
{
    bury(process);
    disk_done(&process->disk);
    state_memory_done(&process->state);
}

static enum qn_status open_agent(struct process *process, struct qn_error *error)
{
    struct world *world = process->world;
    struct agent_options options = {
        .node_id = process->node_id,
        .cluster = WORLD_CLUSTER,
        .state_dir = "/state",
        .budget_bytes = world->agent_budget_bytes,
        .release_grace_ms = LIMIT_RELEASE_GRACE_MS,
        .numa_count = 1 + process->index % 2,
        .transport = net_transport(process),
        .files = disk_files(&process->disk),
        .clock = sim_clock_of(process),
        .executor = sim_executor_port(&process->executor),
    };

    for (unsigned i = 0; i < options.numa_count; i++)
        options.numa_total_bytes[i] = UINT64_C(1) << 30;
    HEAP_INSIDE(process);
    return agent_open(&options, &process->agent, error);
}

/* For people only: it may jump either way. */
static uint64_t wall_ms(void *owner)
{
    struct world *world = owner;
    uint64_t error_ms =
        world->options.clock_jump_every_ms > 0 ? prng_below(&world->prng_life, 3600000) : 0;

    return UINT64_C(1700000000000) + world->timeline.now_us / 1000 - error_ms;
}

static enum qn_status read_manifest(void *owner, const char *folder, struct manifest **ret_manifest,
                                    struct qn_error *error)
{
    HEAP_OUTSIDE;
    return world_read_manifest(owner, folder, ret_manifest, error);
}

static enum qn_status open_coordinator(struct process *process, struct qn_error *error)
{
    struct coordinator_options options = {
        .cluster = WORLD_CLUSTER,
        .boot = prng_next(&process->world->prng_life) | 1,
        .overlap_ms = 0,
        .transport = net_transport(process),
        .clock = sim_clock_of(process),
        .wall_ms = wall_ms,
        .state = state_memory_port(&process->state),
        .read_manifest = read_manifest,
        .owner = process->world,
    };

    HEAP_INSIDE(process);
    return coordinator_open(&options, &process->coordinator, error);
}

static void fire_start(void *owner, uint64_t tag)
{
    struct process *process = owner;

    if (!process->is_alive && !process->is_retired && tag == process->incarnation)
        process_start(process);
}

void process_plan_start(struct process *process, uint64_t after_us)
{
    timeline_at(&process->world->timeline, process->world->timeline.now_us + after_us, fire_start,
                process, process->incarnation);
}

static void plan_restart(struct process *process)
{
    struct world *world = process->world;

    if (!world->is_over && !process->is_retired)
        process_plan_start(
            process,
            world->is_healed ? 100000 : 1 + prng_below(&world->prng_life, PROCESS_RESTART_MAX_US));
}

static int64_t draw_drift(struct world *world)
{
    uint32_t most_ppm = world->options.clock_drift_ppm;

    if (most_ppm == 0)
        return 0;
    world->stats.clocks_drifting++;
    return (int64_t)prng_below(&world->prng_life, 2 * most_ppm + 1) - (int64_t)most_ppm;
}

void process_start(struct process *process)
{
    struct world *world = process->world;
    struct qn_error error = {0};

    process->is_alive = true;
    process->incarnation++;
    process->started_us = world->timeline.now_us;
    set_clock(process, 0, draw_drift(world));
    process->paused_until_us = 0;
    process->calls_left = -1;
    trace_line(&world->trace, "* %s starts, number %u", process->name, process->incarnation);
    enum qn_status status = process->kind == PROCESS_AGENT ? open_agent(process, &error)
                                                           : open_coordinator(process, &error);
    if (status != QN_STATUS_OK) {
        trace_line(&world->trace, "* %s could not start: %s", process->name, error.text);
        bury(process);
        plan_restart(process);
        return;
    }
    process_after_step(process);
}

static void plan_poll(struct process *process, uint64_t at_us);

static uint64_t turn(struct process *process)
{
    HEAP_INSIDE(process);
    return process->kind == PROCESS_AGENT ? agent_poll(process->agent)
                                          : coordinator_poll(process->coordinator);
}

static uint64_t poll_production(struct process *process)
{
    uint64_t until_us = turn(process);

    if (until_us == 0 && process->kind == PROCESS_COORDINATOR && process->is_alive) {
        process->world->stats.coordinator_stops++;
        trace_line(&process->world->trace, "* %s stops: %s", process->name,
                   coordinator_failure(process->coordinator));
        process->is_alive = false;
        rival_on_stop(process);
    }
    inside_check(process);
    return until_us;
}

static void poll(void *owner, uint64_t tag)
{
    struct process *process = owner;
    uint64_t now_us = process->world->timeline.now_us;

    if (!process->is_alive || tag != process->incarnation || process->poll_at_us != now_us)
        return;
    process->poll_at_us = UINT64_MAX;
    if (process->paused_until_us > now_us) {
        plan_poll(process, process->paused_until_us);
        return;
    }
    uint64_t until_us = poll_production(process);
    uint64_t at_us = until_us > UINT64_MAX / 2 ? UINT64_MAX - 1 : world_us(process, until_us);
    process->idle_polls = at_us <= now_us ? process->idle_polls + 1 : 0;
    if (process->idle_polls > PROCESS_SPIN_POLLS_MAX)
        world_fail(process->world, "K8", "%s spins: it asks to be called again at once",
                   process->name);
    if (!process->is_alive) {
        bury(process);
        plan_restart(process);
        return;
    }
    plan_poll(process, at_us);
}

static void plan_poll(struct process *process, uint64_t at_us)
{
    uint64_t soon_us = process->world->timeline.now_us + 1;

    at_us = at_us < soon_us ? soon_us : at_us;
    at_us = at_us < process->paused_until_us ? process->paused_until_us : at_us;
    if (at_us >= process->poll_at_us)
        return;
    process->poll_at_us = at_us;
    timeline_at(&process->world->timeline, at_us, poll, process, process->incarnation);
}

void process_wake(struct process *process)
{
    struct world *world = process->world;

    if (process->is_alive && (process->agent != NULL || process->coordinator != NULL))
        plan_poll(process,
                  world->timeline.now_us + 1 + prng_below(&world->prng_life, PROCESS_TURN_US));
}

void process_after_step(struct process *process)
{
    if (process->is_alive) {
        process_wake(process);
        return;
    }
    bury(process);
    plan_restart(process);
}

static void count_kill(struct process *process, bool is_inside)
{
    struct stats *stats = &process->world->stats;

    trace_line(&process->world->trace, "* %s is killed%s", process->name,
               is_inside ? " inside a step" : "");
    if (process->kind == PROCESS_AGENT)
        *(is_inside ? &stats->agent_kills_inside : &stats->agent_kills) += 1;
    else
        *(is_inside ? &stats->coordinator_kills_inside : &stats->coordinator_kills) += 1;
    checkers_on_kill(process);
}

void process_kill(struct process *process)
{
    if (!process->is_alive)
        return;
    count_kill(process, false);
    bury(process);
    plan_restart(process);
}

void process_kill_here(struct process *process)
{
    count_kill(process, true);
    process->is_alive = false;
}

void process_leave(struct process *process)
{
    if (!process->is_alive || process->agent == NULL)
        return;
    trace_line(&process->world->trace, "* %s is told to end", process->name);
    {
        HEAP_INSIDE(process);
        agent_leave(process->agent);
    }
    process_after_step(process);
}

void process_stop(struct process *process)
{
    if (!process->is_alive)
        return;
    trace_line(&process->world->trace, "* %s stops", process->name);
    checkers_on_kill(process);
    bury(process);
    plan_restart(process);
}

void process_kill_inside(struct process *process, uint32_t calls)
{
    if (process->is_alive)
        process->calls_left = calls;
}

bool process_is_heard(struct process *process)
{
    if (!process->is_alive)
        return false;
    if (process->calls_left < 0)
        return true;
    if (process->calls_left-- > 0)
        return true;
    process_kill_here(process);
    return false;
}
