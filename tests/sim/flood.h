/* SPDX-License-Identifier: Apache-2.0
 * More searches at once than an agent's inbox holds, from somebody who does not wait for answers.
 * The agent sheds them with BUSY or drops them; what it may not shed is control. */
#ifndef SIM_FLOOD_H
#define SIM_FLOOD_H

struct world;

void flood_act(struct world *world);

#endif
