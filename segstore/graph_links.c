/* SPDX-License-Identifier: Apache-2.0
 * A row keeps a link to a candidate unless a link that it has leads nearer to it (Malkov and
 * Yashunin; Subramanya et al., NeurIPS 2019). */
#include "segstore/graph_links.h"

#include "segstore/kernels/kernels.h"
#include <sched.h>
#include <string.h>

/* A link leads so much nearer, or does not count (squared). */
static const double alpha = 1.1;

const uint8_t *graph_links_code(const struct graph_links *links, uint32_t row)
{
    return links->graph->codes + (size_t)row * links->graph->code_dims;
}

static uint32_t *links_of(const struct graph_links *links, uint32_t row)
{
    return links->links + (size_t)row * links->graph->shape.degree;
}

const uint32_t *graph_links_of(const struct graph_links *links, uint32_t row)
{
    return links_of(links, row);
}

uint32_t graph_links_count(const struct graph_links *links, uint32_t row)
{
    const uint32_t *own = links_of(links, row);
    uint32_t count = 0;

    while (count < links->graph->shape.degree && own[count] != row)
        count++;
    return count;
}

static void lock_row(struct graph_links *links, uint32_t row)
{
    while (atomic_exchange_explicit(&links->locks[row], 1, memory_order_acquire) != 0)
        sched_yield();
}

static void unlock_row(struct graph_links *links, uint32_t row)
{
    atomic_store_explicit(&links->locks[row], 0, memory_order_release);
}

static void put_link(uint32_t *link, uint32_t row)
{
    __atomic_store_n(link, row, __ATOMIC_RELAXED);
}

static void write_links(struct graph_links *links, uint32_t row, const uint32_t *kept,
                        uint32_t count)
{
    for (uint32_t i = 0; i < links->graph->shape.degree; i++)
        put_link(&links_of(links, row)[i], i < count ? kept[i] : row);
}

void graph_links_clear(struct graph_links *links, uint32_t row)
{
    write_links(links, row, NULL, 0);
}

static void compare(const struct graph_links *links, uint32_t row, const uint32_t *rows,
                    size_t count, uint32_t *ret_distances)
{
    kernels_current()->points(&(struct kernel_points){.codes = links->graph->codes,
                                                      .query = graph_links_code(links, row),
                                                      .dims = links->graph->code_dims,
                                                      .rows = rows,
                                                      .rows_count = count,
                                                      .ret_distances = ret_distances});
}

/* A link that is kept leads nearer to the candidate. */
static bool is_led_to(const struct graph_links *links, graph_seen candidate, const uint32_t *kept,
                      uint32_t kept_count)
{
    enum { STEP = 8 };
    uint32_t distances[STEP];

    for (uint32_t first = 0; first < kept_count; first += STEP) {
        uint32_t count = kept_count - first < STEP ? kept_count - first : STEP;
        compare(links, graph_seen_row(candidate), kept + first, count, distances);
        for (uint32_t i = 0; i < count; i++)
            if (alpha * distances[i] <= graph_seen_distance(candidate))
                return true;
    }
    return false;
}

/* How many of the candidates are kept, at most degree. */
static uint32_t choose(const struct graph_links *links, uint32_t row,
                       const struct graph_candidates *candidates, uint32_t *ret_kept)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < candidates->count && kept < links->degree; i++)
        if (graph_seen_row(candidates->seen[i]) != row &&
            !is_led_to(links, candidates->seen[i], ret_kept, kept))
            ret_kept[kept++] = graph_seen_row(candidates->seen[i]);
    return kept;
}

static void add_candidate(struct graph_candidates *candidates, uint32_t row, uint32_t distance)
{
    const graph_seen seen = graph_seen_of(distance, row);
    graph_seen *all = candidates->seen;
    uint32_t at = candidates->count;

    while (at > 0 && all[at - 1] > seen)
        at--;
    if (at > 0 && all[at - 1] == seen)
        return;
    memmove(&all[at + 1], &all[at], (candidates->count - at) * sizeof *all);
    all[at] = seen;
    candidates->count++;
}

/* With the row's lock. candidates has room for the row's links. */
static void relink(struct graph_links *links, uint32_t row, struct graph_candidates *candidates)
{
    const uint32_t others_count = graph_links_count(links, row);
    uint32_t others[GRAPH_ROOM_MAX], distances[GRAPH_ROOM_MAX], kept[GRAPH_DEGREE_MAX];

    memcpy(others, links_of(links, row), others_count * sizeof *others);
    compare(links, row, others, others_count, distances);
    for (uint32_t i = 0; i < others_count; i++)
        add_candidate(candidates, others[i], distances[i]);
    write_links(links, row, kept, choose(links, row, candidates, kept));
}

static bool has_link(const struct graph_links *links, uint32_t row, uint32_t count, uint32_t to)
{
    for (uint32_t i = 0; i < count; i++)
        if (links_of(links, row)[i] == to)
            return true;
    return false;
}

static void link_back(struct graph_links *links, uint32_t row, uint32_t to)
{
    struct graph_candidates candidates = {.count = 0};
    uint32_t distance;

    lock_row(links, row);
    const uint32_t count = graph_links_count(links, row);
    if (!has_link(links, row, count, to)) {
        if (count < links->graph->shape.degree) {
            put_link(&links_of(links, row)[count], to);
        } else {
            compare(links, row, &to, 1, &distance);
            add_candidate(&candidates, to, distance);
            relink(links, row, &candidates);
        }
    }
    unlock_row(links, row);
}

void graph_links_join(struct graph_links *links, uint32_t row, struct graph_candidates *candidates)
{
    uint32_t joined[GRAPH_DEGREE_MAX];

    lock_row(links, row);
    relink(links, row, candidates);
    const uint32_t count = graph_links_count(links, row);
    memcpy(joined, links_of(links, row), count * sizeof *joined);
    unlock_row(links, row);
    for (uint32_t i = 0; i < count; i++)
        link_back(links, joined[i], row);
}

void graph_links_thin_out(struct graph_links *links, uint32_t row)
{
    struct graph_candidates candidates = {.count = 0};

    if (graph_links_count(links, row) > links->degree)
        relink(links, row, &candidates);
}
