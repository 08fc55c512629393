/* SPDX-License-Identifier: Apache-2.0
 * Are all values of a vector finite? Each query is asked that on every side of the bus, so the loop
 * is written for the compiler to vectorise: blocks of a fixed size, no early exit. */
#ifndef BASE_FINITE_H
#define BASE_FINITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FINITE_BLOCK = 16 };

/* 1 if all exponent bits are set: infinite or not a number. */
static inline uint32_t finite_is_not(const float *value)
{
    uint32_t bits;

    memcpy(&bits, value, sizeof bits);
    return (bits & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
}

/* values need not be aligned. */
static inline bool finite_all(const float *values, size_t count)
{
    uint32_t bad[FINITE_BLOCK] = {0}, any = 0;
    size_t i = 0;

    for (; i + FINITE_BLOCK <= count; i += FINITE_BLOCK)
        for (size_t j = 0; j < FINITE_BLOCK; j++)
            bad[j] |= finite_is_not(&values[i + j]);
    for (; i < count; i++)
        any |= finite_is_not(&values[i]);
    for (size_t j = 0; j < FINITE_BLOCK; j++)
        any |= bad[j];
    return any == 0;
}

#endif
