/* SPDX-License-Identifier: Apache-2.0
 * Makes every row of a graph one that a search can reach. Of rows that are equal each keeps a link
 * to one of the others, and the links back to most of them were thinned out: without this they
 * would never be found. */
#ifndef SEGSTORE_GRAPH_CONNECT_H
#define SEGSTORE_GRAPH_CONNECT_H

#include "segstore/graph_section.h"

/* graph: its shape's degree is the room of a row. links: the same, to be changed; a row has at most
 * degree of them, before and afterwards. QN_STATUS_NO_MEMORY. */
enum qn_status graph_connect(const struct graph_section *graph, uint32_t *links, uint32_t degree,
                             struct qn_error *error);

#endif
