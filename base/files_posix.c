/* SPDX-License-Identifier: Apache-2.0 */
#include "base/files.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/numa.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { HUGE_PAGE_BYTES = 2 << 20, PATH_TAIL_BYTES = 140 };

static void fd_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* The end of a path that would push the reason out of an error text. */
static const char *tail_of(const char *path)
{
    size_t length = strlen(path);

    return path + (length > PATH_TAIL_BYTES ? length - PATH_TAIL_BYTES : 0);
}

static enum qn_status posix_open(void *self, const char *path, struct file *ret_file,
                                 struct qn_error *error)
{
    struct stat info;
    /* Not blocking: a FIFO without a writer would hold the thread for ever. It changes nothing for
     * a regular file. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    (void)self;
    if (fd < 0)
        return errno == ENOENT
                   ? error_set(error, QN_STATUS_NOT_FOUND, "%s: no such file", tail_of(path))
                   : error_errno(error, errno, "%s: open", tail_of(path));
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        (void)close(fd);
        return error_set(error, QN_STATUS_IO, "%s: not a regular file", tail_of(path));
    }
    ret_file->handle = fd;
    ret_file->size_bytes = (uint64_t)info.st_size;
    return QN_STATUS_OK;
}

static enum qn_status posix_read_at(void *self, const struct file *file, uint64_t offset,
                                    void *ret_bytes, size_t bytes, struct qn_error *error)
{
    char *target = ret_bytes;

    (void)self;
    while (bytes > 0) {
        ssize_t got = pread((int)file->handle, target, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(error, errno, "read at %llu", (unsigned long long)offset);
        if (got == 0)
            return error_set(error, QN_STATUS_CORRUPT, "file ends at %llu, %zu bytes missing",
                             (unsigned long long)offset, bytes);
        target += got;
        offset += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return QN_STATUS_OK;
}

static void posix_close(void *self, struct file *file)
{
    (void)self;
    (void)close((int)file->handle);
    file->handle = -1;
}

/* Exactly `bytes` stay mapped: the slack around the 2 MiB-aligned start is given back at once. */
static void *map_aligned(size_t bytes)
{
    size_t wide_bytes = bytes + HUGE_PAGE_BYTES;
    char *wide = mmap(NULL, wide_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (wide == MAP_FAILED)
        return NULL;
    char *start =
        (char *)(((uintptr_t)wide + HUGE_PAGE_BYTES - 1) & ~(uintptr_t)(HUGE_PAGE_BYTES - 1));
    if (start > wide)
        (void)munmap(wide, (size_t)(start - wide));
    if (wide + wide_bytes > start + bytes)
        (void)munmap(start + bytes, (size_t)(wide + wide_bytes - (start + bytes)));
    return start;
}

static void *posix_map(void *self, size_t bytes, unsigned numa_node)
{
    (void)self;
    CHECK(bytes > 0 && bytes % 4096 == 0);
    char *memory = map_aligned(bytes);
    if (memory == NULL)
        return NULL;
    numa_prefer_memory(memory, bytes, numa_node);
    size_t huge_bytes = bytes & ~(size_t)(HUGE_PAGE_BYTES - 1);
    if (huge_bytes > 0)
        (void)madvise(memory, huge_bytes, MADV_HUGEPAGE);
    (void)madvise(memory, bytes, MADV_DONTFORK);
    if (madvise(memory, bytes, MADV_POPULATE_WRITE) < 0) {
        if (errno != EINVAL) {
            (void)munmap(memory, bytes);
            return NULL;
        }
        memset(memory, 0, bytes); /* kernels before 5.14 */
    }
    return memory;
}

static void posix_unmap(void *self, void *memory, size_t bytes)
{
    (void)self;
    CHECK(munmap(memory, bytes) == 0);
}

static enum qn_status posix_read_small(void *self, const char *path, void *ret_bytes,
                                       size_t capacity, size_t *ret_size, struct qn_error *error)
{
    struct file file = {0};
    enum qn_status status = posix_open(self, path, &file, error);

    if (status != QN_STATUS_OK)
        return status;
    if (file.size_bytes > capacity)
        status = error_set(error, QN_STATUS_INVALID, "%s: %llu bytes, at most %zu allowed", path,
                           (unsigned long long)file.size_bytes, capacity);
    else
        status = posix_read_at(self, &file, 0, ret_bytes, (size_t)file.size_bytes, error);
    if (status == QN_STATUS_OK)
        *ret_size = (size_t)file.size_bytes;
    posix_close(self, &file);
    return status;
}

static enum qn_status write_whole(const char *path, const void *bytes, size_t size,
                                  struct qn_error *error)
{
    CLEANUP(fd_closep)
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0644);
    const char *rest = bytes;

    if (fd < 0)
        return error_errno(error, errno, "%s: create", path);
    while (size > 0) {
        ssize_t written = write(fd, rest, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_errno(error, errno, "%s: write", path);
        rest += written;
        size -= (size_t)written;
    }
    if (fsync(fd) < 0)
        return error_errno(error, errno, "%s: fsync", path);
    return QN_STATUS_OK;
}

static enum qn_status sync_folder_of(const char *path, struct qn_error *error)
{
    char copy[LIMIT_PATH_BYTES];

    (void)snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    CLEANUP(fd_closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return error_errno(error, errno, "%s: sync folder", folder);
    return QN_STATUS_OK;
}

static enum qn_status posix_write_durable(void *self, const char *path, const void *bytes,
                                          size_t size, struct qn_error *error)
{
    char temporary[LIMIT_PATH_BYTES];

    (void)self;
    int length = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return error_set(error, QN_STATUS_INVALID, "path too long: %.100s", path);
    enum qn_status status = write_whole(temporary, bytes, size, error);
    if (status != QN_STATUS_OK)
        return status;
    if (rename(temporary, path) < 0)
        return error_errno(error, errno, "%s: rename", path);
    return sync_folder_of(path, error);
}

struct files files_posix(void)
{
    static const struct files_ops ops = {
        .name = "posix",
        .open = posix_open,
        .read_at = posix_read_at,
        .close = posix_close,
        .map = posix_map,
        .unmap = posix_unmap,
        .read_small = posix_read_small,
        .write_durable = posix_write_durable,
    };

    return (struct files){.ops = &ops};
}
