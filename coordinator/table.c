/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/table.h"

#include "base/check.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GAP = 2, WRAPPED_WIDTH_MIN = 20 };

struct table {
    const struct table_column *columns;
    size_t columns_count;
    char **cells; /* row by row */
    size_t cells_count, cells_capacity;
};

struct table *table_new(const struct table_column *columns, size_t columns_count)
{
    struct table *table = calloc(1, sizeof *table);

    CHECK(table != NULL && columns_count > 0);
    table->columns = columns;
    table->columns_count = columns_count;
    return table;
}

struct table *table_free(struct table *table)
{
    if (table == NULL)
        return NULL;
    for (size_t i = 0; i < table->cells_count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
    return NULL;
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    int bytes = vasprintf(&text, format, arguments);
    va_end(arguments);
    CHECK(bytes >= 0);
    if (table->cells_count == table->cells_capacity) {
        table->cells_capacity = table->cells_capacity * 2 + 64;
        table->cells = realloc(table->cells, table->cells_capacity * sizeof *table->cells);
        CHECK(table->cells != NULL);
    }
    if (bytes == 0) {
        free(text);
        text = strdup("-");
        CHECK(text != NULL);
    }
    table->cells[table->cells_count++] = text;
}

size_t table_rows_count(const struct table *table)
{
    return table->cells_count / table->columns_count;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = strlen(table->columns[column].name);

    for (size_t i = column; i < table->cells_count; i += table->columns_count) {
        size_t cell_width = strlen(table->cells[i]);
        width = cell_width > width ? cell_width : width;
    }
    return width;
}

/* How much of text goes on this line: up to the last space that fits. */
static size_t line_bytes(const char *text, size_t width)
{
    size_t bytes = strlen(text);

    if (bytes <= width)
        return bytes;
    for (size_t i = width; i > 0; i--)
        if (text[i] == ' ')
            return i;
    return width;
}

/* The last column; further lines stand under its first. */
static void print_wrapped(FILE *file, const char *text, size_t width, size_t indent)
{
    for (bool first = true; *text != '\0'; first = false) {
        size_t bytes = line_bytes(text, width);

        if (!first)
            (void)fprintf(file, "\n%*s", (int)indent, "");
        (void)fprintf(file, "%.*s", (int)bytes, text);
        text += bytes;
        text += strspn(text, " ");
    }
}

static void print_row(const struct table *table, char *const *cells, const size_t *widths,
                      FILE *file)
{
    size_t last = table->columns_count - 1, indent = 0;

    for (size_t i = 0; i < last; i++) {
        int width = (int)widths[i];
        (void)fprintf(file, table->columns[i].right ? "%*s" : "%-*s", width, cells[i]);
        (void)fprintf(file, "%*s", GAP, "");
        indent += widths[i] + GAP;
    }
    if (table->columns[last].right)
        (void)fprintf(file, "%*s", (int)widths[last], cells[last]);
    else
        print_wrapped(file, cells[last], widths[last], indent);
    (void)fputc('\n', file);
}

void table_print(const struct table *table, FILE *file)
{
    size_t last = table->columns_count - 1, before = 0;
    size_t *widths = calloc(table->columns_count, sizeof *widths);
    char **headers = calloc(table->columns_count, sizeof *headers);

    CHECK(widths != NULL && headers != NULL);
    CHECK(table->cells_count % table->columns_count == 0);
    for (size_t i = 0; i <= last; i++) {
        headers[i] = (char *)(uintptr_t)table->columns[i].name;
        widths[i] = column_width(table, i);
        before += i < last ? widths[i] + GAP : 0;
    }
    if (!table->columns[last].right && before + widths[last] > TABLE_WIDTH)
        widths[last] =
            before + WRAPPED_WIDTH_MIN < TABLE_WIDTH ? TABLE_WIDTH - before : WRAPPED_WIDTH_MIN;
    print_row(table, headers, widths, file);
    for (size_t row = 0; row < table->cells_count; row += table->columns_count)
        print_row(table, table->cells + row, widths, file);
    free(headers);
    free(widths);
}

const char *table_duration_ms(uint64_t ms, char ret_text[TEXT_BYTES])
{
    double seconds = (double)ms / 1000;

    if (ms < 1000)
        (void)snprintf(ret_text, TEXT_BYTES, "%u ms", (unsigned)ms);
    else if (seconds < 120)
        (void)snprintf(ret_text, TEXT_BYTES, "%.1f s", seconds);
    else if (seconds < 2.0 * 3600)
        (void)snprintf(ret_text, TEXT_BYTES, "%.0f min", seconds / 60);
    else if (seconds < 48.0 * 3600)
        (void)snprintf(ret_text, TEXT_BYTES, "%.0f h", seconds / 3600);
    else
        (void)snprintf(ret_text, TEXT_BYTES, "%.0f d", seconds / 86400);
    return ret_text;
}

const char *table_wall_ms(uint64_t wall_ms, char ret_text[TEXT_BYTES])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;

    ret_text[0] = '\0';
    if (wall_ms == 0 || localtime_r(&seconds, &local) == NULL)
        return ret_text;
    size_t used = strftime(ret_text, TEXT_BYTES, "%H:%M:%S", &local);
    (void)snprintf(ret_text + used, TEXT_BYTES - used, ".%03u", (unsigned)(wall_ms % 1000));
    return ret_text;
}
