/* SPDX-License-Identifier: Apache-2.0
 * The node's tables: copies in the order of their segment ids, the list of releases under way, and
 * two bounded memories: epochs that were released (C5) and where segments went (C7). */
#include "agent/node_internal.h"

#include "base/check.h"
#include <string.h>

/* ---- a bounded memory ------------------------------------------------------------------------ */

static uint32_t memory_bucket(int64_t key)
{
    return (uint32_t)((uint64_t)key * 0x9e3779b97f4a7c15u >> 52);
}

static_assert((int)NODE_MEMORY_SLOTS == 1 << 12, "memory_bucket takes the upper 12 bits");

static void memory_init(struct node_memory *memory)
{
    memset(memory->heads, 0xff, sizeof memory->heads);
}

static uint16_t memory_find(const struct node_memory *memory, int64_t key)
{
    uint16_t slot = memory->heads[memory_bucket(key)];

    while (slot != NODE_SLOT_NONE && memory->keys[slot] != key)
        slot = memory->links[slot];
    return slot;
}

/* The next slot with the same key. */
static uint16_t memory_again(const struct node_memory *memory, uint16_t slot)
{
    int64_t key = memory->keys[slot];

    do
        slot = memory->links[slot];
    while (slot != NODE_SLOT_NONE && memory->keys[slot] != key);
    return slot;
}

static void memory_forget(struct node_memory *memory, uint16_t slot)
{
    uint16_t *link = &memory->heads[memory_bucket(memory->keys[slot])];

    CHECK(memory->live[slot]);
    while (*link != slot) {
        CHECK(*link != NODE_SLOT_NONE);
        link = &memory->links[*link];
    }
    *link = memory->links[slot];
    memory->live[slot] = false;
}

/* Takes the oldest slot, whose key must be forgotten by now. */
static uint16_t memory_take(struct node_memory *memory, int64_t key)
{
    uint16_t slot = (uint16_t)memory->next;
    uint16_t *head = &memory->heads[memory_bucket(key)];

    CHECK(!memory->live[slot]);
    memory->next = (memory->next + 1) % NODE_MEMORY_SLOTS;
    memory->keys[slot] = key;
    memory->live[slot] = true;
    memory->links[slot] = *head;
    *head = slot;
    return slot;
}

/* ---- copies ---------------------------------------------------------------------------------- */

void node_tables_init(struct node *node)
{
    for (uint32_t i = 0; i < LIMIT_SEGMENTS_PER_NODE_MAX; i++)
        node->order[i] = (uint16_t)i;
    memory_init(&node->released);
    memory_init(&node->hints);
}

/* Place in the order of the first copy whose id is not below. */
static uint32_t place_of(const struct node *node, int64_t segment_id)
{
    uint32_t low = 0, high = node->copies_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (node->copies[node->order[middle]].segment_id < segment_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct node_copy *node_tables_find(struct node *node, int64_t segment_id)
{
    uint32_t place = place_of(node, segment_id);
    struct node_copy *copy;

    if (place == node->copies_count)
        return NULL;
    copy = &node->copies[node->order[place]];
    return copy->segment_id == segment_id ? copy : NULL;
}

struct node_copy *node_tables_add(struct node *node, int64_t segment_id)
{
    uint32_t place = place_of(node, segment_id);
    uint16_t slot;

    if (node->copies_count == LIMIT_SEGMENTS_PER_NODE_MAX)
        return NULL;
    slot = node->order[node->copies_count];
    memmove(&node->order[place + 1], &node->order[place],
            (node->copies_count - place) * sizeof node->order[0]);
    node->order[place] = slot;
    node->copies_count++;
    memset(&node->copies[slot], 0, sizeof node->copies[slot]);
    node->copies[slot].segment_id = segment_id;
    return &node->copies[slot];
}

void node_tables_remove(struct node *node, struct node_copy *copy)
{
    uint32_t place = place_of(node, copy->segment_id);
    uint16_t slot = (uint16_t)(copy - node->copies);

    CHECK(place < node->copies_count);
    CHECK(node->order[place] == slot);
    node->copies_count--;
    memmove(&node->order[place], &node->order[place + 1],
            (node->copies_count - place) * sizeof node->order[0]);
    node->order[node->copies_count] = slot;
}

void node_tables_releasing_add(struct node *node, const struct node_copy *copy)
{
    CHECK(node->releasing_count < node->copies_count);
    node->releasing[node->releasing_count++] = (uint16_t)(copy - node->copies);
}

void node_tables_releasing_remove(struct node *node, const struct node_copy *copy)
{
    uint16_t slot = (uint16_t)(copy - node->copies);
    uint32_t i = 0;

    while (i < node->releasing_count && node->releasing[i] != slot)
        i++;
    CHECK(i < node->releasing_count);
    node->releasing[i] = node->releasing[--node->releasing_count];
}

/* ---- what was released, and where it went ---------------------------------------------------- */

const struct segment_released *node_tables_receipt(const struct node *node, int64_t segment_id,
                                                   struct qn_epoch epoch)
{
    const struct node_memory *memory = &node->released;
    uint16_t slot = memory_find(memory, segment_id);

    while (slot != NODE_SLOT_NONE && qn_epoch_compare(node->receipts[slot].epoch, epoch) != 0)
        slot = memory_again(memory, slot);
    return slot == NODE_SLOT_NONE ? NULL : &node->receipts[slot];
}

/* Older epochs of a released segment are over too: their copy was adopted by a later one. */
bool node_tables_epoch_is_over(const struct node *node, int64_t segment_id, struct qn_epoch epoch)
{
    const struct node_memory *memory = &node->released;
    uint16_t slot = memory_find(memory, segment_id);

    if (qn_epoch_compare(epoch, node->floor) <= 0)
        return true;
    while (slot != NODE_SLOT_NONE && qn_epoch_compare(node->receipts[slot].epoch, epoch) < 0)
        slot = memory_again(memory, slot);
    return slot != NODE_SLOT_NONE;
}

void node_tables_remember(struct node *node, const struct segment_released *receipt)
{
    struct node_memory *memory = &node->released;
    uint16_t oldest = (uint16_t)memory->next;

    if (memory->live[oldest]) {
        if (qn_epoch_compare(node->floor, node->receipts[oldest].epoch) < 0)
            node->floor = node->receipts[oldest].epoch;
        memory_forget(memory, oldest);
    }
    node->receipts[memory_take(memory, receipt->segment_id)] = *receipt;
}

void node_tables_hint(struct node *node, int64_t segment_id, int64_t node_id)
{
    struct node_memory *memory = &node->hints;

    node_tables_unhint(node, segment_id);
    if (memory->live[memory->next])
        memory_forget(memory, (uint16_t)memory->next);
    node->hint_nodes[memory_take(memory, segment_id)] = node_id;
}

void node_tables_unhint(struct node *node, int64_t segment_id)
{
    uint16_t slot = memory_find(&node->hints, segment_id);

    if (slot != NODE_SLOT_NONE)
        memory_forget(&node->hints, slot);
}

bool node_moved_to(const struct node *node, int64_t segment_id, int64_t *ret_node_id)
{
    const struct node_copy *copy = node_find(node, segment_id);
    uint16_t slot = memory_find(&node->hints, segment_id);

    if (copy != NULL && copy->state == QN_COPY_DRAINING && copy->release.ground == GROUND_MOVED) {
        *ret_node_id = copy->release.witnesses[0].node_id;
        return true;
    }
    if (slot == NODE_SLOT_NONE)
        return false;
    *ret_node_id = node->hint_nodes[slot];
    return true;
}

/* ---- what must always hold ------------------------------------------------------------------- */

static bool memory_verify(const struct node_memory *memory)
{
    uint32_t live = 0, linked = 0;

    for (uint32_t i = 0; i < NODE_MEMORY_SLOTS; i++) {
        live += memory->live[i];
        for (uint16_t s = memory->heads[i]; s != NODE_SLOT_NONE; s = memory->links[s]) {
            if (!memory->live[s] || ++linked > NODE_MEMORY_SLOTS)
                return false;
        }
    }
    return live == linked;
}

bool node_tables_verify(const struct node *node)
{
    bool seen[LIMIT_SEGMENTS_PER_NODE_MAX] = {false};

    for (uint32_t i = 0; i < LIMIT_SEGMENTS_PER_NODE_MAX; i++) {
        if (node->order[i] >= LIMIT_SEGMENTS_PER_NODE_MAX || seen[node->order[i]])
            return false;
        seen[node->order[i]] = true;
    }
    for (uint32_t i = 1; i < node->copies_count; i++)
        if (node->copies[node->order[i - 1]].segment_id >= node->copies[node->order[i]].segment_id)
            return false;
    return memory_verify(&node->released) && memory_verify(&node->hints);
}
