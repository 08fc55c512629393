/* SPDX-License-Identifier: Apache-2.0
 * What the host says of memory: this process, its cgroups (v1, v2 or both), the machine. */
#ifndef AGENT_MEMORY_H
#define AGENT_MEMORY_H

#include "qnode/types.h"

struct memory_truth {
    uint64_t anon_bytes;         /* RssAnon of this process */
    uint64_t locked_bytes;       /* VmLck of this process */
    uint64_t cgroup_limit_bytes; /* smallest limit on the path to the root; 0: none */
    uint64_t available_bytes;    /* MemAvailable */
    uint64_t total_bytes;        /* MemTotal */
};

/* root: "" for the host, or a folder that holds proc/ and the cgroup mounts (tests). What cannot be
 * read is 0: the figures of a report are never a reason to stop. */
void memory_read(const char *root, struct memory_truth *ret_truth);
/* RssAnon alone, cheap. */
uint64_t memory_read_anon(const char *root);

enum { MEMORY_HEADROOM_MIN_BYTES = 64 << 20 };

/* What admission may promise: min(configured, cgroup limit, MemTotal) less a headroom of
 * max(64 MiB, 2 %) for what the ledger does not count: tables, inboxes, one search when all is
 * full. A configured budget (0: none) that leaves
 * that headroom is taken exactly. */
struct memory_budget {
    uint64_t bytes;
    uint64_t headroom_bytes;
    const char *source; /* "configured", "cgroup limit" or "MemTotal" */
};

struct memory_budget memory_budget(const struct memory_truth *truth, uint64_t configured_bytes);

#endif
