/* SPDX-License-Identifier: Apache-2.0
 * qnodectl, the operator's hand: what its files share. One verb is one row of the table in
 * qnodectl.c; its function gets the parsed arguments and an open client, prints, and returns the
 * exit code. */
#ifndef COORDINATOR_QNODECTL_H
#define COORDINATOR_QNODECTL_H

#include "base/doc.h"
#include "coordinator/table.h"
#include "qnode/control.h"

enum { CTL_IDS_MAX = 4096, CTL_CALL_MS = 3000, CTL_BUSY_NAP_MS = 200 };

struct ctl_ids {
    int64_t *values; /* malloc */
    size_t count;
};

struct ctl_arguments {
    const char *bus, *cluster;
    bool json, wait, help;
    const char *collection, *query, *kinds, *traceparent;
    struct ctl_ids nodes, segments, dst;
    int64_t src, node;
    uint32_t count, for_s; /* 0: no end */
    float recall;          /* 0: not given; as the next */
    uint32_t nprobe, ef, refine;
    uint32_t k, deadline_ms, limit_queries, timeout_s, partitions, replication;
    char **words; /* what is not an option, verb included */
    size_t words_count;
    uint64_t options_given; /* for ctl_next_option */
};

struct ctl {
    const struct ctl_arguments *arguments;
    struct qn_client *client;
    char **operands; /* words behind the verb */
};

/* ---- qnodectl_options.c -------------------------------------------------------------------- */

/* Options may stand anywhere. False after a complaint on stderr. */
bool ctl_parse(int argc, char **argv, struct ctl_arguments *ret_arguments);
/* The long name of the given option behind that of another (NULL: the first); NULL: no more. Not -o
 * and -h, which suit every verb. */
const char *ctl_next_option(const struct ctl_arguments *arguments, const char *name);
void ctl_arguments_done(struct ctl_arguments *arguments);
/* The complaint and where help is; returns the exit code 2. */
int ctl_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- qnodectl_call.c ----------------------------------------------------------------------- */

/* qn_coord_call; strings of the request may be NULL. BUSY (it is starting, or something is on its
 * way) is tried again for a while. */
enum qn_status ctl_call(struct ctl *ctl, const struct coord_request *request,
                        qn_on_answer *on_answer, void *owner, struct qn_error *error);
/* A qn_on_answer: what the coordinator says ("moving 2 segments, ..."), for people. owner: the ctl.
 */
void ctl_say_text(void *owner, const struct coord_answer *answer);
/* Prints the error and what to do next on stderr; returns the exit code. */
int ctl_fail(const struct qn_error *error);
/* The id of a collection given by its id, else by its name, as the coordinator reads it. Without a
 * coordinator an id is taken as it is. */
enum qn_status ctl_collection_id(struct ctl *ctl, const char *name, int64_t *ret_id,
                                 struct qn_error *error);
/* Milliseconds on a clock that never runs backwards, and a nap of that length. */
uint64_t ctl_now_ms(void);

/* Moves copied out of answers. */
struct ctl_move {
    struct move_info info; /* its phase and reason are NULL: they are here */
    char phase[24], reason[256];
};
struct ctl_moves {
    struct ctl_move *rows; /* malloc */
    size_t count, capacity;
};
/* All moves the coordinator knows. */
enum qn_status ctl_moves_list(struct ctl *ctl, struct ctl_moves *ret_moves, struct qn_error *error);
void ctl_moves_add(struct ctl_moves *moves, const struct move_info *info);
void ctl_moves_done(struct ctl_moves *moves);
void ctl_moves_print(const struct ctl_moves *moves, bool json);

/* ---- verbs --------------------------------------------------------------------------------- */

int ctl_nodes(struct ctl *ctl);
int ctl_segments(struct ctl *ctl);
int ctl_collections_list(struct ctl *ctl);
int ctl_collections_load(struct ctl *ctl);
int ctl_collections_release(struct ctl *ctl);
int ctl_load_balance(struct ctl *ctl);
int ctl_load_balance_check(const struct ctl_arguments *arguments);
int ctl_moves_verb(struct ctl *ctl);
/* The two that need no client: ctl->client is NULL. */
int ctl_topics_create(struct ctl *ctl);
int ctl_topics_list(struct ctl *ctl);
int ctl_search(struct ctl *ctl);
int ctl_search_check(const struct ctl_arguments *arguments);
int ctl_tap(struct ctl *ctl);
int ctl_tap_check(const struct ctl_arguments *arguments);

#endif
