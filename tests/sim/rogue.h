/* SPDX-License-Identifier: Apache-2.0
 * A coordinator of another make that gives legal but unwise orders: releases of a segment's two
 * copies that cross, releases with a witness that does not serve, orders of a term that is over,
 * orders that name an older copy. C6 must hold whatever a coordinator says; ours would never say
 * it. */
#ifndef SIM_ROGUE_H
#define SIM_ROGUE_H

struct world;

void rogue_act(struct world *world);

#endif
