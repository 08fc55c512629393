/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/story.h"

#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>

enum { WHAT_COLUMNS = 46, STATE_COLUMNS = 10 };

size_t story_length(const struct walk *walk)
{
    struct walk_link link = walk->broken_by;
    size_t length = 0;

    for (; link.parent != UINT32_MAX; link = walk->links[link.parent])
        length++;
    return length;
}

static void describe_time(const struct walk_link *link, const struct sight *before,
                          char ret_text[64])
{
    unsigned node = link->node + 1u;

    if (link->event == BENCH_EVENT_RESTARTS)
        (void)snprintf(ret_text, 64, "%u: kill -9; starts empty as boot %u", node,
                       before->boot + 1u);
    else if (link->event == BENCH_EVENT_GIVES_UP)
        (void)snprintf(ret_text, 64, "%u: no answer in 2 s", node);
    else if (before->nonce != 0)
        (void)snprintf(ret_text, 64, "%u: no answer in 200 ms, asks again", node);
    else
        (void)snprintf(ret_text, 64, "%u: the grace is over", node);
}

static void print_states(const struct walk *walk, const struct situation *situation)
{
    for (unsigned n = 0; n < walk->world->nodes; n++) {
        const struct sight *sight = bench_sight(walk->bench, situation->images[n]);
        const char *state = qn_copy_state_name((enum qn_copy_state)sight->copy_state);
        const char *text = sight->copy_state == QN_COPY_ABSENT ? "-" : state;
        bool is_last = n + 1 == walk->world->nodes;

        if (sight->unmapping)
            text = "UNMAPPING";
        printf("%-*s", is_last ? 0 : STATE_COLUMNS, text);
    }
    printf("\n");
}

static void print_step(const struct walk *walk, size_t number, const struct walk_link *link,
                       const struct situation *after)
{
    static const char *const ways[] = {"", "lost: ", "twice: "};
    const struct situation *before = &walk->situations[link->parent];
    char text[64], line[96];

    if (link->event >= BENCH_EVENT_WAKES)
        describe_time(link, bench_sight(walk->bench, before->images[link->node]), text);
    else
        letter_describe(bench_letter(walk->bench, link->event), walk->world, text);
    (void)snprintf(line, sizeof line, "%s%s", ways[link->way], text);
    printf("%4zu  %-*s  ", number, WHAT_COLUMNS - 4, line);
    print_states(walk, after);
}

static void print_head(const struct walk *walk)
{
    printf("%4s  %-*s  ", "step", WHAT_COLUMNS - 4, "what comes");
    for (unsigned n = 1; n <= walk->world->nodes; n++)
        printf("node %-*u", n == walk->world->nodes ? 0 : STATE_COLUMNS - 5, n);
    printf("\n");
}

void story_print(const struct walk *walk)
{
    size_t length = story_length(walk), left = length;
    struct walk_link *links = calloc(length + 1, sizeof *links);

    CHECK(links != NULL);
    for (struct walk_link link = walk->broken_by; left > 0; link = walk->links[link.parent])
        links[--left] = link;
    printf("The shortest schedule that breaks a rule%s:\n",
           walk->world->restarts > 0 ? " (ask B.N: of the asker's boot B)" : "");
    print_head(walk);
    printf("%4d  %-*s  ", 0, WHAT_COLUMNS - 4, "the start");
    print_states(walk, &walk->situations[0]);
    for (size_t i = 0; i < length; i++)
        print_step(walk, i + 1, &links[i],
                   i + 1 < length ? &walk->situations[links[i + 1].parent] : &walk->broken);
    printf("broken: %s\n", walk->violation);
    free(links);
}
