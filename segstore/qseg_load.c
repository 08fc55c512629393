/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/qseg_load.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/waiter.h"
#include "segstore/bytes.h"
#include "segstore/format.h"
#include "segstore/loader.h"
#include "segstore/manifest.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

/* One load after the other, each waited for. Outlives the threads: a loader wakes the waiter after
 * the load is seen as done. */
struct loading {
    struct waiter waiter;
    _Atomic int done;
    struct segment *segment; /* of the last load */
    struct qn_error error;
    struct executor executor;
    struct qseg_segments segments;
};

static void on_load_done(void *owner, struct load *load, struct segment *segment,
                         const struct qn_error *error)
{
    struct loading *loading = owner;

    (void)load;
    loading->segment = segment;
    loading->error = *error;
    atomic_store(&loading->done, 1);
    waiter_wake(&loading->waiter);
}

static int is_done(void *owner)
{
    struct loading *loading = owner;

    return atomic_load(&loading->done);
}

static enum qn_status check_fits(const struct qseg_segments *segments, const char *path,
                                 const struct segment_facts *facts, struct qn_error *error)
{
    if (segments->count == 0 || (facts->dim == segments->dim && facts->metric == segments->metric))
        return QN_STATUS_OK;
    return error_set(error, QN_STATUS_INVALID,
                     "%s: %s of dim %" PRIu32 ", the segments before are %s of dim %" PRIu32,
                     format_path_tail(path), qn_metric_name(facts->metric), facts->dim,
                     qn_metric_name(segments->metric), segments->dim);
}

/* Takes the segment. */
static void add_segment(struct qseg_segments *segments, struct segment *segment)
{
    segments->items = realloc(segments->items, (segments->count + 1) * sizeof *segments->items);
    CHECK(segments->items != NULL);
    segments->items[segments->count++] = segment;
    segments->dim = segment->facts.dim;
    segments->metric = segment->facts.metric;
    segments->rows_count += segment->facts.rows_count;
    segments->resident_bytes += segment->facts.resident_bytes;
}

static enum qn_status load_file(struct loading *loading, const char *path, struct qn_error *error)
{
    struct files files = files_posix();
    struct format_header header;
    enum qn_status status = format_read_path(&files, path, &header, error);

    if (status == QN_STATUS_OK)
        status = check_fits(&loading->segments, path, &header.facts, error);
    if (status != QN_STATUS_OK)
        return status;
    const struct load_options options = {
        .path = path, .expected = header.facts, .files = files, .executor = loading->executor};
    atomic_store(&loading->done, 0);
    if (load_start(&options, on_load_done, loading, error) == NULL)
        return error->status;
    (void)waiter_wait_until(&loading->waiter, is_done, loading, WAITER_FOREVER);
    if (loading->segment == NULL) {
        *error = loading->error;
        return error->status;
    }
    add_segment(&loading->segments, loading->segment);
    return QN_STATUS_OK;
}

static enum qn_status load_path(struct loading *loading, const char *path, struct qn_error *error)
{
    struct manifest *manifest = NULL;
    struct stat info;

    if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode))
        return load_file(loading, path, error);
    enum qn_status status = manifest_read(path, &manifest, error);
    if (status != QN_STATUS_OK)
        return status;
    for (size_t i = 0; status == QN_STATUS_OK && i < manifest->segments_count; i++)
        if (manifest->segments[i].state == QN_SEGMENT_SEALED)
            status = load_file(loading, manifest->segments[i].path, error);
    manifest_free(manifest);
    return status;
}

enum qn_status qseg_segments_load(char **paths, size_t paths_count, unsigned loaders,
                                  struct qseg_segments *ret_segments, struct qn_error *error)
{
    const struct executor_threads_options options = {
        .numa_nodes = 1, .workers_per_numa_node = 1, .loaders = loaders};
    struct executor_threads *threads = NULL;
    struct loading loading = {.segments = {0}};
    struct clock clock = clock_monotonic();
    enum qn_status status = executor_threads_open(&options, &threads, error);

    if (status != QN_STATUS_OK)
        return status;
    waiter_init(&loading.waiter);
    loading.executor = executor_threads_port(threads);
    uint64_t start_us = clock_now_us(&clock);
    for (size_t i = 0; status == QN_STATUS_OK && i < paths_count; i++)
        status = load_path(&loading, paths[i], error);
    loading.segments.load_seconds = (double)(clock_now_us(&clock) - start_us) / 1e6;
    executor_threads_close(threads);
    if (status == QN_STATUS_OK && loading.segments.count == 0)
        status = error_set(error, QN_STATUS_NOT_FOUND, "%s: no sealed segments",
                           format_path_tail(paths[0]));
    if (status != QN_STATUS_OK)
        qseg_segments_free(&loading.segments);
    else
        *ret_segments = loading.segments;
    return status;
}

void qseg_segments_free(struct qseg_segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        segment_free(segments->items[i]);
    free(segments->items);
    *segments = (struct qseg_segments){0};
}

static enum qn_status read_ibin(const struct files *files, const struct file *file,
                                struct qseg_truth_file *truth, struct qn_error *error)
{
    unsigned char head[8];

    if (file->size_bytes < sizeof head)
        return error_set(error, QN_STATUS_CORRUPT, "shorter than its 8-byte head");
    enum qn_status status = files->ops->read_at(files->self, file, 0, head, sizeof head, error);
    if (status != QN_STATUS_OK)
        return status;
    truth->queries_count = bytes_get_u32(head);
    truth->k = bytes_get_u32(head + 4);
    uint64_t ids_count = (uint64_t)truth->queries_count * truth->k;
    if (ids_count > UINT64_C(1) << 40 || file->size_bytes != sizeof head + 4 * ids_count)
        return error_set(error, QN_STATUS_CORRUPT,
                         "%" PRIu32 " x %" PRIu32 " ids do not make %" PRIu64 " bytes",
                         truth->queries_count, truth->k, file->size_bytes);
    truth->ids = malloc(4 * ids_count + 1);
    if (truth->ids == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    return files->ops->read_at(files->self, file, sizeof head, truth->ids, 4 * ids_count, error);
}

enum qn_status qseg_truth_read(const char *path, struct qseg_truth_file *ret_truth,
                               struct qn_error *error)
{
    struct files files = files_posix();
    struct file file;
    struct qseg_truth_file truth = {0};
    struct qn_error reason = {0};
    enum qn_status status = files.ops->open(files.self, path, &file, error);

    if (status != QN_STATUS_OK)
        return status;
    status = read_ibin(&files, &file, &truth, &reason);
    files.ops->close(files.self, &file);
    if (status != QN_STATUS_OK) {
        free(truth.ids);
        return error_set(error, status, "%s: %s", format_path_tail(path), reason.text);
    }
    *ret_truth = truth;
    return QN_STATUS_OK;
}

static int64_t true_id(const struct qseg_truth_file *truth, uint64_t query, uint32_t rank)
{
    return (int32_t)bytes_get_u32(truth->ids + 4 * (query * truth->k + rank));
}

uint32_t qseg_truth_count(const struct qseg_truth_file *truth, uint64_t query, uint32_t k)
{
    uint32_t count = 0;

    while (count < k && true_id(truth, query, count) >= 0)
        count++;
    return count;
}

uint32_t qseg_truth_found(const struct qseg_truth_file *truth, uint64_t query, uint32_t count,
                          const struct topk *hits)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool is_hit = false;
        for (uint32_t j = 0; !is_hit && j < hits->count; j++)
            is_hit = hits->hits[j].primary_key == true_id(truth, query, i);
        found += is_hit;
    }
    return found;
}
