/* SPDX-License-Identifier: Apache-2.0
 * collection.json, read; manifest_write.c writes what this accepts. */
#include "segstore/manifest.h"

#include "base/check.h"
#include "base/doc.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_BYTES_MAX = 64 << 20, FORMAT_EDITION = 1 };

static const char format_name[] = "qnode-collection";
static const char file_name[] = "collection.json";

static void doc_freep(struct doc **doc)
{
    doc_free(*doc);
}

static void textp_free(char **text)
{
    free(*text);
}

static void *take_or_null(void *memory, struct qn_error *error)
{
    if (memory == NULL)
        (void)error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    return memory;
}

static char *join_path(const char *folder, const char *name, struct qn_error *error)
{
    char *path = NULL;

    if (strlen(folder) + strlen(name) + 2 > LIMIT_PATH_BYTES) {
        (void)error_set(error, QN_STATUS_INVALID, "path too long: %.60s/%.60s", folder, name);
        return NULL;
    }
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return take_or_null(NULL, error);
    return path;
}

static bool is_file_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* An integer from 0 to max. */
static enum qn_status get_count(const struct doc *object, const char *name, uint64_t max,
                                uint64_t *ret_value, struct qn_error *error)
{
    int64_t value = 0;
    enum qn_status status = doc_get_int(object, name, &value, error);

    if (status != QN_STATUS_OK)
        return status;
    if (value < 0 || (uint64_t)value > max)
        return error_set(error, QN_STATUS_CORRUPT, "%s: %" PRId64 " is out of range", name, value);
    *ret_value = (uint64_t)value;
    return QN_STATUS_OK;
}

static enum qn_segment_state state_from_name(const char *name)
{
    if (strcmp(name, qn_segment_state_name(QN_SEGMENT_GROWING)) == 0)
        return QN_SEGMENT_GROWING;
    if (strcmp(name, qn_segment_state_name(QN_SEGMENT_SEALED)) == 0)
        return QN_SEGMENT_SEALED;
    return QN_SEGMENT_UNSPECIFIED;
}

static enum qn_status read_segment_texts(const struct doc *object, const char *folder,
                                         struct manifest_segment *segment, struct qn_error *error)
{
    const char *state = NULL, *file = NULL, *hash = NULL;
    enum qn_status status = doc_get_string(object, "state", &state, error);

    if (status == QN_STATUS_OK)
        status = doc_get_string(object, "file", &file, error);
    if (status == QN_STATUS_OK)
        status = doc_get_string(object, "content_hash", &hash, error);
    if (status != QN_STATUS_OK)
        return status;
    segment->state = state_from_name(state);
    if (segment->state == QN_SEGMENT_UNSPECIFIED)
        return error_set(error, QN_STATUS_CORRUPT, "state: \"%.40s\" is neither Growing nor Sealed",
                         state);
    if (!is_file_name(file))
        return error_set(error, QN_STATUS_CORRUPT, "file: \"%.40s\" is no file name", file);
    if (!hash_from_text(hash, &segment->content_hash))
        return error_set(error, QN_STATUS_CORRUPT, "content_hash: 32 hex digits are wanted");
    segment->path = join_path(folder, file, error);
    return segment->path == NULL ? error->status : QN_STATUS_OK;
}

static enum qn_status read_segment(const struct doc *object, const char *folder,
                                   struct manifest_segment *segment, struct qn_error *error)
{
    enum qn_status status = doc_get_int(object, "segment_id", &segment->segment_id, error);

    if (status == QN_STATUS_OK)
        status = doc_get_int(object, "partition_id", &segment->partition_id, error);
    if (status == QN_STATUS_OK)
        status = get_count(object, "rows", INT64_MAX, &segment->rows_count, error);
    if (status == QN_STATUS_OK)
        status = get_count(object, "resident_bytes", INT64_MAX, &segment->resident_bytes, error);
    if (status == QN_STATUS_OK)
        status =
            get_count(object, "delete_generation", INT64_MAX, &segment->delete_generation, error);
    if (status == QN_STATUS_OK && segment->resident_bytes % 4096 != 0)
        status = error_set(error, QN_STATUS_CORRUPT,
                           "resident_bytes: %" PRIu64 " is no multiple of 4096",
                           segment->resident_bytes);
    return status == QN_STATUS_OK ? read_segment_texts(object, folder, segment, error) : status;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static enum qn_status check_ids_distinct(const struct manifest *manifest, struct qn_error *error)
{
    size_t count = manifest->segments_count;
    int64_t *ids = take_or_null(calloc(count + 1, sizeof *ids), error);
    enum qn_status status = QN_STATUS_OK;

    if (ids == NULL)
        return error->status;
    for (size_t i = 0; i < count; i++)
        ids[i] = manifest->segments[i].segment_id;
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 1; status == QN_STATUS_OK && i < count; i++)
        if (ids[i] == ids[i - 1])
            status = error_set(error, QN_STATUS_CORRUPT,
                               "segments: segment_id %" PRId64 " stands twice", ids[i]);
    free(ids);
    return status;
}

static enum qn_status read_segments(const struct doc *root, struct manifest *manifest,
                                    struct qn_error *error)
{
    const struct doc *array = NULL;
    enum qn_status status = doc_get_array(root, "segments", &array, error);

    if (status != QN_STATUS_OK)
        return status;
    size_t count = doc_array_count(array);
    if (count > LIMIT_SEGMENTS_PER_VIEW_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "segments: %zu, at most %d", count,
                         LIMIT_SEGMENTS_PER_VIEW_MAX);
    manifest->segments = take_or_null(calloc(count + 1, sizeof *manifest->segments), error);
    if (manifest->segments == NULL)
        return error->status;
    for (size_t i = 0; i < count; i++) {
        struct qn_error reason = {0};
        manifest->segments_count++;
        status =
            read_segment(doc_array_at(array, i), manifest->folder, &manifest->segments[i], &reason);
        if (status != QN_STATUS_OK)
            return error_set(error, status, "segments[%zu]: %s", i, reason.text);
    }
    return check_ids_distinct(manifest, error);
}

static enum qn_status check_edition(const struct doc *root, struct qn_error *error)
{
    const char *format = NULL;
    int64_t edition = 0;
    enum qn_status status = doc_get_string(root, "format", &format, error);

    if (status == QN_STATUS_OK && strcmp(format, format_name) != 0)
        return error_set(error, QN_STATUS_CORRUPT, "format: \"%.40s\", expected \"%s\"", format,
                         format_name);
    if (status == QN_STATUS_OK)
        status = doc_get_int(root, "format_version", &edition, error);
    if (status == QN_STATUS_OK && edition != FORMAT_EDITION)
        return error_set(error, QN_STATUS_UNSUPPORTED,
                         "format_version: %" PRId64 ", this reader knows %d", edition,
                         FORMAT_EDITION);
    return status;
}

static enum qn_status read_root(const struct doc *root, struct manifest *manifest,
                                struct qn_error *error)
{
    const char *name = NULL, *metric = NULL;
    uint64_t dim = 0;
    enum qn_status status = check_edition(root, error);

    if (status == QN_STATUS_OK)
        status = doc_get_int(root, "collection_id", &manifest->collection_id, error);
    if (status == QN_STATUS_OK)
        status = doc_get_string(root, "name", &name, error);
    if (status == QN_STATUS_OK)
        status = doc_get_string(root, "metric", &metric, error);
    if (status == QN_STATUS_OK)
        status = get_count(root, "dim", LIMIT_DIM_MAX, &dim, error);
    if (status == QN_STATUS_OK)
        status = get_count(root, "readable_version", INT64_MAX, &manifest->readable_version, error);
    if (status != QN_STATUS_OK)
        return status;
    manifest->metric = qn_metric_from_name(metric);
    manifest->dim = (uint32_t)dim;
    if (manifest->metric == QN_METRIC_UNSPECIFIED)
        return error_set(error, QN_STATUS_CORRUPT, "metric: \"%.40s\" is unknown", metric);
    if (dim == 0)
        return error_set(error, QN_STATUS_CORRUPT, "dim: 0 is out of range");
    if (name[0] == '\0' || strlen(name) >= LIMIT_NAME_BYTES)
        return error_set(error, QN_STATUS_CORRUPT, "name: 1 to %d bytes are wanted",
                         LIMIT_NAME_BYTES - 1);
    manifest->name = take_or_null(strdup(name), error);
    return manifest->name == NULL ? error->status : read_segments(root, manifest, error);
}

static enum qn_status read_file(const char *path, char **ret_text, size_t *ret_size,
                                struct qn_error *error)
{
    struct files files = files_posix();
    struct file file;
    enum qn_status status = files.ops->open(files.self, path, &file, error);

    if (status != QN_STATUS_OK)
        return status;
    uint64_t size = file.size_bytes;
    files.ops->close(files.self, &file);
    if (size > MANIFEST_BYTES_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "%s: %" PRIu64 " bytes are no manifest", path,
                         size);
    char *text = take_or_null(malloc(size + 1), error);
    if (text == NULL)
        return error->status;
    status = files.ops->read_small(files.self, path, text, size + 1, ret_size, error);
    if (status != QN_STATUS_OK) {
        free(text);
        return status;
    }
    *ret_text = text;
    return QN_STATUS_OK;
}

enum qn_status manifest_read(const char *folder, struct manifest **ret_manifest,
                             struct qn_error *error)
{
    struct qn_error unheard = {0}, reason = {0};
    CLEANUP(textp_free) char *path = NULL;
    CLEANUP(textp_free) char *text = NULL;
    CLEANUP(doc_freep) struct doc *root = NULL;
    size_t size = 0;

    if (error == NULL)
        error = &unheard;
    path = join_path(folder, file_name, error);
    if (path == NULL)
        return error->status;
    enum qn_status status = read_file(path, &text, &size, error);
    if (status != QN_STATUS_OK)
        return status;
    struct manifest *manifest = calloc(1, sizeof *manifest);
    if (manifest == NULL || (manifest->folder = strdup(folder)) == NULL)
        status = error_set(&reason, QN_STATUS_NO_MEMORY, "out of memory");
    if (status == QN_STATUS_OK && (root = doc_parse(text, size, &reason)) == NULL)
        status = reason.status;
    if (status == QN_STATUS_OK)
        status = read_root(root, manifest, &reason);
    if (status != QN_STATUS_OK) {
        manifest_free(manifest);
        return error_set(error, status, "%s: %s", path, reason.text);
    }
    *ret_manifest = manifest;
    return QN_STATUS_OK;
}

struct manifest *manifest_free(struct manifest *manifest)
{
    if (manifest == NULL)
        return NULL;
    for (size_t i = 0; i < manifest->segments_count; i++)
        free(manifest->segments[i].path);
    free(manifest->segments);
    free(manifest->name);
    free(manifest->folder);
    free(manifest);
    return NULL;
}
