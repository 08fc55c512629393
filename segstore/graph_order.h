/* SPDX-License-Identifier: Apache-2.0
 * The order of a graph's rows in memory: near those that they are linked to. */
#ifndef SEGSTORE_GRAPH_ORDER_H
#define SEGSTORE_GRAPH_ORDER_H

#include "segstore/graph_links.h"

/* ret_order: rows_count, which row comes first, second, ...; the entries stay the first rows.
 * ret_places: rows_count, the inverse. */
void graph_order(const struct graph_links *links, uint32_t *ret_order, uint32_t *ret_places);

#endif
