/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/habits.h"

#include "base/check.h"
#include "tests/sim/editor.h"
#include "tests/sim/rogue.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

enum { HABITS_KILL_CALLS_MAX = 12, HABITS_CUT_MAX_US = 12000000, HABITS_PAUSE_MAX_US = 9000000 };

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
    kill_somehow(world, &world->processes[0]);
}

/* One way, between two processes or between one and all the others. */
static void act_cut(struct world *world)
{
    struct process *one = &world->processes[prng_below(&world->prng_life, world->processes_count)];
    struct process *other =
        &world->processes[prng_below(&world->prng_life, world->processes_count)];
    uint64_t until_us = world->timeline.now_us + prng_below(&world->prng_life, HABITS_CUT_MAX_US);
    uint64_t shape = prng_below(&world->prng_life, 3);

    trace_line(&world->trace, "* cut, shape %" PRIu64 ": %s and %s, until %.3f", shape, one->name,
               other->name, (double)until_us / 1e6);
    if (shape == 0)
        net_cut(&world->net, one, other, until_us);
    for (unsigned i = 0; i < world->processes_count && shape > 0; i++) {
        if (shape == 1)
            net_cut(&world->net, one, &world->processes[i], until_us);
        else
            net_cut(&world->net, &world->processes[i], one, until_us);
    }
}

static void act_pause(struct world *world)
{
    struct process *process =
        &world->processes[prng_below(&world->prng_life, 1 + world->options.agents)];

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
