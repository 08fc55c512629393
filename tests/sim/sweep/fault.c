/* SPDX-License-Identifier: Apache-2.0
 * One fault and one set of counters for the process: a wrapped call has no other way to them, and
 * the sweep has one thread. */
#include "tests/sim/sweep/fault.h"

#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static struct {
    struct fault_plan plan;
    bool is_armed;
    enum fault_party running;
    uint64_t calls_count, fired_count, warnings_count;
    struct fault_held held;
} fault;

const char *fault_class_name(enum fault_class class)
{
    static const char *const names[] = {
        [FAULT_MALLOC] = "malloc",       [FAULT_MAP] = "map",       [FAULT_OPEN] = "open",
        [FAULT_READ] = "read",           [FAULT_WRITE] = "write",   [FAULT_PUBLISH] = "publish",
        [FAULT_SUBSCRIBE] = "subscribe", [FAULT_COMMIT] = "commit",
    };

    return names[class];
}

void fault_arm(const struct fault_plan *plan)
{
    fault.plan = *plan;
    fault.is_armed = true;
    fault.calls_count = fault.fired_count = fault.warnings_count = 0;
}

const struct fault_plan *fault_planned(void)
{
    return &fault.plan;
}

void fault_disarm(void)
{
    fault.is_armed = false;
}

uint64_t fault_fired_count(void)
{
    return fault.fired_count;
}

uint64_t fault_calls_count(void)
{
    return fault.calls_count;
}

uint64_t fault_warnings_count(void)
{
    return fault.warnings_count;
}

enum fault_party fault_enter(enum fault_party party)
{
    enum fault_party before = fault.running;

    fault.running = party;
    return before;
}

struct fault_held fault_held(void)
{
    return fault.held;
}

bool fault_strikes(enum fault_class class)
{
    const struct fault_plan *plan = &fault.plan;

    if (!fault.is_armed || class != plan->class || fault.running != plan->party)
        return false;
    fault.calls_count++;
    bool strikes = plan->is_sticky ? fault.calls_count >= plan->at : fault.calls_count == plan->at;
    fault.fired_count += strikes;
    return strikes;
}

static bool strikes_with(enum fault_class class, int errno_value)
{
    if (!fault_strikes(class))
        return false;
    errno = errno_value;
    return true;
}

/* ---- what the linker leads here -------------------------------------------------------------- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_reallocarray(void *memory, size_t count, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *memory, size_t bytes);
int __real_madvise(void *memory, size_t bytes, int advice);
int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_reallocarray(void *memory, size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **ret_text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_free(void *memory);
void *__wrap_mmap(void *at, size_t bytes, ...);
int __wrap_munmap(void *memory, size_t bytes);
int __wrap_madvise(void *memory, size_t bytes, int advice);
int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
void __wrap_log_write(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void *held(void *memory)
{
    fault.held.blocks_count += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t bytes)
{
    return strikes_with(FAULT_MALLOC, ENOMEM) ? NULL : held(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return strikes_with(FAULT_MALLOC, ENOMEM) ? NULL : held(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    if (strikes_with(FAULT_MALLOC, ENOMEM))
        return NULL;
    void *grown = __real_realloc(memory, bytes);
    return memory == NULL ? held(grown) : grown;
}

void *__wrap_reallocarray(void *memory, size_t count, size_t bytes)
{
    if (strikes_with(FAULT_MALLOC, ENOMEM))
        return NULL;
    void *grown = __real_reallocarray(memory, count, bytes);
    return memory == NULL ? held(grown) : grown;
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return strikes_with(FAULT_MALLOC, ENOMEM) ? NULL : held(__real_aligned_alloc(alignment, bytes));
}

char *__wrap_strdup(const char *text)
{
    return strikes_with(FAULT_MALLOC, ENOMEM) ? NULL : held(__real_strdup(text));
}

int __wrap_asprintf(char **ret_text, const char *format, ...)
{
    va_list arguments;

    if (strikes_with(FAULT_MALLOC, ENOMEM))
        return -1;
    va_start(arguments, format);
    int length = vasprintf(ret_text, format, arguments);
    va_end(arguments);
    fault.held.blocks_count += length >= 0;
    return length;
}

void __wrap_free(void *memory)
{
    fault.held.blocks_count -= memory != NULL;
    __real_free(memory);
}

/* The rest of the parameters only goes through. */
void *__wrap_mmap(void *at, size_t bytes, ...)
{
    va_list arguments;

    if (strikes_with(FAULT_MAP, ENOMEM))
        return MAP_FAILED;
    va_start(arguments, bytes);
    int protection = va_arg(arguments, int);
    int flags = va_arg(arguments, int);
    int fd = va_arg(arguments, int);
    void *memory = __real_mmap(at, bytes, protection, flags, fd, va_arg(arguments, off_t));
    va_end(arguments);
    fault.held.mapped_bytes += memory == MAP_FAILED ? 0 : (int64_t)bytes;
    return memory;
}

int __wrap_munmap(void *memory, size_t bytes)
{
    fault.held.mapped_bytes -= (int64_t)bytes;
    return __real_munmap(memory, bytes);
}

int __wrap_madvise(void *memory, size_t bytes, int advice)
{
    if (advice == MADV_POPULATE_WRITE && strikes_with(FAULT_MAP, ENOMEM))
        return -1;
    return __real_madvise(memory, bytes, advice);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;

    if (strikes_with(FAULT_OPEN, EMFILE))
        return -1;
    va_start(arguments, flags);
    unsigned mode = flags & O_CREAT ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    int fd = __real_open(path, flags, mode);
    fault.held.files_count += fd >= 0;
    return fd;
}

int __wrap_close(int fd)
{
    fault.held.files_count--;
    return __real_close(fd);
}

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
    return strikes_with(FAULT_READ, EIO) ? -1 : __real_pread(fd, bytes, size, offset);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    return strikes_with(FAULT_WRITE, ENOSPC) ? -1 : __real_write(fd, bytes, size);
}

int __wrap_fsync(int fd)
{
    return strikes_with(FAULT_WRITE, EIO) ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    return strikes_with(FAULT_WRITE, EIO) ? -1 : __real_rename(from, to);
}

void __wrap_log_write(enum log_level level, const char *room, const char *format, ...)
{
    (void)room, (void)format;
    fault.warnings_count += level <= LOG_LEVEL_WARNING;
}
