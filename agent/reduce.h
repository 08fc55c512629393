/* SPDX-License-Identifier: Apache-2.0
 * From the chunks of one search to its answer: the best of all, cut into parts that fit the bus.
 * Pure. */
#ifndef AGENT_REDUCE_H
#define AGENT_REDUCE_H

#include "segstore/topk.h"

/* into[q] takes the hits of from[q]; neither is sorted yet. */
void reduce_merge(struct topk *into, const struct topk *from, uint32_t nq);
/* Sorts topks[0..nq) and lays their hits end to end. Returns the number of hits. */
size_t reduce_collect(struct topk *topks, uint32_t nq, uint32_t *ret_counts,
                      struct qn_hit *ret_hits);

/* Queries first_query .. first_query + queries_count, whose hits begin at first_hit. */
struct reduce_part {
    uint32_t first_query, queries_count;
    size_t first_hit, hits_count;
};

/* What a part may hold: part_bytes in all, of which every part needs envelope_bytes and part 0
 * head_bytes more (covered, epochs, refusals). */
struct reduce_room {
    size_t part_bytes, envelope_bytes, head_bytes;
};

/* Bytes one hit and one query take on the wire, at most. */
enum { REDUCE_HIT_BYTES = 12, REDUCE_QUERY_BYTES = 5 };

/* Cuts between queries, never within one (lists are never cut short). ret_parts has room for
 * nq + 1. Returns the number of parts, at least 1; 0 when something does not fit one part. */
size_t reduce_parts(const uint32_t *counts, uint32_t nq, const struct reduce_room *room,
                    struct reduce_part *ret_parts);

#endif
