/* SPDX-License-Identifier: Apache-2.0
 * The operator: loads and releases collections and asks for moves at random, through the
 * coordinator's API alone; repeats what is not answered. */
#ifndef SIM_OPERATOR_H
#define SIM_OPERATOR_H

#include "base/arena.h"
#include "channel/message.h"
#include "tests/sim/options.h"

enum { OPERATOR_PENDING_MAX = 16, OPERATOR_NODES_MAX = 3, OPERATOR_SEGMENTS_MAX = 4 };

struct world;
struct process;

struct operator_request {
    bool is_active;
    uint64_t request_id, next_at_us;
    uint32_t tries_left, collection_number;
    enum coord_verb verb;
    int64_t src_node_id, dst_node_ids[OPERATOR_NODES_MAX], segment_ids[OPERATOR_SEGMENTS_MAX];
    size_t dst_node_ids_count, segment_ids_count;
};

struct operator
{
    struct world *world;
    struct process *process;
    bool wants_loaded[OPTIONS_COLLECTIONS_MAX];
    bool acknowledged[OPTIONS_COLLECTIONS_MAX]; /* is_loaded, as last answered OK */
    bool must_release[OPTIONS_COLLECTIONS_MAX]; /* an older edition is loaded */
    uint64_t ask_again_us[OPTIONS_COLLECTIONS_MAX];
    struct operator_request pending[OPERATOR_PENDING_MAX];
    uint64_t requests_count;
    struct arena decode_arena, encode_arena;
};

void operator_init(struct operator* operator, struct world * world, struct process *process);
void operator_done(struct operator* operator);
/* A move drawn from the seed; some of them make no sense. */
void operator_move(struct operator* operator);
/* All segments of the node onto the others. */
void operator_drain(struct operator* operator, int64_t src_node_id);
/* One that makes sense: a copy that is wanted, onto another node. */
void operator_move_wanted(struct operator* operator);
/* Releases a collection, or loads it again. */
void operator_toggle(struct operator* operator);
/* The last orders before the world settles: something is loaded, and what only nodes know of (the
 * editor's collection) goes. */
void operator_settle(struct operator* operator);
/* Says again what it wants, whatever was acknowledged: a late repeat may have undone it. */
void operator_insist(struct operator* operator);
bool operator_is_idle(const struct operator* operator);

#endif
