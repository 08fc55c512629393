/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/replay.h"

#include "base/check.h"
#include <stdlib.h>
#include <string.h>

enum { LETTERS_MAX = 256 };

struct replay {
    const struct walk *walk;
    struct node *nodes[EXHAUST_NODES_MAX];
    uint64_t now_ms[EXHAUST_NODES_MAX];
    struct node_actions *actions;
    struct letter letters[LETTERS_MAX]; /* with the numbers that the nodes gave */
    size_t letters_count;
};

/* ---- letters --------------------------------------------------------------------------------- */

static uint8_t open_nonce(const struct replay *replay, unsigned node)
{
    const struct node_copy *copy = node_find(replay->nodes[node], EXHAUST_SEGMENT);

    return copy != NULL ? (uint8_t)copy->release.nonce : 0;
}

/* The letter as the walk would number it. */
static struct letter as_walked(const struct replay *replay, struct letter letter)
{
    unsigned asker = letter.kind == LETTER_ASK ? letter.from : letter.to;

    if ((letter.kind != LETTER_ASK && letter.kind != LETTER_ANSWER) ||
        replay->walk->world->restarts > 0)
        return letter;
    letter.nonce = letter.nonce == open_nonce(replay, asker) ? 1 : LETTER_NONCE_VOID;
    return letter;
}

static void post(struct replay *replay, struct letter letter)
{
    CHECK(replay->letters_count < LETTERS_MAX);
    replay->letters[replay->letters_count++] = letter;
}

static void forget_news(struct replay *replay, unsigned node, bool all)
{
    for (size_t i = 0; i < replay->letters_count; i++) {
        const struct letter *letter = &replay->letters[i];

        if (letter->to == node &&
            (letter->kind == LETTER_DRAINED || (all && letter->kind >= LETTER_NEWS)))
            replay->letters[i--] = replay->letters[--replay->letters_count];
    }
}

/* Index of a letter on its way that the walk calls `wanted`, or LETTERS_MAX. */
static size_t find(const struct replay *replay, const struct letter *wanted)
{
    for (size_t i = 0; i < replay->letters_count; i++) {
        struct letter walked = as_walked(replay, replay->letters[i]);

        if (memcmp(&walked, wanted, sizeof walked) == 0)
            return i;
    }
    return LETTERS_MAX;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void post_actions(struct replay *replay, unsigned n)
{
    const struct node *node = replay->nodes[n];
    struct sight sight;

    sight_look(node, &sight);
    for (uint32_t i = 0; i < replay->actions->count; i++) {
        const struct node_action *action = &replay->actions->items[i];
        struct letter letter;

        if (action->kind == NODE_ACTION_UNDRAIN)
            forget_news(replay, n, false);
        if (letter_from_action(action, n, sight.boot, sight.term, &letter))
            post(replay, letter);
    }
}

static void run(struct replay *replay, unsigned n, struct node_event event)
{
    event.now_ms = replay->now_ms[n];
    node_step(replay->nodes[n], &event, replay->actions);
    if (replay->actions->count == 1 && replay->actions->items[0].kind == NODE_ACTION_PERSIST_TERM) {
        struct node_event durable = {.kind = NODE_EVENT_TERM_DURABLE,
                                     .now_ms = event.now_ms,
                                     .term = replay->actions->items[0].term};

        node_step(replay->nodes[n], &durable, replay->actions);
        node_step(replay->nodes[n], &event, replay->actions);
    }
    post_actions(replay, n);
}

static void run_letter(struct replay *replay, const struct letter *letter)
{
    struct letter_message opened;

    letter_open(letter, replay->walk->world, &opened);
    run(replay, letter->to,
        (struct node_event){.kind = letter_event(letter),
                            .segment_id = EXHAUST_SEGMENT,
                            .message = &opened.message});
}

static void start_process(struct replay *replay, unsigned n, uint64_t boot, uint64_t term)
{
    struct node_options options = bench_node_options(n, boot, term);

    replay->nodes[n] = node_free(replay->nodes[n]);
    replay->nodes[n] = node_new(&options);
    CHECK(replay->nodes[n] != NULL);
    replay->now_ms[n] = 1000 * boot;
}

static void pass_time(struct replay *replay, const struct walk_link *link)
{
    struct node *node = replay->nodes[link->node];
    const struct node_copy *copy = node_find(node, EXHAUST_SEGMENT);
    struct sight sight;

    if (link->event == BENCH_EVENT_RESTARTS) {
        sight_look(node, &sight);
        forget_news(replay, link->node, true);
        start_process(replay, link->node, sight.boot + 1u, sight.term);
        return;
    }
    replay->now_ms[link->node] = link->event == BENCH_EVENT_GIVES_UP && copy != NULL
                                     ? copy->release.ask_deadline_ms
                                     : node_wake_ms(node);
    run(replay, link->node, (struct node_event){.kind = NODE_EVENT_TICK});
}

/* False: the letter is not on its way. */
static bool take_step(struct replay *replay, const struct walk_link *link)
{
    struct letter letter;
    size_t i;

    if (link->event >= BENCH_EVENT_WAKES) {
        pass_time(replay, link);
        return true;
    }
    i = find(replay, bench_letter(replay->walk->bench, link->event));
    if (i == LETTERS_MAX)
        return false;
    letter = replay->letters[i];
    if (link->way != WALK_COMES_AGAIN)
        replay->letters[i] = replay->letters[--replay->letters_count];
    if (link->way != WALK_IS_LOST)
        run_letter(replay, &letter);
    return true;
}

static bool looks_like(const struct replay *replay, const struct situation *situation)
{
    for (unsigned n = 0; n < replay->walk->world->nodes; n++) {
        struct sight walked = *bench_sight(replay->walk->bench, situation->images[n]), real;

        sight_look(replay->nodes[n], &real);
        if (replay->walk->world->restarts == 0)
            real.nonce = real.nonce != 0;
        if (memcmp(&real, &walked, sizeof real) != 0)
            return false;
    }
    return replay->letters_count == situation->letters_count;
}

/* ---- a schedule ------------------------------------------------------------------------------ */

static void begin(struct replay *replay)
{
    const struct exhaust_world *world = replay->walk->world;
    struct qn_epoch epoch = {EXHAUST_TERM, 1};
    struct segment_load_info load = exhaust_segment(epoch);
    struct message message = {.term = EXHAUST_TERM, .kind = MESSAGE_LOAD_SEGMENTS};
    struct letter loaded = {.kind = LETTER_LOADED};

    message.load_segments = (struct load_segments){.segments = &load, .segments_count = 1};
    for (unsigned n = 0; n < world->nodes; n++) {
        start_process(replay, n, 1, EXHAUST_TERM);
        run(replay, n, (struct node_event){.kind = NODE_EVENT_MESSAGE, .message = &message});
        replay->letters_count = 0;
        loaded.to = (uint8_t)n;
        run_letter(replay, &loaded);
    }
    for (unsigned c = 0; c < world->commands_count; c++)
        for (unsigned i = 0; i < world->commands[c].times || i < 1; i++)
            post(replay, letter_command(world, c));
}

static bool live(struct replay *replay, const uint32_t *path, size_t length)
{
    const struct walk *walk = replay->walk;

    begin(replay);
    if (!looks_like(replay, &walk->situations[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!take_step(replay, &walk->links[path[i]]) ||
            !looks_like(replay, &walk->situations[path[i]]))
            return false;
    return true;
}

bool replay_agrees(const struct walk *walk, uint32_t situation)
{
    uint32_t *path = calloc(walk->depth + 2, sizeof *path);
    struct replay replay = {.walk = walk, .actions = calloc(1, sizeof *replay.actions)};
    size_t length = 0, left;
    bool agrees;

    CHECK(path != NULL && replay.actions != NULL);
    for (uint32_t i = situation; walk->links[i].parent != UINT32_MAX; i = walk->links[i].parent)
        length++;
    left = length;
    for (uint32_t i = situation; left > 0; i = walk->links[i].parent)
        path[--left] = i;
    agrees = live(&replay, path, length);
    for (unsigned n = 0; n < walk->world->nodes; n++)
        replay.nodes[n] = node_free(replay.nodes[n]);
    free(replay.actions);
    free(path);
    return agrees;
}
