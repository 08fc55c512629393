/* SPDX-License-Identifier: Apache-2.0
 * Views into items and places. A view with another readable_version is another world: everything of
 * the old one is dropped, and the ids of its requests with it, so that a late answer finds nothing
 * to count for (C4). A view with the same readable_version only says where copies are: items stay,
 * places are added. */
#include "channel/client_plan.h"
#include <string.h>

static uint32_t replica_index(struct client_search *search, const char *label)
{
    for (uint32_t i = 0; i < search->replicas_count; i++)
        if (strcmp(search->replicas[i], label) == 0)
            return i;
    if (search->replicas_count == CLIENT_PLAN_REPLICAS_MAX)
        return CLIENT_PLAN_REPLICAS_MAX;
    const char *copy = arena_strndup(search->arena, label, strlen(label));
    if (copy == NULL)
        return CLIENT_PLAN_REPLICAS_MAX;
    search->replicas[search->replicas_count] = copy;
    return search->replicas_count++;
}

static bool grow_nodes(struct client_search *search)
{
    uint32_t capacity = search->nodes_capacity == 0 ? 16 : search->nodes_capacity * 2;
    struct client_node **nodes = arena_alloc(search->arena, capacity * sizeof *nodes);

    if (nodes == NULL)
        return false;
    if (search->nodes_count > 0)
        memcpy(nodes, search->nodes, search->nodes_count * sizeof *nodes);
    search->nodes = nodes;
    search->nodes_capacity = capacity;
    return true;
}

static struct client_node *node_of(struct client_search *search, int64_t node_id)
{
    uint32_t found = client_table_find(&search->nodes_by_id, node_id);

    if (found != CLIENT_TABLE_NONE)
        return search->nodes[found];
    if (search->nodes_count == search->nodes_capacity && !grow_nodes(search))
        return NULL;
    struct client_node *node = arena_calloc(search->arena, 1, sizeof *node);
    if (node == NULL ||
        !client_table_add(&search->nodes_by_id, search->arena, node_id, search->nodes_count))
        return NULL;
    node->node_id = node_id;
    search->nodes[search->nodes_count++] = node;
    return node;
}

static struct client_place *find_place(const struct client_item *item, int64_t node_id)
{
    for (struct client_place *place = item->places; place != NULL; place = place->next)
        if (place->node->node_id == node_id)
            return place;
    return NULL;
}

struct client_place *client_view_add_place(struct client_search *search, struct client_item *item,
                                           int64_t node_id, uint32_t replica)
{
    struct client_place *place = find_place(item, node_id);

    if (place != NULL)
        return place;
    struct client_node *node = node_of(search, node_id);
    if (node == NULL || item->places_count == CLIENT_PLAN_PLACES_MAX)
        return NULL;
    place = arena_calloc(search->arena, 1, sizeof *place);
    if (place == NULL)
        return NULL;
    place->item = item;
    place->node = node;
    place->replica = replica;
    place->next = item->places;
    item->places = place;
    item->places_count++;
    return place;
}

static bool has_overlap(const struct view_item *item)
{
    for (size_t i = 0; i < item->copies_count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(item->copies[i].replica, item->copies[j].replica) == 0)
                return true;
    return false;
}

/* A copy that the view names is worth asking at once, whatever it said before, unless it is busy.
 */
static bool add_copies(struct client_search *search, struct client_item *item,
                       const struct view_item *from)
{
    for (struct client_place *place = item->places; place != NULL; place = place->next)
        place->is_listed = false;
    for (size_t i = 0; i < from->copies_count; i++) {
        struct client_place *place = client_view_add_place(
            search, item, from->copies[i].node_id, replica_index(search, from->copies[i].replica));
        if (place == NULL && item->places_count < CLIENT_PLAN_PLACES_MAX)
            return false;
        if (place == NULL)
            continue;
        place->is_listed = true;
        if (place->said != QN_STATUS_BUSY) {
            place->not_before_ms = 0;
            place->refusals = 0;
        }
    }
    search->has_overlap = search->has_overlap || has_overlap(from);
    return true;
}

static bool is_wanted(const struct client_search *search, const struct view_item *item)
{
    return search->asked.partition_ids == NULL ||
           client_table_find(&search->partitions, item->partition_id) != CLIENT_TABLE_NONE;
}

/* The replica that has the most items; among equals the search's own number decides, so that
 * searches spread over replicas while each stays within one. */
static void choose_replica(struct client_search *search)
{
    uint32_t counts[CLIENT_PLAN_REPLICAS_MAX + 1] = {0};
    uint32_t best_count = 0, ties_count = 0;

    for (uint32_t i = 0; i < search->items_count; i++)
        for (struct client_place *place = search->items[i].places; place; place = place->next)
            counts[place->replica]++;
    for (uint32_t i = 0; i <= CLIENT_PLAN_REPLICAS_MAX; i++) {
        ties_count = counts[i] == best_count ? ties_count + 1 : ties_count;
        if (counts[i] > best_count) {
            best_count = counts[i];
            ties_count = 1;
        }
    }
    uint64_t mixed = search->first_request_id * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    uint64_t wanted = mixed % ties_count;
    for (uint32_t i = 0; i <= CLIENT_PLAN_REPLICAS_MAX; i++)
        if (counts[i] == best_count && wanted-- == 0)
            search->replica_preferred = i;
}

/* Late answers find their request closed; ids only grow. */
static void drop_requests(struct client_search *search)
{
    for (struct client_request *request = search->open; request; request = request->next_open) {
        if (request->parts != NULL) {
            request->parts->next_free = search->parts_free;
            search->parts_free = request->parts;
        }
        request->is_open = false;
    }
    search->open = NULL;
    search->queue_first = search->queue_last = NULL;
}

static bool reserve_items(struct client_search *search, size_t wanted_count)
{
    if (wanted_count <= search->items_capacity)
        return true;
    search->items = arena_alloc(search->arena, wanted_count * sizeof *search->items);
    search->items_capacity = search->items == NULL ? 0 : (uint32_t)wanted_count;
    return search->items != NULL;
}

bool client_view_begin(struct client_search *search, const struct collection_view *view)
{
    drop_requests(search);
    client_unite_reset(&search->unite);
    search->items_count = search->settled_count = search->covered_count = 0;
    search->items_by_segment.used_count = 0;
    search->has_overlap = false;
    search->begun_version = view->version;
    search->readable_version = view->readable_version;
    search->metric = view->metric;
    if (!reserve_items(search, view->items_count))
        return false;
    for (size_t i = 0; i < view->items_count; i++) {
        const struct view_item *from = &view->items[i];
        if (!is_wanted(search, from))
            continue;
        struct client_item *item = &search->items[search->items_count++];
        *item = (struct client_item){.segment_id = from->segment_id,
                                     .delete_generation = from->delete_generation,
                                     .content_hash = from->content_hash,
                                     .reason = QN_STATUS_UNAVAILABLE};
        if (!add_copies(search, item, from))
            return false;
    }
    search->idle_count = search->items_count;
    if (search->items_count > 0)
        choose_replica(search);
    return true;
}

/* NULL: the segment is not one of ours, or (a coordinator's fault) other content under its id. */
static struct client_item *find_item(struct client_search *search, const struct view_item *from)
{
    uint32_t found = client_table_find(&search->items_by_segment, from->segment_id);
    struct client_item *item = found == CLIENT_TABLE_NONE ? NULL : &search->items[found];

    if (item == NULL || item->delete_generation != from->delete_generation ||
        !qn_hash_equal(&item->content_hash, &from->content_hash))
        return NULL;
    return item;
}

static bool index_items(struct client_search *search)
{
    struct client_table *table = &search->items_by_segment;

    if (table->used_count > 0)
        return true;
    if (!client_table_init(table, search->arena, search->items_count))
        return false;
    for (uint32_t i = 0; i < search->items_count; i++)
        if (!client_table_add(table, search->arena, search->items[i].segment_id, i))
            return false;
    return true;
}

/* Best effort: without memory the search goes on with the places it knows. */
void client_view_place(struct client_search *search, const struct collection_view *view)
{
    if (!index_items(search))
        return;
    for (size_t i = 0; i < view->items_count; i++) {
        struct client_item *item = find_item(search, &view->items[i]);
        if (item != NULL && !client_item_is_settled(item))
            (void)add_copies(search, item, &view->items[i]);
    }
    search->plan_at_ms = search->now_ms;
}
