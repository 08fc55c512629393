/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGSTORE_KERNELS_AVX2_CODES_H
#define SEGSTORE_KERNELS_AVX2_CODES_H

#include "segstore/kernels/kernels.h"

void kernels_avx2_codes4(const struct kernel_codes *codes);
void kernels_avx2_codes8(const struct kernel_codes *codes);

#endif
