/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/habits.h"

#include "base/check.h"
#include "tests/sim/editor.h"
#include "tests/sim/flood.h"
#include "tests/sim/rival.h"
#include "tests/sim/rogue.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

enum {
    HABITS_KILL_CALLS_MAX = 12,
    HABITS_CUT_MAX_US = 12000000,
    HABITS_PAUSE_MAX_US = 9000000,
    HABITS_SUFFIX_MAX_US = 500000,
    HABITS_DOWN_MAX_US = 4000000,
    HABITS_SLOW_MAX_US = 4000000,
    HABITS_COPY_MAX_US = 4000, /* of an overloaded bus, for each copy */
    HABITS_DRAIN_MAX_US = 8000000,
    HABITS_JUMP_MAX_US = 20000000,
};

struct habit {
    uint32_t every_ms; /* offset into options */
    void (*act)(struct world *world);
};

static struct process *random_agent(struct world *world)
{
    return &world->processes[1 + prng_below(&world->prng_life, world->options.agents)];
}

static void act_search(struct world *world)
{
    struct sim_client *client =
        &world->clients[prng_below(&world->prng_search, world->options.clients)];

    sim_client_begin(client, (uint32_t)prng_below(&world->prng_search, world->collections_count));
}

static void act_move(struct world *world)
{
    operator_move(&world->operator);
}

static void act_release(struct world *world)
{
    operator_toggle(&world->operator);
}

static void kill_somehow(struct world *world, struct process *process)
{
    if (prng_below(&world->prng_life, 2) == 0)
        process_kill(process);
    else
        process_kill_inside(process,
                            (uint32_t)prng_below(&world->prng_life, HABITS_KILL_CALLS_MAX));
}

static void act_kill_agent(struct world *world)
{
    kill_somehow(world, random_agent(world));
}

static void act_kill_coordinator(struct world *world)
{
    bool is_rival = prng_below(&world->prng_life, 4) == 0;

    kill_somehow(world, is_rival ? world->rival : &world->processes[0]);
}

/* As for an upgrade: emptied, told to end, stopped, started again; in time or not. */
static void stop_drained(void *owner, uint64_t tag)
{
    struct process *agent = owner;

    if (agent->incarnation == tag)
        process_stop(agent);
}

static void leave_drained(void *owner, uint64_t tag)
{
    struct process *agent = owner;

    if (agent->incarnation != tag || !agent->is_alive)
        return;
    process_leave(agent);
    timeline_at(&agent->world->timeline,
                agent->world->timeline.now_us +
                    prng_below(&agent->world->prng_life, HABITS_DRAIN_MAX_US / 4),
                stop_drained, agent, tag);
}

static void act_drain(struct world *world)
{
    struct process *agent = random_agent(world);

    world->stats.drains += agent->is_alive ? 1 : 0;
    trace_line(&world->trace, "* %s is to be drained", agent->name);
    operator_drain(&world->operator, agent->node_id);
    timeline_at(&world->timeline,
                world->timeline.now_us + prng_below(&world->prng_life, HABITS_DRAIN_MAX_US),
                leave_drained, agent, agent->incarnation);
}

/* Between two processes, or between one and all the others: one way, or both. */
enum { CUT_PAIR, CUT_FROM_ONE, CUT_TO_ONE, CUT_PAIR_BOTH, CUT_ALL_BOTH };

static void act_cut(struct world *world)
{
    struct process *one = &world->processes[prng_below(&world->prng_life, world->processes_count)];
    struct process *other =
        &world->processes[prng_below(&world->prng_life, world->processes_count)];
    uint64_t until_us = world->timeline.now_us + prng_below(&world->prng_life, HABITS_CUT_MAX_US);
    uint64_t shape = prng_below(&world->prng_life, 5);

    trace_line(&world->trace, "* cut, shape %" PRIu64 ": %s and %s, until %.3f", shape, one->name,
               other->name, (double)until_us / 1e6);
    *(shape == CUT_PAIR_BOTH || shape == CUT_ALL_BOTH ? &world->stats.cuts_two_way
                                                      : &world->stats.cuts_one_way) += 1;
    if (shape == CUT_PAIR || shape == CUT_PAIR_BOTH)
        net_cut(&world->net, one, other, until_us);
    if (shape == CUT_PAIR_BOTH)
        net_cut(&world->net, other, one, until_us);
    for (unsigned i = 0; i < world->processes_count; i++) {
        if (shape == CUT_FROM_ONE || shape == CUT_ALL_BOTH)
            net_cut(&world->net, one, &world->processes[i], until_us);
        if (shape == CUT_TO_ONE || shape == CUT_ALL_BOTH)
            net_cut(&world->net, &world->processes[i], one, until_us);
    }
}

static void act_crash(struct world *world)
{
    uint64_t suffix_us = prng_below(&world->prng_life, HABITS_SUFFIX_MAX_US);
    uint64_t until_us = world->timeline.now_us + prng_below(&world->prng_life, HABITS_DOWN_MAX_US);

    trace_line(&world->trace, "* the bus crashes, loses its last %.3f s, is down until %.3f",
               (double)suffix_us / 1e6, (double)until_us / 1e6);
    net_crash(&world->net, suffix_us, until_us);
}

static void act_overload(struct world *world)
{
    uint64_t copy_us = prng_below(&world->prng_life, HABITS_COPY_MAX_US);
    uint64_t until_us = world->timeline.now_us + prng_below(&world->prng_life, HABITS_SLOW_MAX_US);

    trace_line(&world->trace, "* the bus takes %" PRIu64 " us for each copy until %.3f", copy_us,
               (double)until_us / 1e6);
    net_slow(&world->net, copy_us, until_us);
}

/* Agents and coordinators: clients and the operator live by the world's clock. */
static struct process *random_server(struct world *world)
{
    uint64_t number = prng_below(&world->prng_life, 2 + world->options.agents);

    return number == 0 ? world->rival : &world->processes[number - 1];
}

static void act_clock_jump(struct world *world)
{
    struct process *process = random_server(world);
    uint64_t by_us = prng_below(&world->prng_life, HABITS_JUMP_MAX_US);

    if (!process->is_alive)
        return;
    world->stats.clock_jumps++;
    trace_line(&world->trace, "* the clock of %s jumps by %.3f s", process->name,
               (double)by_us / 1e6);
    process_clock_jump(process, by_us);
}

static void act_pause(struct world *world)
{
    struct process *process =
        &world->processes[prng_below(&world->prng_life, 1 + world->options.agents)];

    if (!process->is_alive)
        return;
    process->paused_until_us =
        world->timeline.now_us + prng_below(&world->prng_life, HABITS_PAUSE_MAX_US);
    world->stats.pauses++;
    trace_line(&world->trace, "* %s is paused until %.3f", process->name,
               (double)process->paused_until_us / 1e6);
}

static const struct habit habits[] = {
    {offsetof(struct options, search_every_ms), act_search},
    {offsetof(struct options, move_every_ms), act_move},
    {offsetof(struct options, release_every_ms), act_release},
    {offsetof(struct options, rogue_every_ms), rogue_act},
    {offsetof(struct options, edition_every_ms), editor_act},
    {offsetof(struct options, kill_agent_every_ms), act_kill_agent},
    {offsetof(struct options, kill_coordinator_every_ms), act_kill_coordinator},
    {offsetof(struct options, cut_every_ms), act_cut},
    {offsetof(struct options, pause_every_ms), act_pause},
    {offsetof(struct options, crash_every_ms), act_crash},
    {offsetof(struct options, overload_every_ms), act_overload},
    {offsetof(struct options, flood_every_ms), flood_act},
    {offsetof(struct options, rival_every_ms), rival_act},
    {offsetof(struct options, drain_every_ms), act_drain},
    {offsetof(struct options, clock_jump_every_ms), act_clock_jump},
};

static void plan_habit(struct world *world, size_t number);

static void fire_habit(void *owner, uint64_t tag)
{
    struct world *world = owner;

    if (world->is_healed)
        return;
    habits[tag].act(world);
    plan_habit(world, tag);
}

static void plan_habit(struct world *world, size_t number)
{
    uint32_t every_ms;

    memcpy(&every_ms, (const char *)&world->options + habits[number].every_ms, sizeof every_ms);
    if (every_ms > 0)
        timeline_at(&world->timeline,
                    world->timeline.now_us +
                        prng_below(&world->prng_life, UINT64_C(2000) * every_ms),
                    fire_habit, world, number);
}

void habits_plan(struct world *world)
{
    for (size_t i = 0; i < COUNT_OF(habits); i++)
        plan_habit(world, i);
}
