/* SPDX-License-Identifier: Apache-2.0
 * What comes again and again while faults are on: searches, moves, releases, kills, cuts, pauses;
 * each at random times around its rate in the options. */
#ifndef SIM_HABITS_H
#define SIM_HABITS_H

struct world;

void habits_plan(struct world *world);

#endif
