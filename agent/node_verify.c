/* SPDX-License-Identifier: Apache-2.0
 * What must always hold of a node, in O(copies): for tests. */
#include "agent/node_internal.h"

static bool copy_verify(const struct node_copy *copy)
{
    const struct node_release *release = &copy->release;
    bool leaving = copy->state == QN_COPY_LEAVING, draining = copy->state == QN_COPY_DRAINING;

    if (copy->state == QN_COPY_ABSENT || (copy->cancelling && copy->state != QN_COPY_LOADING))
        return false;
    if (copy->unmapping && !draining && !copy->cancelling)
        return false;
    if (draining && !release->confirmed)
        return false;
    if (release->nonce == 0)
        return true;
    return (leaving && !release->confirmed) ||
           (draining && release->second_ask && !copy->unmapping);
}

static bool releasing_verify(const struct node *node)
{
    uint32_t expected = 0;

    for (uint32_t i = 0; i < node->releasing_count; i++) {
        const struct node_copy *copy = &node->copies[node->releasing[i]];

        if (copy->unmapping || node_find(node, copy->segment_id) != copy)
            return false;
    }
    for (size_t i = 0; i < node->copies_count; i++) {
        const struct node_copy *copy = node_copy_at(node, i);

        expected += !copy->unmapping && copy->state >= QN_COPY_LEAVING;
    }
    return expected == node->releasing_count;
}

bool node_verify(const struct node *node)
{
    uint64_t used_bytes = node->ledger.scratch_bytes, reserved_bytes = 0;

    if (!node_tables_verify(node) || !ledger_verify(&node->ledger) || !releasing_verify(node))
        return false;
    for (size_t i = 0; i < node->copies_count; i++) {
        const struct node_copy *copy = node_copy_at(node, i);

        if (!copy_verify(copy))
            return false;
        if (copy->state == QN_COPY_LOADING && !copy->unmapping)
            reserved_bytes += copy->mem_size;
        else
            used_bytes += copy->mem_size;
    }
    return used_bytes == node->ledger.used_bytes && reserved_bytes == node->ledger.reserved_bytes;
}
