/* SPDX-License-Identifier: Apache-2.0
 * Search by a graph and its codes, behind search.h. */
#ifndef SEGSTORE_GRAPH_H
#define SEGSTORE_GRAPH_H

#include "segstore/flat.h"

/* What graph_search wants of options->scratch, 64-byte aligned. */
size_t graph_scratch_bytes(const struct graph_section *graph, const struct search_options *options,
                           uint32_t nq);
enum qn_status graph_search(struct scan *scan);

#endif
