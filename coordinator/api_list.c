/* SPDX-License-Identifier: Apache-2.0
 * The verbs that tell. Long lists go in pages (page.h). */
#include "coordinator/api.h"

#include "coordinator/handoff.h"
#include "coordinator/page.h"
#include "coordinator/view.h"
#include <stdlib.h>

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct node_info info_of(struct core *core, const struct cluster_node *node)
{
    struct node_info info = {
        .node_id = node->node_id,
        .boot = node->boot,
        .silent = node->silent,
        .heard_ms_ago = core->now_ms - node->heard_ms,
        .uptime_ms = node->uptime_ms,
        .copies_count = (uint32_t)node->list.count,
        .memory = node->memory,
        .refused_total = node->refused_total,
        .searches_total = node->searches_total,
        .kernels = outbox_strdup(core->out, node->kernels),
    };

    return info;
}

static void put_nodes(struct coord_answer *answer, const void *items, size_t count)
{
    answer->nodes = items;
    answer->nodes_count = count;
}

static void list_nodes(struct core *core, const struct message *request)
{
    size_t count = core->cluster.nodes.count;
    struct node_info *infos = outbox_alloc(core->out, count, sizeof *infos);

    for (size_t i = 0; i < count; i++)
        infos[i] = info_of(core, core->cluster.nodes.entries[i].item);
    page_answer(core, request,
                &(struct page_list){.answer = {.text = ""},
                                    .items = infos,
                                    .count = count,
                                    .item_bytes = sizeof *infos,
                                    .page_max = LIMIT_NODES_MAX,
                                    .put = put_nodes});
}

/* ---- segments -------------------------------------------------------------------------------- */

struct segment_list {
    struct segment_info *infos;
    size_t count;
};

static struct segment_info info_of_copy(const struct cluster_node *node,
                                        const struct cluster_copy *copy)
{
    return (struct segment_info){
        .segment_id = copy->segment_id,
        .collection_id = copy->collection_id,
        .partition_id = copy->partition_id,
        .mem_size = copy->mem_size,
        .num_rows = copy->num_rows,
        .node_id = node->node_id,
        .state = copy->segment_state,
        .epoch = copy->epoch,
        .content_hash = copy->content_hash,
        .delete_generation = copy->delete_generation,
        .replica = "",
        .copy_state = copy->state,
    };
}

static struct segment_info info_without_copy(const struct catalog_segment *segment)
{
    return (struct segment_info){
        .segment_id = segment->segment_id,
        .collection_id = segment->collection->row.collection_id,
        .partition_id = segment->partition_id,
        .mem_size = segment->mem_size,
        .num_rows = segment->num_rows,
        .state = segment->state,
        .content_hash = segment->content_hash,
        .delete_generation = segment->delete_generation,
        .replica = "",
        .copy_state = QN_COPY_ABSENT,
    };
}

static size_t copies_count(const struct core *core)
{
    size_t count = 0;

    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        const struct cluster_node *node = core->cluster.nodes.entries[i].item;
        count += node->list.count;
    }
    return count;
}

static void add_copies(const struct core *core, const struct catalog_collection *collection,
                       struct segment_list *list)
{
    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        const struct cluster_node *node = core->cluster.nodes.entries[i].item;
        for (size_t j = 0; j < node->list.count && !node->silent; j++) {
            const struct cluster_copy *copy = &node->list.copies[j];
            if (collection == NULL || copy->collection_id == collection->row.collection_id)
                list->infos[list->count++] = info_of_copy(node, copy);
        }
    }
}

static int by_segment(const void *a, const void *b)
{
    const struct segment_info *left = a, *right = b;

    if (left->segment_id != right->segment_id)
        return left->segment_id < right->segment_id ? -1 : 1;
    return (left->node_id > right->node_id) - (left->node_id < right->node_id);
}

static bool has_copy(const struct core *core, int64_t segment_id)
{
    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        const struct cluster_node *node = core->cluster.nodes.entries[i].item;
        if (!node->silent && cluster_copy(node, segment_id) != NULL)
            return true;
    }
    return false;
}

static void put_segments(struct coord_answer *answer, const void *items, size_t count)
{
    answer->segments = items;
    answer->segments_count = count;
}

static void list_segments(struct core *core, const struct message *request,
                          const struct catalog_collection *collection)
{
    const struct idmap *known =
        collection == NULL ? &core->catalog.segments : &collection->segments;
    struct segment_list list = {0};

    list.infos = outbox_alloc(core->out, copies_count(core) + known->count, sizeof *list.infos);
    add_copies(core, collection, &list);
    for (size_t i = 0; i < known->count; i++)
        if (!has_copy(core, known->entries[i].id))
            list.infos[list.count++] = info_without_copy(known->entries[i].item);
    qsort(list.infos, list.count, sizeof *list.infos, by_segment);
    page_answer(core, request,
                &(struct page_list){.answer = {.text = ""},
                                    .items = list.infos,
                                    .count = list.count,
                                    .item_bytes = sizeof *list.infos,
                                    .page_max = LIMIT_SEGMENTS_PER_NODE_MAX,
                                    .put = put_segments});
}

/* ---- collections ----------------------------------------------------------------------------- */

/* Sealed segments only: the others are never loaded, and who waits for all would wait for ever. */
static struct collection_info info_of_collection(struct core *core,
                                                 const struct catalog_collection *collection)
{
    struct collection_info info = {
        .collection_id = collection->row.collection_id,
        .name = outbox_strdup(core->out, collection->row.name),
        .folder = outbox_strdup(core->out, collection->row.folder),
        .metric = collection->row.metric,
        .dim = collection->row.dim,
        .version = collection->version,
        .readable_version = collection->row.readable_version,
    };

    for (size_t i = 0; i < collection->segments.count; i++) {
        const struct catalog_segment *segment = collection->segments.entries[i].item;
        if (segment->state != QN_SEGMENT_SEALED)
            continue;
        info.segments_count++;
        info.segments_serving += view_serves(core, segment);
        info.num_rows += segment->num_rows;
        info.mem_size += segment->mem_size;
    }
    return info;
}

static void put_collections(struct coord_answer *answer, const void *items, size_t count)
{
    answer->collections = items;
    answer->collections_count = count;
}

static void list_collections(struct core *core, const struct message *request)
{
    size_t count = core->catalog.collections.count;
    struct collection_info *infos = outbox_alloc(core->out, count, sizeof *infos);

    for (size_t i = 0; i < count; i++)
        infos[i] = info_of_collection(core, core->catalog.collections.entries[i].item);
    page_answer(core, request,
                &(struct page_list){.answer = {.text = ""},
                                    .items = infos,
                                    .count = count,
                                    .item_bytes = sizeof *infos,
                                    .page_max = LIMIT_VIEW_PAGE_ITEMS,
                                    .put = put_collections});
}

/* ---- moves ----------------------------------------------------------------------------------- */

static struct move_info info_of_move(struct core *core, const struct catalog_move *move)
{
    const struct state_move *row = &move->row;

    return (struct move_info){
        .move_id = row->move_id,
        .segment_id = row->segment_id,
        .collection_id = move->collection_id,
        .src_node_id = row->src_node_id,
        .dst_node_id = row->dst_node_id,
        .phase = handoff_phase_name(row),
        .reason = outbox_strdup(core->out, row->reason),
        .bytes = row->bytes,
        .started_wall_ms = row->started_wall_ms,
        .loaded_wall_ms = row->loaded_wall_ms,
        .changed_wall_ms = row->changed_wall_ms,
        .finished_wall_ms = row->finished_wall_ms,
        .released_bytes = row->released_bytes,
        .rss_before = row->rss_before,
        .rss_after = row->rss_after,
        .attempts = row->attempts,
        .waited_ms = row->waited_ms,
    };
}

static void put_moves(struct coord_answer *answer, const void *items, size_t count)
{
    answer->moves = items;
    answer->moves_count = count;
}

static void answer_moves(struct core *core, const struct message *request,
                         const struct move_info *infos, size_t count,
                         const struct coord_answer *answer)
{
    page_answer(core, request,
                &(struct page_list){.answer = *answer,
                                    .items = infos,
                                    .count = count,
                                    .item_bytes = sizeof *infos,
                                    .page_max = LIMIT_VIEW_PAGE_ITEMS,
                                    .put = put_moves});
}

static void list_moves(struct core *core, const struct message *request)
{
    size_t count = core->catalog.moves.count;
    struct move_info *infos = outbox_alloc(core->out, count, sizeof *infos);

    for (size_t i = 0; i < count; i++)
        infos[i] = info_of_move(core, core->catalog.moves.entries[i].item);
    answer_moves(core, request, infos, count, &(struct coord_answer){.text = ""});
}

static size_t find_moves(struct core *core, const struct core_answer *given,
                         struct move_info **ret_infos)
{
    size_t count = 0;

    *ret_infos = outbox_alloc(core->out, given->moves_count, sizeof **ret_infos);
    for (size_t i = 0; i < given->moves_count; i++) {
        const struct catalog_move *move =
            idmap_find(&core->catalog.moves, (int64_t)given->move_ids[i]);
        if (move != NULL)
            (*ret_infos)[count++] = info_of_move(core, move);
    }
    return count;
}

void api_list_change(struct core *core, const struct message *request,
                     const struct core_answer *given)
{
    const struct catalog_collection *collection =
        catalog_collection(&core->catalog, given->collection_id);
    struct move_info *infos;
    size_t count = find_moves(core, given, &infos);
    struct coord_answer answer = {.status = given->status,
                                  .text = outbox_strdup(core->out, given->text)};

    if (collection != NULL) {
        struct collection_info *info = outbox_alloc(core->out, 1, sizeof *info);
        *info = info_of_collection(core, collection);
        answer.collections = info;
        answer.collections_count = 1;
    }
    answer_moves(core, request, infos, count, &answer);
}

/* ---- views ----------------------------------------------------------------------------------- */

static void get_view(struct core *core, const struct message *request,
                     struct catalog_collection *collection)
{
    uint32_t pages_count;

    if (core->phase != CORE_ACTIVE || !view_is_known(core, collection)) {
        api_answer(core, request, QN_STATUS_BUSY, "starting");
        return;
    }
    if (view_update(core, collection, false))
        view_publish(core, collection);
    struct collection_view *pages = view_pages(core, collection, &pages_count);
    for (uint32_t i = 0; i < pages_count; i++)
        api_page(core, request, i, pages_count)->view = &pages[i];
}

void api_list(struct core *core, const struct message *request)
{
    const struct coord_request *body = &request->coord_request;
    struct catalog_collection *collection =
        catalog_collection_named(&core->catalog, body->collection);
    bool named = body->collection[0] != '\0' || body->verb == COORD_GET_VIEW;

    if (collection == NULL && named &&
        (body->verb == COORD_GET_VIEW || body->verb == COORD_LIST_SEGMENTS)) {
        struct text text = {0};
        text_add(&text, "collection %s is not loaded", body->collection);
        api_answer(core, request, QN_STATUS_NOT_FOUND, text.bytes);
        return;
    }
    if (body->verb == COORD_GET_VIEW)
        get_view(core, request, collection);
    else if (body->verb == COORD_LIST_NODES)
        list_nodes(core, request);
    else if (body->verb == COORD_LIST_SEGMENTS)
        list_segments(core, request, collection);
    else if (body->verb == COORD_LIST_COLLECTIONS)
        list_collections(core, request);
    else
        list_moves(core, request);
}
