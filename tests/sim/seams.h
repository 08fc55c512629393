/* SPDX-License-Identifier: Apache-2.0
 * Where the client library meets the operating system, and the world takes its place: sleeping,
 * waking, the clock, the bus and randomness, by the linker's --wrap (sim.cmake). Production code
 * knows nothing of it. */
#ifndef SIM_SEAMS_H
#define SIM_SEAMS_H

#include "base/prng.h"
#include "qnode/search.h"
#include "tests/sim/fiber.h"

struct process;

/* qn_client_open on the bus, clock and randomness of that process. */
enum qn_status seams_open(struct process *process, struct prng *prng,
                          struct qn_client **ret_client);
/* run(owner) on a fiber: calls of the library in it block, and the world goes on. prng: how late
 * the fiber has its turn. */
void seams_call(struct process *process, struct prng *prng, fiber_run *run, void *owner);
/* Lets time pass for the calls of the process alone, until all have returned. */
void seams_finish(struct process *process);

#endif
