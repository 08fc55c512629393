/* SPDX-License-Identifier: Apache-2.0
 * What the links lead to from the entries on is reached. A row that is not is searched for, as a
 * query is: a row near it that was met leads to it from now on. If none of them has room, the
 * nearest gives up a link, which the new row takes over, so that what was reached stays so. */
#include "segstore/graph_connect.h"

#include "base/error.h"
#include "segstore/graph_walk.h"
#include <stdlib.h>

enum {
    EF = 64,
    NEAR = 16, /* so many of the rows that were met are asked for room */
};

struct connecting {
    const struct graph_section *graph;
    uint32_t *links;
    uint32_t degree;
    uint32_t *reached; /* rows_count: those that are, .. */
    bool *is_reached;
    uint64_t reached_count, followed_count; /* .. and of them those whose links are, too */
    struct graph_walk walk;
    void *memory;
};

static uint32_t *links_of(const struct connecting *connecting, uint32_t row)
{
    return connecting->links + (size_t)row * connecting->graph->shape.degree;
}

static uint32_t links_count(const struct connecting *connecting, uint32_t row)
{
    uint32_t count = 0;

    while (count < connecting->degree && links_of(connecting, row)[count] != row)
        count++;
    return count;
}

static void reach(struct connecting *connecting, uint32_t row)
{
    if (connecting->is_reached[row])
        return;
    connecting->is_reached[row] = true;
    connecting->reached[connecting->reached_count++] = row;
}

static void follow_links(struct connecting *connecting)
{
    while (connecting->followed_count < connecting->reached_count) {
        const uint32_t row = connecting->reached[connecting->followed_count++];
        const uint32_t count = links_count(connecting, row);
        for (uint32_t i = 0; i < count; i++)
            reach(connecting, links_of(connecting, row)[i]);
    }
}

/* Of the rows near row, one with room for a link; the nearest if none has. */
static uint32_t find_near(struct connecting *connecting, uint32_t row)
{
    const struct graph_section *graph = connecting->graph;
    struct graph_walk *walk = &connecting->walk;

    graph_walk_begin(walk, graph->codes + (size_t)row * graph->code_dims, graph->shape.entries);
    while (graph_walk_look(walk))
        graph_walk_take(walk);
    for (uint32_t i = 0; i < walk->pool.count && i < NEAR; i++)
        if (links_count(connecting, graph_walk_row(walk, i)) < connecting->degree)
            return graph_walk_row(walk, i);
    return graph_walk_row(walk, 0);
}

/* If row has no room, its last link goes: whatever it led to was not reached that way. */
static void put_link(const struct connecting *connecting, uint32_t row, uint32_t to)
{
    uint32_t *links = links_of(connecting, row);
    const uint32_t count = links_count(connecting, row);

    for (uint32_t i = 0; i < count; i++)
        if (links[i] == to)
            return;
    links[count < connecting->degree ? count : count - 1] = to;
}

static void lead(const struct connecting *connecting, uint32_t from, uint32_t to)
{
    if (links_count(connecting, from) == connecting->degree)
        put_link(connecting, to, links_of(connecting, from)[connecting->degree - 1]);
    put_link(connecting, from, to);
}

static enum qn_status take_memory(struct connecting *connecting, struct qn_error *error)
{
    const uint64_t rows_count = connecting->graph->shape.rows_count;

    connecting->reached = calloc(rows_count, sizeof *connecting->reached);
    connecting->is_reached = calloc(rows_count, sizeof *connecting->is_reached);
    connecting->memory = aligned_alloc(SECTION_ALIGNMENT, graph_walk_bytes(connecting->graph, EF));
    if (connecting->reached == NULL || connecting->is_reached == NULL || connecting->memory == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    graph_walk_init(&connecting->walk, connecting->graph, EF, EF, connecting->memory);
    return QN_STATUS_OK;
}

enum qn_status graph_connect(const struct graph_section *graph, uint32_t *links, uint32_t degree,
                             struct qn_error *error)
{
    struct connecting connecting = {.graph = graph, .links = links, .degree = degree};
    enum qn_status status = take_memory(&connecting, error);

    if (status == QN_STATUS_OK) {
        for (uint32_t i = 0; i < graph->shape.entries; i++)
            reach(&connecting, i);
        follow_links(&connecting);
        for (uint64_t i = 0; i < graph->shape.rows_count; i++) {
            const uint32_t row = (uint32_t)i;
            if (connecting.is_reached[row])
                continue;
            lead(&connecting, find_near(&connecting, row), row);
            reach(&connecting, row);
            follow_links(&connecting);
        }
    }
    free(connecting.reached);
    free(connecting.is_reached);
    free(connecting.memory);
    return status;
}
