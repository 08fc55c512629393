/* SPDX-License-Identifier: Apache-2.0
 * What is known of the nodes, from their reports and receipts alone (C2: placement comes from
 * reports, never from a store). Pure. */
#ifndef COORDINATOR_CLUSTER_H
#define COORDINATOR_CLUSTER_H

#include "channel/message.h"
#include "coordinator/idmap.h"

/* A copy as its node reports it. */
struct cluster_copy {
    int64_t segment_id, collection_id, partition_id;
    uint64_t mem_size, num_rows, delete_generation;
    struct qn_epoch epoch;
    struct qn_hash content_hash;
    enum qn_copy_state state;
    enum qn_segment_state segment_state;
    uint64_t asked_ms; /* when its release was asked for last; 0: never */
};

struct cluster_list {
    struct cluster_copy *copies; /* by segment id once complete */
    size_t count, capacity;
};

struct cluster_node {
    int64_t node_id;
    uint64_t boot, report_number, uptime_ms;
    uint64_t boot_ms;    /* when the boot was first heard */
    uint64_t lower_boot; /* heard long after, and dropped; 0: none */
    uint64_t heard_ms;
    bool silent;                 /* said nothing for LIMIT_NODE_SILENT_MS */
    bool leaving;                /* shuts down */
    struct memory_report memory; /* its arrays are the two below */
    uint64_t numa_ledger_bytes[LIMIT_NUMA_NODES_MAX], numa_total_bytes[LIMIT_NUMA_NODES_MAX];
    uint64_t searches_total, refused_total;
    char kernels[32];

    bool listed;  /* copies is the full list of this boot */
    bool touched; /* a receipt changed it since */
    uint64_t list_number, list_digest;
    struct cluster_list list;

    /* pages of a list that is not complete yet */
    uint64_t pending_number, pending_mask;
    uint32_t pending_pages;
    struct cluster_list pending;

    uint64_t term;    /* the highest that it knew when it reported last */
    uint64_t told_ms; /* when it was told ours last; 0: never */
    uint64_t first_told_ms;
    bool stale;        /* its digest differs from the list's: ask for a full report */
    uint64_t asked_ms; /* when it was asked last; 0: never */
};

struct cluster {
    struct idmap nodes;
    uint64_t deaf_ms; /* when the bus was away last: silence before that says nothing of a node */
};

/* What a report changed. */
struct cluster_change {
    struct cluster_node *node; /* NULL: the report was dropped */
    bool joined, returned, restarted;
    bool relisted; /* a full list is complete */
    bool risen;    /* it knows a later term than before */
    /* The report was dropped, as it must be, but its node would stay silent for ever: its state is
     * lost, or two nodes have one id. NULL: not so, or told before. */
    const struct cluster_node *reborn;
};

/* How a copy stands. */
enum cluster_standing {
    CLUSTER_UNKNOWN, /* the node's list is not known (yet) */
    CLUSTER_SILENT,  /* the node is silent */
    CLUSTER_ABSENT,  /* the node's list lacks it, at that epoch */
    CLUSTER_LOADING,
    CLUSTER_SERVING,
    CLUSTER_LEAVING, /* LEAVING or DRAINING */
};

void cluster_done(struct cluster *cluster);
/* A NodeReport; drops what is older than what is known, or absurd. */
struct cluster_change cluster_on_report(struct cluster *cluster, const struct message *message,
                                        uint64_t now_ms);
/* A node that has just become silent, or NULL; call until NULL. */
struct cluster_node *cluster_next_silent(struct cluster *cluster, uint64_t now_ms);

struct cluster_node *cluster_find(const struct cluster *cluster, int64_t node_id);
/* The node that a receipt comes from ("node/7"), if it is of the node's present boot; else NULL. */
struct cluster_node *cluster_sender(const struct cluster *cluster, const struct message *message);
struct cluster_copy *cluster_copy(const struct cluster_node *node, int64_t segment_id);
/* The node may be NULL: UNKNOWN. */
enum cluster_standing cluster_standing(const struct cluster_node *node, int64_t segment_id,
                                       struct qn_epoch epoch);

/* Receipts run ahead of the list that will say the same. */
void cluster_set_copy(struct cluster_node *node, const struct cluster_copy *copy);
void cluster_drop_copy(struct cluster_node *node, int64_t segment_id);

#endif
