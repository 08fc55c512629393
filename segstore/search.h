/* SPDX-License-Identifier: Apache-2.0
 * Top-k over one segment: exact, or by its index. Distances are defined in FORMAT.md and DESIGN
 * section 4: the same bits from every kernel. */
#ifndef SEGSTORE_SEARCH_H
#define SEGSTORE_SEARCH_H

#include "segstore/segment.h"
#include "segstore/topk.h"

struct search_options {
    uint32_t k;
    /* Of segments with an index. recall: what its calibration holds to reach it; 0 or 1: an exact
     * search. Instead, if not 0: of an ivf nprobe, lists that are looked at, of a graph ef, rows
     * that its walk keeps; and of both refine, candidates that are computed exactly (at least k).
     */
    float recall;
    uint32_t nprobe, ef, refine;
    /* Where an index leads to fewer rows than are wanted all are looked at, if not for this. */
    bool is_by_index_alone;
    void *scratch; /* search_scratch_bytes, 64-byte aligned; NULL if that is 0 */
    /* Asked once per block of work (about 1 ms): true ends the search with QN_STATUS_TIMEOUT. */
    bool (*stop)(void *owner);
    void *stop_owner;
};

/* Queries that are searched together, as the scans want them; read by any number of threads. */
struct search_queries {
    uint32_t dim, nq;
    const float *rows; /* nq x dim */
    const float
        *tiles; /* KERNEL_TILE_QUERIES at a time, interleaved; NULL: nq is small, or a part */
    const double *squares; /* nq: squared lengths; NULL likewise */
};

/* Checks queries [nq x dim]: finite; for cosine normalises them in place (a zero query is refused).
 * QN_STATUS_INVALID names the query and why. */
enum qn_status search_prepare_queries(enum qn_metric metric, uint32_t dim, uint32_t nq,
                                      float *queries, struct qn_error *error);

/* What search_queries_init wants of storage, 64-byte aligned; may be 0. */
size_t search_queries_bytes(uint32_t dim, uint32_t nq);
/* rows: prepared, nq x dim, 4-byte aligned; they and storage stay while the queries are used. */
void search_queries_init(struct search_queries *queries, uint32_t dim, uint32_t nq,
                         const float *rows, void *storage);

/* count of them from first on: with tiles if they begin and end with one. */
struct search_queries search_queries_part(const struct search_queries *all, uint32_t first,
                                          uint32_t count);
/* So many queries, or a multiple, are searched about as cheaply on their own as among others. */
uint32_t search_slice_queries(const struct segment *segment, const struct search_options *options);

/* What one query costs, in multiply-adds of the flat scan; an estimate, for who plans. */
uint64_t search_work(const struct segment *segment, const struct search_options *options);
/* What a search of this segment for nq queries (or fewer) wants of options->scratch. */
size_t search_scratch_bytes(const struct segment *segment, const struct search_options *options,
                            uint32_t nq);

/* Merges the segment's best into topks[0..nq). Hits of earlier segments stay if they are better;
 * equal primary keys are kept once, the better. After QN_STATUS_TIMEOUT the topks hold a part of
 * the segment's hits: not to be used. */
enum qn_status search_segment(const struct segment *segment, const struct search_queries *queries,
                              const struct search_options *options, struct topk *topks);

#endif
