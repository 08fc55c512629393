/* SPDX-License-Identifier: Apache-2.0
 * The only checkers that look into a process: what can be seen nowhere else. After each turn of an
 * agent the tables of its judgement agree with themselves, and the memory that is mapped is the
 * memory that its ledger knows (K3); at rest no search is under way and no pin is left (K11). */
#ifndef SIM_INSIDE_H
#define SIM_INSIDE_H

struct process;

/* After a turn. */
void inside_check(struct process *process);
/* The settled world, when its last search is over. */
void inside_check_rest(struct process *process);

#endif
