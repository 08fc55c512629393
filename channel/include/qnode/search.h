/* SPDX-License-Identifier: Apache-2.0
 * The client library: open, search with a verdict, close. A handle is safe for any number of
 * threads. In a forked child every call answers QN_STATUS_FORKED at once; qn_client_reopen helps.
 */
#ifndef QNODE_SEARCH_H
#define QNODE_SEARCH_H

#include "qnode/types.h"

struct qn_client;

struct qn_client_options {
    const char *url;     /* nats://, tls://, kafka:// or inproc://: as transport.h */
    const char *cluster; /* as the coordinator's */
    uint32_t connect_ms; /* 0: 2000 */
    /* W3C Trace Context for requests that bring none ("00-..."); NULL: none. An invalid one is left
     * out. */
    const char *traceparent;
};

/* UNAVAILABLE if the bus cannot be reached; error->text says where. */
enum qn_status qn_client_open(const struct qn_client_options *options,
                              struct qn_client **ret_client, struct qn_error *error);
/* In a forked child: gives the handle a connection and a client id of the child's own; the parent's
 * are left as they are. May be called right after fork(), whatever the parent's threads were doing;
 * while no other thread of the child uses the handle. Views are fetched anew; feeds opened before
 * the fork stay the parent's (qn_feed_next: NULL at once) and must be opened again; memory that the
 * parent's threads may have been changing is not freed. A new qn_client_open works in a child too.
 *
 * Both start the bus's library anew in the child (nats://: libnats; its state of the parent is
 * given up): a program that also uses libnats by itself must not use its own handles of before the
 * fork there, nor open its own first. A program that has libnats linked in statically gets FORKED.
 *
 * INVALID: this process opened the handle itself. UNSUPPORTED: inproc:// ends at the process. As
 * qn_client_open otherwise; after an error the handle is as before, and this may be tried again. */
enum qn_status qn_client_reopen(struct qn_client *client, struct qn_error *error);
/* No call may be running. NULL is fine. In a forked child (not reopened) it sends nothing and
 * touches no connection: the parent's goes on. */
void qn_client_close(struct qn_client *client);

/* While a segment has two copies in a hand-off: ask all of them (the first answer counts), or one.
 */
enum qn_copy_policy {
    QN_COPY_POLICY_ALL = 0,
    QN_COPY_POLICY_ONE = 1,
};

struct qn_search_request {
    int64_t collection_id;
    const float *queries; /* nq x dim, row by row */
    uint32_t nq, dim, k;  /* nq x k <= 65536, k <= 16384 */
    uint32_t deadline_ms; /* 0: 5000; at most 60000 */
    /* Of segments with an index: the share of the true neighbours that is wanted, as their
     * calibration reaches it. 0: 0.95; 1: an exact search. */
    float recall;
    /* Instead, if not 0: of an ivf nprobe, lists that are looked at (at most 2^20), of a graph ef,
     * rows that its walk keeps (at most 65536); and of both refine, candidates whose distance is
     * computed (at least k, at most 65536). */
    uint32_t nprobe, ef, refine;
    /* A segment that nobody listens for, or that every copy says it does not have, is given up
     * after so long, however far the deadline is. 0: 1000; the deadline: never before it. */
    uint32_t patience_ms;
    enum qn_copy_policy copy_policy;
    const int64_t *partition_ids; /* NULL: all partitions */
    size_t partition_ids_count;
    const char *traceparent; /* NULL: the client's */
};

struct qn_missing_segment {
    int64_t segment_id;
    enum qn_status reason; /* NO_RESPONDERS, TIMEOUT, NOT_HERE, BUSY, ... of the last try */
    int64_t node_id;       /* asked last; 0: no copy known */
};

struct qn_search_result {
    enum qn_verdict verdict;
    /* Of UNKNOWN: NOT_FOUND: the coordinator has no such collection, and said so; NO_VIEW: no view
     * came within the deadline; NOT_PERMITTED: the bus server does not let us ask for one. Else OK.
     */
    enum qn_status reason;
    struct qn_epoch version; /* of the view that the result is about */
    uint64_t readable_version;
    uint32_t nq, k;
    uint32_t *hit_counts; /* nq */
    struct qn_hit *hits;  /* nq x k: hits of query q start at q * k, best first */
    struct qn_missing_segment *missing;
    size_t missing_count;
    uint32_t segments_count; /* readable segments the search was about */
    uint32_t requests_count; /* messages sent to agents */
    uint32_t retried_count;  /* of these: asked again, or another copy, after a refusal or loss */
    bool overlap; /* some segment had more than one copy in the view: a hand-off was on */
    uint64_t took_us;
};

/* Blocks until the verdict or the deadline. When agents are busy, calls of several threads on one
 * handle that ask for the same (collection, k, recall, nprobe, refine, deadline, patience, policy;
 * all partitions; no traceparent of their own; at most 8 queries) may share one request: each gets
 * its own hits, and the counts of requests are of the shared one. OK means that the verdict speaks
 * (it may be PARTIAL); INVALID, FORKED, NO_MEMORY, BUSY (too many searches at once) mean that
 * nothing was searched. UNKNOWN: there is no view of the collection; `reason` says why. On OK the
 * result must be released with qn_search_result_done. */
enum qn_status qn_search(struct qn_client *client, const struct qn_search_request *request,
                         struct qn_search_result *ret_result, struct qn_error *error);
void qn_search_result_done(struct qn_search_result *result);

#endif
