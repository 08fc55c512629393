/* SPDX-License-Identifier: Apache-2.0
 * Names of subjects (DESIGN section 3). Cluster names: [A-Za-z0-9_-]{1,64}. */
#ifndef CHANNEL_SUBJECT_H
#define CHANNEL_SUBJECT_H

#include "base/limits.h"
#include "qnode/types.h"

struct subject {
    char text[LIMIT_SUBJECT_BYTES];
};

bool subject_cluster_is_valid(const char *cluster);
/* What may be published to: tokens of printable ASCII with dots between, none empty, no wildcard,
 * shorter than LIMIT_SUBJECT_BYTES. Nothing else may reach a bus: a space or a line end in a peer's
 * reply_to would be a second command there. */
bool subject_is_valid(const char *subject);
/* What may be subscribed to: the same, and `*` for one token, a final `>` for one or more. */
bool subject_pattern_is_valid(const char *pattern);
/* Both must be valid. */
bool subject_matches(const char *pattern, const char *subject);

/* qnode.<cluster>.query.<collection> for change infos, query.<collection>.<page> for each page of a
 * view, so that a bus can retain the newest message of each; ".query.>" for all */
struct subject subject_query(const char *cluster, int64_t collection_id);
struct subject subject_query_page(const char *cluster, int64_t collection_id, uint32_t page);
struct subject subject_query_all(const char *cluster);
/* qnode.<cluster>.agent.<node>.control | ask | search */
struct subject subject_control(const char *cluster, int64_t node_id);
struct subject subject_ask(const char *cluster, int64_t node_id);
struct subject subject_ask_all(const char *cluster);
struct subject subject_search(const char *cluster, int64_t node_id);
/* qnode.<cluster>.report.<node>, event.<node>, and the same with "*" */
struct subject subject_report(const char *cluster, int64_t node_id);
struct subject subject_report_all(const char *cluster);
struct subject subject_event(const char *cluster, int64_t node_id);
struct subject subject_event_all(const char *cluster);
/* qnode.<cluster>.>: all of a cluster */
struct subject subject_all(const char *cluster);
/* qnode.<cluster>.coord */
struct subject subject_coord(const char *cluster);
/* qnode.<cluster>.reply.<client>.<request>, and ".>" for all of a client's. client: hex text */
struct subject subject_reply(const char *cluster, const char *client, uint64_t request_id);
struct subject subject_reply_all(const char *cluster, const char *client);
/* Whether it is any client's reply subject. */
bool subject_is_reply(const char *cluster, const char *subject);
/* qnode.<cluster>.agent.0.control: what coordinators tell each other. No node has that id, and on
 * control only coordinators may speak. */
struct subject subject_announce(const char *cluster);

#endif
