/* SPDX-License-Identifier: Apache-2.0
 * One case: a stage of its own, one operation, one call that fails (or all from it on), then the
 * same operation without faults, a search that must be right, and the bill of what is held. */
#ifndef SWEEP_CASE_H
#define SWEEP_CASE_H

#include "tests/sim/sweep/operation.h"

struct case_result {
    bool has_fired; /* false: the operation makes fewer calls of this class */
    bool has_leaked;
    struct operation_end end;
};

void case_run(const struct scene *scene, const struct operation *operation,
              const struct fault_plan *plan, struct case_result *ret_result);

#endif
