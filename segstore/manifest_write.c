/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/manifest.h"

#include "base/doc.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The segment's file name if its path is folder/name, else NULL. */
static const char *name_in_folder(const char *folder, const char *path)
{
    size_t length = strlen(folder);

    if (path == NULL || strncmp(path, folder, length) != 0 || path[length] != '/' ||
        path[length + 1] == '\0' || strchr(path + length + 1, '/') != NULL)
        return NULL;
    return path + length + 1;
}

static struct doc *segment_doc(const struct manifest_segment *segment, const char *file)
{
    struct doc *object = doc_object();
    char hash[33];

    hash_to_text(&segment->content_hash, hash);
    doc_set_int(object, "segment_id", segment->segment_id);
    doc_set_int(object, "partition_id", segment->partition_id);
    doc_set_string(object, "state", qn_segment_state_name(segment->state));
    doc_set_string(object, "file", file);
    doc_set_int(object, "rows", (int64_t)segment->rows_count);
    doc_set_int(object, "resident_bytes", (int64_t)segment->resident_bytes);
    doc_set_string(object, "content_hash", hash);
    doc_set_int(object, "delete_generation", (int64_t)segment->delete_generation);
    return object;
}

static struct doc *manifest_doc(const struct manifest *manifest)
{
    struct doc *root = doc_object(), *segments = doc_array();

    doc_set_string(root, "format", "qnode-collection");
    doc_set_int(root, "format_version", 1);
    doc_set_int(root, "collection_id", manifest->collection_id);
    doc_set_string(root, "name", manifest->name);
    doc_set_string(root, "metric", qn_metric_name(manifest->metric));
    doc_set_int(root, "dim", manifest->dim);
    doc_set_int(root, "readable_version", (int64_t)manifest->readable_version);
    for (size_t i = 0; i < manifest->segments_count; i++) {
        const struct manifest_segment *segment = &manifest->segments[i];
        doc_append(segments, segment_doc(segment, name_in_folder(manifest->folder, segment->path)));
    }
    doc_set(root, "segments", segments);
    return root;
}

enum qn_status manifest_write(const struct manifest *manifest, struct qn_error *error)
{
    char path[LIMIT_PATH_BYTES];
    struct files files = files_posix();
    int length = snprintf(path, sizeof path, "%s/collection.json", manifest->folder);

    if (length < 0 || (size_t)length >= sizeof path)
        return error_set(error, QN_STATUS_INVALID, "path too long: %.100s", manifest->folder);
    for (size_t i = 0; i < manifest->segments_count; i++)
        if (name_in_folder(manifest->folder, manifest->segments[i].path) == NULL)
            return error_set(error, QN_STATUS_INVALID, "%s: segments[%zu]: not in the folder", path,
                             i);
    struct doc *root = manifest_doc(manifest);
    char *text = doc_to_text(root);
    doc_free(root);
    enum qn_status status = files.ops->write_durable(files.self, path, text, strlen(text), error);
    free(text);
    return status;
}
