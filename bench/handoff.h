/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench handoff, the canonical scenario: what its files share. While clients search without
 * pause, half of the segments of node src move to dst (leg "out") and back (leg "back"), again and
 * again until enough searches fell into an overlap. What is said about it comes from outside: the
 * receipts that the nodes emit (a feed of events), and the coordinator's lists. */
#ifndef BENCH_HANDOFF_H
#define BENCH_HANDOFF_H

#include "bench/bench.h"
#include "qnode/control.h"

enum {
    HANDOFF_NODES_MAX = 64,
    HANDOFF_SEGMENTS_MAX = 4096,
    HANDOFF_ROWS_MAX = 20000,
    HANDOFF_TEXT_BYTES = 160,
};

/* A node at one moment. */
struct handoff_node {
    int64_t node_id;
    uint32_t copies_count;
    uint64_t budget_bytes, ledger_bytes, anon_bytes;
    char kernels[16];
};

enum handoff_moment {
    HANDOFF_BEFORE,
    HANDOFF_OUT,  /* after the first leg */
    HANDOFF_BACK, /* after the last */
    HANDOFF_MOMENTS_COUNT,
};

struct handoff_nodes {
    struct handoff_node rows[HANDOFF_NODES_MAX];
    size_t count;
};

/* One line of the timeline. */
struct handoff_row {
    uint64_t wall_ms;
    int64_t segment_id, src, dst;
    struct qn_epoch epoch; /* of a receipt's copy */
    const char *phase;
    uint64_t bytes, rss_before, rss_after, waited_ms;
    char note[HANDOFF_TEXT_BYTES];
};

struct handoff_receipts {
    uint64_t released_count, released_bytes, fallen_bytes; /* fallen: sum of RSS before - after */
    uint64_t waited_max_ms;
};

struct handoff {
    const struct bench_options *options;
    struct qn_client *client;
    struct qn_feed *feed;
    struct load *load;

    struct segment_info *segments; /* of the collection; strings are not kept */
    size_t segments_count;
    int64_t moving[HANDOFF_SEGMENTS_MAX];
    size_t moving_count, src_count; /* src_count: segments of src at the start */

    int64_t leg_src, leg_dst; /* of the leg that is on */
    uint64_t *move_ids;       /* of that leg */
    size_t move_ids_count, unfinished_count;
    uint64_t newest_move_id;               /* before that leg */
    char failure[HANDOFF_TEXT_BYTES + 96]; /* a move failed, and why */

    uint32_t legs_count;
    uint64_t started_wall_ms, first_trip_wall_ms; /* began; first back (0: not yet) */
    struct handoff_nodes nodes[HANDOFF_MOMENTS_COUNT];
    struct handoff_row *rows;
    size_t rows_count;
    struct handoff_receipts receipts;
};

/* ---- handoff_watch.c: asking the coordinator, listening to receipts ------------------------ */

enum qn_status handoff_read_nodes(struct handoff *handoff, enum handoff_moment moment,
                                  struct qn_error *error);
enum qn_status handoff_read_segments(struct handoff *handoff, struct qn_error *error);
/* Starts a leg: the moves of handoff->moving from src to dst. */
enum qn_status handoff_ask_moves(struct handoff *handoff, int64_t src, int64_t dst,
                                 struct qn_error *error);
/* Looks at the moves of the leg; those that finished since enter the timeline. */
enum qn_status handoff_look_at_moves(struct handoff *handoff, struct qn_error *error);
/* Takes receipts for ms milliseconds. */
void handoff_listen(struct handoff *handoff, uint64_t ms);

/* ---- handoff_report.c, handoff_json.c ------------------------------------------------------ */

/* Sorts the timeline and prints the whole report but its last line. */
void handoff_print(struct handoff *handoff);
struct doc *handoff_doc(const struct handoff *handoff);
/* RSS fell by at least 99 % of what the receipts say was released (promise P3). */
bool handoff_given_back(const struct handoff *handoff);

#endif
