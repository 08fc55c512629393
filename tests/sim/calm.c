/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/calm.h"

#include "tests/sim/world.h"
#include <inttypes.h>

enum { CALM_TURN_MS = 100, CALM_MOVE_TURNS = 4, CALM_LIMIT_MS = 600000 };

/* Of the coordinator that is left: what another one did at the same time is not counted. */
static uint64_t moves_count(const struct world *world)
{
    return world->leader->state.moves_done;
}

static bool is_enough(const struct world *world)
{
    return moves_count(world) >= CALM_MOVES_MIN &&
           world->stats.searches_compared >= CALM_SEARCHES_MIN;
}

static void search(struct world *world)
{
    uint32_t number = (uint32_t)prng_below(&world->prng_search, world->options.collections);
    struct sim_client *client =
        &world->clients[prng_below(&world->prng_search, world->options.clients)];

    if (world->operator.wants_loaded[number])
        sim_client_begin(client, number);
}

static void take_turn(struct world *world, uint64_t turn)
{
    uint64_t now_us = world->timeline.now_us;

    if (moves_count(world) < CALM_MOVES_MIN && turn % CALM_MOVE_TURNS == 0)
        operator_move_wanted(&world->operator);
    if (world->stats.searches_compared < CALM_SEARCHES_MIN || turn % CALM_MOVE_TURNS == 0)
        search(world);
    world_live_until(world, now_us + UINT64_C(1000) * CALM_TURN_MS);
}

void calm_live(struct world *world)
{
    uint64_t turn = 0;

    for (uint32_t c = 0; c < world->options.clients; c++)
        world->clients[c].must_complete = true;
    while (!world->is_failed && !is_enough(world) && turn < CALM_LIMIT_MS / CALM_TURN_MS)
        take_turn(world, turn++);
    if (!is_enough(world))
        world_fail(world, "K12",
                   "%" PRIu64 " moves and %" PRIu64 " compared searches after %d s of calm",
                   moves_count(world), world->stats.searches_compared, CALM_LIMIT_MS / 1000);
    if (world->options.agents < CALM_AGENTS_MIN)
        world_fail(world, "K12", "only %u agents", world->options.agents);
}
