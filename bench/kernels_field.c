/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kernels_field.h"

#include "base/clock.h"
#include "base/prng.h"
#include "bench/machine.h"
#include <stdlib.h>

enum { TOUCHED_LINES = 1 << 19, GROUP_LINES = 256 };

/* The low bits of a line's number depend on the low bits of its place in the order alone: 2^n lines
 * that follow each other there all differ modulo 2^n. */
static void fill(struct kernel_field *field)
{
    uint32_t *words = (uint32_t *)(void *)field->memory;
    struct prng prng;

    prng_init(&prng, 1);
    for (size_t i = 0; i < FIELD_MEMORY_BYTES / sizeof *words; i++)
        words[i] = 0x3f003800 | ((uint32_t)prng_next(&prng) & 0x007f037f);
    for (uint32_t i = 0; i < FIELD_LINES + FIELD_AHEAD_MAX; i++)
        field->order[i] = i * (0x9e3779b1 + i * 0x2c1b3c6e) % FIELD_LINES;
}

bool field_init(struct kernel_field *field)
{
    *field = (struct kernel_field){
        .memory = machine_map(FIELD_MEMORY_BYTES),
        .order = malloc((FIELD_LINES + FIELD_AHEAD_MAX) * sizeof *field->order),
    };
    if (field->memory == NULL || field->order == NULL) {
        field_done(field);
        return false;
    }
    fill(field);
    return true;
}

void field_done(struct kernel_field *field)
{
    machine_unmap(field->memory, FIELD_MEMORY_BYTES);
    free(field->order);
}

size_t field_place_bytes(enum field_place place)
{
    static const size_t bytes[PLACES_COUNT] = {FIELD_L1_BYTES, FIELD_L2_BYTES, FIELD_MEMORY_BYTES};

    return bytes[place];
}

const void *field_chunk(struct kernel_field *field, enum field_place place, size_t bytes)
{
    const size_t at = field->chunk_at + bytes <= FIELD_MEMORY_BYTES ? field->chunk_at : 0;

    if (place != PLACE_MEMORY)
        return field->memory;
    field->chunk_at = at + bytes;
    return field->memory + at;
}

void field_prefetch(const struct kernel_field *field, size_t row_bytes, size_t first, size_t count)
{
    const size_t rows_count = FIELD_MEMORY_BYTES / row_bytes;

    for (size_t i = first; i < first + count; i++) {
        const unsigned char *row = field->memory + field_row(field, rows_count, i) * row_bytes;
        for (size_t at = 0; at < row_bytes; at += FIELD_LINE_BYTES)
            __builtin_prefetch(row + at);
    }
}

/* The loads wait for nothing, so as many of them are under way as the machine can have. */
double field_anywhere_gbytes(struct kernel_field *field, size_t row_bytes)
{
    const size_t row_lines = row_bytes / FIELD_LINE_BYTES, group = GROUP_LINES / row_lines;
    const uint64_t start_us = clock_thread_cpu_us();
    unsigned sum = 0;

    for (size_t lines = 0; lines < TOUCHED_LINES; lines += GROUP_LINES) {
        for (size_t i = 0; i < group; i++) {
            const unsigned char *row =
                field->memory + field_row(field, FIELD_MEMORY_BYTES / row_bytes, i) * row_bytes;
            for (size_t at = 0; at < row_bytes; at += FIELD_LINE_BYTES)
                sum += row[at];
        }
        field_advance(field, group);
    }
    __asm__ volatile("" : : "r"(sum));
    return (double)TOUCHED_LINES * FIELD_LINE_BYTES / 1e3 /
           (double)(clock_thread_cpu_us() - start_us + 1);
}
