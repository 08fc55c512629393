/* SPDX-License-Identifier: Apache-2.0
 * What must hold of every situation, judged from outside: from what is seen of the copies and from
 * the letters, never from what a node thinks of its own release.
 *
 * The rule. In every situation a copy answers searches (SERVING or LEAVING), unless the last one
 * was taken by a kill or by FORCE. Three moments are looked at:
 *
 *  1. A kill takes the last answering copy: allowed, no rule can help.
 *  2. Copy A stops answering (LEAVING -> DRAINING) and no other answers. Allowed only if the cause
 *     is a kill or FORCE that came *after* a yes that A may go by: see "excused".
 *  3. UNMAP of A is emitted while nobody answers (A is DRAINING): from here nothing saves A.
 *     Likewise allowed only if excused, and now only the yes to the second ask counts, which was
 *     asked when A's last reader was gone.
 *
 * Excused. A yes counts when it says SERVING and carries the number and boot of the ask that A has
 * open. A's way out is excused when for every witness whose yes counted: its process was killed
 * since that yes was sent (its boot is another now), or FORCE took its copy, or it left by a
 * release of its own that is excused in turn. This is what no ask can prove (the head of
 * node_release.c): that the witness's host lives on after its answer. A way out without a yes that
 * counts is never excused. Could a kill that had nothing to do with the loss hide it? Not for
 * long: the same schedule without that kill is shorter, and walked too.
 *
 * FORCE is an excuse for the copy that it names when its term is not below what the node knows, and
 * when somebody may have relied on that copy: a forced orphan (EXHAUST_FORCE with `orphan`) is one
 * that no release may take for its witness.
 *
 * Two more: UNMAP never comes before the copy's last reader is gone, and where nothing is on its
 * way and nothing waits, each copy is SERVING or ABSENT: no release is stuck. */
#ifndef TESTS_SIM_EXHAUSTIVE_RULES_H
#define TESTS_SIM_EXHAUSTIVE_RULES_H

#include "tests/sim/exhaustive/walk.h"

struct rules_step {
    const struct situation *before;
    unsigned node;
    const struct letter *letter; /* NULL: time or a kill */
    bool restarts;
    const struct outcome *outcome;
    bool is_excused; /* result: none answers, by a kill or FORCE */
};

/* NULL, or the rule that is broken. Writes the node's grounds in `after`, whose images are new. */
const char *rules_judge(const struct walk *walk, struct rules_step *step, struct situation *after);
/* Nothing can happen any more in this situation. */
const char *rules_judge_end(const struct walk *walk, const struct situation *situation);
bool rules_answers(const struct sight *sight);
unsigned rules_answering(const struct walk *walk, const struct situation *situation);

#endif
