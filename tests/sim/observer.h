/* SPDX-License-Identifier: Apache-2.0
 * Watches the bus at its publishing side (before any fault), decodes everything, writes the trace,
 * and remembers what checkers need: the last full report of each agent, which copies serve, which
 * placement was published last. It knows nothing of the insides of any process. */
#ifndef SIM_OBSERVER_H
#define SIM_OBSERVER_H

#include "base/arena.h"
#include "channel/message.h"
#include "channel/transport.h"
#include "tests/sim/leaves.h"
#include "tests/sim/options.h"

enum {
    OBSERVER_SEGMENTS_MAX = OPTIONS_COLLECTIONS_MAX * OPTIONS_SEGMENTS_MAX,
    OBSERVER_COPIES_MAX = 64,
};

struct world;
struct process;

struct observed_copy {
    int64_t segment_id;
    enum qn_copy_state state;
    struct qn_epoch epoch;
    uint64_t mem_size;
};

/* Of one agent. */
struct observed_agent {
    uint64_t boot, uptime_ms, report_number, digest, list_digest;
    uint64_t list_hash; /* of (id, state, epoch) of the copies listed last; 0: none yet */
    uint64_t ledger_bytes, reserved_bytes, budget_bytes;
    struct observed_copy copies[OBSERVER_COPIES_MAX];
    size_t copies_count;
    /* By segment index: this process said Loaded and has not unmapped it since. */
    bool serves[OBSERVER_SEGMENTS_MAX];
    struct leave leaves[OBSERVER_SEGMENTS_MAX];
    struct qn_epoch released[OBSERVER_SEGMENTS_MAX]; /* the newest of this boot */
    struct qn_epoch loaded[OBSERVER_SEGMENTS_MAX];   /* likewise */
};

struct observed_view {
    bool is_known;
    struct qn_epoch version;
    uint64_t readable_version;
    size_t items_count, copies_count;
    int64_t copies[OBSERVER_COPIES_MAX][2]; /* segment id, node id */
};

enum { OBSERVER_EMPTY_VIEWS_MAX = 256, OBSERVER_REQUESTS_MAX = 4096 };

/* A search request by its reply subject: an answer names segments only by their place in it. */
struct observed_request {
    uint64_t reply_hash;
    uint32_t segments_count;
    int64_t segment_ids[OPTIONS_SEGMENTS_MAX];
};

struct observer {
    struct arena arena;
    struct observed_agent agents[OPTIONS_AGENTS_MAX];
    struct observed_view views[OPTIONS_COLLECTIONS_MAX];
    struct qn_epoch empty_views[OPTIONS_COLLECTIONS_MAX][OBSERVER_EMPTY_VIEWS_MAX];
    size_t empty_views_count[OPTIONS_COLLECTIONS_MAX];
    struct observed_request requests[OBSERVER_REQUESTS_MAX];
    uint64_t lost_by_kill_us[OBSERVER_SEGMENTS_MAX]; /* a serving copy was, last */
};

void observer_init(struct observer *observer);
void observer_done(struct observer *observer);
void observer_on_publish(struct world *world, struct process *from, const char *subject,
                         const void *bytes, size_t size);
/* What reaches a process: commands are looked at. */
void observer_on_arrival(struct world *world, const struct process *to, const char *subject,
                         const struct bus_message *bytes);
/* A view without items was published under this version: the collection was released. */
bool observer_view_is_empty(const struct observer *observer, int collection_number,
                            struct qn_epoch version);
void observer_on_kill(struct world *world, const struct process *process);

#endif
