/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/flood.h"

#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/sim/world.h"

enum { FLOOD_PAUSE_US = 20000, FLOOD_OVER = 1000, FLOOD_DEADLINE_MS = 1000 };

static const char flood_hex[] = "f100d";

static void publish(struct world *world, int64_t node_id, struct message *message)
{
    struct transport transport = net_transport(world->operator.process);
    struct subject reply = subject_reply(WORLD_CLUSTER, flood_hex, message->request_id);
    const uint8_t *bytes = NULL;
    size_t size = 0;

    message->reply_to = reply.text;
    arena_reset(&world->operator.encode_arena);
    if (codec_encode(message, &world->operator.encode_arena, &bytes, &size, NULL) == QN_STATUS_OK)
        (void)transport.ops->publish(transport.self, subject_search(WORLD_CLUSTER, node_id).text,
                                     NULL, bytes, size);
}

/* While the agent does not look: else it would take them one by one. */
void flood_act(struct world *world)
{
    struct process *agent =
        &world->processes[1 + prng_below(&world->prng_life, world->options.agents)];
    const struct collection *collection = &world->collections[0];
    float query[CLIENT_DIM_MAX] = {1.0f};
    struct message message = {
        .cluster = WORLD_CLUSTER,
        .sender = "flood",
        .kind = MESSAGE_SEARCH_REQUEST,
        .search_request = {.collection_id = collection->collection_id,
                           .k = 1,
                           .nq = 1,
                           .dim = collection->dim,
                           .metric = collection->metric,
                           .queries = query,
                           .segment_ids = &collection->segments[0].segment_id,
                           .segments_count = 1,
                           .deadline_ms = FLOOD_DEADLINE_MS},
    };
    unsigned count = (unsigned)prng_below(&world->prng_life, LIMIT_INBOX_SLOTS + FLOOD_OVER);

    agent->paused_until_us = world->timeline.now_us + FLOOD_PAUSE_US;
    trace_line(&world->trace, "* a flood of %u searches for %s", count, agent->name);
    for (unsigned i = 0; i < count; i++) {
        message.request_id = world->stats.flooded++;
        publish(world, agent->node_id, &message);
    }
}
