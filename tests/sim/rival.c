/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/rival.h"

#include "tests/sim/world.h"

void rival_act(struct world *world)
{
    struct process *rival = world->rival;
    const struct state_memory *now = &world->processes[0].state;
    bool is_old = prng_below(&world->prng_life, 2) == 0 && world->backup.count > 0;

    if (rival->is_alive || !rival->is_retired)
        return;
    state_memory_copy(&rival->state, is_old ? &world->backup : now);
    if (!is_old)
        state_memory_copy(&world->backup, now);
    world->stats.rivals++;
    world->stats.rivals_restored += is_old ? 1 : 0;
    trace_line(&world->trace, "* %s is started on a copy of %s's state%s", rival->name,
               world->processes[0].name, is_old ? ", an old one" : "");
    commands_forget_terms(&world->commands, rival);
    rival->is_retired = false;
    process_start(rival);
}

void rival_on_stop(struct process *coordinator)
{
    struct world *world = coordinator->world;

    if (!world->is_healed && coordinator == world->rival && prng_below(&world->prng_life, 3) == 0)
        coordinator->is_retired = true;
}

void rival_settle(struct world *world)
{
    struct process *rival = world->rival, *first = &world->processes[0];
    bool is_rival = !rival->is_retired && prng_below(&world->prng_life, 2) == 0;
    struct process *loser = is_rival ? first : rival;

    world->leader = is_rival ? rival : first;
    loser->is_retired = true;
    process_kill(loser);
    trace_line(&world->trace, "* %s is the coordinator from here on", world->leader->name);
}
