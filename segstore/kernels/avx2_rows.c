/* SPDX-License-Identifier: Apache-2.0
 * AVX2, FMA and F16C: one query against 16 rows that lie anywhere, floats or halves. A half becomes
 * a float exactly, so the rest is the same. */
#include "segstore/kernels/rows.h"

#include "segstore/half.h"
#include <immintrin.h>
#include <string.h>

enum { WIDTH = 8 };

/* 8 rows of 8 dimensions become 8 dimensions of 8 rows. */
static inline __attribute__((always_inline)) void transpose(__m256 v[8])
{
    __m256 t[8];

    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            v[i + 2 * j] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0x44);
            v[i + 2 * j + 1] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0xee);
        }
    for (int j = 0; j < 4; j++) {
        t[j] = _mm256_permute2f128_ps(v[j], v[j + 4], 0x20);
        t[j + 4] = _mm256_permute2f128_ps(v[j], v[j + 4], 0x31);
    }
    for (int j = 0; j < 8; j++)
        v[j] = t[j];
}

/* count values from halves on: 8, or at the end of a row fewer. */
static inline __attribute__((always_inline)) __m256 load_halves(const uint16_t *halves,
                                                                size_t count)
{
    uint16_t last[WIDTH] = {0};

    if (count == WIDTH)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)halves));
    memcpy(last, halves, count * sizeof *last);
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)last));
}

static inline __attribute__((always_inline)) __m256 load_floats(const float *floats, size_t count)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    if (count == WIDTH)
        return _mm256_loadu_ps(floats);
    return _mm256_maskload_ps(floats, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lanes));
}

/* Some of the dimensions. */
struct span {
    size_t first, count;
};

/* Of 8 rows; span.count is a constant but for the last ones. */
static inline __attribute__((always_inline)) __m256 rows_step(const struct kernel_rows *rows,
                                                              const void *const *eight,
                                                              struct span span, __m256 sum,
                                                              const bool is[2])
{
    __m256 x[WIDTH];

    for (size_t i = 0; i < WIDTH; i++)
        x[i] = is[1] ? load_halves((const uint16_t *)eight[i] + span.first, span.count)
                     : load_floats((const float *)eight[i] + span.first, span.count);
    transpose(x);
    for (size_t d = 0; d < span.count; d++) {
        __m256 y = _mm256_set1_ps(rows->query[span.first + d]);
        __m256 t = is[0] ? _mm256_sub_ps(y, x[d]) : x[d];
        sum = _mm256_fmadd_ps(is[0] ? t : y, t, sum);
    }
    return sum;
}

/* SIMD runs across the rows, so that each row's sum keeps the order of its dimensions. The sums of
 * both halves of the rows wait for themselves, not for each other. */
static inline __attribute__((always_inline)) void rows_all(const struct kernel_rows *rows,
                                                           bool is_l2, bool is_half)
{
    const void *const *low_rows = rows->rows, *const *high_rows = rows->rows + WIDTH;
    const bool is[2] = {is_l2, is_half};
    __m256 low = _mm256_setzero_ps(), high = low;
    struct span span = {.count = WIDTH};

    for (; span.first + WIDTH <= rows->dim; span.first += WIDTH) {
        low = rows_step(rows, low_rows, span, low, is);
        if (rows->rows_count > WIDTH)
            high = rows_step(rows, high_rows, span, high, is);
    }
    span.count = rows->dim - span.first;
    if (span.count > 0) {
        low = rows_step(rows, low_rows, span, low, is);
        high = rows_step(rows, high_rows, span, high, is);
    }
    _mm256_storeu_ps(rows->ret_distances, low);
    _mm256_storeu_ps(rows->ret_distances + WIDTH, high);
}

void avx2_rows_l2(const struct kernel_rows *rows)
{
    rows_all(rows, true, false);
}

void avx2_rows_ip(const struct kernel_rows *rows)
{
    rows_all(rows, false, false);
}

void avx2_rows_l2_half(const struct kernel_rows *rows)
{
    rows_all(rows, true, true);
}

void avx2_rows_ip_half(const struct kernel_rows *rows)
{
    rows_all(rows, false, true);
}

void avx2_rows_widen(const uint16_t *halves, size_t count, float *ret_floats)
{
    size_t i = 0;

    for (; i + WIDTH <= count; i += WIDTH)
        _mm256_storeu_ps(ret_floats + i, load_halves(halves + i, WIDTH));
    for (; i < count; i++)
        ret_floats[i] = half_to_float(halves[i]);
}
