/* SPDX-License-Identifier: Apache-2.0
 * IEEE half floats (binary16), as some segments keep their rows. To float is exact, from float
 * rounds to the nearest, ties to even. */
#ifndef SEGSTORE_HALF_H
#define SEGSTORE_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HALF_MAX = 65504 };

/* Exactly; what is infinite or no number stays so. */
static inline float half_to_float(uint16_t half)
{
    const uint32_t magnitude = half & 0x7fffu;
    uint32_t bits;
    float value = (float)magnitude * 0x1p-24f; /* a subnormal's */

    memcpy(&bits, &value, sizeof bits);
    if (magnitude >= 0x7c00)
        bits = 0x7f800000u | magnitude << 13;
    else if (magnitude >= 0x0400)
        bits = (magnitude << 13) + (112u << 23); /* the exponents' biases: 127 and 15 */
    bits |= (uint32_t)(half & 0x8000u) << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The nearest; infinite from 65520 on. */
uint16_t half_from_float(float value);
/* Rounds finite values in place to those of halves. Index of the first that is beyond +-HALF_MAX,
 * before which all are rounded; count if there is none. */
size_t half_round(float *values, size_t count);
/* Values that are finite halves already. Index of the first that is none; count if all are. */
size_t half_narrow(const float *values, size_t count, uint16_t *ret_halves);
/* Index of the first half that is infinite or no number; count if there is none. */
size_t half_first_nonfinite(const uint16_t *halves, size_t count);

#endif
