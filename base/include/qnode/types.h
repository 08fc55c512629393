/* SPDX-License-Identifier: Apache-2.0
 * Types that every room and every user of the client library shares: ids, statuses, metrics, hits.
 */
#ifndef QNODE_TYPES_H
#define QNODE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum qn_status {
#define STATUS(name, number, text, exit_code) QN_STATUS_##name = (number),
#include "qnode/status.def"
#undef STATUS
};

/* Status and a text that reads outside-in: "load segment 7: /data/7.qseg: vectors: checksum". */
struct qn_error {
    enum qn_status status;
    char text[256];
};

/* "OVER_BUDGET"; "status?" for a number outside the list. */
const char *qn_status_name(enum qn_status status);
/* "over the memory budget" */
const char *qn_status_text(enum qn_status status);
/* Exit code of a command that ends with this status (sysexits where one fits). */
int qn_status_exit_code(enum qn_status status);

/* Distance functions. l2 is squared (smaller is better); ip and cosine: larger is better. */
enum qn_metric {
    QN_METRIC_UNSPECIFIED = 0,
    QN_METRIC_L2 = 1,
    QN_METRIC_IP = 2,
    QN_METRIC_COSINE = 3,
};

const char *qn_metric_name(enum qn_metric metric);
/* QN_METRIC_UNSPECIFIED for an unknown name. */
enum qn_metric qn_metric_from_name(const char *name);

/* (term, version): the one counter of the cluster. A copy's epoch is the pair minted when the copy
 * was wanted; a view's version is such a pair too. Compared by term, then version. */
struct qn_epoch {
    uint64_t term;
    uint64_t version;
};

/* < 0, 0, > 0 as a is before, equal to, after b. */
int qn_epoch_compare(struct qn_epoch a, struct qn_epoch b);

/* 128-bit content hash of a segment: its identity (DESIGN C3). */
struct qn_hash {
    uint8_t bytes[16];
};

bool qn_hash_equal(const struct qn_hash *a, const struct qn_hash *b);

/* The life of a copy on a node. */
enum qn_copy_state {
    QN_COPY_ABSENT = 0,
    QN_COPY_LOADING = 1,
    QN_COPY_SERVING = 2,
    QN_COPY_LEAVING = 3,
    QN_COPY_DRAINING = 4,
};

const char *qn_copy_state_name(enum qn_copy_state state);

/* State of a segment in its collection; only sealed ones can be loaded or moved. */
enum qn_segment_state {
    QN_SEGMENT_UNSPECIFIED = 0,
    QN_SEGMENT_GROWING = 1,
    QN_SEGMENT_SEALED = 2,
};

const char *qn_segment_state_name(enum qn_segment_state state);

/* One neighbour. */
struct qn_hit {
    int64_t primary_key;
    float distance;
};

/* True if a ranks before b: better distance first, ties by the smaller primary key. */
bool qn_hit_before(enum qn_metric metric, const struct qn_hit *a, const struct qn_hit *b);

/* What a search result says of itself (promise P1). */
enum qn_verdict {
    QN_VERDICT_UNKNOWN = 0,  /* no view of the collection */
    QN_VERDICT_COMPLETE = 1, /* every readable segment of the view was searched */
    QN_VERDICT_PARTIAL = 2,  /* the missing ones are listed, each with its reason */
};

const char *qn_verdict_name(enum qn_verdict verdict);

#endif
