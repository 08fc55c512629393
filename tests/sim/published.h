/* SPDX-License-Identifier: Apache-2.0
 * K13: what coordinators make public. A view names only copies that their agent has called served
 * at that epoch; a segment is released as CEASED no sooner than the longest deadline and the grace
 * after the first view without it (C8), by the clock of the coordinator that says both. */
#ifndef SIM_PUBLISHED_H
#define SIM_PUBLISHED_H

#include "channel/message.h"
#include "tests/sim/options.h"

struct world;
struct process;

/* Of one coordinator. */
struct published {
    uint32_t incarnation; /* that said what follows */
    /* By segment index: since when no view of it names the segment; 0: one does, or none is out. */
    uint64_t unnamed_us[OPTIONS_COLLECTIONS_MAX * OPTIONS_SEGMENTS_MAX];
};

/* Of one collection, by whomever. */
struct published_newest {
    struct qn_epoch version;
    uint32_t named; /* a bit for each segment */
};

/* A view of a coordinator, of one page. */
void published_view(struct world *world, const struct process *coordinator,
                    const struct collection_view *view);
/* Any view, of whomever: the newest says what is readable. */
void published_note(struct world *world, const struct collection_view *view);
/* The newest view names the segment. index: world_segment_index. */
bool published_names(const struct world *world, int index);
/* A command of a coordinator. */
void published_release(struct world *world, const struct process *coordinator,
                       const struct release_segments *release);

#endif
