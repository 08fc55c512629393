/* SPDX-License-Identifier: Apache-2.0
 * Life in the healed and settled world: moves that make sense and searches, until this world has
 * seen enough of both. Nothing is in their way any more, so every search is COMPLETE (K4), and
 * enough moves are done in a bounded time (K12). */
#ifndef SIM_CALM_H
#define SIM_CALM_H

struct world;

enum { CALM_AGENTS_MIN = 3, CALM_MOVES_MIN = 20, CALM_SEARCHES_MIN = 500 };

void calm_live(struct world *world);

#endif
