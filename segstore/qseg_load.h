/* SPDX-License-Identifier: Apache-2.0
 * What qseg search reads: segments into memory, and the truth. */
#ifndef SEGSTORE_QSEG_LOAD_H
#define SEGSTORE_QSEG_LOAD_H

#include "segstore/segment.h"
#include "segstore/topk.h"

struct qseg_segments {
    struct segment **items;
    size_t count;
    enum qn_metric metric; /* of all of them */
    uint32_t dim;
    uint64_t rows_count, resident_bytes;
    double load_seconds;
};

/* Loads files, and for folders the files of their manifests, on `loaders` threads. */
enum qn_status qseg_segments_load(char **paths, size_t paths_count, unsigned loaders,
                                  struct qseg_segments *ret_segments, struct qn_error *error);
void qseg_segments_free(struct qseg_segments *segments);

/* .ibin */
struct qseg_truth_file {
    uint32_t queries_count, k;
    unsigned char *ids; /* queries_count x k, i32 little-endian; free() it */
};

enum qn_status qseg_truth_read(const char *path, struct qseg_truth_file *ret_truth,
                               struct qn_error *error);
/* How many of the first k true neighbours of a query exist. */
uint32_t qseg_truth_count(const struct qseg_truth_file *truth, uint64_t query, uint32_t k);
/* How many of the first `count` are among the hits. */
uint32_t qseg_truth_found(const struct qseg_truth_file *truth, uint64_t query, uint32_t count,
                          const struct topk *hits);

#endif
