/* SPDX-License-Identifier: Apache-2.0
 * Aligned columns for people: as narrow as the cells allow, two spaces between columns. If the
 * lines would pass 80 columns, a last column of text is wrapped at its words. */
#ifndef COORDINATOR_TABLE_H
#define COORDINATOR_TABLE_H

#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TABLE_WIDTH = 80 };

struct table_column {
    const char *name;
    bool right; /* numbers stand at the right edge */
};

struct table;

/* columns stay the caller's. Out of memory ends the process (tools only). */
struct table *table_new(const struct table_column *columns, size_t columns_count);
struct table *table_free(struct table *table);
/* The next cell, row by row; "" is printed as "-". */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t table_rows_count(const struct table *table);
/* Headers and rows. All rows must be full. */
void table_print(const struct table *table, FILE *file);

/* "503 ms", "1.6 s", "4 min", "31 h", "12 d" */
const char *table_duration_ms(uint64_t ms, char ret_text[TEXT_BYTES]);
/* "12:03:04.120", local time; "" for 0. */
const char *table_wall_ms(uint64_t wall_ms, char ret_text[TEXT_BYTES]);

#endif
