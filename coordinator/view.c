/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/view.h"

#include "base/hash.h"
#include "channel/paging.h"
#include "coordinator/page.h"
#include <string.h>

static bool is_listed(const struct core *core, const struct catalog_segment *segment,
                      const struct catalog_wanted *wanted)
{
    const struct cluster_node *node = cluster_find(&core->cluster, wanted->node_id);

    if (node == NULL || node->silent || !node->listed || !core_is_obeyed(core, node))
        return false;
    const struct cluster_copy *copy = cluster_copy(node, segment->segment_id);
    return copy != NULL && qn_epoch_compare(copy->epoch, wanted->epoch) == 0 &&
           qn_hash_equal(&copy->content_hash, &segment->content_hash) &&
           (copy->state == QN_COPY_SERVING || copy->state == QN_COPY_LEAVING);
}

bool view_serves(const struct core *core, const struct catalog_segment *segment)
{
    if (segment->collection->row.ceasing || segment->state != QN_SEGMENT_SEALED)
        return false;
    for (uint32_t i = 0; i < segment->wanted_count; i++)
        if (is_listed(core, segment, &segment->wanted[i]))
            return true;
    return false;
}

static int before_by_node(const struct view_copy *a, const struct view_copy *b)
{
    return a->node_id < b->node_id;
}

/* In order of the nodes, so that equal placements look equal. */
static void add_copy(struct view_item *item, struct view_copy *copies,
                     const struct catalog_wanted *wanted)
{
    struct view_copy copy = {.node_id = wanted->node_id,
                             .epoch = wanted->epoch,
                             .replica = wanted->replica == NULL ? "" : wanted->replica};
    size_t at = item->copies_count++;

    for (; at > 0 && before_by_node(&copy, &copies[at - 1]); at--)
        copies[at] = copies[at - 1];
    copies[at] = copy;
    item->copies = copies;
}

static void fill_item(struct core *core, const struct catalog_segment *segment,
                      struct view_item *item)
{
    struct view_copy *copies = NULL;

    *item = (struct view_item){
        .segment_id = segment->segment_id,
        .delete_generation = segment->delete_generation,
        .partition_id = segment->partition_id,
        .num_rows = segment->num_rows,
        .content_hash = segment->content_hash,
    };
    for (uint32_t i = 0; i < segment->wanted_count; i++) {
        if (!is_listed(core, segment, &segment->wanted[i]))
            continue;
        if (copies == NULL)
            copies = outbox_alloc(core->out, segment->wanted_count, sizeof *copies);
        add_copy(item, copies, &segment->wanted[i]);
    }
}

static size_t fill_items(struct core *core, const struct catalog_collection *collection,
                         struct view_item **ret_items)
{
    size_t count = 0;

    *ret_items = outbox_alloc(core->out, collection->segments.count, sizeof **ret_items);
    if (collection->row.ceasing)
        return 0;
    for (size_t i = 0; i < collection->segments.count; i++) {
        const struct catalog_segment *segment = collection->segments.entries[i].item;
        if (segment->state == QN_SEGMENT_SEALED)
            fill_item(core, segment, &(*ret_items)[count++]);
    }
    return count;
}

static uint64_t signature_of(struct core *core, const struct catalog_collection *collection)
{
    struct view_item *items;
    size_t items_count = fill_items(core, collection, &items);
    uint64_t signature = hash64(&collection->row.readable_version, sizeof(uint64_t));

    for (size_t i = 0; i < items_count; i++) {
        uint64_t words[2 + 3 * LIMIT_COPIES_PER_SEGMENT_MAX] = {signature,
                                                                (uint64_t)items[i].segment_id};
        size_t used = 2;
        for (size_t j = 0; j < items[i].copies_count; j++) {
            words[used++] = (uint64_t)items[i].copies[j].node_id;
            words[used++] = items[i].copies[j].epoch.term;
            words[used++] = items[i].copies[j].epoch.version;
        }
        signature = hash64(words, used * sizeof words[0]);
    }
    return signature;
}

bool view_is_known(const struct core *core, const struct catalog_collection *collection)
{
    if (collection->version.term != 0)
        return true;
    for (size_t i = 0; i < collection->segments.count; i++) {
        const struct catalog_segment *segment = collection->segments.entries[i].item;
        for (uint32_t j = 0; j < segment->wanted_count; j++) {
            const struct catalog_wanted *wanted = &segment->wanted[j];
            const struct cluster_node *node = cluster_find(&core->cluster, wanted->node_id);
            if (core_standing(core, wanted->node_id, segment->segment_id, wanted->epoch) ==
                    CLUSTER_UNKNOWN ||
                (node != NULL && !node->silent && !core_is_obeyed(core, node)))
                return false;
        }
    }
    return true;
}

bool view_update(struct core *core, struct catalog_collection *collection, bool force)
{
    bool published = collection->version.term != 0;

    /* Pages of one version must all be cut alike: else those of two cuts would join. */
    force = force || (published && collection->payload_max != core->payload_max);
    if (!collection->dirty && !force)
        return false;
    uint64_t signature = signature_of(core, collection);
    collection->dirty = false;
    if (!force && published && signature == collection->signature)
        return false;
    collection->signature = signature;
    collection->payload_max = core->payload_max;
    collection->version = core_mint(core);
    return true;
}

struct page_probe {
    struct core *core;
    struct collection_view view; /* without items: the head of every page */
    const struct view_item *items;
};

/* As an answer to GET_VIEW, which is longer than the same page on the query channel: a version is
 * cut in one way for both. */
static size_t page_size(void *owner, size_t count)
{
    const struct page_probe *probe = owner;
    struct collection_view view = probe->view;
    struct message message = {.kind = MESSAGE_COORD_ANSWER,
                              .coord_answer = {.text = "", .view = &view}};

    view.items = probe->items;
    view.items_count = count;
    return page_bytes(probe->core, &message);
}

/* The number of items of each page; at least one page. */
static uint32_t cut(struct page_probe *probe, size_t items_count, size_t *counts)
{
    uint32_t pages = 0;

    for (size_t left = items_count; left > 0; left -= counts[pages++]) {
        size_t most = left < LIMIT_VIEW_PAGE_ITEMS ? left : LIMIT_VIEW_PAGE_ITEMS;
        counts[pages] = paging_fit(most, probe->core->payload_max, page_size, probe);
        probe->items += counts[pages];
    }
    return pages == 0 ? 1 : pages;
}

struct collection_view *view_pages(struct core *core, const struct catalog_collection *collection,
                                   uint32_t *ret_count)
{
    struct view_item *items;
    size_t items_count = fill_items(core, collection, &items);
    size_t *counts = outbox_alloc(core->out, items_count, sizeof *counts);
    struct page_probe probe = {
        .core = core,
        .view = {.collection_id = collection->row.collection_id,
                 .name = outbox_strdup(core->out, collection->row.name),
                 .version = collection->version,
                 .readable_version = collection->row.readable_version,
                 .metric = collection->row.metric,
                 .dim = collection->row.dim},
        .items = items,
    };
    uint32_t pages_count = cut(&probe, items_count, counts);
    struct collection_view *pages = outbox_alloc(core->out, pages_count, sizeof *pages);

    for (uint32_t i = 0; i < pages_count; i++) {
        pages[i] = probe.view;
        pages[i].page = i;
        pages[i].pages = pages_count;
        pages[i].items = counts[i] == 0 ? NULL : items;
        pages[i].items_count = counts[i];
        items += counts[i];
    }
    *ret_count = pages_count;
    return pages;
}

void view_publish(struct core *core, struct catalog_collection *collection)
{
    uint32_t pages_count;
    struct collection_view *pages = view_pages(core, collection, &pages_count);

    for (uint32_t i = 0; i < pages_count; i++)
        outbox_message(core->out, OUTBOX_QUERY, collection->row.collection_id,
                       MESSAGE_COLLECTION_VIEW)
            ->message.collection_view = pages[i];
    collection->published_ms = core->now_ms;
    if (collection->edition_ms == 0)
        collection->edition_ms = core->now_ms == 0 ? 1 : core->now_ms;
}

void view_run(struct core *core)
{
    for (size_t i = 0; i < core->catalog.collections.count; i++) {
        struct catalog_collection *collection = core->catalog.collections.entries[i].item;
        bool published = collection->version.term != 0;
        uint64_t age_ms = core->now_ms - collection->published_ms;
        if (published && age_ms < CORE_VIEW_GAP_MS)
            continue;
        if (!view_is_known(core, collection))
            continue;
        if (view_update(core, collection, false) || (published && age_ms >= CORE_VIEW_REPEAT_MS))
            view_publish(core, collection);
    }
}
