/* SPDX-License-Identifier: Apache-2.0
 * Distance kernels, one table per instruction set; all give the same bits (FORMAT.md section 3).
 * The choice is made once per process, by CPUID and the environment's QNODE_KERNELS. */
#ifndef SEGSTORE_KERNELS_KERNELS_H
#define SEGSTORE_KERNELS_KERNELS_H

#include "base/limits.h"
#include "qnode/types.h"

/* Every query against every block. */
struct kernel_job {
    const float *queries; /* queries_count x dim */
    const float *blocks;  /* blocks_count blocks of dim x 16 floats, one after the other */
    size_t dim, queries_count, blocks_count;
    float *ret_distances; /* queries_count x (blocks_count x 16) */
};

enum { KERNEL_TILE_QUERIES = 12, KERNEL_PAIRS = 4, KERNEL_CODE_QUERIES = 4 };

/* A tile of queries against blocks, some of the dimensions: inner products with one sum for each
 * query and row, the dimensions in order, so that the whole of them has the bits of ip. With bounds
 * it tells in which blocks a row may enter (kernel_sieve), while the sums are in registers. */
struct kernel_tile {
    const float *queries; /* dims x KERNEL_TILE_QUERIES */
    const float *blocks;  /* the first of those dimensions of the first block */
    size_t block_floats;  /* from one block to the next */
    size_t dims, blocks_count;
    bool is_first;       /* the sums begin at 0; else they go on */
    float *sums;         /* blocks_count x KERNEL_TILE_QUERIES x 16, 64-byte aligned */
    const float *terms;  /* blocks_count x 16; NULL: none */
    const float *bounds; /* KERNEL_TILE_QUERIES, and at most 32 blocks; NULL: the sums alone */
};

/* Which rows of a block may enter: bit r of ret_masks[q] is set unless
 * sums[q][r] - terms[r] < bounds[q]. What is not a number passes. */
struct kernel_sieve {
    const float *sums;   /* of one block */
    const float *terms;  /* 16; NULL: none */
    const float *bounds; /* KERNEL_TILE_QUERIES */
    uint16_t *ret_masks; /* KERNEL_TILE_QUERIES */
};

/* Pairs of a query and a block that have nothing to do with each other. */
struct kernel_pairs {
    const float *queries[KERNEL_PAIRS]; /* dim */
    const float *blocks[KERNEL_PAIRS];  /* dim x 16 */
    size_t dim;
    float *ret_distances; /* KERNEL_PAIRS x 16 */
};

/* One query against rows that lie anywhere. */
struct kernel_rows {
    const void *rows[LIMIT_BLOCK_ROWS]; /* dim each: floats, or halves (uint16_t) */
    size_t rows_count;                  /* 1 to 16; the others are rows, too, but do not matter */
    const float *query;
    size_t dim;
    float *ret_distances; /* 16 */
};

/* A query of kernel_codes. */
struct kernel_code_query {
    const int8_t *codes; /* dims, from -127 to 127; 4-byte aligned */
    int32_t centre;      /* what its product with a row whose codes are all in the middle is */
    float base, scale, bound;
    float *ret_estimates; /* blocks_count x 16 */
    uint16_t *ret_masks;  /* blocks_count: which are not below bound */
};

/* Codes of rows that follow each other, 16 side by side, against a few queries. dot is the sum of
 * row code x query code in integers; a row's estimate is, each step rounded,
 * fma(scale of the row, query.scale * (dot - centre), base + term of the row). */
struct kernel_codes {
    /* Each block, 4 dimensions after 4 of its 16 rows: 64 bytes, of which the low 7 bits count; of
     * 4-bit codes the low halves, then the next 4 dimensions in the high halves. */
    const uint8_t *codes;
    const float *scales; /* blocks_count x 16 */
    const float *terms;  /* blocks_count x 16; NULL: none */
    size_t dims;         /* padded to a multiple of 8 */
    size_t blocks_count, queries_count;
    const struct kernel_code_query *queries; /* at most KERNEL_CODE_QUERIES */
};

/* One code against codes that lie anywhere: sums of squared differences. */
struct kernel_points {
    const uint8_t *codes; /* of row 0; dims each, at most 127 */
    const uint8_t *query; /* dims */
    size_t dims;          /* a multiple of 32, at most 2^17 */
    const uint32_t *rows;
    size_t rows_count;
    uint32_t *ret_distances; /* rows_count */
};

enum { KERNEL_POOL_PAD = 32 }; /* room in each array past a pool's capacity */

/* What a walk through a graph keeps of the rows that it met: nearest first, then the lower row. */
struct kernel_pool {
    uint32_t *distances; /* below 2^31; before the first offer all INT32_MAX, spare ones too */
    uint32_t *rows;      /* each << 1 | whether its links were followed; rows below 2^31 */
    uint32_t *spare_distances, *spare_rows; /* an offer may change places with them */
    uint32_t capacity, count;
};

struct kernel_offer {
    struct kernel_pool *pool;
    const uint32_t *distances, *rows;
    size_t rows_count;
};

struct kernels {
    const char *name; /* "scalar", "avx2", "avx512" */
    void (*l2)(const struct kernel_job *job);
    void (*ip)(const struct kernel_job *job);
    void (*l2_pairs)(const struct kernel_pairs *pairs);
    void (*l2_rows)(const struct kernel_rows *rows);
    void (*ip_rows)(const struct kernel_rows *rows);
    /* Of halves, each as the float that it is. */
    void (*l2_rows16)(const struct kernel_rows *rows);
    void (*ip_rows16)(const struct kernel_rows *rows);
    void (*widen)(const uint16_t *halves, size_t count, float *ret_floats);
    void (*codes4)(const struct kernel_codes *codes);
    void (*codes8)(const struct kernel_codes *codes);
    void (*points)(const struct kernel_points *points);
    /* The nearest enter the pool, but for those that it has; returns the least place that one took,
     * or the pool's capacity. */
    uint32_t (*pool_offer)(const struct kernel_offer *offer);
    /* Bit b: a row of block b may enter, as of the bounds; 0 without any. */
    uint32_t (*tile)(const struct kernel_tile *tile);
    void (*sieve)(const struct kernel_sieve *sieve);
    /* All values before the returned index (<= count) are finite; count only if all are. */
    size_t (*finite_prefix)(const float *values, size_t count);
};

/* The tables this machine can run; scalar is always the first, the fastest the last. */
size_t kernels_supported(const struct kernels *ret_tables[], size_t capacity);
/* Makes the process's choice. name: scalar, avx2, avx512; NULL takes QNODE_KERNELS, and the fastest
 * if that is not set either. QN_STATUS_CONFIG for an unknown name or one this machine cannot run. A
 * program calls it first, so that a wrong QNODE_KERNELS is told. */
enum qn_status kernels_choose(const char *name, struct qn_error *error);
/* The choice; without one, the fastest. Any thread. */
const struct kernels *kernels_current(void);

extern const struct kernels kernels_scalar;
#ifdef QNODE_KERNELS_X86
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
#endif

#endif
