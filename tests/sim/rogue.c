/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/rogue.h"

#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/sim/world.h"

enum { ROGUE_HURRY_MS = 3000 };

static const struct observed_copy *find_copy(const struct world *world, unsigned agent_number,
                                             int64_t segment_id)
{
    const struct observed_agent *agent = &world->observer.agents[agent_number];

    for (size_t i = 0; i < agent->copies_count; i++)
        if (agent->copies[i].segment_id == segment_id)
            return &agent->copies[i];
    return NULL;
}

static struct qn_hash content_hash_of(const struct world *world, int64_t segment_id)
{
    int index = world_segment_index(world, segment_id);

    return index < 0 ? (struct qn_hash){{0}} : world_image(world, index)->content_hash;
}

static void publish(struct world *world, unsigned agent_number, struct message *message)
{
    struct transport transport = net_transport(world->operator.process);
    int64_t node_id = world->processes[1 + agent_number].node_id;
    const uint8_t *bytes = NULL;
    size_t size = 0;

    arena_reset(&world->operator.encode_arena);
    if (codec_encode(message, &world->operator.encode_arena, &bytes, &size, NULL) == QN_STATUS_OK)
        (void)transport.ops->publish(transport.self, subject_control(WORLD_CLUSTER, node_id).text,
                                     NULL, bytes, size);
}

/* Never expires, or soon. */
static struct not_after not_after(struct world *world, unsigned agent_number)
{
    const struct observed_agent *agent = &world->observer.agents[agent_number];

    if (prng_below(&world->prng_operator, 2) == 0)
        return (struct not_after){.boot = 0};
    return (struct not_after){.boot = agent->boot,
                              .uptime_ms = agent->uptime_ms +
                                           prng_below(&world->prng_operator, ROGUE_HURRY_MS)};
}

/* agent_number shall release its copy because witness_number has one. */
static void order_release(struct world *world, unsigned agent_number, unsigned witness_number,
                          int64_t segment_id, uint64_t term)
{
    const struct observed_copy *copy = find_copy(world, agent_number, segment_id);
    const struct observed_copy *other = find_copy(world, witness_number, segment_id);
    struct witness witness = {
        .node_id = world->processes[1 + witness_number].node_id,
        .segment_id = segment_id,
        .epoch = other == NULL ? copy->epoch : other->epoch,
        .has_content_hash = true,
        .content_hash = content_hash_of(world, segment_id),
    };
    struct segment_release release = {
        .segment_id = segment_id,
        .epoch = copy->epoch,
        .ground = GROUND_MOVED,
        .witnesses = &witness,
        .witnesses_count = 1,
        .operator_name = "",
    };
    struct message message = {
        .cluster = WORLD_CLUSTER,
        .sender = "coordinator",
        .term = term,
        .request_id = 1,
        .reply_to = "",
        .kind = MESSAGE_RELEASE_SEGMENTS,
        .release_segments = {.segments = &release,
                             .segments_count = 1,
                             .not_after = not_after(world, agent_number)},
    };

    if (prng_below(&world->prng_operator, 1000) < world->options.force_per_mille) {
        release.ground = GROUND_FORCE;
        release.witnesses_count = 0;
        release.operator_name = "rogue";
        world->stats.forced_orders++;
    }
    if (release.epoch.version > 0 && prng_below(&world->prng_operator, 4) == 0)
        release.epoch.version--; /* a copy that is no more */
    world->stats.rogue_orders++;
    publish(world, agent_number, &message);
}

/* Another agent with a copy of the segment, if there is one; any other agent if not. */
static unsigned choose_witness(struct world *world, unsigned agent_number, int64_t segment_id)
{
    unsigned count = world->options.agents;
    unsigned first = 1 + (unsigned)prng_below(&world->prng_operator, count - 1);

    for (unsigned i = 0; i < count; i++) {
        unsigned other = (agent_number + first + i) % count;
        if (other != agent_number && find_copy(world, other, segment_id) != NULL)
            return other;
    }
    return (agent_number + first) % count;
}

/* Segments in a hand-off are rare and the most interesting: look through all copies for one. */
static bool choose_copy(struct world *world, unsigned *ret_agent_number, int64_t *ret_segment_id)
{
    unsigned count = world->options.agents;
    unsigned first = (unsigned)prng_below(&world->prng_operator, count);
    bool is_found = false;

    for (unsigned i = 0; i < count; i++) {
        unsigned number = (first + i) % count;
        const struct observed_agent *agent = &world->observer.agents[number];
        for (size_t c = 0; c < agent->copies_count; c++) {
            int64_t id = agent->copies[c].segment_id;
            unsigned other = choose_witness(world, number, id);
            if (is_found && find_copy(world, other, id) == NULL)
                continue;
            *ret_agent_number = number;
            *ret_segment_id = id;
            is_found = true;
        }
    }
    return is_found;
}

void rogue_act(struct world *world)
{
    unsigned agent_number = 0;
    int64_t segment_id = 0;
    uint64_t term = world->commands.term_max;

    if (term == 0 || !choose_copy(world, &agent_number, &segment_id))
        return;
    unsigned other = choose_witness(world, agent_number, segment_id);
    if (term > 1 && prng_below(&world->prng_operator, 3) == 0)
        term--;
    order_release(world, agent_number, other, segment_id, term);
    if (find_copy(world, other, segment_id) != NULL && prng_below(&world->prng_operator, 4) != 0)
        order_release(world, other, agent_number, segment_id, term);
}
