/* SPDX-License-Identifier: Apache-2.0
 * AVX2 and FMA: a block is two registers wide. Tiles as in avx512.c, but of 16 registers: one query
 * against 4 blocks (8 sums), or 2 queries against 2 blocks (8 sums + 4 values + query +
 * difference). */
#include "segstore/kernels/avx2_codes.h"

#include "base/limits.h"
#include "segstore/kernels/avx2_pool.h"
#include "segstore/kernels/rows.h"
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

/* One sum after the other would wait for itself at every dimension. */
static void l2_pairs(const struct kernel_pairs *pairs)
{
    __m256 sums[KERNEL_PAIRS][2];

    for (int i = 0; i < KERNEL_PAIRS; i++)
        sums[i][0] = sums[i][1] = _mm256_setzero_ps();
    for (size_t d = 0; d < pairs->dim; d++)
        for (int i = 0; i < KERNEL_PAIRS; i++) {
            __m256 y = _mm256_set1_ps(pairs->queries[i][d]);
            for (int h = 0; h < 2; h++) {
                __m256 t = _mm256_sub_ps(
                    y, _mm256_loadu_ps(pairs->blocks[i] + d * LIMIT_BLOCK_ROWS + h * WIDTH));
                sums[i][h] = _mm256_fmadd_ps(t, t, sums[i][h]);
            }
        }
    for (int i = 0; i < KERNEL_PAIRS; i++)
        for (int h = 0; h < 2; h++)
            _mm256_storeu_ps(pairs->ret_distances + i * LIMIT_BLOCK_ROWS + h * WIDTH, sums[i][h]);
}

/* Differences of 7-bit codes fit a signed byte, and two of their squares 16 bits. */
static inline __attribute__((always_inline)) __m256i square_add(__m256i sum, __m256i query,
                                                                const uint8_t *code)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)code);
    __m256i difference = _mm256_abs_epi8(_mm256_sub_epi8(query, x));
    __m256i pairs = _mm256_maddubs_epi16(difference, difference);

    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* 4 at a time, so that their sums come out of one register. */
static void points(const struct kernel_points *points)
{
    for (size_t first = 0; first < points->rows_count; first += 4) {
        const size_t count = points->rows_count - first < 4 ? points->rows_count - first : 4;
        const uint8_t *codes[4];
        __m256i sums[4];
        for (size_t i = 0; i < 4; i++) {
            codes[i] =
                points->codes + (size_t)points->rows[first + (i < count ? i : 0)] * points->dims;
            sums[i] = _mm256_setzero_si256();
        }
        for (size_t d = 0; d < points->dims; d += 32) {
            __m256i query = _mm256_loadu_si256((const __m256i *)(const void *)(points->query + d));
            for (size_t i = 0; i < 4; i++)
                sums[i] = square_add(sums[i], query, codes[i] + d);
        }
        __m256i sum = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]),
                                        _mm256_hadd_epi32(sums[2], sums[3]));
        __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        uint32_t *ret = points->ret_distances + first, rest[4];
        _mm_storeu_si128((__m128i *)(void *)(count == 4 ? ret : rest), four);
        for (size_t i = 0; count < 4 && i < count; i++)
            ret[i] = rest[i];
    }
}

enum { TILE_QUERIES = KERNEL_TILE_QUERIES / 2 };

static inline __m256 term_of(const float *terms, size_t first)
{
    return terms != NULL ? _mm256_loadu_ps(terms + first) : _mm256_setzero_ps();
}

static inline __m256 may_enter(__m256 sum, __m256 term, __m256 bound)
{
    return _mm256_cmp_ps(_mm256_sub_ps(sum, term), bound, _CMP_NLT_UQ);
}

/* Half of the queries against one block: 12 sums, 2 values and a query's value. Unrolled, because a
 * neighbour on the same core takes every other slot for instructions: then each of them counts. */
static bool tile_half(const struct kernel_tile *tile, size_t block, size_t first_query)
{
    const float *values = tile->blocks + block * tile->block_floats;
    const float *query = tile->queries + first_query;
    float *ret = tile->sums + (block * KERNEL_TILE_QUERIES + first_query) * LIMIT_BLOCK_ROWS;
    __m256 sums[TILE_QUERIES][2];

    for (int q = 0; q < TILE_QUERIES; q++)
        for (int h = 0; h < 2; h++)
            sums[q][h] = tile->is_first ? _mm256_setzero_ps()
                                        : _mm256_load_ps(ret + q * LIMIT_BLOCK_ROWS + h * WIDTH);
#pragma GCC unroll 4
    for (size_t d = 0; d < tile->dims; d++, query += KERNEL_TILE_QUERIES) {
        __m256 low = _mm256_loadu_ps(values + d * LIMIT_BLOCK_ROWS);
        __m256 high = _mm256_loadu_ps(values + d * LIMIT_BLOCK_ROWS + WIDTH);
        for (int q = 0; q < TILE_QUERIES; q++) {
            __m256 y = _mm256_set1_ps(query[q]);
            sums[q][0] = _mm256_fmadd_ps(y, low, sums[q][0]);
            sums[q][1] = _mm256_fmadd_ps(y, high, sums[q][1]);
        }
    }
    for (int q = 0; q < TILE_QUERIES; q++)
        for (int h = 0; h < 2; h++)
            _mm256_store_ps(ret + q * LIMIT_BLOCK_ROWS + h * WIDTH, sums[q][h]);
    if (tile->bounds == NULL)
        return false;
    const __m256 low = term_of(tile->terms, block * LIMIT_BLOCK_ROWS);
    const __m256 high = term_of(tile->terms, block * LIMIT_BLOCK_ROWS + WIDTH);
    __m256 any = _mm256_setzero_ps();
    for (int q = 0; q < TILE_QUERIES; q++) {
        __m256 bound = _mm256_set1_ps(tile->bounds[first_query + (size_t)q]);
        any = _mm256_or_ps(any, may_enter(sums[q][0], low, bound));
        any = _mm256_or_ps(any, may_enter(sums[q][1], high, bound));
    }
    return _mm256_movemask_ps(any) != 0;
}

static uint32_t tile_all(const struct kernel_tile *tile)
{
    uint32_t passed = 0;

    for (size_t block = 0; block < tile->blocks_count; block++)
        for (size_t query = 0; query < KERNEL_TILE_QUERIES; query += TILE_QUERIES)
            if (tile_half(tile, block, query))
                passed |= UINT32_C(1) << block;
    return passed;
}

static void sieve(const struct kernel_sieve *sieve)
{
    const __m256 terms[2] = {term_of(sieve->terms, 0), term_of(sieve->terms, WIDTH)};

    for (size_t q = 0; q < KERNEL_TILE_QUERIES; q++) {
        __m256 bound = _mm256_set1_ps(sieve->bounds[q]);
        unsigned mask = 0;
        for (size_t h = 0; h < 2; h++) {
            __m256 sum = _mm256_load_ps(sieve->sums + q * LIMIT_BLOCK_ROWS + h * WIDTH);
            mask |= (unsigned)_mm256_movemask_ps(may_enter(sum, terms[h], bound)) << (h * WIDTH);
        }
        sieve->ret_masks[q] = (uint16_t)mask;
    }
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

const struct kernels kernels_avx2 = {"avx2",
                                     l2,
                                     ip,
                                     l2_pairs,
                                     avx2_rows_l2,
                                     avx2_rows_ip,
                                     avx2_rows_l2_half,
                                     avx2_rows_ip_half,
                                     avx2_rows_widen,
                                     kernels_avx2_codes4,
                                     kernels_avx2_codes8,
                                     points,
                                     kernels_avx2_pool_offer,
                                     tile_all,
                                     sieve,
                                     finite_prefix};
