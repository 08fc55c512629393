/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ngram.h"

#include "base/hash.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

enum {
    LETTERS = 27, /* coordinates 0..25: a..z, 26: all other bytes */
    HASHED = NGRAM_DIM - LETTERS,
    COORDINATES_PER_GRAM = 2,
};

static void add_gram(float *vector, const char *gram, size_t bytes, float weight)
{
    char salted[8];

    memcpy(salted + 1, gram, bytes);
    for (char salt = 0; salt < COORDINATES_PER_GRAM; salt++) {
        salted[0] = salt;
        uint64_t hash = hash64(salted, bytes + 1);
        float sign = hash >> 63 ? 1.0F : -1.0F;
        vector[LETTERS + (uint32_t)hash % HASHED] += sign * weight;
    }
}

static void add_grams(float *vector, const char *text, size_t bytes, size_t n, float weight)
{
    float each = weight / sqrtf(COORDINATES_PER_GRAM);

    for (size_t i = 0; i + n <= bytes; i++)
        add_gram(vector, text + i, n, each);
}

static void add_letters(float *vector, const char *word, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        bool letter = word[i] >= 'a' && word[i] <= 'z';
        vector[letter ? word[i] - 'a' : LETTERS - 1] += 1.0F;
    }
}

bool ngram_embed(const char *word, float *ret_vector)
{
    size_t bytes = strlen(word), framed_bytes = bytes + 2;
    char framed[NGRAM_WORD_BYTES_MAX + 2], folded[NGRAM_WORD_BYTES_MAX + 2];

    if (bytes == 0 || bytes > NGRAM_WORD_BYTES_MAX)
        return false;
    framed[0] = '^';
    for (size_t i = 0; i < bytes; i++)
        framed[i + 1] = (char)tolower((unsigned char)word[i]);
    framed[bytes + 1] = '$';
    for (size_t i = 0; i < framed_bytes; i++)
        folded[i] = memchr("aeiouy", framed[i], 6) != NULL ? '*' : framed[i];

    memset(ret_vector, 0, NGRAM_DIM * sizeof *ret_vector);
    add_letters(ret_vector, framed + 1, bytes);
    add_grams(ret_vector, framed, framed_bytes, 2, 1.0F);
    add_grams(ret_vector, framed, framed_bytes, 3, 0.5F);
    add_grams(ret_vector, folded, framed_bytes, 2, 1.0F);
    return true;
}
