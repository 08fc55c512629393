/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/calm.h"

#include "tests/sim/world.h"
#include <inttypes.h>

enum { CALM_TURN_MS = 100, CALM_MOVE_TURNS = 4, CALM_LIMIT_MS = 600000 };

static uint64_t checked_count(const struct stats *stats)
{
    return stats->searches_complete + stats->searches_partial;
}

static bool is_enough(const struct stats *stats)
{
    return stats->moves_done >= CALM_MOVES_MIN && checked_count(stats) >= CALM_SEARCHES_MIN;
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

    if (world->stats.moves_done < CALM_MOVES_MIN && turn % CALM_MOVE_TURNS == 0)
        operator_move_wanted(&world->operator);
    if (checked_count(&world->stats) < CALM_SEARCHES_MIN || turn % CALM_MOVE_TURNS == 0)
        search(world);
    world_live_until(world, now_us + UINT64_C(1000) * CALM_TURN_MS);
}

void calm_live(struct world *world)
{
    const struct stats *stats = &world->stats;
    uint64_t turn = 0;

    for (uint32_t c = 0; c < world->options.clients; c++)
        world->clients[c].must_complete = true;
    while (!world->is_failed && !is_enough(stats) && turn < CALM_LIMIT_MS / CALM_TURN_MS)
        take_turn(world, turn++);
    if (!is_enough(stats))
        world_fail(world, "K12",
                   "%" PRIu64 " moves and %" PRIu64 " checked searches after %d s of calm",
                   stats->moves_done, checked_count(stats), CALM_LIMIT_MS / 1000);
    if (world->options.agents < CALM_AGENTS_MIN)
        world_fail(world, "K12", "only %u agents", world->options.agents);
}
