/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/editor.h"

#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/sim/world.h"

enum { EDITOR_COPIES = 2, EDITOR_PAGES_MAX = 3 };

static struct collection *edited(struct world *world)
{
    return &world->collections[world->options.collections];
}

/* Copies are wanted anew, at a newer epoch, after some editions: agents adopt what they hold. */
static struct qn_epoch epoch_of(struct world *world)
{
    return (struct qn_epoch){1, 1 + edited(world)->readable_version / 8};
}

static void publish(struct world *world, struct subject subject, struct message *message)
{
    struct transport transport = net_transport(world->operator.process);
    const uint8_t *bytes = NULL;
    size_t size = 0;

    message->cluster = WORLD_CLUSTER;
    message->sender = "coordinator";
    message->term = world->commands.term_max;
    message->reply_to = "";
    arena_reset(&world->operator.encode_arena);
    if (codec_encode(message, &world->operator.encode_arena, &bytes, &size, NULL) == QN_STATUS_OK)
        (void)transport.ops->publish(transport.self, subject.text, NULL, bytes, size);
}

static int64_t node_of(const struct world *world, size_t segment_number, unsigned copy)
{
    return 1 + (int64_t)((segment_number + copy) % world->options.agents);
}

static void order_load(struct world *world, size_t segment_number, unsigned copy)
{
    const struct collection_segment *segment = &edited(world)->segments[segment_number];
    int64_t node_id = node_of(world, segment_number, copy);
    struct segment_load_info load = {
        .segment_id = segment->segment_id,
        .collection_id = edited(world)->collection_id,
        .partition_id = segment->partition_id,
        .replica = "",
        .path = segment->path,
        .content_hash = segment->content_hash,
        .mem_size = segment->resident_bytes,
        .num_rows = segment->rows_count,
        .epoch = epoch_of(world),
        .state = segment->state,
    };
    struct message message = {
        .kind = MESSAGE_LOAD_SEGMENTS,
        .load_segments = {.segments = &load, .segments_count = 1},
    };

    if (segment->state == QN_SEGMENT_SEALED)
        publish(world, subject_control(WORLD_CLUSTER, node_id), &message);
}

/* Page by page: 1 to EDITOR_PAGES_MAX of them, of one version always the same. */
static void publish_pages(struct world *world, struct message *message)
{
    struct collection_view *view = &message->collection_view;
    const struct view_item *items = view->items;
    size_t count = view->items_count;
    size_t pages = 1 + view->readable_version % EDITOR_PAGES_MAX;

    view->pages = (uint32_t)(pages < count ? pages : count < 1 ? 1 : count);
    for (view->page = 0; view->page < view->pages; view->page++) {
        size_t first = count * view->page / view->pages;
        view->items = items + first;
        view->items_count = count * (view->page + 1) / view->pages - first;
        publish(world, subject_query_page(WORLD_CLUSTER, view->collection_id, view->page), message);
    }
}

static void publish_view(struct world *world)
{
    const struct collection *collection = edited(world);
    struct view_copy copies[OPTIONS_SEGMENTS_MAX][EDITOR_COPIES];
    struct view_item items[OPTIONS_SEGMENTS_MAX];
    struct message message = {
        .kind = MESSAGE_COLLECTION_VIEW,
        .collection_view = {.collection_id = collection->collection_id,
                            .name = collection->name,
                            .version = {1, 1 + collection->readable_version},
                            .readable_version = collection->readable_version,
                            .metric = collection->metric,
                            .dim = collection->dim,
                            .items = items},
    };
    size_t *count = &message.collection_view.items_count;

    for (size_t s = 0; s < collection->segments_count; s++) {
        const struct collection_segment *segment = &collection->segments[s];
        if (!collection_is_readable(collection, collection->readable_version, s))
            continue;
        for (unsigned c = 0; c < EDITOR_COPIES; c++)
            copies[*count][c] = (struct view_copy){
                .node_id = node_of(world, s, c), .epoch = epoch_of(world), .replica = ""};
        items[*count] = (struct view_item){.segment_id = segment->segment_id,
                                           .partition_id = segment->partition_id,
                                           .num_rows = segment->rows_count,
                                           .content_hash = segment->content_hash,
                                           .copies = copies[*count],
                                           .copies_count = EDITOR_COPIES};
        ++*count;
    }
    publish_pages(world, &message);
}

void editor_act(struct world *world)
{
    if (world->commands.term_max == 0)
        return;
    for (size_t s = 0; s < edited(world)->segments_count; s++)
        for (unsigned c = 0; c < EDITOR_COPIES; c++)
            if (prng_below(&world->prng_operator, 4) == 0)
                order_load(world, s, c);
    if (prng_below(&world->prng_operator, 3) != 0)
        collection_renew(edited(world), &world->prng_operator);
    publish_view(world);
}
