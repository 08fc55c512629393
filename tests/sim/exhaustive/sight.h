/* SPDX-License-Identifier: Apache-2.0
 * What can be seen of a node from outside: enough to judge it and to tell of it. */
#ifndef TESTS_SIM_EXHAUSTIVE_SIGHT_H
#define TESTS_SIM_EXHAUSTIVE_SIGHT_H

#include "agent/node.h"

struct sight {
    uint8_t boot, term, copy_state, epoch_term, epoch_version;
    uint8_t nonce; /* of the open ask, 0: none */
    uint8_t ground, answered_mask;
    bool confirmed, second_ask, unmapping, cancelling;
    bool wakes; /* node_wake_ms is not never */
};

void sight_look(const struct node *node, struct sight *ret_sight);

#endif
