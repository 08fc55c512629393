/* SPDX-License-Identifier: Apache-2.0
 * Pools by AVX2, 8 rows at a time. */
#include "segstore/kernels/avx2_pool.h"

#include "segstore/kernels/pool.h"
#include <immintrin.h>

enum { WIDTH = 8 };

static inline __attribute__((always_inline)) __m256i load(const uint32_t *values)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)values);
}

static inline __attribute__((always_inline)) uint32_t count_below(const uint32_t *distances,
                                                                  uint32_t count, uint32_t distance)
{
    const __m256i bound = _mm256_set1_epi32((int32_t)distance);
    __m256i sum = _mm256_setzero_si256();

    for (uint32_t i = 0; i < count; i += WIDTH)
        sum = _mm256_sub_epi32(sum, _mm256_cmpgt_epi32(bound, load(distances + i)));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(four);
}

static inline __attribute__((always_inline)) void copy(uint32_t *to, const uint32_t *from,
                                                       uint32_t count)
{
    uint32_t i = 0;

    do {
        _mm256_storeu_si256((__m256i *)(void *)(to + i), load(from + i));
        i += WIDTH;
    } while (i < count);
}

uint32_t kernels_avx2_pool_offer(const struct kernel_offer *offer)
{
    return pool_offer_all(offer, (struct pool_steps){count_below, copy});
}
