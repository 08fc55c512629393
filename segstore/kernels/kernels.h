/* SPDX-License-Identifier: Apache-2.0
 * Distance kernels, one table per instruction set; all give the same bits (FORMAT.md section 3).
 * The choice is made once per process, by CPUID and the environment's QNODE_KERNELS. */
#ifndef SEGSTORE_KERNELS_KERNELS_H
#define SEGSTORE_KERNELS_KERNELS_H

#include "qnode/types.h"

/* Every query against every block. */
struct kernel_job {
    const float *queries; /* queries_count x dim */
    const float *blocks;  /* blocks_count blocks of dim x 16 floats, one after the other */
    size_t dim, queries_count, blocks_count;
    float *ret_distances; /* queries_count x (blocks_count x 16) */
};

struct kernels {
    const char *name; /* "scalar", "avx2", "avx512" */
    void (*l2)(const struct kernel_job *job);
    void (*ip)(const struct kernel_job *job);
    /* All values before the returned index (<= count) are finite; count only if all are. */
    size_t (*finite_prefix)(const float *values, size_t count);
};

/* The tables this machine can run; scalar is always the first, the fastest the last. */
size_t kernels_supported(const struct kernels *ret_tables[], size_t capacity);
/* Makes the process's choice. name: scalar, avx2, avx512; NULL takes QNODE_KERNELS, and the fastest
 * if that is not set either. QN_STATUS_CONFIG for an unknown name or one this machine cannot run. A
 * program calls it first, so that a wrong QNODE_KERNELS is told. */
enum qn_status kernels_choose(const char *name, struct qn_error *error);
/* The choice; without one, the fastest. Any thread. */
const struct kernels *kernels_current(void);

extern const struct kernels kernels_scalar;
#ifdef QNODE_KERNELS_X86
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
#endif

#endif
