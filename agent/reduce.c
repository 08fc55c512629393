/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reduce.h"

#include <string.h>

void reduce_merge(struct topk *into, const struct topk *from, uint32_t nq)
{
    for (uint32_t q = 0; q < nq; q++)
        for (uint32_t i = 0; i < from[q].count; i++)
            topk_push(&into[q], from[q].hits[i]);
}

size_t reduce_collect(struct topk *topks, uint32_t nq, uint32_t *ret_counts,
                      struct qn_hit *ret_hits)
{
    size_t hits_count = 0;

    for (uint32_t q = 0; q < nq; q++) {
        topk_sort(&topks[q]);
        memcpy(ret_hits + hits_count, topks[q].hits, topks[q].count * sizeof *ret_hits);
        ret_counts[q] = topks[q].count;
        hits_count += topks[q].count;
    }
    return hits_count;
}

size_t reduce_parts(const uint32_t *counts, uint32_t nq, const struct reduce_room *room,
                    struct reduce_part *ret_parts)
{
    size_t parts_count = 1;
    size_t free_bytes = room->part_bytes;
    struct reduce_part *part = &ret_parts[0];

    if (room->part_bytes < room->envelope_bytes + room->head_bytes)
        return 0;
    free_bytes -= room->envelope_bytes + room->head_bytes;
    *part = (struct reduce_part){0};
    for (uint32_t q = 0; q < nq; q++) {
        size_t need_bytes = REDUCE_QUERY_BYTES + (size_t)counts[q] * REDUCE_HIT_BYTES;
        if (need_bytes > room->part_bytes - room->envelope_bytes)
            return 0;
        if (need_bytes > free_bytes) {
            struct reduce_part *next = &ret_parts[parts_count++];
            *next = (struct reduce_part){.first_query = q,
                                         .first_hit = part->first_hit + part->hits_count};
            part = next;
            free_bytes = room->part_bytes - room->envelope_bytes;
        }
        free_bytes -= need_bytes;
        part->queries_count++;
        part->hits_count += counts[q];
    }
    return parts_count;
}
