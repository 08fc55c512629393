/* SPDX-License-Identifier: Apache-2.0
 * The only file that includes jemalloc. Segments do not live on the heap, so what lies there is
 * small: freed pages go back to the host after a second, by a thread of jemalloc's own (without it
 * an idle agent would keep them: decay runs only on allocation). */
#include "agent/heap.h"

#include <jemalloc/jemalloc.h>

/* Read by jemalloc before main; its header declares it. */
const char *malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4";

static uint64_t read_figure(const char *name)
{
    size_t value = 0, value_bytes = sizeof value;

    return mallctl(name, &value, &value_bytes, NULL, 0) == 0 ? value : 0;
}

void heap_read(struct heap_truth *ret_truth)
{
    uint64_t epoch = 1;
    size_t epoch_bytes = sizeof epoch;

    /* Figures are snapshots; writing the epoch takes a new one. */
    (void)mallctl("epoch", &epoch, &epoch_bytes, &epoch, sizeof epoch);
    ret_truth->allocated_bytes = read_figure("stats.allocated");
    ret_truth->resident_bytes = read_figure("stats.resident");
    ret_truth->retained_bytes = read_figure("stats.retained");
}
