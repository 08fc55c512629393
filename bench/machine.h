/* SPDX-License-Identifier: Apache-2.0
 * What one thread of this machine can do: the limits that kernels are measured against. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

/* Multiply-adds in registers, by the named kernels' instructions: 1e9 floating point operations a
 * second, two for each; 0 if there is no such measure (scalar). */
double machine_fma_gflops(const char *kernels);
/* Reading memory from end to end, 1e9 bytes a second. memory: 64-byte aligned, a multiple of 4 KiB;
 * larger than all caches if it is to be the memory that is measured, else it is that cache. */
double machine_read_gbytes(const char *kernels, const void *memory, size_t bytes);
/* To huge pages, where the kernel gives them on request; NULL: no memory. */
void *machine_map(size_t bytes);
void machine_unmap(void *memory, size_t bytes);

#endif
