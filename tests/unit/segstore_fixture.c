/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/segstore_fixture.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "segstore/pieces.h"
#include <stdlib.h>
#include <string.h>

static bool must_fail(struct fixture_port *port)
{
    return port->calls_count++ == port->fail_at;
}

static enum qn_status fixture_open(void *self, const char *path, struct file *ret_file,
                                   struct qn_error *error)
{
    struct fixture_port *port = self;

    if (must_fail(port))
        return error_set(error, port->fail_status, "%s: open failed as told", path);
    if (strcmp(path, "memory.qseg") != 0)
        return error_set(error, QN_STATUS_NOT_FOUND, "%s: no such file", path);
    port->open_count++;
    *ret_file = (struct file){.handle = 1, .size_bytes = port->file->size};
    return QN_STATUS_OK;
}

static enum qn_status fixture_read_at(void *self, const struct file *file, uint64_t offset,
                                      void *ret_bytes, size_t bytes, struct qn_error *error)
{
    struct fixture_port *port = self;

    CHECK(file->handle == 1 && port->open_count > 0);
    if (must_fail(port))
        return error_set(error, port->fail_status, "read failed as told");
    if (offset > port->file->size || bytes > port->file->size - offset)
        return error_set(error, QN_STATUS_CORRUPT, "file ends early");
    memcpy(ret_bytes, port->file->bytes + offset, bytes);
    return QN_STATUS_OK;
}

static void fixture_close(void *self, struct file *file)
{
    struct fixture_port *port = self;

    CHECK(file->handle == 1);
    file->handle = -1;
    port->open_count--;
}

static void *fixture_map(void *self, size_t bytes, unsigned numa_node)
{
    struct fixture_port *port = self;
    void *memory = NULL;

    (void)numa_node;
    CHECK(bytes > 0 && bytes % 4096 == 0);
    if (must_fail(port))
        return NULL;
    CHECK(posix_memalign(&memory, 4096, bytes) == 0);
    memset(memory, 0, bytes);
    port->mapped_bytes += bytes;
    if (port->mapped_bytes > port->mapped_bytes_max)
        port->mapped_bytes_max = port->mapped_bytes;
    return memory;
}

static void fixture_unmap(void *self, void *memory, size_t bytes)
{
    struct fixture_port *port = self;

    port->mapped_bytes -= bytes;
    free(memory);
}

struct files fixture_files(struct fixture_port *port)
{
    static const struct files_ops ops = {
        .name = "fixture",
        .open = fixture_open,
        .read_at = fixture_read_at,
        .close = fixture_close,
        .map = fixture_map,
        .unmap = fixture_unmap,
    };

    return (struct files){.ops = &ops, .self = port};
}

void fixture_fill(struct prng *prng, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(2 * prng_unit(prng) - 1);
}

struct segment_facts fixture_facts(uint64_t rows_count, uint32_t dim, enum qn_metric metric)
{
    return (struct segment_facts){
        .segment_id = 7,
        .collection_id = 3,
        .partition_id = 5,
        .rows_count = rows_count,
        .dim = dim,
        .metric = metric,
        .delete_generation = 2,
    };
}

static enum qn_status memory_write_at(void *self, uint64_t offset, const void *bytes, size_t size,
                                      struct qn_error *error)
{
    struct fixture_file *file = self;

    (void)error;
    if (offset + size > file->capacity) {
        file->capacity = 2 * (offset + size);
        file->bytes = realloc(file->bytes, file->capacity);
        CHECK(file->bytes != NULL);
    }
    if (offset > file->size)
        memset(file->bytes + file->size, 0xee, offset - file->size);
    if (offset + size > file->size)
        file->size = offset + size;
    memcpy(file->bytes + offset, bytes, size);
    return QN_STATUS_OK;
}

void fixture_build(struct fixture_file *ret_file, struct segment_facts *facts, const int64_t *keys,
                   const float *rows)
{
    fixture_build_indexed(ret_file, facts, (struct writer_index){.row_bits = 32}, keys, rows);
}

void fixture_build_indexed(struct fixture_file *ret_file, struct segment_facts *facts,
                           struct writer_index index, const int64_t *keys, const float *rows)
{
    struct writer *writer = NULL;
    struct writer_sink sink = {.write_at = memory_write_at, .self = ret_file};
    int64_t *numbers = calloc(facts->rows_count + 1, sizeof *numbers);

    CHECK(numbers != NULL);
    for (uint64_t i = 0; i < facts->rows_count; i++)
        numbers[i] = (int64_t)i;
    *ret_file = (struct fixture_file){0};
    CHECK(writer_open_indexed(facts, index, sink, &writer, NULL) == QN_STATUS_OK);
    CHECK(writer_append(writer, keys != NULL ? keys : numbers, rows, facts->rows_count, NULL) ==
          QN_STATUS_OK);
    CHECK(writer_finish(writer, facts, NULL) == QN_STATUS_OK);
    writer_free(writer);
    free(numbers);
}

void fixture_build_random(struct fixture_file *ret_file, struct segment_facts *facts, uint64_t seed)
{
    size_t floats_count = facts->rows_count * facts->dim;
    float *rows = malloc(floats_count * sizeof *rows + 1);
    struct prng prng;

    CHECK(rows != NULL);
    prng_init(&prng, seed);
    fixture_fill(&prng, rows, floats_count);
    fixture_build(ret_file, facts, NULL, rows);
    free(rows);
}

void fixture_file_free(struct fixture_file *file)
{
    free(file->bytes);
    *file = (struct fixture_file){0};
}

void fixture_reseal(struct fixture_file *file, struct format_header *header)
{
    struct pieces pieces;

    CHECK(pieces_init(&pieces, header, false, NULL) == QN_STATUS_OK);
    for (uint64_t i = 0; i < pieces.count; i++)
        pieces_check(&pieces, i, file->bytes + pieces_at(&pieces, i).file_offset);
    for (uint32_t i = 0; i < header->sections_count; i++) {
        uint64_t first = pieces.section_first[i];
        uint64_t count = pieces.section_first[i + 1] - first;
        header->sections[i].checksum = hash64(pieces.hashes + first, count * sizeof(uint64_t));
    }
    pieces_done(&pieces);
    header->facts.content_hash = format_content_hash(header);
    format_encode(header, file->bytes);
}

struct outcome {
    struct segment *segment;
    struct qn_error error;
    int calls_count;
};

static void on_done(void *owner, struct load *load, struct segment *segment,
                    const struct qn_error *error)
{
    struct outcome *outcome = owner;

    (void)load;
    outcome->segment = segment;
    outcome->error = *error;
    outcome->calls_count++;
}

struct segment *fixture_load(struct fixture_port *port, const struct segment_facts *expected,
                             struct qn_error *error)
{
    struct outcome outcome = {0};
    struct load_options options = {
        .path = "memory.qseg",
        .expected = *expected,
        .files = fixture_files(port),
        .executor = executor_inline(),
    };

    CHECK(load_start(&options, on_done, &outcome, error) != NULL);
    CHECK(outcome.calls_count == 1);
    CHECK((outcome.segment != NULL) == (outcome.error.status == QN_STATUS_OK));
    if (error != NULL)
        *error = outcome.error;
    return outcome.segment;
}

static void unmap_only(void *self, void *memory, size_t bytes)
{
    (void)self, (void)bytes;
    free(memory);
}

struct segment *fixture_segment(struct segment_facts *facts, const int64_t *keys, const float *rows)
{
    /* The port ends with this function; the segment gives its memory back without it. */
    static const struct files_ops unmap_ops = {.name = "unmap", .unmap = unmap_only};
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};

    fixture_build(&file, facts, keys, rows);
    struct segment *segment = fixture_load(&port, facts, NULL);
    CHECK(segment != NULL && port.open_count == 0);
    segment->files = (struct files){.ops = &unmap_ops};
    fixture_file_free(&file);
    return segment;
}
