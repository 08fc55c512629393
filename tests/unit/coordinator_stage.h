/* SPDX-License-Identifier: Apache-2.0
 * The stage of tests about one move (the first): two segments on node 1, a coordinator that
 * commands. */
#ifndef TESTS_UNIT_COORDINATOR_STAGE_H
#define TESTS_UNIT_COORDINATOR_STAGE_H

#include "tests/unit/coordinator_world.h"

/* *state is the struct world. */
int stage_open(void **state);
int stage_close(void **state);

/* The phase of the move, for world_until. */
bool stage_is_overlap(struct world *world);
bool stage_is_releasing(struct world *world);
bool stage_is_stalled(struct world *world);
bool stage_is_done(struct world *world);
bool stage_is_failed(struct world *world);

/* The move's reason has this part. */
void stage_assert_reason(struct world *world, const char *part);
/* Within 30 s: no move open, every copy where it is wanted, none left over. */
void stage_assert_settled(struct world *world);

#endif
