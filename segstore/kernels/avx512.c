/* SPDX-License-Identifier: Apache-2.0
 * AVX-512 F, BW and VNNI: one block is one register wide. A tile holds one sum per (query, block)
 * in registers for the whole length of the vectors: 4 blocks hide the latency of the sums' chains,
 * 4 queries use each loaded register four times (16 sums + 4 values + query + difference of 32
 * registers). */
#include "segstore/kernels/rows.h"

#include "base/limits.h"
#include "segstore/kernels/avx2_pool.h"
#include <immintrin.h>
#include <string.h>

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

/* One sum after the other would wait for itself at every dimension. */
static void l2_pairs(const struct kernel_pairs *pairs)
{
    __m512 sums[KERNEL_PAIRS];

    for (int i = 0; i < KERNEL_PAIRS; i++)
        sums[i] = _mm512_setzero_ps();
    for (size_t d = 0; d < pairs->dim; d++)
        for (int i = 0; i < KERNEL_PAIRS; i++) {
            __m512 t = _mm512_sub_ps(_mm512_set1_ps(pairs->queries[i][d]),
                                     _mm512_loadu_ps(pairs->blocks[i] + d * LIMIT_BLOCK_ROWS));
            sums[i] = _mm512_fmadd_ps(t, t, sums[i]);
        }
    for (int i = 0; i < KERNEL_PAIRS; i++)
        _mm512_storeu_ps(pairs->ret_distances + (size_t)i * LIMIT_BLOCK_ROWS, sums[i]);
}

enum { CODE_BLOCKS_MAX = 4 };

static inline __attribute__((always_inline)) __m512i code_four(const int8_t *codes)
{
    int32_t four;

    memcpy(&four, codes, sizeof four);
    return _mm512_set1_epi32(four);
}

static inline __attribute__((always_inline)) void
code_estimates(const struct kernel_codes *codes, const struct kernel_code_query *query,
               size_t block, __m512i dot)
{
    const size_t row = block * LIMIT_BLOCK_ROWS;
    __m512 product = _mm512_mul_ps(_mm512_set1_ps(query->scale), _mm512_cvtepi32_ps(dot));
    __m512 term = codes->terms != NULL ? _mm512_loadu_ps(codes->terms + row) : _mm512_setzero_ps();
    __m512 sum = _mm512_add_ps(_mm512_set1_ps(query->base), term);

    sum = _mm512_fmadd_ps(_mm512_loadu_ps(codes->scales + row), product, sum);
    _mm512_storeu_ps(query->ret_estimates + row, sum);
    query->ret_masks[block] = _mm512_cmp_ps_mask(sum, _mm512_set1_ps(query->bound), _CMP_NLT_UQ);
}

/* Queries and blocks are constants wherever this is inlined. */
static inline __attribute__((always_inline)) void
codes_blocks(const struct kernel_codes *codes, size_t first, const int shape[2], bool is_half)
{
    const int queries = shape[0], blocks = shape[1];
    const size_t step = is_half ? 8 : 4; /* dimensions in 64 bytes */
    const size_t block_bytes = codes->dims * LIMIT_BLOCK_ROWS / (is_half ? 2 : 1);
    const uint8_t *bytes = codes->codes + first * block_bytes;
    const __m512i low = _mm512_set1_epi8(is_half ? 15 : 127);
    __m512i dots[KERNEL_CODE_QUERIES][CODE_BLOCKS_MAX];

    for (int q = 0; q < queries; q++)
        for (int b = 0; b < blocks; b++)
            dots[q][b] = _mm512_set1_epi32(-codes->queries[q].centre);
    for (size_t d = 0; d < codes->dims; d += step, bytes += 64) {
        __m512i x[CODE_BLOCKS_MAX], y[CODE_BLOCKS_MAX];
        for (int b = 0; b < blocks; b++) {
            __m512i both = _mm512_loadu_si512(bytes + (size_t)b * block_bytes);
            x[b] = _mm512_and_si512(both, low);
            y[b] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
        }
        for (int q = 0; q < queries; q++) {
            const int8_t *query = codes->queries[q].codes + d;
            __m512i u = code_four(query), v = is_half ? code_four(query + 4) : u;
            for (int b = 0; b < blocks; b++) {
                dots[q][b] = _mm512_dpbusd_epi32(dots[q][b], x[b], u);
                if (is_half)
                    dots[q][b] = _mm512_dpbusd_epi32(dots[q][b], y[b], v);
            }
        }
    }
    for (int q = 0; q < queries; q++)
        for (int b = 0; b < blocks; b++)
            code_estimates(codes, &codes->queries[q], first + (size_t)b, dots[q][b]);
}

static inline __attribute__((always_inline)) void codes_queries(const struct kernel_codes *codes,
                                                                int queries, bool is_half)
{
    const size_t blocks_max = queries == 1 ? CODE_BLOCKS_MAX : CODE_BLOCKS_MAX / 2;
    size_t block = 0;

    for (; block + blocks_max <= codes->blocks_count; block += blocks_max)
        codes_blocks(codes, block, (const int[2]){queries, (int)blocks_max}, is_half);
    for (; block < codes->blocks_count; block++)
        codes_blocks(codes, block, (const int[2]){queries, 1}, is_half);
}

static inline __attribute__((always_inline)) void codes_all(const struct kernel_codes *codes,
                                                            bool is_half)
{
    switch (codes->queries_count) {
    case 1:
        codes_queries(codes, 1, is_half);
        break;
    case 2:
        codes_queries(codes, 2, is_half);
        break;
    case 3:
        codes_queries(codes, 3, is_half);
        break;
    default:
        codes_queries(codes, KERNEL_CODE_QUERIES, is_half);
    }
}

static void codes4(const struct kernel_codes *codes)
{
    codes_all(codes, true);
}

static void codes8(const struct kernel_codes *codes)
{
    codes_all(codes, false);
}

enum { TILE_BLOCKS = 2 };

static inline __m512 term_of(const float *terms, size_t first)
{
    return terms != NULL ? _mm512_loadu_ps(terms + first) : _mm512_setzero_ps();
}

static inline __mmask16 may_enter(__m512 sum, __m512 term, float bound)
{
    return _mm512_cmp_ps_mask(_mm512_sub_ps(sum, term), _mm512_set1_ps(bound), _CMP_NLT_UQ);
}

/* 24 sums in registers, 2 values and a query's value. */
static inline __attribute__((always_inline)) uint32_t tile_blocks(const struct kernel_tile *tile,
                                                                  size_t first, int blocks)
{
    const float *values = tile->blocks + first * tile->block_floats;
    const float *query = tile->queries;
    float *ret = tile->sums + first * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS;
    __m512 sums[TILE_BLOCKS][KERNEL_TILE_QUERIES];

    for (int b = 0; b < blocks; b++)
        for (int q = 0; q < KERNEL_TILE_QUERIES; q++)
            sums[b][q] =
                tile->is_first
                    ? _mm512_setzero_ps()
                    : _mm512_load_ps(ret + (b * KERNEL_TILE_QUERIES + q) * LIMIT_BLOCK_ROWS);
    for (size_t d = 0; d < tile->dims; d++, query += KERNEL_TILE_QUERIES) {
        __m512 x[TILE_BLOCKS];
        for (int b = 0; b < blocks; b++)
            x[b] = _mm512_loadu_ps(values + (size_t)b * tile->block_floats + d * LIMIT_BLOCK_ROWS);
        for (int q = 0; q < KERNEL_TILE_QUERIES; q++) {
            __m512 y = _mm512_set1_ps(query[q]);
            for (int b = 0; b < blocks; b++)
                sums[b][q] = _mm512_fmadd_ps(y, x[b], sums[b][q]);
        }
    }
    for (int b = 0; b < blocks; b++)
        for (int q = 0; q < KERNEL_TILE_QUERIES; q++)
            _mm512_store_ps(ret + (b * KERNEL_TILE_QUERIES + q) * LIMIT_BLOCK_ROWS, sums[b][q]);
    uint32_t passed = 0;
    for (int b = 0; tile->bounds != NULL && b < blocks; b++) {
        const size_t block = first + (size_t)b;
        const __m512 term = term_of(tile->terms, block * LIMIT_BLOCK_ROWS);
        __mmask16 any = 0;
        for (int q = 0; q < KERNEL_TILE_QUERIES; q++)
            any |= may_enter(sums[b][q], term, tile->bounds[q]);
        if (any != 0)
            passed |= UINT32_C(1) << block;
    }
    return passed;
}

static uint32_t tile_all(const struct kernel_tile *tile)
{
    uint32_t passed = 0;
    size_t block = 0;

    for (; block + TILE_BLOCKS <= tile->blocks_count; block += TILE_BLOCKS)
        passed |= tile_blocks(tile, block, TILE_BLOCKS);
    if (block < tile->blocks_count)
        passed |= tile_blocks(tile, block, 1);
    return passed;
}

static void sieve(const struct kernel_sieve *sieve)
{
    const __m512 term = term_of(sieve->terms, 0);

    for (size_t q = 0; q < KERNEL_TILE_QUERIES; q++)
        sieve->ret_masks[q] =
            may_enter(_mm512_load_ps(sieve->sums + q * LIMIT_BLOCK_ROWS), term, sieve->bounds[q]);
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

enum { POINTS = 4 };

/* 4 at a time; what lies past the end of a code counts as equal. */
static void points(const struct kernel_points *points)
{
    for (size_t first = 0; first < points->rows_count; first += POINTS) {
        const size_t rest = points->rows_count - first, count = rest < POINTS ? rest : POINTS;
        const uint8_t *codes[POINTS];
        __m512i sums[POINTS];
        for (size_t i = 0; i < POINTS; i++) {
            codes[i] =
                points->codes + (size_t)points->rows[first + (i < count ? i : 0)] * points->dims;
            sums[i] = _mm512_setzero_si512();
        }
        for (size_t d = 0; d < points->dims; d += 64) {
            const __mmask64 mask = points->dims - d < 64 ? 0xffffffff : ~UINT64_C(0);
            __m512i query = _mm512_maskz_loadu_epi8(mask, points->query + d);
            for (size_t i = 0; i < POINTS; i++) {
                __m512i x = _mm512_maskz_loadu_epi8(mask, codes[i] + d);
                __m512i difference = _mm512_abs_epi8(_mm512_sub_epi8(query, x));
                sums[i] = _mm512_dpbusd_epi32(sums[i], difference, difference);
            }
        }
        for (size_t i = 0; i < count; i++)
            points->ret_distances[first + i] = (uint32_t)_mm512_reduce_add_epi32(sums[i]);
    }
}

const struct kernels kernels_avx512 = {"avx512",
                                       l2,
                                       ip,
                                       l2_pairs,
                                       avx512_rows_l2,
                                       avx512_rows_ip,
                                       avx512_rows_l2_half,
                                       avx512_rows_ip_half,
                                       avx512_rows_widen,
                                       codes4,
                                       codes8,
                                       points,
                                       kernels_avx2_pool_offer,
                                       tile_all,
                                       sieve,
                                       finite_prefix};
