/* SPDX-License-Identifier: Apache-2.0
 * The checkers, outside the code they watch; SIMULATOR.md numbers and explains them. Adding one: a
 * function here, called where the world sees the matter, and world_fail with its number. */
#ifndef SIM_CHECKERS_H
#define SIM_CHECKERS_H

#include "qnode/search.h"
#include <stddef.h>

struct world;
struct process;
struct state_row;

/* K1, K6: a search is over. */
void checkers_on_result(struct world *world, const struct qn_search_request *request,
                        const struct qn_search_result *result);
/* K3: never more than the budget. */
void checkers_on_map(struct process *process);
/* K5: a living process gives memory back; the index is negative when nothing lay in it. */
void checkers_on_unmap(struct process *process, int index);
void checkers_on_kill(struct process *process);
/* K3: everything of a dead process was taken back. */
void checkers_on_buried(struct process *process);
/* K3: at rest the mapped bytes are the reported ones. */
void checkers_at_rest(struct world *world);
/* K4: true when the healed world has settled; else ret_why says what is still missing. */
bool checkers_is_converged(struct world *world, char *ret_why, size_t capacity);
/* Of a row of STATE_MOVE. */
bool checkers_move_is_running(const struct state_row *row);
bool checkers_move_is_done(const struct state_row *row);

#endif
