/* SPDX-License-Identifier: Apache-2.0
 * K9: what was ever commanded, so that nothing is done uncommanded. A copy that leaves was told to
 * by a command of exactly the term its agent then knows, which has not expired by the agent's
 * clock; a copy that is loaded was asked for at its epoch, and was not released at that epoch in
 * the same boot. No agent forgets a term or a boot number that it has told; every start of a
 * coordinator takes a term above all that it took before. */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

#include "channel/message.h"
#include "tests/sim/options.h"

enum { COMMANDS_SLOTS = 1 << 15 };

struct world;
struct process;

struct commands_told {
    uint64_t hash;            /* 0: free */
    uint64_t until_uptime_ms; /* the latest of its repeats */
};

struct commands {
    struct commands_told told[COMMANDS_SLOTS];
    size_t count;
    uint64_t terms[OPTIONS_AGENTS_MAX], boots[OPTIONS_AGENTS_MAX];
    uint32_t incarnations[OPTIONS_AGENTS_MAX]; /* that told boots */
    uint64_t term_max;                         /* of all commands */
    struct commands_author {
        uint64_t term; /* of its newest start that commanded */
        uint32_t incarnation;
    } authors[2]; /* the first coordinator, the rival */
};

/* Any message to the control subject of node_id, when it is published. */
void commands_note(struct world *world, const struct process *from, int64_t node_id,
                   const struct message *message);
/* The same when it arrives at the agent: only a load of a term that is not over counts as asked. */
void commands_arrive(struct world *world, const struct process *agent,
                     const struct message *message);
/* That very copy was told to go by force, in that term. */
bool commands_is_forced(struct world *world, const struct process *agent, int64_t segment_id,
                        struct qn_epoch epoch, uint64_t term);
/* The coordinator got an older state: what terms it took since, it may have forgotten. */
void commands_forget_terms(struct commands *commands, const struct process *coordinator);
/* Any message of an agent. */
void commands_check(struct world *world, const struct process *agent,
                    const struct message *message);
/* The agent said, in whatever boot, that it serves the copy. */
bool commands_has_served(struct world *world, int64_t node_id, int64_t segment_id,
                         struct qn_epoch epoch);
/* Its present boot was asked to load at that epoch. */
bool commands_may_serve(struct world *world, int64_t node_id, int64_t segment_id,
                        struct qn_epoch epoch);

#endif
