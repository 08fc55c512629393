/* SPDX-License-Identifier: Apache-2.0
 * LOAD_COLLECTION. */
#include "coordinator/api.h"

#include "channel/codec.h"
#include "coordinator/grow.h"
#include "coordinator/planner.h"
#include "coordinator/reconcile.h"
#include "coordinator/view.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a load must pass ------------------------------------------------------------------- */

static enum qn_status check_segment(const struct core *core, const struct manifest *manifest,
                                    const struct manifest_segment *segment, struct text *text)
{
    const struct catalog_segment *known = catalog_segment(&core->catalog, segment->segment_id);

    if (strlen(segment->path) >= LIMIT_PATH_BYTES) {
        text_add(text, "segment %" PRId64 ": its path is longer than %d bytes", segment->segment_id,
                 LIMIT_PATH_BYTES - 1);
        return QN_STATUS_INVALID;
    }
    if (known == NULL || known->collection->row.collection_id == manifest->collection_id)
        return QN_STATUS_OK;
    text_add(text, "segment %" PRId64 " belongs to collection %s (%" PRId64 ")%s",
             segment->segment_id, known->collection->row.name, known->collection->row.collection_id,
             qn_hash_equal(&known->content_hash, &segment->content_hash) ? ""
                                                                         : ", with other content");
    return QN_STATUS_CONFLICT;
}

static enum qn_status check_manifest(const struct core *core, const struct manifest *manifest,
                                     struct text *text)
{
    const struct catalog_collection *named =
        catalog_collection_called(&core->catalog, manifest->name);

    if (manifest->collection_id <= 0) {
        text_add(text, "collection_id %" PRId64 ": a positive number is wanted",
                 manifest->collection_id);
        return QN_STATUS_INVALID;
    }
    if (!codec_name_is_valid(manifest->name)) {
        text_add(text, "collection %" PRId64 ": its name holds control characters",
                 manifest->collection_id);
        return QN_STATUS_INVALID;
    }
    if (manifest->name[0] == '\0' || strlen(manifest->name) >= LIMIT_NAME_BYTES ||
        strlen(manifest->folder) >= LIMIT_PATH_BYTES) {
        text_add(text, "collection %" PRId64 ": its name or folder is empty or too long",
                 manifest->collection_id);
        return QN_STATUS_INVALID;
    }
    if (manifest->segments_count > LIMIT_SEGMENTS_PER_VIEW_MAX) {
        text_add(text, "collection %s: %zu segments, at most %d", manifest->name,
                 manifest->segments_count, LIMIT_SEGMENTS_PER_VIEW_MAX);
        return QN_STATUS_INVALID;
    }
    if (named != NULL && named->row.collection_id != manifest->collection_id) {
        text_add(text, "collection %s has the id %" PRId64 " here, not %" PRId64, manifest->name,
                 named->row.collection_id, manifest->collection_id);
        return QN_STATUS_CONFLICT;
    }
    for (size_t i = 0; i < manifest->segments_count; i++) {
        enum qn_status status = check_segment(core, manifest, &manifest->segments[i], text);
        if (status != QN_STATUS_OK)
            return status;
    }
    return QN_STATUS_OK;
}

/* Each node that was named must report, also when nothing will be placed on it. */
static enum qn_status check_nodes(const struct core *core, const struct coord_request *request,
                                  struct text *text)
{
    for (size_t i = 0; i < request->dst_node_ids_count; i++) {
        if (core_node_is_live(core, request->dst_node_ids[i]))
            continue;
        text_add(text, "node %" PRId64 " does not report", request->dst_node_ids[i]);
        return QN_STATUS_UNAVAILABLE;
    }
    return QN_STATUS_OK;
}

/* ---- the sentence
 * -------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

struct summary {
    size_t segments_count, serving_count, nodes_count;
    uint64_t bytes;
    int64_t node_ids[LIMIT_COPIES_PER_SEGMENT_MAX * 64]; /* some of them: for the sentence */
};

static void add_node(struct summary *summary, int64_t node_id)
{
    for (size_t i = 0; i < summary->nodes_count; i++)
        if (summary->node_ids[i] == node_id)
            return;
    if (summary->nodes_count < sizeof summary->node_ids / sizeof summary->node_ids[0])
        summary->node_ids[summary->nodes_count++] = node_id;
}

/* "collection words (1): 8 segments, 52.1 MiB onto nodes 1, 2". again: what was asked for a
 * collection that is here already; NULL: it is new. */
static void describe(const struct core *core, const struct catalog_collection *collection,
                     const struct coord_request *again, struct text *text)
{
    struct summary summary = {0};
    struct text growing = {0};

    for (size_t i = 0; i < collection->segments.count; i++) {
        const struct catalog_segment *segment = collection->segments.entries[i].item;
        if (segment->state != QN_SEGMENT_SEALED) {
            text_add(&growing, "%s %" PRId64, growing.used_bytes == 0 ? "" : ",",
                     segment->segment_id);
            continue;
        }
        summary.segments_count++;
        summary.bytes += segment->mem_size;
        summary.serving_count += view_serves(core, segment);
        for (uint32_t j = 0; j < segment->wanted_count; j++)
            add_node(&summary, segment->wanted[j].node_id);
    }
    qsort(summary.node_ids, summary.nodes_count, sizeof summary.node_ids[0], by_id);
    text_add(text, "collection %s (%" PRId64 "): %zu segments, ", collection->row.name,
             collection->row.collection_id, summary.segments_count);
    text_add_bytes(text, summary.bytes);
    text_add(text, " onto ");
    text_add_nodes(text, summary.node_ids, summary.nodes_count);
    if (again != NULL)
        text_add(text, "; %zu of them serve", summary.serving_count);
    if (again != NULL && again->dst_node_ids_count > 0)
        text_add(text, "; the collection stays where it is: load-balance moves segments");
    if (growing.used_bytes > 0)
        text_add(text, "; not loaded, because only sealed segments are: Growing%s", growing.bytes);
}

/* ---- a collection that is here already
 * ----------------------------------------------------------- */

static bool is_same(const struct catalog_collection *collection, const struct manifest *manifest)
{
    if (collection->segments.count != manifest->segments_count ||
        collection->row.metric != manifest->metric || collection->row.dim != manifest->dim)
        return false;
    for (size_t i = 0; i < manifest->segments_count; i++) {
        const struct manifest_segment *given = &manifest->segments[i];
        const struct catalog_segment *segment =
            idmap_find(&collection->segments, given->segment_id);
        if (segment == NULL || !qn_hash_equal(&segment->content_hash, &given->content_hash) ||
            segment->delete_generation != given->delete_generation ||
            segment->state != given->state)
            return false;
    }
    return true;
}

static enum qn_status load_again(const struct core *core, const struct coord_request *request,
                                 const struct catalog_collection *collection,
                                 const struct manifest *manifest, struct text *text)
{
    if (strcmp(collection->row.folder, manifest->folder) != 0) {
        text_add(text, "collection %s (%" PRId64 ") is loaded from %s", collection->row.name,
                 collection->row.collection_id, collection->row.folder);
        return QN_STATUS_CONFLICT;
    }
    if (!is_same(collection, manifest)) {
        text_add(text,
                 "collection %s (%" PRId64
                 ") is loaded, and its manifest has changed since: release it first",
                 collection->row.name, collection->row.collection_id);
        return QN_STATUS_CONFLICT;
    }
    enum qn_status status = check_nodes(core, request, text);
    if (status == QN_STATUS_OK)
        describe(core, collection, request, text);
    return status;
}

/* A released collection comes again: only when no node that is alive still holds it. */
static enum qn_status check_ceasing(struct core *core, const struct catalog_collection *collection,
                                    struct text *text)
{
    struct reconcile_holders holders = reconcile_holders(core, collection);

    if (holders.live_count == 0)
        return QN_STATUS_OK;
    text_add(text,
             "collection %s (%" PRId64 ") is being released: node %" PRId64
             " may still hold copies",
             collection->row.name, collection->row.collection_id, holders.node_id);
    return QN_STATUS_BUSY;
}

/* Only once the new edition has its place: a load that is refused leaves the release going on. */
static void forget_ceasing(struct core *core, struct catalog_collection *collection)
{
    struct reconcile_holders holders = reconcile_holders(core, collection);

    if (holders.silent_count > 0)
        outbox_note(core->out, true,
                    "collection %s (%" PRId64 ") is loaded anew while node %" PRId64
                    " is silent: what it holds of the old edition goes when it is back",
                    collection->row.name, collection->row.collection_id, holders.node_id);
    catalog_remove_collection(&core->catalog, collection, core->out);
}

/* ---- placement
 * ----------------------------------------------------------------------------------- */

static bool is_chosen(const struct coord_request *request, int64_t node_id)
{
    for (size_t i = 0; i < request->dst_node_ids_count; i++)
        if (request->dst_node_ids[i] == node_id)
            return true;
    return request->dst_node_ids_count == 0;
}

static enum qn_status choose_nodes(const struct core *core, const struct coord_request *request,
                                   struct planner_input *input, struct text *text)
{
    const struct idmap *nodes = &core->cluster.nodes;
    enum qn_status status = check_nodes(core, request, text);

    if (status != QN_STATUS_OK)
        return status;
    input->nodes = grow_calloc(nodes->count, sizeof *input->nodes);
    for (size_t i = 0; i < nodes->count; i++) {
        const struct cluster_node *node = nodes->entries[i].item;
        uint64_t bytes, count;
        if (!core_node_is_live(core, node->node_id) || !is_chosen(request, node->node_id))
            continue;
        api_planned(core, node->node_id, &bytes, &count);
        input->nodes[input->nodes_count++] = (struct planner_node){
            .node_id = node->node_id,
            .budget_bytes = node->memory.budget_bytes,
            .used_bytes = node->memory.ledger_bytes + bytes,
            .segments_count = node->list.count + count,
        };
    }
    if (input->nodes_count > 0)
        return QN_STATUS_OK;
    text_add(text, "no node reports");
    return QN_STATUS_UNAVAILABLE;
}

/* A node that holds the very bytes already keeps them: they cost nothing and the copy is adopted.
 */
static int64_t holder_of(const struct core *core, const struct planner_input *input,
                         int64_t collection_id, const struct manifest_segment *segment)
{
    for (size_t i = 0; i < input->nodes_count; i++) {
        const struct cluster_node *node = cluster_find(&core->cluster, input->nodes[i].node_id);
        const struct cluster_copy *copy = cluster_copy(node, segment->segment_id);
        if (copy != NULL && copy->state == QN_COPY_SERVING &&
            copy->collection_id == collection_id && copy->partition_id == segment->partition_id &&
            qn_hash_equal(&copy->content_hash, &segment->content_hash))
            return node->node_id;
    }
    return 0;
}

static void choose_segments(const struct core *core, const struct manifest *manifest,
                            struct planner_input *input)
{
    input->segments = grow_calloc(manifest->segments_count, sizeof *input->segments);
    for (size_t i = 0; i < manifest->segments_count; i++) {
        const struct manifest_segment *segment = &manifest->segments[i];
        if (segment->state != QN_SEGMENT_SEALED)
            continue;
        input->segments[input->segments_count++] = (struct planner_segment){
            .segment_id = segment->segment_id,
            .state = segment->state,
            .bytes = segment->resident_bytes,
            .node_id = holder_of(core, input, manifest->collection_id, segment),
        };
    }
}

static enum qn_status place(const struct core *core, const struct coord_request *request,
                            const struct manifest *manifest, struct planner_input *input,
                            struct text *text)
{
    static const struct planner_options options = {.rule = PLANNER_LOWEST_SHARE};
    enum qn_status status = choose_nodes(core, request, input, text);

    if (status != QN_STATUS_OK)
        return status;
    choose_segments(core, manifest, input);
    return planner_place(input, &options, text);
}

/* ---- the verb
 * ----------------------------------------------------------------------------------- */

static void add_segment(struct core *core, struct catalog_collection *collection,
                        const struct manifest_segment *given)
{
    struct state_segment row = {
        .segment_id = given->segment_id,
        .collection_id = collection->row.collection_id,
        .partition_id = given->partition_id,
        .state = given->state,
        .content_hash = given->content_hash,
        .mem_size = given->resident_bytes,
        .num_rows = given->rows_count,
        .delete_generation = given->delete_generation,
    };

    if (catalog_segment(&core->catalog, given->segment_id) != NULL)
        return; /* named twice */
    (void)snprintf(row.path, sizeof row.path, "%s", given->path);
    (void)catalog_add_segment(&core->catalog, collection, &row, core->out);
}

static void adopt_plan(struct core *core, const struct manifest *manifest,
                       const struct planner_input *plan, struct text *text)
{
    struct state_collection row = {
        .collection_id = manifest->collection_id,
        .metric = manifest->metric,
        .dim = manifest->dim,
        .readable_version = manifest->readable_version,
    };

    (void)snprintf(row.name, sizeof row.name, "%s", manifest->name);
    (void)snprintf(row.folder, sizeof row.folder, "%s", manifest->folder);
    struct catalog_collection *collection = catalog_add_collection(&core->catalog, &row, core->out);
    for (size_t i = 0; i < manifest->segments_count; i++)
        add_segment(core, collection, &manifest->segments[i]);
    for (size_t i = 0; i < plan->segments_count; i++)
        (void)catalog_want(catalog_segment(&core->catalog, plan->segments[i].segment_id),
                           plan->segments[i].node_id, core_mint(core), core->out);
    describe(core, collection, NULL, text);
    core_touch(core);
}

enum qn_status api_load(struct core *core, const struct coord_request *request,
                        const struct manifest *manifest, struct api_change *ret_change)
{
    struct text *text = &ret_change->text;
    struct catalog_collection *known = catalog_collection(&core->catalog, manifest->collection_id);
    struct planner_input plan = {0};
    enum qn_status status = check_manifest(core, manifest, text);

    ret_change->collection_id = manifest->collection_id;
    if (status == QN_STATUS_OK && known != NULL && !known->row.ceasing)
        return load_again(core, request, known, manifest, text);
    if (status == QN_STATUS_OK && known != NULL)
        status = check_ceasing(core, known, text);
    if (status == QN_STATUS_OK)
        status = place(core, request, manifest, &plan, text);
    if (status == QN_STATUS_OK && known != NULL)
        forget_ceasing(core, known);
    if (status == QN_STATUS_OK)
        adopt_plan(core, manifest, &plan, text);
    free(plan.nodes);
    free(plan.segments);
    return status;
}
