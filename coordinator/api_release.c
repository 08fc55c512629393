/* SPDX-License-Identifier: Apache-2.0
 * RELEASE_COLLECTION. */
#include "coordinator/api.h"

#include "coordinator/handoff.h"
#include "coordinator/view.h"
#include <inttypes.h>

static void stop_moves(struct core *core, const struct catalog_collection *collection)
{
    for (size_t i = 0; i < collection->segments.count; i++) {
        const struct catalog_segment *segment = collection->segments.entries[i].item;
        if (segment->move != NULL)
            handoff_fail(core, segment->move, "the collection is released");
    }
}

enum qn_status api_release(struct core *core, const struct coord_request *request,
                           struct api_change *ret_change)
{
    struct text *text = &ret_change->text;
    struct catalog_collection *collection =
        catalog_collection_named(&core->catalog, request->collection);

    if (collection == NULL) {
        text_add(text, "collection %s is not loaded", request->collection);
        return QN_STATUS_NOT_FOUND;
    }
    ret_change->collection_id = collection->row.collection_id;
    text_add(text, "collection %s (%" PRId64 "): %zu segments are released after %.1f s",
             collection->row.name, collection->row.collection_id, collection->segments.count,
             (double)core->options.ceased_wait_ms / 1000);
    if (collection->row.ceasing)
        return QN_STATUS_OK;
    stop_moves(core, collection);
    collection->row.ceasing = true;
    collection->row.readable_version++;
    catalog_put_collection(collection, core->out);
    core_touch(core);
    if (view_update(core, collection, true))
        view_publish(core, collection);
    return QN_STATUS_OK;
}
