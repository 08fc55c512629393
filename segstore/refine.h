/* SPDX-License-Identifier: Apache-2.0
 * What indexes estimate is told exactly: distances of rows as FORMAT.md defines them. */
#ifndef SEGSTORE_REFINE_H
#define SEGSTORE_REFINE_H

#include "segstore/flat.h"

/* Asks for the memory of a row of an indexed segment. */
void refine_prefetch(const struct segment *segment, uint32_t row);
/* Offers rows to topk with their distances from query [dim]. */
void refine_rows(const struct segment *segment, const float *query, const uint32_t *rows,
                 uint32_t rows_count, struct topk *topk);

#endif
