/* SPDX-License-Identifier: Apache-2.0
 * The rows that qnode-bench kernels --each goes over: those that follow each other are taken from
 * where the last run ended, those that lie anywhere in an order that no prefetcher guesses. */
#ifndef BENCH_KERNELS_FIELD_H
#define BENCH_KERNELS_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the rows are: the first bytes of the field, which stay in that cache, or all over it. */
enum field_place { PLACE_L1, PLACE_L2, PLACE_MEMORY, PLACES_COUNT };

enum {
    FIELD_L1_BYTES = 16 << 10, /* half of the smallest that there are */
    FIELD_L2_BYTES = 128 << 10,
    FIELD_MEMORY_BYTES = 256 << 20, /* more than what one core has of a last cache */
    FIELD_CHUNK_BYTES = FIELD_L2_BYTES,
    FIELD_LINE_BYTES = 64,
    FIELD_LINES = FIELD_MEMORY_BYTES / FIELD_LINE_BYTES,
    FIELD_AHEAD_MAX = 4096,
};

struct kernel_field {
    unsigned char *memory; /* floats from 0.5 to 1, halves and 7-bit codes, all at once */
    uint32_t *order;       /* each line of memory once, then the first FIELD_AHEAD_MAX again */
    size_t chunk_at, order_at;
};

/* False: no memory. */
bool field_init(struct kernel_field *field);
void field_done(struct kernel_field *field);
size_t field_place_bytes(enum field_place place);

/* The next so many bytes, a multiple of a line and at most FIELD_CHUNK_BYTES; in a cache always the
 * first ones. */
const void *field_chunk(struct kernel_field *field, enum field_place place, size_t bytes);

/* The number of a row that lies anywhere, the i-th from now on; place_rows: how many there are, a
 * power of two. Inline, since it is measured with the kernel. */
static inline uint32_t field_row(const struct kernel_field *field, size_t place_rows, size_t i)
{
    return field->order[field->order_at + i] & (uint32_t)(place_rows - 1);
}

/* Asks for the memory of such rows. Not inline: a compiler that sees that a function does nothing
 * but prefetch leaves its calls out. */
void field_prefetch(const struct kernel_field *field, size_t row_bytes, size_t first, size_t count);

/* So many of them are behind us. */
static inline void field_advance(struct kernel_field *field, size_t rows_count)
{
    field->order_at = (field->order_at + rows_count) % FIELD_LINES;
}

/* A limit of the machine: such rows all over the memory, of which each line is touched, 1e9 bytes a
 * second. */
double field_anywhere_gbytes(struct kernel_field *field, size_t row_bytes);

#endif
