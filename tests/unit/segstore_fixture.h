/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the store share: segments made of random rows, files that live in memory and
 * fail when told, loads that are waited for. */
#ifndef TESTS_UNIT_SEGSTORE_FIXTURE_H
#define TESTS_UNIT_SEGSTORE_FIXTURE_H

#include "base/prng.h"
#include "segstore/format.h"
#include "segstore/loader.h"
#include "segstore/writer.h"

/* A .qseg file in memory, by the name "memory.qseg". */
struct fixture_file {
    uint8_t *bytes;
    size_t size, capacity;
};

/* A files port on one fixture_file. Call number fail_at (from 0; open, read_at and map count) fails
 * with fail_status, a map with NULL. */
struct fixture_port {
    struct fixture_file *file;
    int fail_at, calls_count;
    enum qn_status fail_status;
    int open_count;        /* opened and not closed */
    uint64_t mapped_bytes; /* mapped and not unmapped */
    uint64_t mapped_bytes_max;
};

struct files fixture_files(struct fixture_port *port);

/* Random rows in [-1, 1), never all zero. */
void fixture_fill(struct prng *prng, float *values, size_t count);
/* Facts of segment 7 with collection 3 and partition 5. */
struct segment_facts fixture_facts(uint64_t rows_count, uint32_t dim, enum qn_metric metric);
/* Writes the file; completes facts. keys may be NULL: row numbers. */
void fixture_build(struct fixture_file *ret_file, struct segment_facts *facts, const int64_t *keys,
                   const float *rows);
/* The same for a segment with an index. */
void fixture_build_indexed(struct fixture_file *ret_file, struct segment_facts *facts,
                           struct writer_index index, const int64_t *keys, const float *rows);
/* The same with rows of its own, and without an index. */
void fixture_build_random(struct fixture_file *ret_file, struct segment_facts *facts,
                          uint64_t seed);
void fixture_file_free(struct fixture_file *file);
/* Recomputes every checksum, the content hash and the header, so that only content is wrong. */
void fixture_reseal(struct fixture_file *file, struct format_header *header);
/* Loads on this thread. NULL: error says why. */
struct segment *fixture_load(struct fixture_port *port, const struct segment_facts *expected,
                             struct qn_error *error);
/* Builds and loads; both must work. */
struct segment *fixture_segment(struct segment_facts *facts, const int64_t *keys,
                                const float *rows);

#endif
