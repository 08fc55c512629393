/* SPDX-License-Identifier: Apache-2.0
 * What a segment file says of itself (FORMAT.md). */
#ifndef SEGSTORE_FACTS_H
#define SEGSTORE_FACTS_H

#include "qnode/types.h"

struct segment_facts {
    int64_t segment_id, collection_id, partition_id;
    uint64_t rows_count;
    uint32_t dim;
    enum qn_metric metric;
    uint64_t delete_generation;
    uint64_t resident_bytes; /* all resident sections, each rounded to 4 KiB */
    struct qn_hash content_hash;
};

#endif
