/* SPDX-License-Identifier: Apache-2.0
 * The disk and the memory of one agent's host: the files port over the world's segment images (read
 * only, shared by all hosts) and a few small durable files of its own, which survive a kill. Every
 * mapping is accounted for. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/files.h"

enum { DISK_SMALL_MAX = 4, DISK_SMALL_BYTES = 4096 };

struct process;

struct disk_small {
    char path[256];
    unsigned char bytes[DISK_SMALL_BYTES];
    size_t size;
};

struct disk_mapping;

struct disk {
    struct process *process;
    struct disk_small small[DISK_SMALL_MAX];
    size_t small_count;
    struct disk_mapping *mappings;
    uint64_t mapped_bytes;
};

void disk_init(struct disk *disk, struct process *process);
void disk_done(struct disk *disk);
struct files disk_files(struct disk *disk);

#endif
