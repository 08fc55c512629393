/* SPDX-License-Identifier: Apache-2.0
 * AVX-512F: one block is one register wide. A tile holds one sum per (query, block) in registers
 * for the whole length of the vectors: 4 blocks hide the latency of the sums' chains, 4 queries
 * use each loaded register four times (16 sums + 4 values + query + difference of 32 registers). */
#include "segstore/kernels/kernels.h"

#include "base/limits.h"
#include <immintrin.h>

enum { QUERIES_MAX = 4, BLOCKS_MAX = 4 };

/* queries and blocks are constants wherever this is inlined, so the loops over them dissolve. */
static inline __attribute__((always_inline)) void
tile(const struct kernel_job *job, const size_t at[2], int queries, int blocks, bool is_l2)
{
    const size_t dim = job->dim, block_floats = dim * LIMIT_BLOCK_ROWS;
    const float *query = job->queries + at[0] * dim;
    const float *values = job->blocks + at[1] * block_floats;
    __m512 sums[QUERIES_MAX][BLOCKS_MAX];

    for (int q = 0; q < queries; q++)
        for (int b = 0; b < blocks; b++)
            sums[q][b] = _mm512_setzero_ps();
    for (size_t d = 0; d < dim; d++) {
        __m512 x[BLOCKS_MAX];
        for (int b = 0; b < blocks; b++)
            x[b] = _mm512_loadu_ps(values + (size_t)b * block_floats + d * LIMIT_BLOCK_ROWS);
        for (int q = 0; q < queries; q++) {
            __m512 y = _mm512_set1_ps(query[(size_t)q * dim + d]);
            for (int b = 0; b < blocks; b++) {
                __m512 t = is_l2 ? _mm512_sub_ps(y, x[b]) : x[b];
                sums[q][b] = _mm512_fmadd_ps(is_l2 ? t : y, t, sums[q][b]);
            }
        }
    }
    for (int q = 0; q < queries; q++)
        for (int b = 0; b < blocks; b++)
            _mm512_storeu_ps(job->ret_distances +
                                 ((at[0] + (size_t)q) * job->blocks_count + at[1] + (size_t)b) *
                                     LIMIT_BLOCK_ROWS,
                             sums[q][b]);
}

static inline __attribute__((always_inline)) void
row_of_tiles(const struct kernel_job *job, size_t query, int queries, bool is_l2)
{
    size_t block = 0;

    for (; block + BLOCKS_MAX <= job->blocks_count; block += BLOCKS_MAX)
        tile(job, (const size_t[2]){query, block}, queries, BLOCKS_MAX, is_l2);
    for (; block < job->blocks_count; block++)
        tile(job, (const size_t[2]){query, block}, queries, 1, is_l2);
}

static inline __attribute__((always_inline)) void all_tiles(const struct kernel_job *job,
                                                            bool is_l2)
{
    size_t query = 0;

    for (; query + QUERIES_MAX <= job->queries_count; query += QUERIES_MAX)
        row_of_tiles(job, query, QUERIES_MAX, is_l2);
    for (; query < job->queries_count; query++)
        row_of_tiles(job, query, 1, is_l2);
}

static void l2(const struct kernel_job *job)
{
    all_tiles(job, true);
}

static void ip(const struct kernel_job *job)
{
    all_tiles(job, false);
}

/* A float is finite unless all bits of its exponent are set. */
static size_t finite_prefix(const float *values, size_t count)
{
    const __m512i exponent = _mm512_set1_epi32(0x7f800000);
    size_t i = 0;

    for (; i + 64 <= count; i += 64) {
        __mmask16 bad = 0;
        for (size_t j = 0; j < 64; j += 16) {
            __m512i bits = _mm512_and_epi32(_mm512_loadu_si512(values + i + j), exponent);
            bad |= _mm512_cmpeq_epi32_mask(bits, exponent);
        }
        if (bad != 0)
            return i;
    }
    return i + kernels_scalar.finite_prefix(values + i, count - i);
}

const struct kernels kernels_avx512 = {"avx512", l2, ip, finite_prefix};
