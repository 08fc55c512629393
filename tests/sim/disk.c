/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/disk.h"

#include "base/check.h"
#include "base/error.h"
#include "tests/sim/heap.h"
#include "tests/sim/world.h"
#include <stdlib.h>
#include <string.h>

enum { DISK_ALIGN_BYTES = 4096 };

struct disk_mapping {
    struct disk_mapping *next;
    unsigned char *memory;
    size_t bytes;
    int64_t image; /* that was read into it; -1: none */
};

void disk_init(struct disk *disk, struct process *process)
{
    *disk = (struct disk){.process = process};
}

void disk_done(struct disk *disk)
{
    while (disk->mappings != NULL) {
        struct disk_mapping *mapping = disk->mappings;
        disk->mappings = mapping->next;
        free(mapping->memory);
        free(mapping);
    }
}

static bool happens(struct disk *disk, uint32_t per_mille, uint64_t *counter)
{
    bool yes = per_mille > 0 && prng_below(&disk->process->world->prng_disk, 1000) < per_mille;

    *counter += yes ? 1 : 0;
    return yes;
}

static enum qn_status disk_open(void *self, const char *path, struct file *ret_file,
                                struct qn_error *error)
{
    struct disk *disk = self;
    struct world *world = disk->process->world;
    const struct collection_segment *segment = NULL;
    int64_t handle = world_find_image(world, path, &segment);

    HEAP_OUTSIDE;
    if (handle < 0 ||
        happens(disk, world->options.file_missing_per_mille, &world->stats.file_missing))
        return error_set(error, QN_STATUS_NOT_FOUND, "%s: no such file", path);
    if (happens(disk, world->options.read_failed_per_mille, &world->stats.read_failed))
        return error_set(error, QN_STATUS_IO, "%s: open: the simulated disk failed", path);
    *ret_file = (struct file){.handle = handle, .size_bytes = segment->image_bytes};
    if (happens(disk, world->options.read_short_per_mille, &world->stats.read_short))
        ret_file->size_bytes = prng_below(&world->prng_disk, segment->image_bytes);
    return QN_STATUS_OK;
}

/* Several segments may have the same bytes: only who was read into it tells which lies there. */
static void note_image(struct disk *disk, const void *memory, int64_t image)
{
    const unsigned char *at = memory;

    for (struct disk_mapping *m = disk->mappings; m != NULL; m = m->next)
        if (at >= m->memory && at < m->memory + m->bytes)
            m->image = image;
}

static enum qn_status disk_read_at(void *self, const struct file *file, uint64_t offset,
                                   void *ret_bytes, size_t bytes, struct qn_error *error)
{
    struct disk *disk = self;
    struct world *world = disk->process->world;
    const struct collection_segment *segment = world_image(world, file->handle);

    HEAP_OUTSIDE;
    if (offset + bytes > file->size_bytes)
        return error_set(error, QN_STATUS_CORRUPT, "%s: file is cut", segment->path);
    if (happens(disk, world->options.read_failed_per_mille, &world->stats.read_failed))
        return error_set(error, QN_STATUS_IO, "%s: the simulated disk failed", segment->path);
    memcpy(ret_bytes, segment->image + offset, bytes);
    note_image(disk, ret_bytes, file->handle);
    if (bytes > 0 &&
        happens(disk, world->options.read_flipped_per_mille, &world->stats.read_flipped)) {
        uint64_t bit = prng_below(&world->prng_disk, 8 * bytes);
        ((unsigned char *)ret_bytes)[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    return QN_STATUS_OK;
}

static void disk_close(void *self, struct file *file)
{
    (void)self;
    file->handle = -1;
}

static void *disk_map(void *self, size_t bytes, unsigned numa_node)
{
    struct disk *disk = self;
    struct world *world = disk->process->world;

    HEAP_OUTSIDE;
    (void)numa_node;
    CHECK(bytes > 0 && bytes % DISK_ALIGN_BYTES == 0);
    if (happens(disk, world->options.map_failed_per_mille, &world->stats.map_failed))
        return NULL;
    struct disk_mapping *mapping = malloc(sizeof *mapping);
    CHECK(mapping != NULL);
    mapping->memory = aligned_alloc(DISK_ALIGN_BYTES, bytes);
    CHECK(mapping->memory != NULL);
    memset(mapping->memory, 0, bytes);
    mapping->bytes = bytes;
    mapping->image = -1;
    mapping->next = disk->mappings;
    disk->mappings = mapping;
    disk->mapped_bytes += bytes;
    checkers_on_map(disk->process);
    return mapping->memory;
}

static void disk_unmap(void *self, void *memory, size_t bytes)
{
    struct disk *disk = self;
    struct disk_mapping **link = &disk->mappings;

    HEAP_OUTSIDE;
    while (*link != NULL && (*link)->memory != memory)
        link = &(*link)->next;
    CHECK(*link != NULL && (*link)->bytes == bytes);
    struct disk_mapping *mapping = *link;
    if (process_is_heard(disk->process))
        checkers_on_unmap(disk->process, (int)mapping->image);
    *link = mapping->next;
    disk->mapped_bytes -= bytes;
    /* A reader that should not be there any more sees that it is gone. */
    memset(memory, 0x7f, bytes);
    free(memory);
    free(mapping);
}

static struct disk_small *find_small(struct disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->small_count; i++)
        if (strcmp(disk->small[i].path, path) == 0)
            return &disk->small[i];
    return NULL;
}

static enum qn_status disk_read_small(void *self, const char *path, void *ret_bytes,
                                      size_t capacity, size_t *ret_size, struct qn_error *error)
{
    const struct disk_small *small = find_small(self, path);

    if (small == NULL)
        return error_set(error, QN_STATUS_NOT_FOUND, "%s: no such file", path);
    if (small->size > capacity)
        return error_set(error, QN_STATUS_CORRUPT, "%s: too long", path);
    memcpy(ret_bytes, small->bytes, small->size);
    *ret_size = small->size;
    return QN_STATUS_OK;
}

static void keep_small(struct disk_small *small, const void *bytes, size_t size)
{
    CHECK(size <= DISK_SMALL_BYTES);
    memcpy(small->bytes, bytes, size);
    small->size = size;
}

static enum qn_status disk_write_durable(void *self, const char *path, const void *bytes,
                                         size_t size, struct qn_error *error)
{
    struct disk *disk = self;
    struct world *world = disk->process->world;
    struct disk_small *small = find_small(disk, path);

    HEAP_OUTSIDE;
    if (!process_is_heard(disk->process))
        return QN_STATUS_OK;
    if (happens(disk, world->options.write_failed_per_mille, &world->stats.write_failed)) {
        trace_line(&world->trace, "  %s: write of %s failed", disk->process->name, path);
        /* Renamed, and the folder's fsync failed: it may be there all the same. */
        if (small != NULL && prng_below(&world->prng_disk, 2) == 0) {
            world->stats.write_doubtful++;
            keep_small(small, bytes, size);
        }
        return error_set(error, QN_STATUS_IO, "%s: the simulated disk failed", path);
    }
    if (small == NULL) {
        CHECK(disk->small_count < DISK_SMALL_MAX && strlen(path) < sizeof small->path);
        small = &disk->small[disk->small_count++];
        memcpy(small->path, path, strlen(path) + 1);
    }
    keep_small(small, bytes, size);
    return QN_STATUS_OK;
}

struct files disk_files(struct disk *disk)
{
    static const struct files_ops ops = {
        "sim",    disk_open,  disk_read_at,    disk_close,
        disk_map, disk_unmap, disk_read_small, disk_write_durable,
    };

    return (struct files){.ops = &ops, .self = disk};
}
