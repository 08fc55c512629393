/* SPDX-License-Identifier: Apache-2.0
 * xoshiro256** seeded by splitmix64 (Blackman and Vigna): the same seed, the same world. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_init(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
/* Uniform in [0, bound); 0 when bound is 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* Uniform in [0, 1). */
double prng_unit(struct prng *prng);
/* Normal deviate, mean 0 and deviation 1. */
double prng_normal(struct prng *prng);

#endif
