/* SPDX-License-Identifier: Apache-2.0
 * Random worlds: messages lost, nodes and the coordinator restarted, moves asked for at random;
 * then everything is healed and must settle. While only the coordinator dies and messages are lost,
 * no segment may be without a copy that answers, ever. */
#include "tests/unit/coordinator_world.h"

#include "base/prng.h"
#include <stdlib.h>

enum { SEEDS = 40 / TEST_DIVISOR, SEGMENTS = 6, FAULTS_MS = 100000, STEP_MS = 50 };

struct chaos {
    struct world world; /* first: the drop function finds the rest */
    struct prng prng;
    uint32_t lost_per_mille;
    bool nodes_die;
    bool healed;
};

static bool drops(struct world *world, int64_t to, const struct message *message)
{
    struct chaos *chaos = (struct chaos *)world;

    (void)to;
    (void)message;
    return !chaos->healed && prng_below(&chaos->prng, 1000) < chaos->lost_per_mille;
}

/* One segment from where it is wanted to another node. */
static void balance(struct chaos *chaos, int64_t dst)
{
    struct world *world = &chaos->world;
    int64_t id = 1 + (int64_t)prng_below(&chaos->prng, SEGMENTS);
    const struct catalog_segment *segment = catalog_segment(&world->core->catalog, id);

    if (segment != NULL && segment->wanted_count > 0)
        world_balance(world, segment->wanted[0].node_id, dst, id);
}

static void disturb_node(struct chaos *chaos, int64_t node_id, uint64_t what)
{
    struct world *world = &chaos->world;
    struct world_node *node = &world->nodes[node_id];

    if (what == 1 && chaos->nodes_die && node->node != NULL) {
        world_kill_node(world, node_id);
        if (prng_below(&chaos->prng, 2) == 0)
            world_start_node(world, node_id);
    } else if (what < 6 && node->node == NULL) {
        world_start_node(world, node_id);
    } else if (what == 6 || what == 7) {
        node->cut = true;
    } else if (what < 16) {
        node->cut = false;
    } else if (what == 16 || what == 17) {
        node->deaf = true;
    } else if (what < 26) {
        node->deaf = false;
    } else if (what == 26) {
        node->load_status = QN_STATUS_IO;
        node->load_failures = 1 + (unsigned)prng_below(&chaos->prng, 5);
    }
}

static void disturb(struct chaos *chaos)
{
    struct world *world = &chaos->world;
    int64_t node_id = 1 + (int64_t)prng_below(&chaos->prng, 3);
    uint64_t what = prng_below(&chaos->prng, 200);

    if (world->core == NULL || what == 0) {
        world_kill_coordinator(world);
        world_start_coordinator(world);
    } else if (what < 27) {
        disturb_node(chaos, node_id, what);
    } else if (what < 50) {
        balance(chaos, node_id);
    }
}

static void heal(struct chaos *chaos)
{
    struct world *world = &chaos->world;

    chaos->healed = true;
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++) {
        world->nodes[node_id].cut = world->nodes[node_id].deaf = false;
        world->nodes[node_id].load_status = QN_STATUS_OK;
        if (world->nodes[node_id].node == NULL)
            world_start_node(world, node_id);
    }
    if (world->core == NULL)
        world_start_coordinator(world);
}

static void check_served(const struct chaos *chaos, uint64_t seed)
{
    for (int64_t id = 1; id <= SEGMENTS && !chaos->nodes_die; id++)
        if (!world_serves(&chaos->world, id))
            fail_msg("seed %d: segment %d is served by nobody at %d ms", (int)seed, (int)id,
                     (int)chaos->world.now_ms);
}

static size_t run_seed(uint64_t seed)
{
    struct chaos *chaos = test_calloc(1, sizeof *chaos);
    struct world *world = &chaos->world;

    world_open(world);
    world_start(world);
    world_load(world, SEGMENTS, 1);
    prng_init(&chaos->prng, seed);
    chaos->nodes_die = seed % 2 == 0;
    chaos->lost_per_mille = (uint32_t)prng_below(&chaos->prng, 300);
    world->drops = drops;
    for (uint64_t until_ms = world->now_ms + FAULTS_MS; world->now_ms < until_ms;) {
        disturb(chaos);
        for (int i = 0; i < STEP_MS / 10; i++) {
            world_run(world, 10);
            check_served(chaos, seed);
        }
    }
    heal(chaos);
    for (int i = 0; i < 600 && !world_is_settled(world); i++) {
        world_run(world, 100);
        check_served(chaos, seed);
        if (world->core == NULL)
            world_start_coordinator(world);
    }
    if (!world_is_settled(world))
        fail_msg("seed %d does not settle", (int)seed);
    size_t moves = world->core->catalog.moves.count;
    world_close(world);
    test_free(chaos);
    return moves;
}

static void random_worlds_settle_and_lose_no_segment(void **state)
{
    const char *only = getenv("COORDINATOR_SEED");
    size_t moves = 0;

    (void)state;
    if (only != NULL) {
        (void)run_seed(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        moves += run_seed(seed);
    assert_true(moves > 1000 / TEST_DIVISOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_worlds_settle_and_lose_no_segment),
    };

    return cmocka_run_group_tests_name("coordinator random", tests, NULL, NULL);
}
