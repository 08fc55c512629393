/* SPDX-License-Identifier: Apache-2.0
 * A scripted coordinator for one collection of its own, beside the real one: keeps each segment on
 * two agents and publishes a new edition again and again, with other segments readable each time,
 * so that searches meet a change of readable_version on their way (C4). Ours changes what is
 * readable only by releasing and loading anew, which is too slow for that. */
#ifndef SIM_EDITOR_H
#define SIM_EDITOR_H

struct world;

/* Orders again what should be loaded, and publishes a view: the last one, or a new edition. */
void editor_act(struct world *world);

#endif
