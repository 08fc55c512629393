/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/coordinator_stage.h"

#include <string.h>

int stage_open(void **state)
{
    struct world *world = test_malloc(sizeof *world);

    world_open(world);
    world_start(world);
    world_load(world, 2, 1);
    *state = world;
    return 0;
}

int stage_close(void **state)
{
    world_close(*state);
    test_free(*state);
    return 0;
}

bool stage_is_overlap(struct world *world)
{
    return strcmp(world_phase(world, 1), "overlap") == 0;
}

bool stage_is_releasing(struct world *world)
{
    return strcmp(world_phase(world, 1), "releasing") == 0;
}

bool stage_is_stalled(struct world *world)
{
    return strcmp(world_phase(world, 1), "stalled") == 0;
}

bool stage_is_done(struct world *world)
{
    return strcmp(world_phase(world, 1), "done") == 0;
}

bool stage_is_failed(struct world *world)
{
    return strcmp(world_phase(world, 1), "failed") == 0;
}

void stage_assert_reason(struct world *world, const char *part)
{
    const struct catalog_move *move = world_move(world, 1);

    assert_non_null(move);
    if (strstr(move->row.reason, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, move->row.reason);
}

void stage_assert_settled(struct world *world)
{
    world_until(world, world_is_settled, 30000);
}
