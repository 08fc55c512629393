/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/rows.h"

#include "base/error.h"
#include "base/limits.h"
#include "segstore/kernels/kernels.h"
#include <math.h>

size_t rows_first_nonfinite(const float *values, size_t count)
{
    size_t first = kernels_current()->finite_prefix(values, count);

    while (first < count && isfinite(values[first]))
        first++;
    return first;
}

/* In some sums that do not wait for each other. */
static inline __attribute__((always_inline)) double square_of(const float *a, const float *b,
                                                              uint32_t dim, bool is_distance)
{
    enum { SUMS = 8 };
    double sums[SUMS] = {0}, square = 0;
    uint32_t d = 0;

    for (; d + SUMS <= dim; d += SUMS)
        for (uint32_t i = 0; i < SUMS; i++) {
            const double value = (double)a[d + i] - (is_distance ? (double)b[d + i] : 0);
            sums[i] += value * value;
        }
    for (; d < dim; d++) {
        const double value = (double)a[d] - (is_distance ? (double)b[d] : 0);
        square += value * value;
    }
    for (uint32_t i = 0; i < SUMS; i++)
        square += sums[i];
    return square;
}

double rows_square(const float *a, const float *b, uint32_t dim)
{
    return b != NULL ? square_of(a, b, dim, true) : square_of(a, b, dim, false);
}

bool rows_normalise(float *vector, uint32_t dim)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (sum == 0)
        return false;
    double factor = 1.0 / sqrt(sum);
    for (uint32_t i = 0; i < dim; i++)
        vector[i] = (float)((double)vector[i] * factor);
    return true;
}

enum qn_status rows_prepare(enum qn_metric metric, uint32_t dim, float *vector,
                            struct qn_error *error)
{
    size_t first = rows_first_nonfinite(vector, dim);

    if (first < dim)
        return error_set(error, QN_STATUS_INVALID, "value %zu is %s", first,
                         isnan(vector[first]) ? "NaN" : "infinite");
    if (metric == QN_METRIC_COSINE && !rows_normalise(vector, dim))
        return error_set(error, QN_STATUS_INVALID, "all values are zero, cosine has no meaning");
    return QN_STATUS_OK;
}

void rows_to_block(const float *vector, uint32_t dim, unsigned lane, float *block)
{
    for (uint32_t i = 0; i < dim; i++)
        block[i * LIMIT_BLOCK_ROWS + lane] = vector[i];
}
