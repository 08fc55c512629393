/* SPDX-License-Identifier: Apache-2.0
 * Writes a .qseg file from rows as they come, in bounded memory: about 2 MiB and one block. */
#ifndef SEGSTORE_WRITER_H
#define SEGSTORE_WRITER_H

#include "segstore/segment.h"

/* Where the bytes go: any order of offsets, each byte once. */
struct writer_sink {
    enum qn_status (*write_at)(void *self, uint64_t offset, const void *bytes, size_t size,
                               struct qn_error *error);
    void *self;
};

/* facts: ids, rows_count, dim, metric, delete_generation; the rest is computed. */
struct writer;

enum qn_status writer_open(const struct segment_facts *facts, struct writer_sink sink,
                           struct writer **ret_writer, struct qn_error *error);
/* The section of an index (index.h), and how the rows are kept beside it. */
struct writer_index {
    const void *bytes;
    uint64_t size;
    uint32_t row_bits; /* 32; 16: as halves */
};

/* The same for a segment with an index: rows are appended in the index's order, prepared, and stay
 * row-major. With 16 bits their values are those of halves (half_round); another one is
 * QN_STATUS_INVALID. The section stays the caller's, until writer_finish. */
enum qn_status writer_open_indexed(const struct segment_facts *facts, struct writer_index index,
                                   struct writer_sink sink, struct writer **ret_writer,
                                   struct qn_error *error);
/* Errors count rows from first_row (the number in the caller's input) instead of 0. */
void writer_count_rows_from(struct writer *writer, uint64_t first_row);
/* rows: rows_count x dim, row-major; for cosine they are normalised on the way. A row that the
 * metric refuses is QN_STATUS_CORRUPT: "row 17: value 3 is NaN".
 * After an error the writer can only be freed. */
enum qn_status writer_append(struct writer *writer, const int64_t *primary_keys, const float *rows,
                             size_t rows_count, struct qn_error *error);
/* After exactly facts.rows_count rows. Writes the rest and the header, last; the sink is complete.
 */
enum qn_status writer_finish(struct writer *writer, struct segment_facts *ret_facts,
                             struct qn_error *error);
/* Takes NULL, returns NULL. */
struct writer *writer_free(struct writer *writer);

/* A sink on a file: PATH.tmp until writer_file_commit has made it durable under its name. */
struct writer_file;

enum qn_status writer_file_open(const char *path, struct writer_file **ret_file,
                                struct qn_error *error);
struct writer_sink writer_file_sink(struct writer_file *file);
enum qn_status writer_file_commit(struct writer_file *file, struct qn_error *error);
/* Removes what was not committed. Takes NULL, returns NULL. */
struct writer_file *writer_file_free(struct writer_file *file);

/* All of the above for facts->rows_count rows that are in memory; completes facts. */
enum qn_status writer_save_file(const char *path, struct segment_facts *facts,
                                const int64_t *primary_keys, const float *rows,
                                struct qn_error *error);
/* The same with the complete facts apart. */
#define writer_write_file(path, facts, primary_keys, rows, ret_facts, error)                       \
    writer_save_file((path), (*(ret_facts) = *(facts), (ret_facts)), (primary_keys), (rows),       \
                     (error))

#endif
