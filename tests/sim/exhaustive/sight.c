/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/sight.h"

#include "agent/node_internal.h"
#include "tests/sim/exhaustive/worlds.h"

void sight_look(const struct node *node, struct sight *ret_sight)
{
    const struct node_copy *copy = node_find(node, EXHAUST_SEGMENT);

    *ret_sight = (struct sight){.boot = (uint8_t)node->boot,
                                .term = (uint8_t)node->term,
                                .wakes = node_wake_ms(node) != UINT64_MAX};
    if (copy == NULL)
        return;
    ret_sight->copy_state = (uint8_t)copy->state;
    ret_sight->epoch_term = (uint8_t)copy->epoch.term;
    ret_sight->epoch_version = (uint8_t)copy->epoch.version;
    ret_sight->nonce = (uint8_t)copy->release.nonce;
    ret_sight->ground = (uint8_t)copy->release.ground;
    ret_sight->answered_mask = (uint8_t)copy->release.answered_mask;
    ret_sight->confirmed = copy->release.confirmed;
    ret_sight->second_ask = copy->release.second_ask;
    ret_sight->unmapping = copy->unmapping;
    ret_sight->cancelling = copy->cancelling;
}
