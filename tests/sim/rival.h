/* SPDX-License-Identifier: Apache-2.0
 * The second coordinator. Somebody starts it by mistake, or because the first one seemed dead: on a
 * copy of the first one's state, as it is now or as a backup kept it. Both live, take terms and
 * command, until one steps down; who steps down may be started again, and so they may fight for
 * long. When the world is healed one of them is left. */
#ifndef SIM_RIVAL_H
#define SIM_RIVAL_H

struct world;
struct process;

void rival_act(struct world *world);
/* A coordinator stopped by itself: nobody may start it again. */
void rival_on_stop(struct process *coordinator);
/* Chooses the leader; the other one ends. */
void rival_settle(struct world *world);

#endif
