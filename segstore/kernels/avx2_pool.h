/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGSTORE_KERNELS_AVX2_POOL_H
#define SEGSTORE_KERNELS_AVX2_POOL_H

#include "segstore/kernels/kernels.h"

uint32_t kernels_avx2_pool_offer(const struct kernel_offer *offer);

#endif
