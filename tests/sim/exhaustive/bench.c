/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/bench.h"

#include "base/check.h"
#include "base/hash.h"
#include "tests/sim/exhaustive/image.h"
#include <stdlib.h>
#include <string.h>

enum {
    IMAGES_MAX = 0xffff,
    LETTERS_MAX = 1 << 14,
    LETTER_SLOTS = 4 * LETTERS_MAX,
    IMAGE_SLOTS = 1 << 17,
};

struct memo {
    uint32_t key; /* image << 16 | event */
    bool taken;
    struct outcome outcome;
};

struct bench {
    const struct exhaust_world *world;
    struct node *node, *pristine;
    struct node_actions *actions;
    uint32_t bucket; /* image_bucket */
    struct image *images, scratch;
    struct sight *sights;
    uint32_t images_count, images_slots;
    uint32_t *image_index;  /* by hash, number + 1 */
    struct letter *letters; /* never moved: pointers to them stand */
    uint32_t letters_count;
    uint32_t *letter_index;
    struct memo *memos;
    size_t memos_count, memos_slots, steps_count;
    bool is_sound;
};

static void *grow(void *array, size_t size)
{
    void *grown = realloc(array, size);

    CHECK(grown != NULL);
    return grown;
}

static void *zeroed(size_t count, size_t size)
{
    void *array = calloc(count, size);

    CHECK(array != NULL);
    return array;
}

/* ---- images ---------------------------------------------------------------------------------- */

static void add_image(struct bench *bench, const struct image *image)
{
    CHECK(bench->images_count < IMAGES_MAX);
    if (bench->images_count == bench->images_slots) {
        bench->images_slots = bench->images_slots * 2 + 64;
        bench->images = grow(bench->images, bench->images_slots * sizeof *bench->images);
        bench->sights = grow(bench->sights, bench->images_slots * sizeof *bench->sights);
    }
    bench->images[bench->images_count] = *image;
    sight_look(bench->node, &bench->sights[bench->images_count]);
    bench->images_count++;
}

/* The number of what the bench's node is now. */
static uint16_t image_number(struct bench *bench)
{
    struct image *image = &bench->scratch;
    size_t slot;

    image_canonical(bench->node);
    image_capture(bench->node, bench->bucket, image);
    slot = hash64(image, sizeof *image) % IMAGE_SLOTS;
    while (bench->image_index[slot] != 0) {
        uint32_t number = bench->image_index[slot] - 1;

        if (memcmp(&bench->images[number], image, sizeof *image) == 0)
            return (uint16_t)number;
        slot = (slot + 1) % IMAGE_SLOTS;
    }
    add_image(bench, image);
    bench->image_index[slot] = bench->images_count;
    return (uint16_t)(bench->images_count - 1);
}

/* ---- letters --------------------------------------------------------------------------------- */

uint16_t bench_letter_number(struct bench *bench, struct letter letter)
{
    size_t slot = hash64(&letter, sizeof letter) % LETTER_SLOTS;

    while (bench->letter_index[slot] != 0) {
        uint32_t number = bench->letter_index[slot] - 1;

        if (memcmp(&bench->letters[number], &letter, sizeof letter) == 0)
            return (uint16_t)number;
        slot = (slot + 1) % LETTER_SLOTS;
    }
    CHECK(bench->letters_count < LETTERS_MAX);
    bench->letters[bench->letters_count++] = letter;
    bench->letter_index[slot] = bench->letters_count;
    return (uint16_t)(bench->letters_count - 1);
}

const struct letter *bench_letter(const struct bench *bench, uint16_t number)
{
    CHECK(number < bench->letters_count);
    return &bench->letters[number];
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void run(struct bench *bench, struct node_event event)
{
    bench->steps_count++;
    event.now_ms = event.now_ms != 0 ? event.now_ms : IMAGE_NOW_MS;
    node_step(bench->node, &event, bench->actions);
    bench->is_sound &= node_verify(bench->node);
}

static bool wants_term(const struct node_actions *actions)
{
    return actions->count == 1 && actions->items[0].kind == NODE_ACTION_PERSIST_TERM;
}

/* A higher term is made durable at once: a kill in between is a kill before, or right after. */
static void run_letter(struct bench *bench, uint16_t number)
{
    struct letter_message opened;
    struct node_event event = {.kind = letter_event(bench_letter(bench, number)),
                               .segment_id = EXHAUST_SEGMENT,
                               .message = &opened.message};

    letter_open(bench_letter(bench, number), bench->world, &opened);
    run(bench, event);
    if (!wants_term(bench->actions))
        return;
    run(bench, (struct node_event){.kind = NODE_EVENT_TERM_DURABLE, .term = opened.message.term});
    run(bench, event);
}

static void put_fresh(struct bench *bench, const struct node_options *options)
{
    struct node *fresh = node_new(options);

    CHECK(fresh != NULL);
    image_capture(fresh, bench->bucket, &bench->scratch);
    image_restore(&bench->scratch, bench->bucket, bench->node);
    (void)node_free(fresh);
}

static void restart(struct bench *bench)
{
    struct node_options options = bench_node_options((unsigned)bench->node->node_id - 1,
                                                     bench->node->boot + 1, bench->node->term);

    put_fresh(bench, &options);
    bench->actions->count = 0;
}

static void run_event(struct bench *bench, uint16_t event)
{
    const struct node *node = bench->node;

    if (event == BENCH_EVENT_RESTARTS)
        restart(bench);
    else if (event == BENCH_EVENT_WAKES)
        run(bench, (struct node_event){.kind = NODE_EVENT_TICK, .now_ms = node_wake_ms(node)});
    else if (event == BENCH_EVENT_GIVES_UP)
        run(bench, (struct node_event){.kind = NODE_EVENT_TICK,
                                       .now_ms = node->copies[0].release.ask_deadline_ms});
    else
        run_letter(bench, event);
}

static uint64_t open_nonce(const struct node *node)
{
    return node->copies_count > 0 ? node->copies[0].release.nonce : 0;
}

static void renumber(struct node *node)
{
    if (open_nonce(node) != 0)
        node->copies[0].release.nonce = 1;
    node->nonce = open_nonce(node);
}

static uint8_t renumbered(const struct bench *bench, uint8_t nonce)
{
    if (bench->world->restarts > 0)
        return nonce;
    return nonce == open_nonce(bench->node) ? 1 : LETTER_NONCE_VOID;
}

static void note_actions(struct bench *bench, struct outcome *outcome)
{
    const struct node *node = bench->node;

    for (uint32_t i = 0; i < bench->actions->count; i++) {
        const struct node_action *action = &bench->actions->items[i];
        struct letter letter;

        outcome->undrains |= action->kind == NODE_ACTION_UNDRAIN;
        outcome->unmaps |= action->kind == NODE_ACTION_UNMAP;
        if (!letter_from_action(action, (unsigned)node->node_id - 1, node->boot, node->term,
                                &letter))
            continue;
        if (letter.kind == LETTER_ASK)
            letter.nonce = renumbered(bench, letter.nonce);
        CHECK(outcome->sent_count < BENCH_SENT_MAX);
        outcome->sent[outcome->sent_count++] = bench_letter_number(bench, letter);
    }
}

static struct memo *memo_slot(struct bench *bench, uint32_t key)
{
    size_t slot = key * UINT64_C(0x9e3779b97f4a7c15) % bench->memos_slots;

    while (bench->memos[slot].taken && bench->memos[slot].key != key)
        slot = (slot + 1) % bench->memos_slots;
    return &bench->memos[slot];
}

static void memos_grow(struct bench *bench)
{
    struct memo *old = bench->memos;
    size_t old_slots = bench->memos_slots;

    bench->memos_slots = old_slots == 0 ? 1 << 12 : old_slots * 2;
    bench->memos = zeroed(bench->memos_slots, sizeof *bench->memos);
    for (size_t i = 0; i < old_slots; i++)
        if (old[i].taken)
            *memo_slot(bench, old[i].key) = old[i];
    free(old);
}

const struct outcome *bench_step(struct bench *bench, uint16_t image, uint16_t event)
{
    uint32_t key = (uint32_t)image << 16 | event;
    struct memo *memo;
    uint64_t open;

    if (2 * bench->memos_count >= bench->memos_slots)
        memos_grow(bench);
    memo = memo_slot(bench, key);
    if (memo->taken)
        return &memo->outcome;
    image_restore(&bench->images[image], bench->bucket, bench->node);
    open = open_nonce(bench->node);
    run_event(bench, event);
    *memo = (struct memo){.key = key, .taken = true};
    note_actions(bench, &memo->outcome);
    if (bench->world->restarts == 0) {
        memo->outcome.voids = open != 0 && open != open_nonce(bench->node);
        renumber(bench->node);
    }
    memo->outcome.image = image_number(bench);
    bench->memos_count++;
    return &memo->outcome;
}

/* ---- the start ------------------------------------------------------------------------------- */

struct node_options bench_node_options(unsigned node, uint64_t boot, uint64_t term)
{
    return (struct node_options){.node_id = node + 1,
                                 .boot = boot,
                                 .term = term,
                                 .budget_bytes = 4096,
                                 .release_grace_ms = EXHAUST_GRACE_MS,
                                 .numa_count = 1};
}

struct bench *bench_new(const struct exhaust_world *world)
{
    struct bench *bench = zeroed(1, sizeof *bench);
    struct node_options options = bench_node_options(0, 1, EXHAUST_TERM);

    bench->world = world;
    bench->is_sound = true;
    bench->actions = zeroed(1, sizeof *bench->actions);
    bench->image_index = zeroed(IMAGE_SLOTS, sizeof *bench->image_index);
    bench->letters = zeroed(LETTERS_MAX, sizeof *bench->letters);
    bench->letter_index = zeroed(LETTER_SLOTS, sizeof *bench->letter_index);
    bench->bucket = image_bucket();
    bench->node = node_new(&options);
    bench->pristine = node_new(&options);
    CHECK(bench->node != NULL && bench->pristine != NULL);
    return bench;
}

struct bench *bench_free(struct bench *bench)
{
    (void)node_free(bench->node);
    (void)node_free(bench->pristine);
    free(bench->actions);
    free(bench->images);
    free(bench->sights);
    free(bench->image_index);
    free(bench->letters);
    free(bench->letter_index);
    free(bench->memos);
    free(bench);
    return NULL;
}

uint16_t bench_first_image(struct bench *bench, unsigned node)
{
    struct node_options options = bench_node_options(node, 1, EXHAUST_TERM);
    struct qn_epoch epoch = {EXHAUST_TERM, 1};
    struct segment_load_info load = exhaust_segment(epoch);
    struct message message = {.term = EXHAUST_TERM, .kind = MESSAGE_LOAD_SEGMENTS};

    message.load_segments = (struct load_segments){.segments = &load, .segments_count = 1};
    put_fresh(bench, &options);
    run(bench, (struct node_event){.kind = NODE_EVENT_MESSAGE, .message = &message});
    run(bench, (struct node_event){.kind = NODE_EVENT_LOADED, .segment_id = EXHAUST_SEGMENT});
    return image_number(bench);
}

const struct sight *bench_sight(const struct bench *bench, uint16_t image)
{
    CHECK(image < bench->images_count);
    return &bench->sights[image];
}

size_t bench_images_count(const struct bench *bench)
{
    return bench->images_count;
}

size_t bench_steps_count(const struct bench *bench)
{
    return bench->steps_count;
}

bool bench_is_clean(struct bench *bench)
{
    image_capture(bench->pristine, bench->bucket, &bench->scratch);
    image_restore(&bench->scratch, bench->bucket, bench->node);
    return memcmp(bench->node, bench->pristine, offsetof(struct node, hints)) == 0;
}

bool bench_is_sound(const struct bench *bench)
{
    return bench->is_sound;
}
