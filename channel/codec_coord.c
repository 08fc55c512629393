/* SPDX-License-Identifier: Apache-2.0
 * Views, and the coordinator's API. */
#include "channel/codec_internal.h"

typedef Qnode__V1__ViewCopy wire_view_copy;
typedef Qnode__V1__ViewItem wire_view_item;
typedef Qnode__V1__CollectionView wire_collection_view;
typedef Qnode__V1__CoordRequest wire_coord_request;
typedef Qnode__V1__CoordAnswer wire_coord_answer;
typedef Qnode__V1__NodeInfo wire_node_info;
typedef Qnode__V1__CollectionInfo wire_collection_info;
typedef Qnode__V1__MoveInfo wire_move_info;

/* ---- CollectionView ---- */

static void view_copy_decode(struct codec *codec, const wire_view_copy *from, struct view_copy *to)
{
    (void)codec;
    CODEC_COPY(node_id);
    CODEC_COPY(replica);
    to->epoch = codec_epoch_decode(from->epoch);
}

static void view_copy_encode(struct codec *codec, const struct view_copy *from, wire_view_copy *to)
{
    *to = (wire_view_copy)QNODE__V1__VIEW_COPY__INIT;
    CODEC_COPY(node_id);
    to->replica = codec_string_encode(from->replica);
    to->epoch = codec_epoch_encode(codec, from->epoch);
}

CODEC_DEFINE_LIST(view_copy, struct view_copy, wire_view_copy)

static void item_decode(struct codec *codec, const wire_view_item *from, struct view_item *to)
{
    CODEC_COPY(segment_id);
    CODEC_COPY(delete_generation);
    CODEC_COPY(partition_id);
    CODEC_COPY(num_rows);
    codec_hash_decode_wanted(codec, "items.content_hash", from->content_hash, &to->content_hash);
    to->copies = view_copy_list_decode(codec, from->copies, from->n_copies);
    to->copies_count = from->n_copies;
}

static void item_encode(struct codec *codec, const struct view_item *from, wire_view_item *to)
{
    *to = (wire_view_item)QNODE__V1__VIEW_ITEM__INIT;
    CODEC_COPY(segment_id);
    CODEC_COPY(delete_generation);
    CODEC_COPY(partition_id);
    CODEC_COPY(num_rows);
    to->content_hash = codec_hash_encode(&from->content_hash);
    to->copies = view_copy_list_encode(codec, from->copies, from->copies_count);
    to->n_copies = from->copies_count;
}

CODEC_DEFINE_LIST(item, struct view_item, wire_view_item)

static void collection_view_decode(struct codec *codec, const wire_collection_view *from,
                                   struct collection_view *to)
{
    CODEC_COPY(collection_id);
    CODEC_COPY(name);
    CODEC_COPY(readable_version);
    CODEC_COPY(dim);
    CODEC_COPY(page);
    CODEC_COPY(pages);
    to->version = codec_epoch_decode(from->version);
    to->metric = (enum qn_metric)from->metric;
    to->items = item_list_decode(codec, from->items, from->n_items);
    to->items_count = from->n_items;
}

static void collection_view_encode(struct codec *codec, const struct collection_view *from,
                                   wire_collection_view *to)
{
    CODEC_COPY(collection_id);
    CODEC_COPY(readable_version);
    CODEC_COPY(dim);
    CODEC_COPY(page);
    CODEC_COPY(pages);
    to->name = codec_string_encode(from->name);
    to->version = codec_epoch_encode(codec, from->version);
    to->metric = (Qnode__V1__Metric)from->metric;
    to->items = item_list_encode(codec, from->items, from->items_count);
    to->n_items = from->items_count;
}

static void item_check(struct codec *codec, const struct view_item *item)
{
    codec_check_range(codec, "copies", item->copies_count, 0, LIMIT_COPIES_PER_SEGMENT_MAX);
    for (size_t i = 0; codec->status == QN_STATUS_OK && i < item->copies_count; i++)
        codec_check_name(codec, "copies.replica", item->copies[i].replica);
}

static void collection_view_check(struct codec *codec, const struct collection_view *view)
{
    codec_check_name(codec, "name", view->name);
    codec_check_range(codec, "metric", (unsigned)view->metric, QN_METRIC_UNSPECIFIED,
                      QN_METRIC_COSINE);
    codec_check_range(codec, "dim", view->dim, 0, LIMIT_DIM_MAX);
    codec_check_page(codec, view->page, view->pages, LIMIT_VIEW_PAGES_MAX);
    if (!codec_check_list(codec, "collection_view.items", view->items_count, LIMIT_VIEW_PAGE_ITEMS))
        return;
    for (size_t i = 0; i < view->items_count; i++) {
        codec_at(codec, "collection_view.items", i);
        item_check(codec, &view->items[i]);
    }
}

CODEC_DEFINE_BODY(collection_view, wire_collection_view, collection_view, COLLECTION_VIEW,
                  QNODE__V1__COLLECTION_VIEW__INIT)

/* ---- CoordRequest ---- */

static void coord_request_decode(struct codec *codec, const wire_coord_request *from,
                                 struct coord_request *to)
{
    (void)codec;
    CODEC_COPY(collection);
    CODEC_COPY(folder);
    CODEC_COPY(src_node_id);
    CODEC_COPY(dst_node_ids);
    CODEC_COPY(segment_ids);
    to->verb = (enum coord_verb)from->verb;
    to->dst_node_ids_count = from->n_dst_node_ids;
    to->segment_ids_count = from->n_segment_ids;
}

static void coord_request_encode(struct codec *codec, const struct coord_request *from,
                                 wire_coord_request *to)
{
    (void)codec;
    CODEC_COPY(src_node_id);
    to->collection = codec_string_encode(from->collection);
    to->folder = codec_string_encode(from->folder);
    to->verb = (Qnode__V1__CoordVerb)from->verb;
    to->dst_node_ids = (int64_t *)from->dst_node_ids;
    to->n_dst_node_ids = from->dst_node_ids_count;
    to->segment_ids = (int64_t *)from->segment_ids;
    to->n_segment_ids = from->segment_ids_count;
}

static void coord_request_check(struct codec *codec, const struct coord_request *request)
{
    /* A verb from the future is answered UNSUPPORTED, not dropped. */
    codec_check_name(codec, "collection", request->collection);
    codec_check_path(codec, "folder", request->folder);
    codec_check_range(codec, "dst_node_ids", request->dst_node_ids_count, 0, LIMIT_NODES_MAX);
    codec_check_range(codec, "segment_ids", request->segment_ids_count, 0,
                      LIMIT_SEGMENTS_PER_REQUEST_MAX);
}

CODEC_DEFINE_BODY(coord_request, wire_coord_request, coord_request, COORD_REQUEST,
                  QNODE__V1__COORD_REQUEST__INIT)

/* ---- CoordAnswer ---- */

static void node_info_decode(struct codec *codec, const wire_node_info *from, struct node_info *to)
{
    (void)codec;
    CODEC_COPY(node_id);
    CODEC_COPY(boot);
    CODEC_COPY(silent);
    CODEC_COPY(heard_ms_ago);
    CODEC_COPY(uptime_ms);
    CODEC_COPY(copies_count);
    CODEC_COPY(refused_total);
    CODEC_COPY(searches_total);
    CODEC_COPY(kernels);
    codec_memory_report_decode(from->memory, &to->memory);
}

static void node_info_encode(struct codec *codec, const struct node_info *from, wire_node_info *to)
{
    *to = (wire_node_info)QNODE__V1__NODE_INFO__INIT;
    CODEC_COPY(node_id);
    CODEC_COPY(boot);
    CODEC_COPY(silent);
    CODEC_COPY(heard_ms_ago);
    CODEC_COPY(uptime_ms);
    CODEC_COPY(copies_count);
    CODEC_COPY(refused_total);
    CODEC_COPY(searches_total);
    to->kernels = codec_string_encode(from->kernels);
    to->memory = codec_memory_report_encode(codec, &from->memory);
}

CODEC_DEFINE_LIST(node_info, struct node_info, wire_node_info)

static void collection_info_decode(struct codec *codec, const wire_collection_info *from,
                                   struct collection_info *to)
{
    (void)codec;
    CODEC_COPY(collection_id);
    CODEC_COPY(name);
    CODEC_COPY(folder);
    CODEC_COPY(segments_count);
    CODEC_COPY(segments_serving);
    CODEC_COPY(num_rows);
    CODEC_COPY(mem_size);
    CODEC_COPY(dim);
    CODEC_COPY(readable_version);
    to->metric = (enum qn_metric)from->metric;
    to->version = codec_epoch_decode(from->version);
}

static void collection_info_encode(struct codec *codec, const struct collection_info *from,
                                   wire_collection_info *to)
{
    *to = (wire_collection_info)QNODE__V1__COLLECTION_INFO__INIT;
    CODEC_COPY(collection_id);
    CODEC_COPY(segments_count);
    CODEC_COPY(segments_serving);
    CODEC_COPY(num_rows);
    CODEC_COPY(mem_size);
    CODEC_COPY(dim);
    CODEC_COPY(readable_version);
    to->name = codec_string_encode(from->name);
    to->folder = codec_string_encode(from->folder);
    to->metric = (Qnode__V1__Metric)from->metric;
    to->version = codec_epoch_encode(codec, from->version);
}

CODEC_DEFINE_LIST(collection_info, struct collection_info, wire_collection_info)

static void move_info_decode(struct codec *codec, const wire_move_info *from, struct move_info *to)
{
    CODEC_COPY(move_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(collection_id);
    CODEC_COPY(src_node_id);
    CODEC_COPY(dst_node_id);
    CODEC_COPY(phase);
    CODEC_COPY(reason);
    CODEC_COPY(bytes);
    CODEC_COPY(started_wall_ms);
    CODEC_COPY(loaded_wall_ms);
    CODEC_COPY(changed_wall_ms);
    CODEC_COPY(finished_wall_ms);
    CODEC_COPY(released_bytes);
    CODEC_COPY(rss_before);
    CODEC_COPY(rss_after);
    CODEC_COPY(attempts);
    CODEC_COPY(waited_ms);
    codec_check_text(codec, "moves.reason", to->reason);
}

static void move_info_encode(struct codec *codec, const struct move_info *from, wire_move_info *to)
{
    *to = (wire_move_info)QNODE__V1__MOVE_INFO__INIT;
    CODEC_COPY(move_id);
    CODEC_COPY(segment_id);
    CODEC_COPY(collection_id);
    CODEC_COPY(src_node_id);
    CODEC_COPY(dst_node_id);
    CODEC_COPY(bytes);
    CODEC_COPY(started_wall_ms);
    CODEC_COPY(loaded_wall_ms);
    CODEC_COPY(changed_wall_ms);
    CODEC_COPY(finished_wall_ms);
    CODEC_COPY(released_bytes);
    CODEC_COPY(rss_before);
    CODEC_COPY(rss_after);
    CODEC_COPY(attempts);
    CODEC_COPY(waited_ms);
    to->phase = codec_string_encode(from->phase);
    to->reason = codec_text_encode(codec, from->reason);
}

CODEC_DEFINE_LIST(move_info, struct move_info, wire_move_info)

static const struct collection_view *answer_view_decode(struct codec *codec,
                                                        const wire_collection_view *from)
{
    struct collection_view *to =
        from == NULL ? NULL : codec_alloc(codec, 1, sizeof(struct collection_view));

    if (to != NULL)
        collection_view_decode(codec, from, to);
    return to;
}

static wire_collection_view *answer_view_encode(struct codec *codec,
                                                const struct collection_view *from)
{
    wire_collection_view *to = from == NULL ? NULL : codec_alloc(codec, 1, sizeof *to);

    if (to == NULL)
        return NULL;
    *to = (wire_collection_view)QNODE__V1__COLLECTION_VIEW__INIT;
    collection_view_encode(codec, from, to);
    return to;
}

static void coord_answer_decode(struct codec *codec, const wire_coord_answer *from,
                                struct coord_answer *to)
{
    CODEC_COPY(text);
    CODEC_COPY(page);
    CODEC_COPY(pages);
    CODEC_COPY(answer_number);
    to->status = (enum qn_status)from->status;
    to->nodes = node_info_list_decode(codec, from->nodes, from->n_nodes);
    to->nodes_count = from->n_nodes;
    to->segments = codec_segment_infos_decode(codec, from->segments, from->n_segments);
    to->segments_count = from->n_segments;
    to->collections = collection_info_list_decode(codec, from->collections, from->n_collections);
    to->collections_count = from->n_collections;
    to->moves = move_info_list_decode(codec, from->moves, from->n_moves);
    to->moves_count = from->n_moves;
    to->view = answer_view_decode(codec, from->view);
    codec_check_text(codec, "text", to->text);
}

static void coord_answer_encode(struct codec *codec, const struct coord_answer *from,
                                wire_coord_answer *to)
{
    CODEC_COPY(page);
    CODEC_COPY(pages);
    CODEC_COPY(answer_number);
    to->status = (Qnode__V1__Status)from->status;
    to->text = codec_text_encode(codec, from->text);
    to->nodes = node_info_list_encode(codec, from->nodes, from->nodes_count);
    to->n_nodes = from->nodes_count;
    to->segments = codec_segment_infos_encode(codec, from->segments, from->segments_count);
    to->n_segments = from->segments_count;
    to->collections =
        collection_info_list_encode(codec, from->collections, from->collections_count);
    to->n_collections = from->collections_count;
    to->moves = move_info_list_encode(codec, from->moves, from->moves_count);
    to->n_moves = from->moves_count;
    to->view = answer_view_encode(codec, from->view);
}

static void collections_check(struct codec *codec, const struct collection_info *collections,
                              size_t count)
{
    if (!codec_check_list(codec, "coord_answer.collections", count, LIMIT_VIEW_PAGE_ITEMS))
        return;
    for (size_t i = 0; i < count; i++) {
        codec_at(codec, "coord_answer.collections", i);
        codec_check_name(codec, "name", collections[i].name);
        codec_check_path(codec, "folder", collections[i].folder);
        codec_check_range(codec, "metric", (unsigned)collections[i].metric, QN_METRIC_UNSPECIFIED,
                          QN_METRIC_COSINE);
        codec_check_range(codec, "dim", collections[i].dim, 0, LIMIT_DIM_MAX);
    }
}

static void coord_answer_check(struct codec *codec, const struct coord_answer *answer)
{
    codec_check_status(codec, answer->status);
    codec_check_page(codec, answer->page, answer->pages, LIMIT_SEGMENTS_PER_VIEW_MAX);
    if (!codec_check_list(codec, "coord_answer.nodes", answer->nodes_count, LIMIT_NODES_MAX))
        return;
    for (size_t i = 0; i < answer->nodes_count; i++) {
        codec_at(codec, "coord_answer.nodes", i);
        codec_check_name(codec, "kernels", answer->nodes[i].kernels);
        codec_memory_report_check(codec, &answer->nodes[i].memory);
    }
    codec_segment_infos_check(codec, "coord_answer.segments", answer->segments,
                              answer->segments_count);
    collections_check(codec, answer->collections, answer->collections_count);
    if (!codec_check_list(codec, "coord_answer.moves", answer->moves_count, LIMIT_VIEW_PAGE_ITEMS))
        return;
    for (size_t i = 0; i < answer->moves_count; i++) {
        codec_at(codec, "coord_answer.moves", i);
        codec_check_name(codec, "phase", answer->moves[i].phase);
    }
    if (answer->view != NULL) {
        codec_at(codec, "coord_answer.view", CODEC_NO_INDEX);
        collection_view_check(codec, answer->view);
    }
}

CODEC_DEFINE_BODY(coord_answer, wire_coord_answer, coord_answer, COORD_ANSWER,
                  QNODE__V1__COORD_ANSWER__INIT)
