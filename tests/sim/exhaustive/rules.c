/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/rules.h"

bool rules_answers(const struct sight *sight)
{
    return sight->copy_state == QN_COPY_SERVING || sight->copy_state == QN_COPY_LEAVING;
}

static const struct sight *see(const struct walk *walk, const struct situation *situation,
                               unsigned node)
{
    return bench_sight(walk->bench, situation->images[node]);
}

unsigned rules_answering(const struct walk *walk, const struct situation *situation)
{
    unsigned answering = 0;

    for (unsigned n = 0; n < walk->world->nodes; n++)
        answering += rules_answers(see(walk, situation, n));
    return answering;
}

/* Copies that can still come to answer: a DRAINING one serves again when its release is held. */
static unsigned left(const struct walk *walk, const struct situation *situation)
{
    unsigned count = 0;

    for (unsigned n = 0; n < walk->world->nodes; n++) {
        const struct sight *sight = see(walk, situation, n);

        count +=
            rules_answers(sight) || (sight->copy_state == QN_COPY_DRAINING && !sight->unmapping);
    }
    return count;
}

/* ---- grounds --------------------------------------------------------------------------------- */

static unsigned boot_of_yes(uint16_t grounds, unsigned witness)
{
    return (unsigned)grounds >> (3 * witness) & 7u;
}

static bool is_excusing_force(const struct walk *walk, const struct letter *letter,
                              const struct sight *before)
{
    const struct exhaust_command *command = &walk->world->commands[letter->command];

    return letter->kind == LETTER_COMMAND && command->verb == EXHAUST_FORCE && !command->orphan &&
           letter->term >= before->term && before->copy_state == QN_COPY_SERVING;
}

static bool is_yes(const struct letter *letter, const struct sight *before)
{
    return letter->kind == LETTER_ANSWER && letter->copy_state == QN_COPY_SERVING &&
           letter->nonce == before->nonce && letter->asker_boot == before->boot &&
           before->copy_state != QN_COPY_SERVING;
}

static void note_grounds(const struct walk *walk, const struct rules_step *step,
                         const struct sight *now, struct grounds *grounds)
{
    const struct sight *before = see(walk, step->before, step->node);

    if (step->restarts || now->copy_state == QN_COPY_SERVING) {
        *grounds = (struct grounds){0};
        return;
    }
    if (step->letter != NULL && is_excusing_force(walk, step->letter, before))
        grounds->first = WALK_FORCED;
    if (step->letter != NULL && is_yes(step->letter, before)) {
        uint16_t yes = (uint16_t)(step->letter->from_boot << (3 * step->letter->from));

        if (before->second_ask)
            grounds->second |= yes;
        else
            grounds->first |= yes;
    }
    if (step->outcome->unmaps && grounds->first != WALK_FORCED)
        *grounds = (struct grounds){.first = grounds->second};
}

/* hops: no chain of witnesses is longer than there are nodes; a circle excuses nobody. */
static bool is_excused(const struct walk *walk, const struct situation *situation, unsigned node,
                       unsigned hops)
{
    uint16_t grounds = situation->grounds[node].first;

    if (grounds == WALK_FORCED)
        return true;
    if (grounds == 0 || hops == 0)
        return false;
    for (unsigned w = 0; w < walk->world->nodes; w++) {
        unsigned boot = boot_of_yes(grounds, w);

        if (boot != 0 && boot == see(walk, situation, w)->boot &&
            !is_excused(walk, situation, w, hops - 1))
            return false;
    }
    return true;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool is_read(const struct walk *walk, const struct situation *situation, unsigned node)
{
    for (unsigned i = 0; i < situation->letters_count; i++) {
        const struct letter *letter = bench_letter(walk->bench, situation->letters[i]);

        if (letter->kind == LETTER_DRAINED && letter->to == node)
            return true;
    }
    return false;
}

const char *rules_judge(const struct walk *walk, struct rules_step *step, struct situation *after)
{
    const struct sight *before = see(walk, step->before, step->node);
    const struct sight *now = see(walk, after, step->node);
    bool stops = rules_answers(before) && !rules_answers(now);
    bool unmaps = step->outcome->unmaps && before->copy_state != QN_COPY_LOADING;

    note_grounds(walk, step, now, &after->grounds[step->node]);
    if (unmaps && is_read(walk, after, step->node))
        return "a copy is unmapped before its last reader is gone";
    if ((!stops && !unmaps) || rules_answering(walk, after) > 0)
        return NULL;
    step->is_excused = step->restarts || is_excused(walk, after, step->node, walk->world->nodes);
    if (step->is_excused)
        return NULL;
    if (walk->for_good && (!unmaps || left(walk, after) > 0))
        return NULL;
    return unmaps ? "the last copy is unmapped, and none answers searches"
                  : "the last copy stops answering searches";
}

const char *rules_judge_end(const struct walk *walk, const struct situation *situation)
{
    for (unsigned n = 0; n < walk->world->nodes; n++) {
        uint8_t state = see(walk, situation, n)->copy_state;

        if (state != QN_COPY_ABSENT && state != QN_COPY_SERVING)
            return "nothing is on its way any more, and a copy is stuck";
    }
    return NULL;
}
