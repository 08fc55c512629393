/* SPDX-License-Identifier: Apache-2.0
 * Ball by ball: a row, then those that it leads to, breadth first, until a ball is about as large
 * as a few pages of memory; the next one begins at a row that the balls so far lead to. A walk's
 * step then touches few pages, not one for each link. */
#include "segstore/graph_order.h"

#include "base/check.h"

#include <string.h>

enum { BALL_ROWS = 256 };

struct ordering {
    const struct graph_links *links;
    uint32_t *order, *places;
    uint64_t rows_count, count; /* placed */
    uint64_t followed;          /* of the placed: all before it lead to placed rows only */
};

static bool is_placed(const struct ordering *ordering, uint32_t row)
{
    return ordering->places[row] != UINT32_MAX;
}

static void place(struct ordering *ordering, uint32_t row)
{
    ordering->places[row] = (uint32_t)ordering->count;
    ordering->order[ordering->count++] = row;
}

/* A row that placed rows lead to: there is one as long as rows are left (graph_connect.h). */
static uint32_t next_centre(struct ordering *ordering)
{
    for (; ordering->followed < ordering->count; ordering->followed++) {
        const uint32_t row = ordering->order[ordering->followed];
        const uint32_t count = graph_links_count(ordering->links, row);
        for (uint32_t i = 0; i < count; i++)
            if (!is_placed(ordering, graph_links_of(ordering->links, row)[i]))
                return graph_links_of(ordering->links, row)[i];
    }
    CHECK(false);
}

static void place_ball(struct ordering *ordering, uint32_t centre)
{
    const uint64_t end = ordering->count + BALL_ROWS;

    place(ordering, centre);
    for (uint64_t at = ordering->count - 1; at < ordering->count; at++) {
        const uint32_t row = ordering->order[at];
        const uint32_t count = graph_links_count(ordering->links, row);
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t link = graph_links_of(ordering->links, row)[i];
            if (ordering->count == end)
                return;
            if (!is_placed(ordering, link))
                place(ordering, link);
        }
    }
}

void graph_order(const struct graph_links *links, uint32_t *ret_order, uint32_t *ret_places)
{
    struct ordering ordering = {.links = links,
                                .order = ret_order,
                                .places = ret_places,
                                .rows_count = links->graph->shape.rows_count};

    memset(ret_places, 0xff, ordering.rows_count * sizeof *ret_places);
    for (uint32_t entry = 0; entry < links->graph->shape.entries; entry++)
        place(&ordering, entry);
    while (ordering.count < ordering.rows_count)
        place_ball(&ordering, next_centre(&ordering));
}
