/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_ROUNDTRIP_H
#define BENCH_ROUNDTRIP_H

#include <stdint.h>

uint64_t roundtrip_now_ns(void);

#endif
