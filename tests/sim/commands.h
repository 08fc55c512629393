/* SPDX-License-Identifier: Apache-2.0
 * K9: what was ever commanded, so that nothing is done uncommanded: a copy that leaves was told to
 * by a command of exactly the term its agent then knows, a copy that is loaded was asked for at its
 * epoch; and no agent forgets a term or a boot number that it has told. */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

#include "channel/message.h"
#include "tests/sim/options.h"

enum { COMMANDS_SLOTS = 1 << 15 };

struct world;
struct process;

struct commands {
    uint64_t told[COMMANDS_SLOTS]; /* hashes of commands; 0: free */
    size_t count;
    uint64_t terms[OPTIONS_AGENTS_MAX], boots[OPTIONS_AGENTS_MAX];
    uint32_t incarnations[OPTIONS_AGENTS_MAX]; /* that told boots */
    uint64_t term_max;                         /* of all commands */
};

/* Any message on its way to the control subject of node_id. */
void commands_note(struct commands *commands, int64_t node_id, const struct message *message);
/* Any message of an agent. */
void commands_check(struct world *world, const struct process *agent,
                    const struct message *message);

#endif
