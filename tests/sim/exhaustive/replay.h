/* SPDX-License-Identifier: Apache-2.0
 * A second opinion on the walk. Its images, its memory of outcomes and its renumbered asks are a
 * saving that could be wrong; so schedules are lived again, from the start, on fresh judgements
 * that nobody puts back, with clocks that run on and numbers as the nodes gave them. After each
 * step the nodes must look as the walk says. */
#ifndef TESTS_SIM_EXHAUSTIVE_REPLAY_H
#define TESTS_SIM_EXHAUSTIVE_REPLAY_H

#include "tests/sim/exhaustive/walk.h"

/* The walk's schedule to this situation leads real nodes to it. */
bool replay_agrees(const struct walk *walk, uint32_t situation);

#endif
