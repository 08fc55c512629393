/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/core.h"

#include "coordinator/grow.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct core *core_new(const struct core_options *options)
{
    struct core *core = grow_calloc(1, sizeof *core);

    core->options = *options;
    core->payload_max = LIMIT_ANSWER_PART_BYTES;
    arena_init(&core->probe, LIMIT_DECODE_ARENA_BYTES);
    return core;
}

struct core *core_free(struct core *core)
{
    if (core == NULL)
        return NULL;
    arena_done(&core->probe);
    cluster_done(&core->cluster);
    catalog_done(&core->catalog);
    for (size_t i = 0; i < CORE_ANSWERS_KEPT; i++) {
        free(core->answers[i].text);
        free(core->answers[i].move_ids);
    }
    free(core);
    return NULL;
}

enum qn_status core_restore(struct core *core, const struct state_row *rows, size_t count,
                            struct qn_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind != STATE_COUNTER)
            continue;
        if (strcmp(rows[i].counter.name, "term") == 0)
            core->term = rows[i].counter.value;
        if (strcmp(rows[i].counter.name, "version") == 0)
            core->version = rows[i].counter.value;
    }
    return catalog_restore(&core->catalog, rows, count, error);
}

struct qn_epoch core_mint(struct core *core)
{
    core->version++;
    core->counters_changed = true;
    return (struct qn_epoch){.term = core->term, .version = core->version};
}

void core_touch(struct core *core)
{
    core->touched = true;
    for (size_t i = 0; i < core->catalog.collections.count; i++) {
        struct catalog_collection *collection = core->catalog.collections.entries[i].item;
        collection->dirty = true;
    }
}

enum cluster_standing core_standing(const struct core *core, int64_t node_id, int64_t segment_id,
                                    struct qn_epoch epoch)
{
    const struct cluster_node *node = cluster_find(&core->cluster, node_id);

    if (node == NULL && core->now_ms - core->active_ms >= LIMIT_NODE_SILENT_MS)
        return CLUSTER_SILENT;
    return cluster_standing(node, segment_id, epoch);
}

bool core_is_obeyed(const struct core *core, const struct cluster_node *node)
{
    return node->term >= core->term ||
           (node->first_told_ms != 0 && core->now_ms - node->first_told_ms >= LIMIT_NODE_SILENT_MS);
}

void core_silence_text(const struct core *core, int64_t node_id, char *ret_text, size_t text_bytes)
{
    const struct cluster_node *node = cluster_find(&core->cluster, node_id);

    if (node == NULL)
        (void)snprintf(ret_text, text_bytes,
                       "node %" PRId64 " not heard of since the coordinator started", node_id);
    else
        (void)snprintf(ret_text, text_bytes, "node %" PRId64 " silent for %.1f s", node_id,
                       (double)(core->now_ms - node->heard_ms) / 1000);
}

bool core_node_is_live(const struct core *core, int64_t node_id)
{
    const struct cluster_node *node = cluster_find(&core->cluster, node_id);

    return node != NULL && !node->silent && !node->leaving;
}
