/* SPDX-License-Identifier: Apache-2.0
 * AVX-512 F: one query against 16 rows that lie anywhere, floats or halves. A half becomes a float
 * exactly, so the rest is the same. */
#include "segstore/kernels/rows.h"

#include "segstore/half.h"
#include <immintrin.h>
#include <string.h>

enum { WIDTH = 16 };

/* 16 rows of 16 dimensions become 16 dimensions of 16 rows. */
static inline __attribute__((always_inline)) void transpose(__m512 v[16])
{
    __m512 t[16];

    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            __m512d low = _mm512_castps_pd(t[i + j]), high = _mm512_castps_pd(t[i + j + 2]);
            v[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            v[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 4; j++) {
            t[i + j] = _mm512_shuffle_f32x4(v[i + j], v[i + j + 4], 0x88);
            t[i + j + 4] = _mm512_shuffle_f32x4(v[i + j], v[i + j + 4], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        v[j] = _mm512_shuffle_f32x4(t[j], t[j + 8], 0x88);
        v[j + 8] = _mm512_shuffle_f32x4(t[j], t[j + 8], 0xdd);
    }
}

/* count values from halves on: 16, or at the end of a row fewer. */
static inline __attribute__((always_inline)) __m512 load_halves(const uint16_t *halves,
                                                                size_t count)
{
    uint16_t last[WIDTH] = {0};

    if (count == WIDTH)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)halves));
    memcpy(last, halves, count * sizeof *last);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)last));
}

/* SIMD runs across the rows, so that each row's sum keeps the order of its dimensions. */
static inline __attribute__((always_inline)) void rows_all(const struct kernel_rows *rows,
                                                           bool is_l2, bool is_half)
{
    __m512 sum = _mm512_setzero_ps();

    for (size_t first = 0; first < rows->dim; first += WIDTH) {
        const size_t dims = rows->dim - first < WIDTH ? rows->dim - first : WIDTH;
        const __mmask16 mask = (__mmask16)((1U << dims) - 1);
        __m512 x[WIDTH];
        for (int i = 0; i < WIDTH; i++)
            x[i] = is_half ? load_halves((const uint16_t *)rows->rows[i] + first, dims)
                           : _mm512_maskz_loadu_ps(mask, (const float *)rows->rows[i] + first);
        transpose(x);
        for (size_t d = 0; d < dims; d++) {
            __m512 y = _mm512_set1_ps(rows->query[first + d]);
            __m512 t = is_l2 ? _mm512_sub_ps(y, x[d]) : x[d];
            sum = _mm512_fmadd_ps(is_l2 ? t : y, t, sum);
        }
    }
    _mm512_storeu_ps(rows->ret_distances, sum);
}

void avx512_rows_l2(const struct kernel_rows *rows)
{
    rows_all(rows, true, false);
}

void avx512_rows_ip(const struct kernel_rows *rows)
{
    rows_all(rows, false, false);
}

void avx512_rows_l2_half(const struct kernel_rows *rows)
{
    rows_all(rows, true, true);
}

void avx512_rows_ip_half(const struct kernel_rows *rows)
{
    rows_all(rows, false, true);
}

void avx512_rows_widen(const uint16_t *halves, size_t count, float *ret_floats)
{
    size_t i = 0;

    for (; i + WIDTH <= count; i += WIDTH)
        _mm512_storeu_ps(ret_floats + i, load_halves(halves + i, WIDTH));
    for (; i < count; i++)
        ret_floats[i] = half_to_float(halves[i]);
}
