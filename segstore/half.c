/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/half.h"

#include <math.h>

enum { BLOCK = 64 };

uint16_t half_from_float(float value)
{
    const float magnitude = fabsf(value);
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u;
    if (isnan(value))
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= HALF_MAX + 16)
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x1p-14f) /* in steps of a subnormal; 1024 of them are the least normal */
        return (uint16_t)(sign | (uint32_t)lrintf(magnitude * 0x1p24f));
    bits &= 0x7fffffffu;
    bits += 0x0fffu + (bits >> 13 & 1); /* may carry into the exponent, as it should */
    return (uint16_t)(sign | (bits - (112u << 23)) >> 13);
}

size_t half_round(float *values, size_t count)
{
    size_t i = 0;

    for (; i < count && fabsf(values[i]) <= HALF_MAX; i++)
        values[i] = half_to_float(half_from_float(values[i]));
    return i;
}

size_t half_narrow(const float *values, size_t count, uint16_t *ret_halves)
{
    size_t i = 0;

    for (; i < count && fabsf(values[i]) <= HALF_MAX; i++) {
        ret_halves[i] = half_from_float(values[i]);
        if (half_to_float(ret_halves[i]) != values[i])
            break;
    }
    return i;
}

static unsigned is_nonfinite(uint16_t half)
{
    return (half & 0x7c00u) == 0x7c00u ? 1u : 0u;
}

/* Blocks without an early exit are what a compiler makes vectors of. */
size_t half_first_nonfinite(const uint16_t *halves, size_t count)
{
    size_t i = 0;

    for (; i + BLOCK <= count; i += BLOCK) {
        uint16_t any = 0;
        for (size_t j = 0; j < BLOCK; j++)
            any |= (uint16_t)is_nonfinite(halves[i + j]);
        if (any != 0)
            break;
    }
    while (i < count && is_nonfinite(halves[i]) == 0)
        i++;
    return i;
}
