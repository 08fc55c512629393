/* SPDX-License-Identifier: Apache-2.0
 * .fbin files: uint32 rows, uint32 dim, then rows x dim float32, all little-endian. */
#ifndef BENCH_FBIN_H
#define BENCH_FBIN_H

#include "qnode/types.h"

struct fbin {
    uint32_t rows_count, dim;
    float *values; /* rows_count x dim; fbin_done frees it */
};

/* Reads at most rows_max rows (0: all). CORRUPT if the size disagrees with the header. */
enum qn_status fbin_read(const char *path, uint32_t rows_max, struct fbin *ret_fbin,
                         struct qn_error *error);
enum qn_status fbin_write(const char *path, const struct fbin *fbin, struct qn_error *error);
void fbin_done(struct fbin *fbin);

#endif
