/* SPDX-License-Identifier: Apache-2.0
 * One judgement on a bench: a virtual time, short words for commands and answers, and a look at
 * what the last step said. Every step checks node_verify. */
#ifndef TESTS_UNIT_AGENT_NODE_RIG_H
#define TESTS_UNIT_AGENT_NODE_RIG_H

#include "agent/node.h"
#include "tests/test.h"

enum { RIG_TERM = 5, RIG_BOOT = 3, RIG_COLLECTION = 100, RIG_GRACE_MS = 500 };

struct rig {
    struct node *node;
    struct node_actions *actions; /* of the last step */
    int64_t node_id;
    uint64_t now_ms;
    /* Envelope of the commands that follow. */
    uint64_t term, request_id;
    const char *reply_to, *traceparent;
    struct not_after not_after;
};

/* Node node_id of boot 3, term 5, one NUMA node; time 1000. */
void rig_open(struct rig *rig, int64_t node_id, uint64_t budget_bytes);
void rig_close(struct rig *rig);

void rig_event(struct rig *rig, enum node_event_kind kind, int64_t segment_id);
void rig_tick(struct rig *rig, uint64_t now_ms);
void rig_fail(struct rig *rig, int64_t segment_id, enum qn_status status, const char *text);
void rig_message(struct rig *rig, const struct message *message);

/* Sealed, 512 bytes, epoch 5.version, replica "r1", content by its id. */
struct segment_load_info rig_segment(int64_t segment_id, uint64_t version);
void rig_loads(struct rig *rig, const struct segment_load_info *segments, size_t count);
void rig_load(struct rig *rig, struct segment_load_info segment);
/* Loaded and SERVING. */
void rig_serve(struct rig *rig, int64_t segment_id, uint64_t version);

struct witness rig_witness(int64_t node_id, int64_t segment_id, uint64_t version);
struct segment_release rig_moved(int64_t segment_id, uint64_t version,
                                 const struct witness *witness);
struct segment_release rig_forced(int64_t segment_id, uint64_t version);
void rig_releases(struct rig *rig, const struct segment_release *segments, size_t count);
void rig_release(struct rig *rig, struct segment_release segment);

/* What node_id would say of a SERVING copy of the segment to the ask that segment `asking` has
 * open. */
struct copy_status rig_yes(const struct rig *rig, int64_t asking, int64_t node_id,
                           uint64_t version);
void rig_answer(struct rig *rig, struct copy_status answer, uint64_t term);
/* LEAVING with node 2 as its witness, whose answer is not in yet. */
void rig_leaving(struct rig *rig, int64_t segment_id, uint64_t version);
/* DRAINING: node 2 said yes and the grace is over. */
void rig_draining(struct rig *rig, int64_t segment_id, uint64_t version);
/* Gone to node 2, receipt emitted. */
void rig_gone(struct rig *rig, int64_t segment_id, uint64_t version);

enum qn_copy_state rig_state(const struct rig *rig, int64_t segment_id);
size_t rig_did(const struct rig *rig, enum node_action_kind kind);
size_t rig_said(const struct rig *rig, enum message_kind kind);
/* The one message of this kind, which must be there. */
const struct node_action *rig_only(const struct rig *rig, enum message_kind kind);
void rig_expect_refused(const struct rig *rig, enum qn_status status, const char *text_part);
void rig_expect_held(const struct rig *rig, enum qn_status status, const char *text_part);
void rig_expect_failed(const struct rig *rig, enum qn_status status, const char *text_part);

#endif
