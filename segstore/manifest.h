/* SPDX-License-Identifier: Apache-2.0
 * collection.json: what a collection folder holds (FORMAT.md). The only file of this room that the
 * coordinator includes. */
#ifndef SEGSTORE_MANIFEST_H
#define SEGSTORE_MANIFEST_H

#include "qnode/types.h"

struct manifest_segment {
    int64_t segment_id, partition_id;
    enum qn_segment_state state; /* only Sealed ones can be loaded */
    char *path;                  /* folder/file, ready to open */
    uint64_t rows_count, resident_bytes, delete_generation;
    struct qn_hash content_hash;
};

struct manifest {
    int64_t collection_id;
    char *name, *folder;
    enum qn_metric metric;
    uint32_t dim;
    uint64_t readable_version;
    struct manifest_segment *segments;
    size_t segments_count;
};

/* Reads folder/collection.json; the error names file and member. manifest_free releases. */
enum qn_status manifest_read(const char *folder, struct manifest **ret_manifest,
                             struct qn_error *error);
/* Writes folder/collection.json durably (segments' paths must lie in the folder). */
enum qn_status manifest_write(const struct manifest *manifest, struct qn_error *error);
struct manifest *manifest_free(struct manifest *manifest);

#endif
