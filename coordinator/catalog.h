/* SPDX-License-Identifier: Apache-2.0
 * What the coordinator wants, as it stands in its state: collections, segments, the copies that are
 * wanted, moves. Every change goes to memory and, as a row, to the outbox of the step. Pure. */
#ifndef COORDINATOR_CATALOG_H
#define COORDINATOR_CATALOG_H

#include "coordinator/idmap.h"
#include "coordinator/outbox.h"
#include "coordinator/state.h"

enum { CATALOG_FINISHED_MOVES_MAX = 1024 }; /* older ones are forgotten */

struct catalog_wanted {
    int64_t node_id;
    struct qn_epoch epoch;
    char *replica;       /* NULL: none */
    uint64_t sent_ms;    /* its LOAD was sent last; 0: never since this start */
    uint64_t next_ms;    /* the next LOAD goes out no sooner */
    uint64_t request_id; /* of that LOAD */
    uint32_t failures;   /* LOADs that failed in a row */
    bool answered;       /* that LOAD failed already: repeats of the receipt are not counted */
};

struct catalog_segment {
    int64_t segment_id, partition_id;
    enum qn_segment_state state;
    char *path;
    struct qn_hash content_hash;
    uint64_t mem_size, num_rows, delete_generation;
    struct catalog_collection *collection;
    struct catalog_wanted *wanted;
    uint32_t wanted_count;     /* <= LIMIT_COPIES_PER_SEGMENT_MAX */
    struct catalog_move *move; /* the one that is open, or NULL */
};

struct catalog_collection {
    struct state_collection row;
    struct idmap segments;
    struct qn_epoch version; /* of the view that is published; (0, 0): none since this start */
    uint64_t signature;      /* of its placement */
    size_t payload_max;      /* that its pages are cut for */
    uint64_t published_ms, changed_ms;
    uint64_t edition_ms; /* of the first view of what is readable now; 0: none since this start */
    bool dirty;          /* the view may have changed */
};

struct catalog_move {
    struct state_move row;
    int64_t collection_id;
    bool open;
    uint64_t dst_boot;       /* that the load began in; 0: not known since this start */
    uint64_t shown_ms;       /* since when the view lists both copies; 0: not yet */
    uint64_t asked_ms;       /* the release was asked for last; 0: never since this start */
    bool held;               /* and the source said no */
    uint64_t doubted_ms;     /* when it last did; 0: not in doubt */
    unsigned trouble;        /* enum handoff_trouble that reason speaks of */
    struct qn_epoch follows; /* the view before the one without the source */
    enum { CATALOG_MOVE_WAITS, CATALOG_MOVE_READY, CATALOG_MOVE_ASKS } due; /* of this step */
};

struct catalog {
    struct idmap collections, segments, moves;
    size_t open_moves_count;
};

void catalog_done(struct catalog *catalog);
/* All rows at once, in any order; counters are passed over. CORRUPT if they do not fit together. */
enum qn_status catalog_restore(struct catalog *catalog, const struct state_row *rows, size_t count,
                               struct qn_error *error);

struct catalog_collection *catalog_collection(const struct catalog *catalog, int64_t id);
/* By name; NULL. */
struct catalog_collection *catalog_collection_called(const struct catalog *catalog,
                                                     const char *name);
/* By id in digits, else by name; NULL. Ids first: a client asks for the view of an id, and must not
 * get that of a collection whose name looks like it. */
struct catalog_collection *catalog_collection_named(const struct catalog *catalog,
                                                    const char *text);
struct catalog_segment *catalog_segment(const struct catalog *catalog, int64_t id);
struct catalog_wanted *catalog_wanted(const struct catalog_segment *segment, int64_t node_id);

struct catalog_collection *catalog_add_collection(struct catalog *catalog,
                                                  const struct state_collection *row,
                                                  struct outbox *out);
/* After a change of collection->row. */
void catalog_put_collection(const struct catalog_collection *collection, struct outbox *out);
/* With its segments, wanted copies; its moves must not be open. */
void catalog_remove_collection(struct catalog *catalog, struct catalog_collection *collection,
                               struct outbox *out);
struct catalog_segment *catalog_add_segment(struct catalog *catalog,
                                            struct catalog_collection *collection,
                                            const struct state_segment *row, struct outbox *out);
/* Wants a copy there; again with another epoch: replaces it. */
struct catalog_wanted *catalog_want(struct catalog_segment *segment, int64_t node_id,
                                    struct qn_epoch epoch, struct outbox *out);
void catalog_unwant(struct catalog_segment *segment, int64_t node_id, struct outbox *out);

/* Opens a move; row->move_id is given here. */
struct catalog_move *catalog_add_move(struct catalog *catalog, struct catalog_segment *segment,
                                      const struct state_move *row, struct outbox *out);
/* After a change of move->row. */
void catalog_put_move(const struct catalog_move *move, struct outbox *out);
/* The move is finished: the segment is free for another one; the oldest finished ones go. */
void catalog_close_move(struct catalog *catalog, struct catalog_move *move, struct outbox *out);

#endif
