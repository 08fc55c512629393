/* SPDX-License-Identifier: Apache-2.0
 * The best of a few passes each, by the thread's own CPU time: others can only make it slower. */
#include "bench/machine.h"

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PASSES = 3,
    FMA_TURNS = 1 << 19,
    SUMS = 16,
    STREAMS = 4,
    STEP_BYTES = 512,
    READ_BYTES_MIN = 64 << 20, /* in a pass: a cache is read again and again */
};

#define HUGE_PAGE ((size_t)2 << 20)

void *machine_map(size_t bytes)
{
    size_t mapped = bytes + HUGE_PAGE;
    unsigned char *memory =
        mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        (void)munmap(memory, before);
    if (mapped > before + bytes)
        (void)munmap(memory + before + bytes, mapped - before - bytes);
    (void)madvise(memory + before, bytes, MADV_HUGEPAGE);
    return memory + before;
}

void machine_unmap(void *memory, size_t bytes)
{
    if (memory != NULL)
        (void)munmap(memory, bytes);
}

#ifdef QNODE_KERNELS_X86
#include <immintrin.h>

/* What is in sums is not known to the compiler, and is used. */
#define KEEP(vector)      __asm__ volatile("" : "+x"(vector))
#define KEEP_WIDE(vector) __asm__ volatile("" : "+v"(vector))

__attribute__((target("avx512f"))) static uint64_t fma_wide_us(void)
{
    __m512 sums[SUMS], a = _mm512_set1_ps(0.5F);
    uint64_t start_us = clock_thread_cpu_us();

#pragma GCC unroll 16
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_set1_ps((float)i);
    for (int turn = 0; turn < FMA_TURNS; turn++) {
#pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_fmadd_ps(sums[i], a, a);
            KEEP_WIDE(sums[i]);
        }
    }
    return clock_thread_cpu_us() - start_us;
}

__attribute__((target("avx2,fma"))) static uint64_t fma_us(void)
{
    __m256 sums[SUMS - 2], a = _mm256_set1_ps(0.5F);
    uint64_t start_us = clock_thread_cpu_us();

#pragma GCC unroll 16
    for (int i = 0; i < SUMS - 2; i++)
        sums[i] = _mm256_set1_ps((float)i);
    for (int turn = 0; turn < FMA_TURNS; turn++) {
#pragma GCC unroll 16
        for (int i = 0; i < SUMS - 2; i++) {
            sums[i] = _mm256_fmadd_ps(sums[i], a, a);
            KEEP(sums[i]);
        }
    }
    return clock_thread_cpu_us() - start_us;
}

__attribute__((target("avx512f"))) static void read_wide(const char *memory, size_t bytes)
{
    const size_t part = bytes / STREAMS;
    __m512i sums[STREAMS];

#pragma GCC unroll 4
    for (int i = 0; i < STREAMS; i++)
        sums[i] = _mm512_setzero_si512();
    for (size_t at = 0; at + STEP_BYTES <= part; at += STEP_BYTES)
        for (size_t stream = 0; stream < STREAMS; stream++)
#pragma GCC unroll 8
            for (size_t i = 0; i < STEP_BYTES / 64; i++)
                sums[i % STREAMS] = _mm512_xor_si512(
                    sums[i % STREAMS], _mm512_load_si512(memory + stream * part + at + i * 64));
#pragma GCC unroll 4
    for (int i = 0; i < STREAMS; i++)
        KEEP_WIDE(sums[i]);
}

__attribute__((target("avx2"))) static void read_narrow(const char *memory, size_t bytes)
{
    const size_t part = bytes / STREAMS;
    __m256i sums[STREAMS];

#pragma GCC unroll 4
    for (int i = 0; i < STREAMS; i++)
        sums[i] = _mm256_setzero_si256();
    for (size_t at = 0; at + STEP_BYTES <= part; at += STEP_BYTES)
        for (size_t stream = 0; stream < STREAMS; stream++)
#pragma GCC unroll 16
            for (size_t i = 0; i < STEP_BYTES / 32; i++)
                sums[i % STREAMS] = _mm256_xor_si256(
                    sums[i % STREAMS],
                    _mm256_load_si256(
                        (const __m256i *)(const void *)(memory + stream * part + at + i * 32)));
#pragma GCC unroll 4
    for (int i = 0; i < STREAMS; i++)
        KEEP(sums[i]);
}

static bool is_wide(const char *kernels)
{
    return strcmp(kernels, "avx512") == 0;
}

double machine_fma_gflops(const char *kernels)
{
    uint64_t best_us = UINT64_MAX;
    double operations = 2.0 * FMA_TURNS * (is_wide(kernels) ? SUMS * 16.0 : (SUMS - 2) * 8.0);

    if (strcmp(kernels, "scalar") == 0)
        return 0;
    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t us = is_wide(kernels) ? fma_wide_us() : fma_us();
        best_us = us < best_us ? us : best_us;
    }
    return operations / 1e3 / (double)(best_us + 1);
}

double machine_read_gbytes(const char *kernels, const void *memory, size_t bytes)
{
    const size_t turns = bytes < READ_BYTES_MIN ? READ_BYTES_MIN / bytes : 1;
    uint64_t best_us = UINT64_MAX;

    if (strcmp(kernels, "scalar") == 0)
        return 0;
    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t start_us = clock_thread_cpu_us();
        for (size_t turn = 0; turn < turns; turn++)
            (is_wide(kernels) ? read_wide : read_narrow)(memory, bytes);
        uint64_t us = clock_thread_cpu_us() - start_us;
        best_us = us < best_us ? us : best_us;
    }
    return (double)(bytes * turns) / 1e3 / (double)(best_us + 1);
}

#else

double machine_fma_gflops(const char *kernels)
{
    (void)kernels;
    return 0;
}

double machine_read_gbytes(const char *kernels, const void *memory, size_t bytes)
{
    (void)kernels;
    (void)memory;
    (void)bytes;
    return 0;
}

#endif
