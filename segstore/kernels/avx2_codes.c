/* SPDX-License-Identifier: Apache-2.0
 * Codes by AVX2: a register holds 4 dimensions of 8 rows. There is no instruction that adds four
 * products of bytes to 32 bits: two are added to 16 bits, and these widened as seldom as can be.
 * What is loaded and unpacked of the rows is compared with up to 4 queries. */
#include "segstore/kernels/avx2_codes.h"

#include "base/limits.h"
#include <immintrin.h>
#include <string.h>

enum { WIDTH = 8 };

/* How much of a block is compared at a time; constants wherever this is inlined. */
struct code_shape {
    int queries, halves;
};

typedef __m256i code_sums[KERNEL_CODE_QUERIES][2];

static inline __attribute__((always_inline)) __m256i code_four(const int8_t *codes)
{
    int32_t four;

    memcpy(&four, codes, sizeof four);
    return _mm256_set1_epi32(four);
}

static inline __attribute__((always_inline)) __m256i code_rows(const uint8_t *bytes, int half)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(bytes + half * 32));
}

/* A sum that stays in its register: compilers would add up in another order, with more values under
 * way than there are registers. */
static inline __attribute__((always_inline)) __m256i pin(__m256i sum)
{
    __asm__("" : "+x"(sum));
    return sum;
}

/* 4-bit codes of 8 dimensions: their products are added in pairs. */
static inline __attribute__((always_inline)) void code4_step(const struct kernel_codes *codes,
                                                             const uint8_t *bytes, size_t d,
                                                             const struct code_shape shape,
                                                             code_sums pairs)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i x[2], y[2];

    for (int h = 0; h < shape.halves; h++) {
        __m256i both = code_rows(bytes, h);
        x[h] = _mm256_and_si256(both, low);
        y[h] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    }
    for (int q = 0; q < shape.queries; q++) {
        __m256i u = code_four(codes->queries[q].codes + d);
        __m256i v = code_four(codes->queries[q].codes + d + 4);
        for (int h = 0; h < shape.halves; h++) {
            pairs[q][h] = pin(_mm256_add_epi16(pairs[q][h], _mm256_maddubs_epi16(x[h], u)));
            pairs[q][h] = pin(_mm256_add_epi16(pairs[q][h], _mm256_maddubs_epi16(y[h], v)));
        }
    }
}

static inline __attribute__((always_inline)) void
code4_steps(const struct kernel_codes *codes, const uint8_t *bytes, const size_t dims[2],
            const struct code_shape shape, code_sums dots)
{
    code_sums pairs;

    for (int q = 0; q < shape.queries; q++)
        for (int h = 0; h < shape.halves; h++)
            pairs[q][h] = _mm256_setzero_si256();
    for (size_t d = dims[0]; d < dims[0] + dims[1]; d += 8)
        code4_step(codes, bytes + d * 8, d, shape, pairs);
    for (int q = 0; q < shape.queries; q++)
        for (int h = 0; h < shape.halves; h++)
            dots[q][h] =
                _mm256_add_epi32(dots[q][h], _mm256_madd_epi16(pairs[q][h], _mm256_set1_epi16(1)));
}

/* Two products of 4-bit codes are at most 3,810: eight such pairs are added in 16 bits before they
 * are widened. */
static inline __attribute__((always_inline)) void code4_dots(const struct kernel_codes *codes,
                                                             const uint8_t *bytes,
                                                             const struct code_shape shape,
                                                             code_sums dots)
{
    size_t d = 0;

    for (; d + 32 <= codes->dims; d += 32)
        code4_steps(codes, bytes, (const size_t[2]){d, 32}, shape, dots);
    if (d < codes->dims)
        code4_steps(codes, bytes, (const size_t[2]){d, codes->dims - d}, shape, dots);
}

/* Two products of 7-bit codes just fit 16 bits. */
static inline __attribute__((always_inline)) void code8_dots(const struct kernel_codes *codes,
                                                             const uint8_t *bytes,
                                                             const struct code_shape shape,
                                                             code_sums dots)
{
    const __m256i low = _mm256_set1_epi8(127), ones = _mm256_set1_epi16(1);

    for (size_t d = 0; d < codes->dims; d += 4, bytes += 64) {
        __m256i x[2];
        for (int h = 0; h < shape.halves; h++)
            x[h] = _mm256_and_si256(code_rows(bytes, h), low);
        for (int q = 0; q < shape.queries; q++) {
            __m256i u = code_four(codes->queries[q].codes + d);
            for (int h = 0; h < shape.halves; h++) {
                __m256i sums = _mm256_madd_epi16(_mm256_maddubs_epi16(x[h], u), ones);
                dots[q][h] = pin(_mm256_add_epi32(dots[q][h], sums));
            }
        }
    }
}

/* The estimates of 8 rows; which of them are not below the bound. */
static inline __attribute__((always_inline)) unsigned
code_estimates(const struct kernel_codes *codes, const struct kernel_code_query *query, size_t row,
               __m256i dot)
{
    __m256 product = _mm256_mul_ps(_mm256_set1_ps(query->scale), _mm256_cvtepi32_ps(dot));
    __m256 term = codes->terms != NULL ? _mm256_loadu_ps(codes->terms + row) : _mm256_setzero_ps();
    __m256 sum = _mm256_add_ps(_mm256_set1_ps(query->base), term);

    sum = _mm256_fmadd_ps(_mm256_loadu_ps(codes->scales + row), product, sum);
    _mm256_storeu_ps(query->ret_estimates + row, sum);
    return (unsigned)_mm256_movemask_ps(
        _mm256_cmp_ps(sum, _mm256_set1_ps(query->bound), _CMP_NLT_UQ));
}

/* Both halves of a block at once where the registers hold all sums. */
static inline __attribute__((always_inline)) void
codes_block(const struct kernel_codes *codes, size_t block, int queries, bool is_half)
{
    const struct code_shape shape = {queries, is_half && queries > 2 ? 1 : 2};
    const uint8_t *bytes =
        codes->codes + block * codes->dims * LIMIT_BLOCK_ROWS / (is_half ? 2 : 1);
    unsigned masks[KERNEL_CODE_QUERIES] = {0};

    for (int first = 0; first < 2; first += shape.halves) {
        code_sums dots;
        for (int q = 0; q < queries; q++)
            for (int h = 0; h < shape.halves; h++)
                dots[q][h] = _mm256_set1_epi32(-codes->queries[q].centre);
        (is_half ? code4_dots : code8_dots)(codes, bytes + first * 32, shape, dots);
        for (int q = 0; q < queries; q++)
            for (int h = 0; h < shape.halves; h++) {
                const int at = (first + h) * WIDTH;
                masks[q] |= code_estimates(codes, &codes->queries[q],
                                           block * LIMIT_BLOCK_ROWS + (size_t)at, dots[q][h])
                            << at;
            }
    }
    for (int q = 0; q < queries; q++)
        codes->queries[q].ret_masks[block] = (uint16_t)masks[q];
}

static inline __attribute__((always_inline)) void codes_all(const struct kernel_codes *codes,
                                                            bool is_half)
{
    for (size_t block = 0; block < codes->blocks_count; block++)
        switch (codes->queries_count) {
        case 1:
            codes_block(codes, block, 1, is_half);
            break;
        case 2:
            codes_block(codes, block, 2, is_half);
            break;
        case 3:
            codes_block(codes, block, 3, is_half);
            break;
        default:
            codes_block(codes, block, KERNEL_CODE_QUERIES, is_half);
        }
}

void kernels_avx2_codes4(const struct kernel_codes *codes)
{
    codes_all(codes, true);
}

void kernels_avx2_codes8(const struct kernel_codes *codes)
{
    codes_all(codes, false);
}
