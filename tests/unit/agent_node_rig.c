/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/agent_node_rig.h"

#include <stdlib.h>
#include <string.h>

void rig_open(struct rig *rig, int64_t node_id, uint64_t budget_bytes)
{
    struct node_options options = {
        .node_id = node_id,
        .boot = RIG_BOOT,
        .term = RIG_TERM,
        .release_grace_ms = RIG_GRACE_MS,
        .budget_bytes = budget_bytes,
        .numa_count = 1,
    };

    *rig = (struct rig){.node_id = node_id, .now_ms = 1000, .term = RIG_TERM, .request_id = 77};
    rig->node = node_new(&options);
    rig->actions = malloc(sizeof *rig->actions);
    assert_non_null(rig->node);
    assert_non_null(rig->actions);
}

void rig_close(struct rig *rig)
{
    rig->node = node_free(rig->node);
    free(rig->actions);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void step(struct rig *rig, struct node_event event)
{
    event.now_ms = rig->now_ms;
    node_step(rig->node, &event, rig->actions);
    assert_true(node_verify(rig->node));
}

void rig_event(struct rig *rig, enum node_event_kind kind, int64_t segment_id)
{
    step(rig, (struct node_event){.kind = kind, .segment_id = segment_id});
}

void rig_tick(struct rig *rig, uint64_t now_ms)
{
    rig->now_ms = now_ms;
    step(rig, (struct node_event){.kind = NODE_EVENT_TICK});
}

void rig_fail(struct rig *rig, int64_t segment_id, enum qn_status status, const char *text)
{
    step(rig, (struct node_event){.kind = NODE_EVENT_LOAD_FAILED,
                                  .segment_id = segment_id,
                                  .status = status,
                                  .text = text});
}

void rig_message(struct rig *rig, const struct message *message)
{
    step(rig, (struct node_event){.kind = NODE_EVENT_MESSAGE, .message = message});
}

static struct message envelope(const struct rig *rig, enum message_kind kind)
{
    return (struct message){
        .cluster = "test",
        .sender = "coordinator",
        .term = rig->term,
        .request_id = rig->request_id,
        .reply_to = rig->reply_to != NULL ? rig->reply_to : "",
        .traceparent = rig->traceparent,
        .kind = kind,
    };
}

/* ---- loads ----------------------------------------------------------------------------------- */

struct segment_load_info rig_segment(int64_t segment_id, uint64_t version)
{
    return (struct segment_load_info){
        .segment_id = segment_id,
        .collection_id = RIG_COLLECTION,
        .partition_id = 1,
        .replica = "r1",
        .path = "/data/s.qseg",
        .content_hash = {{(uint8_t)segment_id, (uint8_t)(segment_id >> 8), 1}},
        .mem_size = 512,
        .num_rows = 10,
        .epoch = {RIG_TERM, version},
        .state = QN_SEGMENT_SEALED,
    };
}

void rig_loads(struct rig *rig, const struct segment_load_info *segments, size_t count)
{
    struct message message = envelope(rig, MESSAGE_LOAD_SEGMENTS);

    message.load_segments = (struct load_segments){segments, count, rig->not_after};
    rig_message(rig, &message);
}

void rig_load(struct rig *rig, struct segment_load_info segment)
{
    rig_loads(rig, &segment, 1);
}

void rig_serve(struct rig *rig, int64_t segment_id, uint64_t version)
{
    rig_load(rig, rig_segment(segment_id, version));
    assert_int_equal(rig_did(rig, NODE_ACTION_LOAD), 1);
    rig_event(rig, NODE_EVENT_LOADED, segment_id);
    assert_int_equal(rig_state(rig, segment_id), QN_COPY_SERVING);
}

/* ---- releases -------------------------------------------------------------------------------- */

struct witness rig_witness(int64_t node_id, int64_t segment_id, uint64_t version)
{
    return (struct witness){
        .node_id = node_id, .segment_id = segment_id, .epoch = {RIG_TERM, version}};
}

struct segment_release rig_moved(int64_t segment_id, uint64_t version,
                                 const struct witness *witness)
{
    return (struct segment_release){
        .segment_id = segment_id,
        .epoch = {RIG_TERM, version},
        .ground = GROUND_MOVED,
        .witnesses = witness,
        .witnesses_count = 1,
    };
}

struct segment_release rig_forced(int64_t segment_id, uint64_t version)
{
    return (struct segment_release){
        .segment_id = segment_id,
        .epoch = {RIG_TERM, version},
        .ground = GROUND_FORCE,
        .operator_name = "ann",
    };
}

void rig_releases(struct rig *rig, const struct segment_release *segments, size_t count)
{
    struct message message = envelope(rig, MESSAGE_RELEASE_SEGMENTS);

    message.release_segments = (struct release_segments){segments, count, rig->not_after};
    rig_message(rig, &message);
}

void rig_release(struct rig *rig, struct segment_release segment)
{
    rig_releases(rig, &segment, 1);
}

struct copy_status rig_yes(const struct rig *rig, int64_t asking, int64_t node_id, uint64_t version)
{
    const struct node_copy *copy = node_find(rig->node, asking);

    assert_non_null(copy);
    return (struct copy_status){
        .node_id = node_id,
        .segment_id = asking,
        .nonce = copy->release.nonce,
        .asker_boot = RIG_BOOT,
        .state = QN_COPY_SERVING,
        .epoch = {RIG_TERM, version},
        .content_hash = copy->content_hash,
        .replica = "r1",
    };
}

void rig_answer(struct rig *rig, struct copy_status answer, uint64_t term)
{
    struct message message = {.term = term, .boot = 1, .kind = MESSAGE_COPY_STATUS};

    message.copy_status = answer;
    rig_message(rig, &message);
}

void rig_leaving(struct rig *rig, int64_t segment_id, uint64_t version)
{
    struct witness witness = rig_witness(2, segment_id, version);

    rig_release(rig, rig_moved(segment_id, version, &witness));
    assert_int_equal(rig_state(rig, segment_id), QN_COPY_LEAVING);
}

void rig_draining(struct rig *rig, int64_t segment_id, uint64_t version)
{
    rig_leaving(rig, segment_id, version);
    rig_answer(rig, rig_yes(rig, segment_id, 2, version), RIG_TERM);
    rig_tick(rig, rig->now_ms + RIG_GRACE_MS);
    assert_int_equal(rig_state(rig, segment_id), QN_COPY_DRAINING);
}

void rig_gone(struct rig *rig, int64_t segment_id, uint64_t version)
{
    rig_draining(rig, segment_id, version);
    rig_event(rig, NODE_EVENT_DRAINED, segment_id);
    rig_answer(rig, rig_yes(rig, segment_id, 2, version), RIG_TERM);
    rig_event(rig, NODE_EVENT_UNMAPPED, segment_id);
    assert_null(node_find(rig->node, segment_id));
}

/* ---- what was said --------------------------------------------------------------------------- */

enum qn_copy_state rig_state(const struct rig *rig, int64_t segment_id)
{
    const struct node_copy *copy = node_find(rig->node, segment_id);

    return copy != NULL ? copy->state : QN_COPY_ABSENT;
}

size_t rig_did(const struct rig *rig, enum node_action_kind kind)
{
    size_t count = 0;

    for (uint32_t i = 0; i < rig->actions->count; i++)
        count += rig->actions->items[i].kind == kind;
    return count;
}

size_t rig_said(const struct rig *rig, enum message_kind kind)
{
    size_t count = 0;

    for (uint32_t i = 0; i < rig->actions->count; i++)
        count += rig->actions->items[i].kind == NODE_ACTION_SEND &&
                 rig->actions->items[i].message_kind == kind;
    return count;
}

const struct node_action *rig_only(const struct rig *rig, enum message_kind kind)
{
    const struct node_action *only = NULL;

    assert_int_equal(rig_said(rig, kind), 1);
    for (uint32_t i = 0; i < rig->actions->count; i++)
        if (rig->actions->items[i].kind == NODE_ACTION_SEND &&
            rig->actions->items[i].message_kind == kind)
            only = &rig->actions->items[i];
    return only;
}

static void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

void rig_expect_refused(const struct rig *rig, enum qn_status status, const char *text_part)
{
    const struct command_refused *refused =
        &rig_only(rig, MESSAGE_COMMAND_REFUSED)->command_refused;

    assert_string_equal(qn_status_name(refused->status), qn_status_name(status));
    expect_text(refused->text, text_part);
}

void rig_expect_held(const struct rig *rig, enum qn_status status, const char *text_part)
{
    const struct release_held *held = &rig_only(rig, MESSAGE_RELEASE_HELD)->release_held;

    assert_string_equal(qn_status_name(held->status), qn_status_name(status));
    expect_text(held->text, text_part);
}

void rig_expect_failed(const struct rig *rig, enum qn_status status, const char *text_part)
{
    const struct load_failed *failed = &rig_only(rig, MESSAGE_LOAD_FAILED)->load_failed;

    assert_string_equal(qn_status_name(failed->status), qn_status_name(status));
    expect_text(failed->text, text_part);
}
