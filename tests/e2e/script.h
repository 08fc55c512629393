/* SPDX-License-Identifier: Apache-2.0
 * What a scripted coordinator needs: one client handle, a feed of reports and receipts, and a term.
 * It uses nothing of qcoordd: only the bus, the messages and a plain folder. */
#ifndef TESTS_E2E_SCRIPT_H
#define TESTS_E2E_SCRIPT_H

#include "channel/subject.h"
#include "qnode/control.h"
#include "segstore/manifest.h"

enum { SCRIPT_WAIT_MS = 10000, SCRIPT_REPLICA_ONE = 1 };

struct script_node {
    int64_t node_id;
    uint64_t boot, uptime_ms, term;
    uint32_t copies_count;
};

struct script {
    struct qn_client *client;
    struct qn_feed *feed;
    const char *cluster;
    struct manifest *manifest;
    struct script_node nodes[2];
    uint64_t term, version;
    uint64_t started_ms;
};

/* Ends the process with the text: a script has no second chance. */
_Noreturn void script_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line of the timeline: "  0.123 s  text". */
void script_say(const struct script *script, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Opens the bus, reads the folder's manifest, waits for the two nodes' reports, takes a term. */
void script_open(struct script *script, char **arguments);
void script_close(struct script *script);

struct qn_epoch script_mint(struct script *script);
struct segment_info script_info(const struct script *script, size_t segment, int64_t node_id,
                                struct qn_epoch epoch);

/* Commands. The epoch is the copy's. */
void script_load(struct script *script, size_t segment, struct script_node *node,
                 struct qn_epoch epoch, const char *path);
void script_release_forced(struct script *script, size_t segment, struct script_node *node,
                           struct qn_epoch epoch);
/* Sends, to offline's control subject, the change that moves a segment to online. */
void script_change(struct script *script, uint64_t term, const struct segment_info *online,
                   const struct segment_info *offline);

/* The next receipt about a segment from a node (node_id 0: any), of any kind in `kinds` (a list
 * that ends with MESSAGE_NONE); script_fail when none comes in SCRIPT_WAIT_MS. Receipts of other
 * kinds are passed over. */
const struct message *script_expect(struct script *script, int64_t node_id, int64_t segment_id,
                                    const enum message_kind *kinds);
/* Waits for a report of the node that says so many copies. */
void script_expect_copies(struct script *script, struct script_node *node, uint32_t copies_count);

/* Publishes a view: copies[i] of segment i, up to two; node_id 0 ends the list. */
struct script_places {
    struct view_copy copies[2];
};
void script_publish_view(struct script *script, const struct script_places *places);
/* One search of a random query over the whole collection: COMPLETE, or script_fail. True if some
 * segment had two copies. */
bool script_search(struct script *script);

#endif
