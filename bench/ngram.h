/* SPDX-License-Identifier: Apache-2.0
 * Words as vectors, so that a misspelt word lies near the right one (cosine). No model, no table:
 * the vector of a word is a function of its letters.
 *
 * A word, lower-cased and framed ("^word$"), is the sum of its character n-grams:
 *   - its letters (n = 1) count on coordinates of their own (27: a to z, and everything else);
 *     letters in the wrong order leave them alone;
 *   - its pairs (n = 2), its triples (n = 3, weight 1/2) and its pairs with every vowel written as
 *     "*" are hashed, each to two of the other 101 coordinates, with a sign of +1 or -1, which
 * makes collisions cancel on average (feature hashing: Weinberger and others, ICML 2009; two
 *     coordinates per feature as in the count sketch: Charikar and others, 2002).
 *
 * The pairs with folded vowels are what finds "separate" for "seperate": most misspellings swap one
 * vowel for another. Weights were chosen on 74 common misspellings (bench/README.md). */
#ifndef BENCH_NGRAM_H
#define BENCH_NGRAM_H

#include <stdbool.h>

enum { NGRAM_DIM = 128, NGRAM_WORD_BYTES_MAX = 255 };

/* ret_vector[NGRAM_DIM], not normalised. False (nothing written) for an empty word or one longer
 * than NGRAM_WORD_BYTES_MAX; any other word has a vector that is not zero. */
bool ngram_embed(const char *word, float *ret_vector);

#endif
