/* SPDX-License-Identifier: Apache-2.0
 * RELEASE_COLLECTION. */
#include "coordinator/api.h"

#include "coordinator/handoff.h"
#include "coordinator/view.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void stop_moves(struct core *core, const struct catalog_collection *collection)
{
    for (size_t i = 0; i < collection->segments.count; i++) {
        const struct catalog_segment *segment = collection->segments.entries[i].item;
        if (segment->move != NULL)
            handoff_fail(core, segment->move, "the collection is released");
    }
}

static size_t count_copies(const struct core *core, int64_t collection_id)
{
    size_t count = 0;

    for (size_t i = 0; i < core->cluster.nodes.count; i++) {
        const struct cluster_node *node = core->cluster.nodes.entries[i].item;
        for (size_t j = 0; j < node->list.count; j++)
            count += node->list.copies[j].collection_id == collection_id;
    }
    return count;
}

/* 0: it is not one. */
static int64_t parse_id(const char *text)
{
    char *end;

    errno = 0;
    long long id = strtoll(text, &end, 10);
    return text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ? 0 : id;
}

/* Nodes report copies of a collection that we do not have: its coordinator's state was lost, or is
 * not ours. Nobody but the operator can say that they may go; then they go like any other's: after
 * a view without them, on the ground CEASED. NULL: there are none. */
static struct catalog_collection *take_orphans(struct core *core, int64_t id)
{
    struct state_collection row = {.collection_id = id};

    if (id == 0 || count_copies(core, id) == 0)
        return NULL;
    (void)snprintf(row.name, sizeof row.name, "orphans-%" PRId64, id);
    return catalog_add_collection(&core->catalog, &row, core->out);
}

enum qn_status api_release(struct core *core, const struct coord_request *request,
                           struct api_change *ret_change)
{
    struct text *text = &ret_change->text;
    struct catalog_collection *collection =
        catalog_collection_named(&core->catalog, request->collection);
    int64_t id = parse_id(request->collection);

    if (collection != NULL && id != 0 && collection->row.collection_id != id &&
        count_copies(core, id) > 0) {
        text_add(text,
                 "%s is the name of collection %" PRId64 ", and the id of orphans: release %" PRId64
                 " by its id first",
                 request->collection, collection->row.collection_id, collection->row.collection_id);
        return QN_STATUS_CONFLICT;
    }
    if (collection == NULL)
        collection = take_orphans(core, id);
    if (collection == NULL) {
        text_add(text, "collection %s is not loaded", request->collection);
        return QN_STATUS_NOT_FOUND;
    }
    bool has_rows = collection->segments.count > 0; /* orphans have none */
    ret_change->collection_id = collection->row.collection_id;
    text_add(text, "collection %s (%" PRId64 "): %zu %s are released after %.1f s",
             collection->row.name, collection->row.collection_id,
             has_rows ? collection->segments.count
                      : count_copies(core, collection->row.collection_id),
             has_rows ? "segments" : "copies", (double)core->options.ceased_wait_ms / 1000);
    if (collection->row.ceasing)
        return QN_STATUS_OK;
    stop_moves(core, collection);
    collection->row.ceasing = true;
    collection->row.readable_version++;
    collection->edition_ms = 0;
    catalog_put_collection(collection, core->out);
    core_touch(core);
    if (view_update(core, collection, true))
        view_publish(core, collection);
    return QN_STATUS_OK;
}
