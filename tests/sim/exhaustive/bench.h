/* SPDX-License-Identifier: Apache-2.0
 * One real judgement (agent/node.h) that plays every node of a world in turn.
 *
 * A struct node is a few MiB, and a walk meets millions of situations: too dear to copy, too slow
 * to replay. But of one segment only a few KiB of it can change, and those, with times shifted so
 * that it is always the same moment, are few different images: some hundreds per world. So images
 * are numbered, a situation holds the numbers, and what an event makes of an image is computed once
 * by node_step and remembered: the judgement is pure, the same image and event give the same image
 * and actions. What an image leaves out must not matter: bench_is_clean looks whether all the rest
 * of the node is as it was made, and replay.c lives schedules again without any image.
 *
 * Clocks: each node has its own, and each may wait however long before anything else happens: no
 * two nodes' clocks are compared, as C6 promises to use none.
 *
 * Numbers of asks: that an ask is the 5th of its node means nothing, that it is the open one does.
 * So the open ask of every image has number 1, and letters of older ones get LETTER_NONCE_VOID, a
 * number that no ask has; they stay on their way, and come. Where nodes restart, numbers stay what
 * they are, for those of one boot may meet those of the next. */
#ifndef TESTS_SIM_EXHAUSTIVE_BENCH_H
#define TESTS_SIM_EXHAUSTIVE_BENCH_H

#include "tests/sim/exhaustive/letters.h"
#include "tests/sim/exhaustive/sight.h"

/* Events that are no letter. */
enum {
    BENCH_EVENT_WAKES = 0xff00, /* time passes until node_wake_ms */
    BENCH_EVENT_GIVES_UP,       /* time passes until the open ask's deadline, at one go */
    BENCH_EVENT_RESTARTS,       /* the process is killed; a new one, of the next boot, is empty */
    BENCH_SENT_MAX = 6,
};

struct outcome {
    uint16_t image;
    bool undrains, unmaps;
    bool voids; /* the ask that was open is closed: letters with its number are void now */
    uint8_t sent_count;
    uint16_t sent[BENCH_SENT_MAX]; /* letters by number */
};

struct bench;

struct bench *bench_new(const struct exhaust_world *world);
struct bench *bench_free(struct bench *bench);
/* The image of a node (by index) that serves 5.1 in boot 1. */
uint16_t bench_first_image(struct bench *bench, unsigned node);
uint16_t bench_letter_number(struct bench *bench, struct letter letter);
const struct letter *bench_letter(const struct bench *bench, uint16_t number);
const struct sight *bench_sight(const struct bench *bench, uint16_t image);
/* event: a letter's number or BENCH_EVENT_*. Valid until the next call. */
const struct outcome *bench_step(struct bench *bench, uint16_t image, uint16_t event);
size_t bench_images_count(const struct bench *bench);
size_t bench_steps_count(const struct bench *bench); /* node_step really ran */
/* Nothing beyond the images was ever touched. */
bool bench_is_clean(struct bench *bench);
/* node_verify held after every step. A loss is what a schedule is wanted for, so this is asked
 * last. */
bool bench_is_sound(const struct bench *bench);
/* Shared with replay.c. */
struct node_options bench_node_options(unsigned node, uint64_t boot, uint64_t term);

#endif
