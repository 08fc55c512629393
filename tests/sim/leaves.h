/* SPDX-License-Identifier: Apache-2.0
 * K10: rule C6 as it can be seen on the bus. A copy that said Leaving does not call itself SERVING
 * until its release is held; a copy that is released because it moved has asked twice since it said
 * Leaving, under different nonces, and a witness answered SERVING to both, to this boot. */
#ifndef SIM_LEAVES_H
#define SIM_LEAVES_H

#include "channel/message.h"

struct world;
struct process;

/* Of one copy. */
struct leave {
    bool is_leaving, is_forced;
    struct qn_epoch epoch;             /* of the copy that said so */
    uint64_t since_us, since_clock_us; /* the second by the agent's own clock */
    uint64_t nonce;                    /* of the newest ask */
    bool is_granted;                   /* and a witness answered SERVING to it */
    uint32_t grants_count;
    uint64_t grants_term; /* the highest that a witness knew */
};

/* Any message of an agent. subject: where it was published. */
void leaves_check(struct world *world, const struct process *agent, const char *subject,
                  const struct message *message);

#endif
