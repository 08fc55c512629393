/* SPDX-License-Identifier: Apache-2.0
 * What a client does in the world, and what a test may look at. */
#include "tests/unit/coordinator_world.h"

#include "base/hash.h"
#include "coordinator/handoff.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fixture --------------------------------------------------------------------------------- */

int world_set_up(void **state)
{
    struct world *world = test_malloc(sizeof *world);

    world_open(world);
    world_start(world);
    *state = world;
    return 0;
}

int world_tear_down(void **state)
{
    world_close(*state);
    test_free(*state);
    return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

struct manifest *world_manifest(size_t segments_count)
{
    struct manifest *manifest = calloc(1, sizeof *manifest);

    assert_non_null(manifest);
    *manifest = (struct manifest){.collection_id = WORLD_COLLECTION,
                                  .name = strdup("words"),
                                  .folder = strdup("/data/words"),
                                  .metric = QN_METRIC_L2,
                                  .dim = 4,
                                  .readable_version = 1,
                                  .segments_count = segments_count};
    manifest->segments = calloc(segments_count, sizeof *manifest->segments);
    for (size_t i = 0; i < segments_count; i++) {
        char path[64];
        int64_t id = (int64_t)i + 1;
        (void)snprintf(path, sizeof path, "/data/words/%" PRId64 ".qseg", id);
        manifest->segments[i] = (struct manifest_segment){
            .segment_id = id,
            .partition_id = 1,
            .state = QN_SEGMENT_SEALED,
            .path = strdup(path),
            .rows_count = 10,
            .resident_bytes = WORLD_SEGMENT_BYTES,
            .content_hash = hash128(&id, sizeof id),
        };
    }
    return manifest;
}

void world_request(struct world *world, const struct coord_request *request)
{
    struct message message = {.cluster = "test",
                              .sender = "client/1",
                              .request_id = world->request_id++,
                              .reply_to = "reply",
                              .kind = MESSAGE_COORD_REQUEST,
                              .coord_request = *request};

    if (request->collection == NULL)
        message.coord_request.collection = "";
    if (request->folder == NULL)
        message.coord_request.folder = "";
    world->answer_status = (enum qn_status) - 1;
    world->answer_text[0] = '\0';
    world->answer_pages = world->answer_moves = world->answer_collections = 0;
    world_deliver(world, &message);
}

void world_assert_answer(const struct world *world, enum qn_status status, const char *part)
{
    assert_int_equal(world->answer_status, status);
    if (strstr(world->answer_text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, world->answer_text);
}

void world_load(struct world *world, size_t count, int64_t node_id)
{
    struct manifest *manifest = world_manifest(count);

    world->manifest = manifest;
    world_request(world, &(struct coord_request){.verb = COORD_LOAD_COLLECTION,
                                                 .folder = "/data/words",
                                                 .dst_node_ids = &node_id,
                                                 .dst_node_ids_count = 1});
    world->manifest = manifest_free(manifest);
    assert_int_equal(world->answer_status, QN_STATUS_OK);
    world_run(world, 500);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(world_copy(world, node_id, (int64_t)i + 1), QN_COPY_SERVING);
}

void world_balance(struct world *world, int64_t src, int64_t dst, int64_t segment_id)
{
    world_request(world, &(struct coord_request){.verb = COORD_LOAD_BALANCE,
                                                 .src_node_id = src,
                                                 .dst_node_ids = &dst,
                                                 .dst_node_ids_count = 1,
                                                 .segment_ids = &segment_id,
                                                 .segment_ids_count = segment_id == 0 ? 0 : 1});
}

void world_ask(struct world *world, enum coord_verb verb, const char *collection)
{
    world_request(world, &(struct coord_request){.verb = verb, .collection = collection});
}

/* ---- looks ----------------------------------------------------------------------------------- */

const struct catalog_move *world_move(const struct world *world, uint64_t move_id)
{
    return world->core == NULL ? NULL : idmap_find(&world->core->catalog.moves, (int64_t)move_id);
}

const char *world_phase(const struct world *world, uint64_t move_id)
{
    const struct catalog_move *move = world_move(world, move_id);

    return move == NULL ? "none" : handoff_phase_name(&move->row);
}

bool world_view_has(const struct world *world, int64_t segment_id, int64_t node_id)
{
    for (size_t i = 0; i < world->view.items_count; i++) {
        if (world->view.items[i].segment_id != segment_id)
            continue;
        for (size_t j = 0; j < world->view.items[i].copies_count; j++)
            if (world->view.items[i].node_ids[j] == node_id)
                return true;
    }
    return false;
}

enum qn_copy_state world_copy(const struct world *world, int64_t node_id, int64_t segment_id)
{
    const struct world_node *node = &world->nodes[node_id];
    const struct node_copy *copy = node->node == NULL ? NULL : node_find(node->node, segment_id);

    return copy == NULL ? QN_COPY_ABSENT : copy->state;
}

bool world_serves(const struct world *world, int64_t segment_id)
{
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++) {
        enum qn_copy_state state = world_copy(world, node_id, segment_id);
        if (state == QN_COPY_SERVING || state == QN_COPY_LEAVING)
            return true;
    }
    return false;
}

static bool is_as_wanted(const struct world *world, const struct catalog_segment *segment,
                         int64_t node_id)
{
    const struct catalog_wanted *wanted = catalog_wanted(segment, node_id);
    const struct world_node *node = &world->nodes[node_id];
    const struct node_copy *copy =
        node->node == NULL ? NULL : node_find(node->node, segment->segment_id);

    if (world_view_has(world, segment->segment_id, node_id) != (wanted != NULL))
        return false;
    if (wanted == NULL)
        return copy == NULL;
    return copy != NULL && copy->state == QN_COPY_SERVING &&
           qn_epoch_compare(copy->epoch, wanted->epoch) == 0;
}

bool world_is_settled(struct world *world)
{
    if (world->core == NULL || world->core->phase != CORE_ACTIVE ||
        world->core->catalog.open_moves_count > 0)
        return false;
    for (size_t i = 0; i < world->core->catalog.segments.count; i++) {
        const struct catalog_segment *segment = world->core->catalog.segments.entries[i].item;
        if (segment->wanted_count != 1)
            return false;
        for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++)
            if (!is_as_wanted(world, segment, node_id))
                return false;
    }
    return true;
}
