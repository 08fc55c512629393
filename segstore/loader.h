/* SPDX-License-Identifier: Apache-2.0
 * Brings one .qseg file into memory: mapped huge pages, read in pieces by any number of threads,
 * checked while copied. A load is done (or failed) exactly once, reported by on_done. */
#ifndef SEGSTORE_LOADER_H
#define SEGSTORE_LOADER_H

#include "base/executor.h"
#include "segstore/segment.h"

/* What the caller was told the file would be; the file must agree (C3: another hash under the same
 * id is a CONFLICT). */
struct load_options {
    const char *path;
    struct segment_facts expected; /* ids, rows_count, delete_generation, resident_bytes,
                                      content_hash are compared; dim and metric only when not 0 */
    unsigned numa_node;
    struct files files;
    struct executor executor;
};

struct load;

/* Called once, on the thread that finished. Success: segment is the caller's; else it is NULL and
 * the error reads "PATH: section NAME: reason". The load frees itself after on_done returns:
 * nobody but its own tasks may look at it then. */
typedef void load_done(void *owner, struct load *load, struct segment *segment,
                       const struct qn_error *error);

/* Never blocks; the work runs on the executor's load lane. NULL when out of memory or the lane is
 * full (error says which); then on_done is not called. With an inline executor on_done has been
 * called before this returns, and the result must not be used. */
struct load *load_start(const struct load_options *options, load_done *on_done, void *owner,
                        struct qn_error *error);
/* Any time before on_done; on_done follows with QN_STATUS_CANCELLED (or won the race). */
void load_cancel(struct load *load);
/* Bytes read so far; any time before on_done. */
uint64_t load_progress_bytes(const struct load *load);

#endif
