/* SPDX-License-Identifier: Apache-2.0
 * The file access port; it includes memory: where a segment's bytes come from and where they lie.
 */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include "qnode/types.h"

/* An open file, read-only. */
struct file {
    int64_t handle; /* meaning is the port's */
    uint64_t size_bytes;
};

/* Contract: all may be called from any thread; errors name the path.
 * open: for reading. read_at: exactly bytes, or an error (a short file is QN_STATUS_CORRUPT).
 * map: zeroed memory of exactly bytes (a multiple of 4096), 2 MiB-aligned, huge pages where the
 * host gives them, preferably on that NUMA node, touched; NULL when it cannot be had. unmap: gives
 * it back to the host before it returns. read_small: a whole file of at most capacity bytes;
 * QN_STATUS_NOT_FOUND if there is none. write_durable: replaces the file whole; when it returns OK
 * the bytes survive a power cut. */
struct files_ops {
    const char *name;
    enum qn_status (*open)(void *self, const char *path, struct file *ret_file,
                           struct qn_error *error);
    enum qn_status (*read_at)(void *self, const struct file *file, uint64_t offset, void *ret_bytes,
                              size_t bytes, struct qn_error *error);
    void (*close)(void *self, struct file *file);
    void *(*map)(void *self, size_t bytes, unsigned numa_node);
    void (*unmap)(void *self, void *memory, size_t bytes);
    enum qn_status (*read_small)(void *self, const char *path, void *ret_bytes, size_t capacity,
                                 size_t *ret_size, struct qn_error *error);
    enum qn_status (*write_durable)(void *self, const char *path, const void *bytes, size_t size,
                                    struct qn_error *error);
};

struct files {
    const struct files_ops *ops;
    void *self;
};

/* The host's file system and memory. */
struct files files_posix(void);

#endif
