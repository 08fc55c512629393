/* SPDX-License-Identifier: Apache-2.0
 * Brute force, written apart from the store: every row, one by one, in the order of operations that
 * FORMAT.md section 3 defines. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "tests/sim/collection.h"

/* Which rows are searched: those of the readable segments of that version and of the partitions
 * (count 0: all), but not of the excluded segments. */
struct oracle_scope {
    uint64_t readable_version;
    const int64_t *partition_ids;
    size_t partition_ids_count;
    const int64_t *excluded_segment_ids;
    size_t excluded_count;
};

/* The k best with distinct keys, best first; returns how many. query: as the client gave it. */
size_t oracle_search(const struct collection *collection, const struct oracle_scope *scope,
                     const float *query, uint32_t k, struct qn_hit *ret_hits);

#endif
