/* SPDX-License-Identifier: Apache-2.0
 * A fiber: a stack of its own on the world's thread, for code that blocks. It runs until it pauses
 * and goes on when it is resumed; between the two the world goes its way. */
#ifndef SIM_FIBER_H
#define SIM_FIBER_H

#include <stdbool.h>

typedef void fiber_run(void *owner);

struct fiber;

/* At rest, with a stack of FIBER_STACK_BYTES over a guard page. It is never freed: who is done with
 * one uses it again. */
struct fiber *fiber_new(void);
/* Off fibers, of one at rest: runs run(owner) until it pauses or returns. */
void fiber_start(struct fiber *fiber, fiber_run *run, void *owner);
/* Off fibers: goes on after its pause. */
void fiber_resume(struct fiber *fiber);
/* On a fiber: back to who started or resumed it. */
void fiber_pause(void);
/* Its run() has returned. */
bool fiber_is_at_rest(const struct fiber *fiber);

#endif
