/* SPDX-License-Identifier: Apache-2.0
 * A schedule in words: one numbered line per step, with the state of each copy after it. */
#ifndef TESTS_SIM_EXHAUSTIVE_STORY_H
#define TESTS_SIM_EXHAUSTIVE_STORY_H

#include "tests/sim/exhaustive/walk.h"

/* How the walk came to walk->broken: the shortest way there. */
void story_print(const struct walk *walk);
/* Steps from the start to walk->broken. */
size_t story_length(const struct walk *walk);

#endif
