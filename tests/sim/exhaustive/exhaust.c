/* SPDX-License-Identifier: Apache-2.0
 * qnode-exhaust: walks every situation of the small worlds. */
#include "base/check.h"
#include "tests/sim/exhaustive/story.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITUATIONS_MAX = 8 << 20 };

static const char help[] =
    "Walks small worlds of two and three real nodes with one segment to the end:\n"
    "every order of messages, losses, repeats, late replies, waits and restarts.\n"
    "\n"
    "usage: qnode-exhaust [--world NAME] [--divide N] [--for-good] [--list] [--help]\n"
    "  --world NAME  this world alone\n"
    "  --divide N    N > 1: one loss, repeat and resend less in each world, for\n"
    "                builds with sanitizers\n"
    "  --for-good    let it pass that searches are turned away while a copy drains\n"
    "                that may still be kept: only the last unmapping is a loss\n"
    "  --list        the worlds and what they ask\n"
    "\n"
    "Bound: L losses, R repeats, A asks resent, K kills; time is unbounded.\n"
    "Ends: nothing is on its way and nothing waits; `none`: of them without a\n"
    "copy, by a kill or FORCE. Exit 1: a rule is broken, and how is printed.\n";

struct arguments {
    const char *world;
    unsigned long divide;
    bool lists, for_good;
};

static void list_worlds(void)
{
    for (size_t i = 0; i < exhaust_worlds_count(); i++)
        printf("%-15s %s\n", exhaust_world_at(i)->name, exhaust_world_at(i)->about);
}

static bool read_arguments(int count, char **texts, struct arguments *arguments)
{
    *arguments = (struct arguments){.divide = 1};
    for (int i = 1; i < count; i++) {
        bool has_value = i + 1 < count;

        if (strcmp(texts[i], "--world") == 0 && has_value)
            arguments->world = texts[++i];
        else if (strcmp(texts[i], "--divide") == 0 && has_value)
            arguments->divide = strtoul(texts[++i], NULL, 10);
        else if (strcmp(texts[i], "--list") == 0)
            arguments->lists = true;
        else if (strcmp(texts[i], "--for-good") == 0)
            arguments->for_good = true;
        else
            return false;
    }
    return arguments->divide > 0;
}

static uint8_t less(uint8_t faults)
{
    return faults > 0 ? (uint8_t)(faults - 1) : 0;
}

struct sums {
    size_t situations, steps, real_steps, excused, replays, passed, failed;
};

/* True: no rule was broken. */
static bool live(const struct exhaust_world *world, bool for_good, struct sums *sums)
{
    struct walk walk;
    char bound[32];

    walk_init(&walk, world, SITUATIONS_MAX);
    walk.for_good = for_good;
    walk_run(&walk);
    (void)snprintf(bound, sizeof bound, "L%u R%u A%u K%u", world->losses, world->repeats,
                   world->resends, world->restarts);
    printf("%-15s %5u  %-11s %9zu %5zu %8zu %8zu %10d\n", world->name, world->nodes, bound,
           walk.count, walk.depth, walk.ends, walk.lost_ends, walk.violation != NULL);
    sums->situations += walk.count;
    sums->steps += walk.transitions;
    sums->real_steps += bench_steps_count(walk.bench);
    sums->excused += walk.excused;
    sums->replays += walk.replays;
    if (walk.doubt != NULL)
        printf("broken: %s\n", walk.doubt);
    else if (walk.violation != NULL)
        story_print(&walk);
    walk_done(&walk);
    return walk.violation == NULL;
}

static void print_sums(const struct sums *sums)
{
    printf("%zu states, %zu steps (%zu runs of node_step made them),\n", sums->situations,
           sums->steps, sums->real_steps);
    printf("%zu of them lost all by a kill or FORCE; %zu schedules lived again\n", sums->excused,
           sums->replays);
    printf("%zu worlds: %zu passed, %zu failed\n", sums->passed + sums->failed, sums->passed,
           sums->failed);
}

int main(int argc, char **argv)
{
    struct sums sums = {0};
    struct arguments arguments;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    if (!read_arguments(argc, argv, &arguments)) {
        (void)fputs(help, stderr);
        return 2;
    }
    if (arguments.lists) {
        list_worlds();
        return 0;
    }
    printf("%-15s %5s  %-11s %9s %5s %8s %8s %10s\n", "world", "nodes", "bound", "states", "depth",
           "ends", "none", "violations");
    for (size_t i = 0; i < exhaust_worlds_count(); i++) {
        struct exhaust_world world = *exhaust_world_at(i);

        if (arguments.world != NULL && strcmp(arguments.world, world.name) != 0)
            continue;
        if (arguments.divide > 1) {
            world.losses = less(world.losses);
            world.repeats = less(world.repeats);
            world.resends = less(world.resends);
        }
        if (live(&world, arguments.for_good, &sums))
            sums.passed++;
        else
            sums.failed++;
    }
    if (sums.passed + sums.failed == 0) {
        (void)fprintf(stderr, "qnode-exhaust: %s: no such world; --list names them\n",
                      arguments.world);
        return 2;
    }
    print_sums(&sums);
    return sums.failed > 0;
}
