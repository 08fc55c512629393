/* SPDX-License-Identifier: Apache-2.0
 * The writer's sink on the host's file system. */
#include "segstore/writer.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct writer_file {
    int fd;
    bool committed;
    char path[LIMIT_PATH_BYTES], temporary[LIMIT_PATH_BYTES + 8];
};

enum qn_status writer_file_open(const char *path, struct writer_file **ret_file,
                                struct qn_error *error)
{
    struct writer_file *file = NULL;

    if (strlen(path) >= LIMIT_PATH_BYTES)
        return error_set(error, QN_STATUS_INVALID, "%.100s: path too long", path);
    file = calloc(1, sizeof *file);
    if (file == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory", path);
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    (void)snprintf(file->temporary, sizeof file->temporary, "%s.tmp", path);
    file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file->fd < 0) {
        (void)error_errno(error, errno, "%s: create", file->temporary);
        free(file);
        return QN_STATUS_IO;
    }
    *ret_file = file;
    return QN_STATUS_OK;
}

static enum qn_status file_write_at(void *self, uint64_t offset, const void *bytes, size_t size,
                                    struct qn_error *error)
{
    struct writer_file *file = self;
    const char *rest = bytes;

    while (size > 0) {
        ssize_t written = pwrite(file->fd, rest, size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_errno(error, errno, "%s: write", file->temporary);
        rest += written;
        offset += (uint64_t)written;
        size -= (size_t)written;
    }
    return QN_STATUS_OK;
}

struct writer_sink writer_file_sink(struct writer_file *file)
{
    return (struct writer_sink){.write_at = file_write_at, .self = file};
}

static enum qn_status sync_folder(const char *path, struct qn_error *error)
{
    char copy[LIMIT_PATH_BYTES];

    (void)snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(error, errno, "%s: open", folder);
    enum qn_status status =
        fsync(fd) < 0 ? error_errno(error, errno, "%s: fsync", folder) : QN_STATUS_OK;
    (void)close(fd);
    return status;
}

enum qn_status writer_file_commit(struct writer_file *file, struct qn_error *error)
{
    if (fsync(file->fd) < 0)
        return error_errno(error, errno, "%s: fsync", file->temporary);
    if (rename(file->temporary, file->path) < 0)
        return error_errno(error, errno, "%s: rename", file->path);
    file->committed = true;
    return sync_folder(file->path, error);
}

struct writer_file *writer_file_free(struct writer_file *file)
{
    if (file == NULL)
        return NULL;
    (void)close(file->fd);
    if (!file->committed)
        (void)unlink(file->temporary);
    free(file);
    return NULL;
}

enum qn_status writer_save_file(const char *path, struct segment_facts *facts,
                                const int64_t *primary_keys, const float *rows,
                                struct qn_error *error)
{
    struct writer_file *file = NULL;
    struct writer *writer = NULL;
    enum qn_status status = writer_file_open(path, &file, error);

    if (status == QN_STATUS_OK)
        status = writer_open(facts, writer_file_sink(file), &writer, error);
    if (status == QN_STATUS_OK)
        status = writer_append(writer, primary_keys, rows, facts->rows_count, error);
    if (status == QN_STATUS_OK)
        status = writer_finish(writer, facts, error);
    if (status == QN_STATUS_OK)
        status = writer_file_commit(file, error);
    writer_free(writer);
    writer_file_free(file);
    return status;
}
