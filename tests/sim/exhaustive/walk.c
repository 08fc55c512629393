/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/walk.h"

#include "base/check.h"
#include "base/hash.h"
#include "tests/sim/exhaustive/replay.h"
#include "tests/sim/exhaustive/rules.h"
#include <stdlib.h>
#include <string.h>

enum { REPLAYS = 100 };

_Static_assert(sizeof(struct situation) ==
                   2 * (EXHAUST_NODES_MAX + 2 * EXHAUST_NODES_MAX + 1 + WALK_LETTERS_MAX) + 4,
               "no padding: situations are compared as bytes");

/* ---- situations ------------------------------------------------------------------------------ */

static void *grow(void *array, size_t size)
{
    void *grown = realloc(array, size);

    CHECK(grown != NULL);
    return grown;
}

static uint32_t *index_slot(const struct walk *walk, const struct situation *situation)
{
    size_t slot = hash64(situation, sizeof *situation) & (walk->index_slots - 1);

    while (walk->index[slot] != 0 &&
           memcmp(&walk->situations[walk->index[slot] - 1], situation, sizeof *situation) != 0)
        slot = (slot + 1) & (walk->index_slots - 1);
    return &walk->index[slot];
}

static void index_grow(struct walk *walk)
{
    walk->index_slots = walk->index_slots == 0 ? 1 << 16 : walk->index_slots * 2;
    free(walk->index);
    walk->index = calloc(walk->index_slots, sizeof *walk->index);
    CHECK(walk->index != NULL);
    for (size_t i = 0; i < walk->count; i++)
        *index_slot(walk, &walk->situations[i]) = (uint32_t)i + 1;
}

static void add(struct walk *walk, const struct situation *situation, struct walk_link link)
{
    uint32_t *slot;

    if (2 * walk->count >= walk->index_slots)
        index_grow(walk);
    slot = index_slot(walk, situation);
    if (*slot != 0)
        return;
    if (walk->count == walk->slots) {
        walk->slots = walk->slots * 2 + 1024;
        walk->situations = grow(walk->situations, walk->slots * sizeof *walk->situations);
        walk->links = grow(walk->links, walk->slots * sizeof *walk->links);
    }
    walk->situations[walk->count] = *situation;
    walk->links[walk->count] = link;
    *slot = (uint32_t)++walk->count;
}

/* ---- letters of a situation ------------------------------------------------------------------ */

static void post(struct situation *situation, uint16_t letter)
{
    unsigned i = situation->letters_count++;

    CHECK(i < WALK_LETTERS_MAX);
    for (; i > 0 && situation->letters[i - 1] > letter; i--)
        situation->letters[i] = situation->letters[i - 1];
    situation->letters[i] = letter;
}

static void take(struct situation *situation, unsigned i)
{
    situation->letters_count--;
    for (; i < situation->letters_count; i++)
        situation->letters[i] = situation->letters[i + 1];
    situation->letters[i] = 0;
}

/* News of a process dies with it; a DRAINED that an UNDRAIN made void, in the agent's shell. */
static void forget_news(const struct walk *walk, struct situation *situation, unsigned node,
                        bool all)
{
    for (unsigned i = 0; i < situation->letters_count; i++) {
        const struct letter *letter = bench_letter(walk->bench, situation->letters[i]);

        if (letter->to == node &&
            (letter->kind == LETTER_DRAINED || (all && letter->kind >= LETTER_NEWS)))
            take(situation, i--);
    }
}

/* The node's ask is closed: asks and answers that carry its number are late from now on. */
static void void_ask(const struct walk *walk, struct situation *situation, unsigned node)
{
    struct situation before = *situation;

    while (situation->letters_count > 0)
        take(situation, situation->letters_count - 1u);
    for (unsigned i = 0; i < before.letters_count; i++) {
        struct letter letter = *bench_letter(walk->bench, before.letters[i]);

        if ((letter.kind == LETTER_ASK && letter.from == node) ||
            (letter.kind == LETTER_ANSWER && letter.to == node))
            letter.nonce = LETTER_NONCE_VOID;
        post(situation, bench_letter_number(walk->bench, letter));
    }
}

/* ---- choices --------------------------------------------------------------------------------- */

static void reach(struct walk *walk, const struct situation *after, struct walk_link link,
                  const char *violation)
{
    walk->transitions++;
    if (violation == NULL) {
        add(walk, after, link);
        return;
    }
    walk->violation = violation;
    walk->broken = *after;
    walk->broken_by = link;
}

/* The event befalls the link's node. `after`: before, less what this choice costs. */
static void befall(struct walk *walk, struct situation *after, struct walk_link link)
{
    const struct situation before = walk->situations[link.parent];
    const struct outcome *outcome = bench_step(walk->bench, before.images[link.node], link.event);
    struct rules_step step = {.before = &before,
                              .node = link.node,
                              .restarts = link.event == BENCH_EVENT_RESTARTS,
                              .outcome = outcome};

    if (link.event < BENCH_EVENT_WAKES)
        step.letter = bench_letter(walk->bench, link.event);
    if (outcome->undrains || step.restarts)
        forget_news(walk, after, link.node, step.restarts);
    if (outcome->voids)
        void_ask(walk, after, link.node);
    after->images[link.node] = outcome->image;
    for (unsigned i = 0; i < outcome->sent_count; i++)
        post(after, outcome->sent[i]);
    reach(walk, after, link, rules_judge(walk, &step, after));
    walk->excused += step.is_excused;
}

static void choose_for_letter(struct walk *walk, uint32_t parent, unsigned i)
{
    const struct situation before = walk->situations[parent];
    const struct letter *letter = bench_letter(walk->bench, before.letters[i]);
    bool of_bus = letter->kind < LETTER_NEWS;
    struct walk_link link = {.parent = parent, .event = before.letters[i], .node = letter->to};
    struct situation after = before;

    take(&after, i);
    befall(walk, &after, link);
    if (of_bus && before.losses > 0 && walk->violation == NULL) {
        after = before;
        after.losses--;
        take(&after, i);
        link.way = WALK_IS_LOST;
        reach(walk, &after, link, NULL);
    }
    if (of_bus && before.repeats > 0 && walk->violation == NULL) {
        after = before;
        after.repeats--;
        link.way = WALK_COMES_AGAIN;
        befall(walk, &after, link);
    }
}

/* True: time alone moves the node on, so this is no end. */
static bool choose_for_node(struct walk *walk, uint32_t parent, unsigned node)
{
    const struct situation before = walk->situations[parent];
    const struct sight *sight = bench_sight(walk->bench, before.images[node]);
    struct walk_link link = {.parent = parent, .node = (uint8_t)node};
    bool asks = sight->nonce != 0, wakes = sight->wakes;
    struct situation after = before;

    if (wakes && (!asks || before.resends > 0)) {
        after.resends = (uint8_t)(before.resends - asks);
        link.event = BENCH_EVENT_WAKES;
        befall(walk, &after, link);
    }
    if (wakes && asks && walk->violation == NULL) {
        after = before;
        link.event = BENCH_EVENT_GIVES_UP;
        befall(walk, &after, link);
    }
    if (before.restarts > 0 && walk->violation == NULL) {
        after = before;
        after.restarts--;
        link.event = BENCH_EVENT_RESTARTS;
        befall(walk, &after, link);
    }
    return wakes;
}

static void note_end(struct walk *walk, uint32_t number)
{
    const struct situation *end = &walk->situations[number];
    unsigned answering = rules_answering(walk, end);

    walk->ends++;
    walk->moved_ends += answering > 0 && answering < walk->world->nodes;
    walk->lost_ends += answering == 0;
    walk->violation = rules_judge_end(walk, end);
    walk->broken = *end;
    walk->broken_by = walk->links[number];
}

static void visit(struct walk *walk, uint32_t number)
{
    const struct situation here = walk->situations[number];
    bool moves = here.letters_count > 0;

    for (unsigned i = 0; i < here.letters_count && walk->violation == NULL; i++)
        if (i == 0 || here.letters[i] != here.letters[i - 1])
            choose_for_letter(walk, number, i);
    for (unsigned n = 0; n < walk->world->nodes && walk->violation == NULL; n++)
        moves |= choose_for_node(walk, number, n);
    if (!moves && walk->violation == NULL)
        note_end(walk, number);
}

/* ---- the walk -------------------------------------------------------------------------------- */

void walk_init(struct walk *walk, const struct exhaust_world *world, size_t limit)
{
    struct situation start = {.losses = world->losses,
                              .repeats = world->repeats,
                              .resends = world->resends,
                              .restarts = world->restarts};

    *walk = (struct walk){.world = world, .limit = limit, .bench = bench_new(world)};
    for (unsigned n = 0; n < world->nodes; n++)
        start.images[n] = bench_first_image(walk->bench, n);
    for (unsigned c = 0; c < world->commands_count; c++) {
        uint16_t letter = bench_letter_number(walk->bench, letter_command(world, c));

        for (unsigned i = 0; i < world->commands[c].times || i < 1; i++)
            post(&start, letter);
    }
    add(walk, &start, (struct walk_link){.parent = UINT32_MAX});
}

void walk_done(struct walk *walk)
{
    walk->bench = bench_free(walk->bench);
    free(walk->situations);
    free(walk->links);
    free(walk->index);
}

static const char *replay_some(struct walk *walk)
{
    size_t stride = walk->count / REPLAYS + 1;

    for (size_t i = walk->count; i > stride; i -= stride) {
        walk->replays++;
        if (!replay_agrees(walk, (uint32_t)i - 1))
            return "lived again on nodes of its own, a schedule comes out otherwise";
    }
    return NULL;
}

/* What makes the walk itself worth nothing. */
static const char *doubt(struct walk *walk)
{
    if (!bench_is_clean(walk->bench))
        return "a step touched more of a node than the images hold";
    if (!bench_is_sound(walk->bench))
        return "a node breaks an invariant of its own (node_verify)";
    if (walk->moved_ends == 0)
        return "no release ever ended well: this world shows nothing";
    return replay_some(walk);
}

void walk_run(struct walk *walk)
{
    size_t level_end = walk->count; /* where the situations of this depth end */

    for (size_t i = 0; i < walk->count && walk->violation == NULL; i++) {
        if (i == level_end) {
            walk->depth++;
            level_end = walk->count;
        }
        visit(walk, (uint32_t)i);
        if (walk->violation == NULL && walk->count > walk->limit)
            walk->violation = walk->doubt =
                "more situations than the walk may hold: lower the world's bound";
    }
    if (walk->violation == NULL)
        walk->violation = walk->doubt = doubt(walk);
}
