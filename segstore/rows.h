/* SPDX-License-Identifier: Apache-2.0
 * Rows of float32 values before they become blocks: the checks and the normalising of FORMAT.md. */
#ifndef SEGSTORE_ROWS_H
#define SEGSTORE_ROWS_H

#include "qnode/types.h"

/* Index of the first value that is NaN or infinite; count if there is none. */
size_t rows_first_nonfinite(const float *values, size_t count);
/* The squared distance of two rows; of one from zero if b is NULL. */
double rows_square(const float *a, const float *b, uint32_t dim);
/* To length 1, as FORMAT.md section 3 defines it; false for a zero vector (left alone). */
bool rows_normalise(float *vector, uint32_t dim);
/* One vector as the metric wants it: finite, for cosine normalised. The error says what is wrong
 * with it, without naming it. */
enum qn_status rows_prepare(enum qn_metric metric, uint32_t dim, float *vector,
                            struct qn_error *error);
/* Puts row `lane` (0 to 15) of a block in its place. */
void rows_to_block(const float *vector, uint32_t dim, unsigned lane, float *block);

#endif
