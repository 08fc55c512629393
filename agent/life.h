/* SPDX-License-Identifier: Apache-2.0
 * The life of a copy as a table: which state may follow which (DESIGN section 2, C6, C7). */
#ifndef AGENT_LIFE_H
#define AGENT_LIFE_H

#include "qnode/types.h"

bool life_may_follow(enum qn_copy_state from, enum qn_copy_state to);
/* Searches are answered (SERVING, LEAVING). */
bool life_answers_searches(enum qn_copy_state state);

#endif
