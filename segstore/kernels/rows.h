/* SPDX-License-Identifier: Apache-2.0
 * What the tables of kernels.h have of rows that lie anywhere, in files of their own. */
#ifndef SEGSTORE_KERNELS_ROWS_H
#define SEGSTORE_KERNELS_ROWS_H

#include "segstore/kernels/kernels.h"

void avx2_rows_l2(const struct kernel_rows *rows);
void avx2_rows_ip(const struct kernel_rows *rows);
void avx2_rows_l2_half(const struct kernel_rows *rows);
void avx2_rows_ip_half(const struct kernel_rows *rows);
void avx2_rows_widen(const uint16_t *halves, size_t count, float *ret_floats);
void avx512_rows_l2(const struct kernel_rows *rows);
void avx512_rows_ip(const struct kernel_rows *rows);
void avx512_rows_l2_half(const struct kernel_rows *rows);
void avx512_rows_ip_half(const struct kernel_rows *rows);
void avx512_rows_widen(const uint16_t *halves, size_t count, float *ret_floats);

#endif
