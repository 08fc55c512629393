/* SPDX-License-Identifier: Apache-2.0
 * AVX2 and FMA: a block is two registers wide. Tiles as in avx512.c, but of 16 registers: one query
 * against 4 blocks (8 sums), or 2 queries against 2 blocks (8 sums + 4 values + query +
 * difference). */
#include "segstore/kernels/kernels.h"

#include "base/limits.h"
#include <immintrin.h>

enum { WIDTH = 8, HALVES_MAX = 8, QUERIES_MAX = 2 };

/* A half is 8 rows; queries and halves are constants wherever this is inlined. */
static inline __attribute__((always_inline)) void
tile(const struct kernel_job *job, const size_t at[2], int queries, int halves, bool is_l2)
{
    const size_t dim = job->dim;
    const float *query = job->queries + at[0] * dim;
    const float *values = job->blocks + at[1] * dim * LIMIT_BLOCK_ROWS;
    float *ret = job->ret_distances + (at[0] * job->blocks_count + at[1]) * LIMIT_BLOCK_ROWS;
    __m256 sums[QUERIES_MAX][HALVES_MAX];

    for (int q = 0; q < queries; q++)
        for (int h = 0; h < halves; h++)
            sums[q][h] = _mm256_setzero_ps();
    for (size_t d = 0; d < dim; d++) {
        __m256 x[HALVES_MAX];
        for (int h = 0; h < halves; h++)
            x[h] = _mm256_loadu_ps(values + ((size_t)h / 2 * dim + d) * LIMIT_BLOCK_ROWS +
                                   (size_t)h % 2 * WIDTH);
        for (int q = 0; q < queries; q++) {
            __m256 y = _mm256_set1_ps(query[(size_t)q * dim + d]);
            for (int h = 0; h < halves; h++) {
                __m256 t = is_l2 ? _mm256_sub_ps(y, x[h]) : x[h];
                sums[q][h] = _mm256_fmadd_ps(is_l2 ? t : y, t, sums[q][h]);
            }
        }
    }
    for (int q = 0; q < queries; q++)
        for (int h = 0; h < halves; h++)
            _mm256_storeu_ps(ret + (size_t)q * job->blocks_count * LIMIT_BLOCK_ROWS +
                                 (size_t)h * WIDTH,
                             sums[q][h]);
}

static inline __attribute__((always_inline)) void
row_of_tiles(const struct kernel_job *job, size_t query, int queries, bool is_l2)
{
    const size_t blocks_max = queries == 1 ? 4 : 2;
    size_t block = 0;

    for (; block + blocks_max <= job->blocks_count; block += blocks_max)
        tile(job, (const size_t[2]){query, block}, queries, queries == 1 ? 8 : 4, is_l2);
    for (; block < job->blocks_count; block++)
        tile(job, (const size_t[2]){query, block}, queries, 2, is_l2);
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
    const __m256i exponent = _mm256_set1_epi32(0x7f800000);
    size_t i = 0;

    for (; i + 32 <= count; i += 32) {
        __m256i bad = _mm256_setzero_si256();
        for (size_t j = 0; j < 32; j += 8) {
            __m256i bits = _mm256_loadu_si256((const __m256i *)(const void *)(values + i + j));
            bits = _mm256_cmpeq_epi32(_mm256_and_si256(bits, exponent), exponent);
            bad = _mm256_or_si256(bad, bits);
        }
        if (!_mm256_testz_si256(bad, bad))
            return i;
    }
    return i + kernels_scalar.finite_prefix(values + i, count - i);
}

const struct kernels kernels_avx2 = {"avx2", l2, ip, finite_prefix};
