/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/collection.h"

#include "base/check.h"
#include "segstore/writer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLLECTION_PARTITIONS = 3, IMAGE_BYTES_MAX = 1 << 20 };

static enum qn_status image_write_at(void *self, uint64_t offset, const void *bytes, size_t size,
                                     struct qn_error *error)
{
    struct collection_segment *segment = self;

    (void)error;
    CHECK(offset + size <= IMAGE_BYTES_MAX);
    memcpy(segment->image + offset, bytes, size);
    if (offset + size > segment->image_bytes)
        segment->image_bytes = offset + size;
    return QN_STATUS_OK;
}

static void make_image(const struct collection *collection, struct collection_segment *segment)
{
    struct writer_sink sink = {.write_at = image_write_at, .self = segment};
    struct segment_facts facts = {
        .segment_id = segment->segment_id,
        .collection_id = collection->collection_id,
        .partition_id = segment->partition_id,
        .rows_count = segment->rows_count,
        .dim = collection->dim,
        .metric = collection->metric,
    };
    struct writer *writer = NULL;
    struct qn_error error = {0};

    segment->image = calloc(1, IMAGE_BYTES_MAX);
    CHECK(segment->image != NULL);
    CHECK(writer_open(&facts, sink, &writer, &error) == QN_STATUS_OK);
    CHECK(writer_append(writer, segment->keys, segment->rows, segment->rows_count, &error) ==
          QN_STATUS_OK);
    CHECK(writer_finish(writer, &facts, &error) == QN_STATUS_OK);
    writer_free(writer);
    segment->image = realloc(segment->image, segment->image_bytes);
    segment->resident_bytes = facts.resident_bytes;
    segment->content_hash = facts.content_hash;
}

/* Small whole numbers make ties; the first value is never 0, so that cosine accepts every row. */
static void make_row(float *row, uint32_t dim, bool is_coarse, struct prng *prng)
{
    for (uint32_t d = 0; d < dim; d++)
        row[d] = is_coarse ? (float)prng_below(prng, 5) - 2.0f : (float)prng_normal(prng);
    if (row[0] == 0.0f)
        row[0] = 1.0f;
}

static void make_segment(struct collection *collection, uint32_t number, uint32_t rows_max,
                         struct prng *prng)
{
    struct collection_segment *segment = &collection->segments[number];
    bool is_coarse = prng_below(prng, 2) == 0, has_twins = prng_below(prng, 4) == 0;

    segment->segment_id = collection->collection_id * 100 + number + 1;
    segment->partition_id = (int64_t)prng_below(prng, COLLECTION_PARTITIONS);
    segment->state =
        prng_below(prng, 12) == 0 && number > 0 ? QN_SEGMENT_GROWING : QN_SEGMENT_SEALED;
    (void)snprintf(segment->path, sizeof segment->path, "%s/segment-%u.qseg", collection->folder,
                   number + 1);
    segment->rows_count = (uint32_t)prng_below(prng, rows_max + 1);
    if (number == 0 && segment->rows_count == 0)
        segment->rows_count = 1; /* something to find in every collection */
    segment->keys = malloc((segment->rows_count + 1) * sizeof *segment->keys);
    segment->rows = malloc((segment->rows_count + 1) * collection->dim * sizeof(float));
    CHECK(segment->keys != NULL && segment->rows != NULL);
    for (uint32_t r = 0; r < segment->rows_count; r++) {
        /* Twins: keys that other segments of the collection have too. */
        segment->keys[r] = has_twins ? (int64_t)r : segment->segment_id * 1000 + r;
        make_row(&segment->rows[r * collection->dim], collection->dim, is_coarse, prng);
    }
    make_image(collection, segment);
}

void collection_make(struct collection *collection, uint32_t number, const struct options *options,
                     struct prng *prng)
{
    *collection = (struct collection){
        .collection_id = 7 + number,
        .metric = QN_METRIC_L2 + (enum qn_metric)prng_below(prng, 3),
        .dim = 1 + (uint32_t)prng_below(prng, 8),
        .readable_version = 1,
    };
    (void)snprintf(collection->name, sizeof collection->name, "c%u", number);
    (void)snprintf(collection->folder, sizeof collection->folder, "/data/c%u", number);
    collection->segments_count = 1 + prng_below(prng, options->segments_max);
    for (uint32_t s = 0; s < collection->segments_count; s++)
        make_segment(collection, s, options->rows_max, prng);
    collection->listed[collection->readable_version] = (1u << collection->segments_count) - 1;
}

static bool is_listed(const struct collection *collection, uint64_t readable_version,
                      size_t segment_number)
{
    return readable_version < COLLECTION_VERSIONS_MAX &&
           (collection->listed[readable_version] >> segment_number & 1) != 0;
}

bool collection_is_readable(const struct collection *collection, uint64_t readable_version,
                            size_t segment_number)
{
    return collection->segments[segment_number].state == QN_SEGMENT_SEALED &&
           is_listed(collection, readable_version, segment_number);
}

bool collection_is_same(const struct collection *collection, uint64_t readable_version)
{
    return readable_version < COLLECTION_VERSIONS_MAX &&
           collection->listed[readable_version] == collection->listed[collection->readable_version];
}

/* The first segment, which is sealed, is in every edition. */
void collection_renew(struct collection *collection, struct prng *prng)
{
    uint32_t listed = 1;

    if (collection->readable_version + 1 == COLLECTION_VERSIONS_MAX)
        return;
    for (size_t s = 1; s < collection->segments_count; s++)
        if (prng_below(prng, 4) != 0)
            listed |= 1u << s;
    collection->listed[++collection->readable_version] = listed;
}

void collection_done(struct collection *collection)
{
    for (size_t s = 0; s < collection->segments_count; s++) {
        free(collection->segments[s].keys);
        free(collection->segments[s].rows);
        free(collection->segments[s].image);
    }
    collection->segments_count = 0;
}

struct manifest *collection_manifest(const struct collection *collection)
{
    struct manifest *manifest = calloc(1, sizeof *manifest);

    CHECK(manifest != NULL);
    manifest->collection_id = collection->collection_id;
    manifest->name = strdup(collection->name);
    manifest->folder = strdup(collection->folder);
    manifest->metric = collection->metric;
    manifest->dim = collection->dim;
    manifest->readable_version = collection->readable_version;
    manifest->segments = calloc(collection->segments_count, sizeof *manifest->segments);
    CHECK(manifest->name != NULL && manifest->folder != NULL && manifest->segments != NULL);
    for (size_t s = 0; s < collection->segments_count; s++) {
        const struct collection_segment *from = &collection->segments[s];
        if (!is_listed(collection, collection->readable_version, s))
            continue;
        struct manifest_segment *to = &manifest->segments[manifest->segments_count++];
        *to = (struct manifest_segment){
            .segment_id = from->segment_id,
            .partition_id = from->partition_id,
            .state = from->state,
            .path = strdup(from->path),
            .rows_count = from->rows_count,
            .resident_bytes = from->resident_bytes,
            .content_hash = from->content_hash,
        };
        CHECK(to->path != NULL);
    }
    return manifest;
}
