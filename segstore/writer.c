/* SPDX-License-Identifier: Apache-2.0
 * Keys and vectors are two streams, each with a buffer of one piece: full, it is hashed and
 * written. Both places in the file are known from the start, since rows and dim are; the header
 * needs the checksums and comes last. */
#include "segstore/writer.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "segstore/bytes.h"
#include "segstore/format.h"
#include "segstore/half.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <stdlib.h>

struct stream {
    uint64_t offset; /* in the file, of the buffer's first byte */
    size_t filled_bytes;
    uint8_t *buffer; /* FORMAT_PIECE_BYTES */
    uint64_t *hashes;
    size_t hashes_count;
};

/* In the order of the sections. */
enum { STREAM_KEYS, STREAM_VECTORS, STREAM_INDEX, STREAMS_COUNT };

struct writer {
    struct format_header header;
    struct writer_sink sink;
    struct stream streams[STREAMS_COUNT];
    struct writer_index index; /* bytes NULL: rows become blocks */
    uint64_t rows_count;       /* appended */
    uint64_t first_row;        /* what the caller calls row 0 */
    float *row;                /* dim */
    uint16_t *halves;          /* dim */
    float *block;              /* dim x 16 */
};

static bool stream_open(struct stream *stream, const struct format_section *section)
{
    size_t pieces_count = (size_t)(format_padded(section->bytes) / FORMAT_PIECE_BYTES + 1);

    stream->offset = section->offset;
    stream->buffer = malloc(FORMAT_PIECE_BYTES);
    stream->hashes = calloc(pieces_count, sizeof *stream->hashes);
    return stream->buffer != NULL && stream->hashes != NULL;
}

static void stream_done(struct stream *stream)
{
    free(stream->buffer);
    free(stream->hashes);
}

static enum qn_status stream_flush(struct writer *writer, struct stream *stream,
                                   struct qn_error *error)
{
    if (stream->filled_bytes == 0)
        return QN_STATUS_OK;
    enum qn_status status = writer->sink.write_at(writer->sink.self, stream->offset, stream->buffer,
                                                  stream->filled_bytes, error);
    if (status != QN_STATUS_OK)
        return status;
    stream->hashes[stream->hashes_count++] = hash64(stream->buffer, stream->filled_bytes);
    stream->offset += stream->filled_bytes;
    stream->filled_bytes = 0;
    return QN_STATUS_OK;
}

static enum qn_status stream_add(struct writer *writer, struct stream *stream, const void *bytes,
                                 size_t size, struct qn_error *error)
{
    const uint8_t *rest = bytes;

    while (size > 0) {
        size_t room = FORMAT_PIECE_BYTES - stream->filled_bytes;
        size_t part = size < room ? size : room;
        memcpy(stream->buffer + stream->filled_bytes, rest, part);
        stream->filled_bytes += part;
        rest += part;
        size -= part;
        if (stream->filled_bytes < FORMAT_PIECE_BYTES)
            continue;
        enum qn_status status = stream_flush(writer, stream, error);
        if (status != QN_STATUS_OK)
            return status;
    }
    return QN_STATUS_OK;
}

/* Pads, flushes, and says the section's checksum. */
static enum qn_status stream_finish(struct writer *writer, struct stream *stream,
                                    uint64_t *ret_checksum, struct qn_error *error)
{
    size_t padded = (size_t)format_padded(stream->filled_bytes);

    memset(stream->buffer + stream->filled_bytes, 0, padded - stream->filled_bytes);
    stream->filled_bytes = padded;
    enum qn_status status = stream_flush(writer, stream, error);
    if (status == QN_STATUS_OK)
        *ret_checksum = hash64(stream->hashes, stream->hashes_count * sizeof(uint64_t));
    return status;
}

enum qn_status writer_open(const struct segment_facts *facts, struct writer_sink sink,
                           struct writer **ret_writer, struct qn_error *error)
{
    return writer_open_indexed(facts, (struct writer_index){.row_bits = 32}, sink, ret_writer,
                               error);
}

enum qn_status writer_open_indexed(const struct segment_facts *facts, struct writer_index index,
                                   struct writer_sink sink, struct writer **ret_writer,
                                   struct qn_error *error)
{
    struct writer *writer = calloc(1, sizeof *writer);

    if (facts->dim < 1 || facts->dim > LIMIT_DIM_MAX ||
        facts->rows_count > UINT64_C(1) << FORMAT_ROWS_MAX_LOG2 || facts->metric < QN_METRIC_L2 ||
        facts->metric > QN_METRIC_COSINE) {
        free(writer);
        return error_set(error, QN_STATUS_INVALID, "dim %" PRIu32 ", %" PRIu64 " rows, metric %d",
                         facts->dim, facts->rows_count, (int)facts->metric);
    }
    if (writer == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    writer->header.facts = *facts;
    writer->sink = sink;
    writer->index = index;
    format_layout(&writer->header, index.size, index.row_bits);
    writer->row = malloc(facts->dim * sizeof(float));
    writer->halves = malloc(facts->dim * sizeof(uint16_t));
    writer->block = calloc((size_t)facts->dim * LIMIT_BLOCK_ROWS, sizeof(float));
    bool streams = true;
    for (uint32_t i = 0; i < writer->header.sections_count; i++)
        streams = stream_open(&writer->streams[i], &writer->header.sections[i]) && streams;
    if (!streams || writer->row == NULL || writer->halves == NULL || writer->block == NULL) {
        writer_free(writer);
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    }
    *ret_writer = writer;
    return QN_STATUS_OK;
}

void writer_count_rows_from(struct writer *writer, uint64_t first_row)
{
    writer->first_row = first_row;
}

static enum qn_status flush_block(struct writer *writer, struct qn_error *error)
{
    size_t block_bytes = writer->header.facts.dim * LIMIT_BLOCK_ROWS * sizeof(float);
    enum qn_status status =
        stream_add(writer, &writer->streams[STREAM_VECTORS], writer->block, block_bytes, error);

    memset(writer->block, 0, block_bytes);
    return status;
}

/* Of an indexed segment: prepared, and as it is kept. */
static enum qn_status append_prepared(struct writer *writer, const float *row,
                                      struct qn_error *error)
{
    struct stream *stream = &writer->streams[STREAM_VECTORS];
    const uint32_t dim = writer->header.facts.dim;

    if (writer->index.row_bits == 32)
        return stream_add(writer, stream, row, dim * sizeof *row, error);
    size_t exact = half_narrow(row, dim, writer->halves);
    if (exact < dim)
        return error_set(error, QN_STATUS_INVALID, "row %" PRIu64 ": value %zu is no half float",
                         writer->first_row + writer->rows_count, exact);
    return stream_add(writer, stream, writer->halves, dim * sizeof *writer->halves, error);
}

static enum qn_status append_row(struct writer *writer, const float *row, struct qn_error *error)
{
    const struct segment_facts *facts = &writer->header.facts;
    unsigned lane = (unsigned)(writer->rows_count % LIMIT_BLOCK_ROWS);
    struct qn_error reason = {0};

    if (writer->index.bytes != NULL) {
        enum qn_status status = append_prepared(writer, row, error);
        writer->rows_count++;
        return status;
    }
    memcpy(writer->row, row, facts->dim * sizeof(float));
    if (rows_prepare(facts->metric, facts->dim, writer->row, &reason) != QN_STATUS_OK)
        return error_set(error, QN_STATUS_CORRUPT, "row %" PRIu64 ": %s",
                         writer->first_row + writer->rows_count, reason.text);
    rows_to_block(writer->row, facts->dim, lane, writer->block);
    writer->rows_count++;
    return lane == LIMIT_BLOCK_ROWS - 1 ? flush_block(writer, error) : QN_STATUS_OK;
}

enum qn_status writer_append(struct writer *writer, const int64_t *primary_keys, const float *rows,
                             size_t rows_count, struct qn_error *error)
{
    enum qn_status status = QN_STATUS_OK;

    if (rows_count > writer->header.facts.rows_count - writer->rows_count)
        return error_set(error, QN_STATUS_INVALID, "more than %" PRIu64 " rows",
                         writer->header.facts.rows_count);
    /* Keys are stored as this host has them: little-endian (bytes.h). */
    status = stream_add(writer, &writer->streams[STREAM_KEYS], primary_keys,
                        rows_count * sizeof *primary_keys, error);
    for (size_t i = 0; status == QN_STATUS_OK && i < rows_count; i++)
        status = append_row(writer, rows + i * writer->header.facts.dim, error);
    return status;
}

enum qn_status writer_finish(struct writer *writer, struct segment_facts *ret_facts,
                             struct qn_error *error)
{
    struct format_header *header = &writer->header;
    uint8_t page[FORMAT_PAGE_BYTES];
    enum qn_status status = QN_STATUS_OK;

    if (writer->rows_count != header->facts.rows_count)
        return error_set(error, QN_STATUS_INVALID, "%" PRIu64 " rows came, %" PRIu64 " were said",
                         writer->rows_count, header->facts.rows_count);
    if (writer->index.bytes != NULL)
        status = stream_add(writer, &writer->streams[STREAM_INDEX], writer->index.bytes,
                            writer->index.size, error);
    else if (writer->rows_count % LIMIT_BLOCK_ROWS != 0)
        status = flush_block(writer, error);
    for (uint32_t i = 0; status == QN_STATUS_OK && i < header->sections_count; i++)
        status = stream_finish(writer, &writer->streams[i], &header->sections[i].checksum, error);
    if (status != QN_STATUS_OK)
        return status;
    header->facts.content_hash = format_content_hash(header);
    format_encode(header, page);
    status = writer->sink.write_at(writer->sink.self, 0, page, sizeof page, error);
    if (status == QN_STATUS_OK && ret_facts != NULL)
        *ret_facts = header->facts;
    return status;
}

struct writer *writer_free(struct writer *writer)
{
    if (writer == NULL)
        return NULL;
    for (int i = 0; i < STREAMS_COUNT; i++)
        stream_done(&writer->streams[i]);
    free(writer->row);
    free(writer->halves);
    free(writer->block);
    free(writer);
    return NULL;
}
