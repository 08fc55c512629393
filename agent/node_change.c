/* SPDX-License-Identifier: Apache-2.0
 * Reads releases out of ReleaseSegments and SealedSegmentsChangeInfo: both end in release_one, so
 * that the ground is asked for in one place (C6). What is unsound is refused and answered. */
#include "agent/node_internal.h"

#include <inttypes.h>

/* ---- what every release must say ------------------------------------------------------------- */

static void refuse_invalid(struct node_turn *turn, int64_t segment_id, const char *why)
{
    node_say_refused(turn, segment_id, QN_STATUS_INVALID, "release of segment %" PRId64 ": %s",
                     segment_id, why);
}

/* NULL: the ground is sound. */
static const char *ground_fault(const struct segment_release *request)
{
    if (request->witnesses_count > LIMIT_WITNESSES_MAX)
        return "more witnesses than 8";
    switch (request->ground) {
    case GROUND_MOVED:
        return request->witnesses_count == 0 ? "moved, but no witness" : NULL;
    case GROUND_CEASED:
        return NULL;
    case GROUND_FORCE:
        if (request->witnesses_count > 0)
            return "forced, but witnesses are named";
        if (request->operator_name == NULL || request->operator_name[0] == '\0')
            return "forced, but no operator is named";
        return NULL;
    case GROUND_UNSPECIFIED:
        break;
    }
    return "no ground is named";
}

static_assert((int)LIMIT_WITNESSES_MAX == 8, "the text above says 8");

static const char *witness_fault(const struct node *node, const struct segment_release *request)
{
    for (size_t i = 0; i < request->witnesses_count; i++) {
        const struct witness *witness = &request->witnesses[i];

        if (witness->segment_id == request->segment_id && witness->node_id == node->node_id)
            return "a copy cannot be its own witness";
        if (witness->segment_id != request->segment_id && request->ground == GROUND_MOVED)
            return "moved, but a witness is of another segment";
    }
    return NULL;
}

static bool witnesses_have_content(const struct segment_release *request,
                                   const struct node_copy *copy)
{
    for (size_t i = 0; i < request->witnesses_count; i++) {
        const struct witness *witness = &request->witnesses[i];

        if (request->ground == GROUND_MOVED && witness->has_content_hash &&
            !qn_hash_equal(&witness->content_hash, &copy->content_hash))
            return false;
    }
    return true;
}

/* ---- one release ----------------------------------------------------------------------------- */

static void release_absent(struct node_turn *turn, const struct segment_release *request)
{
    const struct segment_released *receipt =
        node_tables_receipt(turn->node, request->segment_id, request->epoch);
    struct node_action *action;

    if (receipt == NULL) {
        node_say_refused(turn, request->segment_id, QN_STATUS_NOT_HERE,
                         "segment %" PRId64 " is not here", request->segment_id);
        return;
    }
    action = node_say_answer(turn, MESSAGE_SEGMENT_RELEASED);
    action->segment_id = receipt->segment_id;
    action->segment_released = *receipt;
}

/* Only the very copy that was named is released. */
static bool names_copy(struct node_turn *turn, const struct segment_release *request,
                       const struct node_copy *copy)
{
    int order = qn_epoch_compare(request->epoch, copy->epoch);

    if (order == 0)
        return true;
    node_say_refused(turn, copy->segment_id, order < 0 ? QN_STATUS_EPOCH_STALE : QN_STATUS_CONFLICT,
                     "segment %" PRId64 " is here with epoch %" PRIu64 ".%" PRIu64
                     ": the release names the %s %" PRIu64 ".%" PRIu64,
                     copy->segment_id, copy->epoch.term, copy->epoch.version,
                     order < 0 ? "older" : "newer", request->epoch.term, request->epoch.version);
    return false;
}

static void release_held_copy(struct node_turn *turn, const struct segment_release *request,
                              struct node_copy *copy)
{
    if (!names_copy(turn, request, copy))
        return;
    if (!witnesses_have_content(request, copy)) {
        node_say_refused(turn, copy->segment_id, QN_STATUS_CONFLICT,
                         "release of segment %" PRId64 ": a witness has other content",
                         copy->segment_id);
        return;
    }
    if (copy->cancelling || copy->unmapping)
        return;
    if (copy->state == QN_COPY_LOADING || copy->state == QN_COPY_SERVING)
        node_release_begin(turn, copy, request);
    else if (!node_release_is_same(copy, request))
        node_say_refused(turn, copy->segment_id, QN_STATUS_BUSY,
                         "segment %" PRId64 " is %s on another ground: ask again", copy->segment_id,
                         qn_copy_state_name(copy->state));
}

static void release_one(struct node_turn *turn, const struct segment_release *request)
{
    struct node_copy *copy = node_tables_find(turn->node, request->segment_id);
    const char *fault = ground_fault(request);

    if (fault == NULL)
        fault = witness_fault(turn->node, request);
    if (fault != NULL)
        refuse_invalid(turn, request->segment_id, fault);
    else if (copy == NULL)
        release_absent(turn, request);
    else
        release_held_copy(turn, request, copy);
}

void node_change_release_command(struct node_turn *turn)
{
    const struct release_segments *release = &turn->command->release_segments;

    for (size_t i = 0; i < release->segments_count; i++)
        release_one(turn, &release->segments[i]);
}

/* ---- SealedSegmentsChangeInfo ---------------------------------------------------------------- */

static const struct segment_info *online_in(const struct segment_change_info *info,
                                            int64_t segment_id)
{
    for (size_t i = 0; i < info->online_segments_count; i++)
        if (info->online_segments[i].segment_id == segment_id)
            return &info->online_segments[i];
    return NULL;
}

/* The entry with the segment's online copy: its own entry, or another of the same message, for a
 * segment that is online anywhere has not ceased. NULL: it has. */
static const struct segment_change_info *entry_online(const struct change_info *change,
                                                      const struct segment_change_info *own,
                                                      int64_t segment_id)
{
    if (online_in(own, segment_id) != NULL)
        return own;
    for (size_t i = 0; i < change->infos_count; i++)
        if (online_in(&change->infos[i], segment_id) != NULL)
            return &change->infos[i];
    return NULL;
}

static void witness_moved(const struct segment_change_info *entry, int64_t segment_id,
                          struct witness *ret_witness)
{
    static const struct qn_hash none;
    const struct segment_info *online = online_in(entry, segment_id);

    *ret_witness = (struct witness){
        .node_id = entry->online_node_id,
        .segment_id = segment_id,
        .epoch = online->epoch,
        .has_content_hash = !qn_hash_equal(&online->content_hash, &none),
        .content_hash = online->content_hash,
        .delete_generation = online->delete_generation,
    };
}

/* Replacements have content of their own, so it is not compared. False: more than fit. */
static bool witnesses_ceased(const struct segment_change_info *info, struct witness *ret_witnesses)
{
    if (info->online_segments_count > LIMIT_WITNESSES_MAX)
        return false;
    for (size_t i = 0; i < info->online_segments_count; i++) {
        const struct segment_info *online = &info->online_segments[i];

        ret_witnesses[i] = (struct witness){
            .node_id = info->online_node_id,
            .segment_id = online->segment_id,
            .epoch = online->epoch,
            .delete_generation = online->delete_generation,
        };
    }
    return true;
}

static const char *offline_fault(struct node_turn *turn, const struct segment_info *offline)
{
    const struct node_copy *copy = node_find(turn->node, offline->segment_id);
    int64_t collection_id = turn->command->change_info.collection_id;

    if (offline->state == QN_SEGMENT_GROWING)
        return "it is Growing: only sealed segments can be moved";
    if (copy != NULL && copy->collection_id != collection_id)
        return "the copy here is of another collection than the change info";
    if (copy != NULL && offline->collection_id != 0 && offline->collection_id != collection_id)
        return "its collection is not the change info's";
    return NULL;
}

static void change_one(struct node_turn *turn, const struct segment_change_info *info,
                       const struct segment_info *offline)
{
    const struct change_info *change = &turn->command->change_info;
    const struct segment_change_info *entry = entry_online(change, info, offline->segment_id);
    const char *fault = offline_fault(turn, offline);
    struct witness witnesses[LIMIT_WITNESSES_MAX];
    struct segment_release request = {
        .segment_id = offline->segment_id,
        .epoch = offline->epoch,
        .ground = entry != NULL ? GROUND_MOVED : GROUND_CEASED,
        .witnesses = witnesses,
        .witnesses_count = entry != NULL ? 1 : info->online_segments_count,
        .since = change->version,
    };

    if (entry != NULL)
        witness_moved(entry, offline->segment_id, &witnesses[0]);
    else if (fault == NULL && !witnesses_ceased(info, witnesses))
        fault = "more replacements than 8";
    if (fault != NULL)
        refuse_invalid(turn, offline->segment_id, fault);
    else
        release_one(turn, &request);
}

void node_change_info_command(struct node_turn *turn)
{
    const struct change_info *change = &turn->command->change_info;

    for (size_t i = 0; i < change->infos_count; i++) {
        const struct segment_change_info *info = &change->infos[i];

        if (info->offline_node_id != turn->node->node_id)
            continue;
        for (size_t j = 0; j < info->offline_segments_count; j++)
            change_one(turn, info, &info->offline_segments[j]);
    }
}
