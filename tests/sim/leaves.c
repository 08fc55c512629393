/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/leaves.h"

#include "tests/sim/world.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES_GRANTS = 2, LEAVES_GRACE_US = 1000 * (LIMIT_RELEASE_GRACE_MS - 1) };

static struct leave *find(struct world *world, unsigned agent_number, int64_t segment_id)
{
    int index = world_segment_index(world, segment_id);

    if (index < 0 || agent_number >= world->options.agents)
        return NULL;
    return &world->observer.agents[agent_number].leaves[index];
}

/* An ask of a node restarts nothing if it repeats the nonce. */
static void note_ask(struct leave *leave, uint64_t nonce)
{
    if (leave->nonce == nonce)
        return;
    leave->nonce = nonce;
    leave->is_granted = false;
}

static void check_status(struct world *world, const struct process *agent, const char *subject,
                         const struct message *message)
{
    const struct copy_status *status = &message->copy_status;
    const struct leave *own = find(world, agent->index - 1, status->segment_id);
    const char *asker_text = strstr(subject, ".agent.");

    if (status->state != QN_COPY_SERVING || own == NULL || asker_text == NULL)
        return;
    if (own->is_leaving)
        world_fail(world, "K10", "%s is leaving segment %" PRId64 " and calls it SERVING",
                   agent->name, status->segment_id);
    unsigned asker = (unsigned)strtoul(asker_text + strlen(".agent."), NULL, 10) - 1;
    struct leave *leave = find(world, asker, status->segment_id);
    if (leave == NULL || leave->nonce != status->nonce || leave->is_granted ||
        world->observer.agents[asker].boot != status->asker_boot)
        return;
    leave->is_granted = true;
    leave->grants_count++;
    leave->grants_term = message->term > leave->grants_term ? message->term : leave->grants_term;
}

static void check_released(struct world *world, const struct process *agent, struct leave *leave,
                           const struct segment_released *released)
{
    bool was_leaving = leave->is_leaving;

    leave->is_leaving = false;
    if (was_leaving && qn_epoch_compare(leave->epoch, released->epoch) != 0)
        world_fail(world, "K10",
                   "%s released segment %" PRId64 " at another epoch than was leaving", agent->name,
                   released->segment_id);
    if (was_leaving && process_clock_us(agent) - leave->since_clock_us < LEAVES_GRACE_US)
        world_fail(world, "K10", "%s released segment %" PRId64 " before its grace was over",
                   agent->name, released->segment_id);
    if (was_leaving && released->ground == GROUND_MOVED &&
        leave->grants_term > world->commands.terms[agent->index - 1])
        world_fail(world, "K10", "%s released segment %" PRId64 ", its witness knew a later term",
                   agent->name, released->segment_id);
    if (!was_leaving || released->ground != GROUND_MOVED ||
        (leave->grants_count >= LEAVES_GRANTS && leave->is_granted))
        return;
    world_fail(world, "K10",
               "%s released segment %" PRId64 " as moved after %u of 2 asks were granted%s",
               agent->name, released->segment_id, leave->grants_count,
               leave->is_granted ? "" : ", the last was not");
}

void leaves_check(struct world *world, const struct process *agent, const char *subject,
                  const struct message *message)
{
    unsigned number = agent->index - 1;
    struct leave *leave;

    switch (message->kind) {
    case MESSAGE_LEAVING:
        leave = find(world, number, message->leaving.segment_id);
        if (leave != NULL && strstr(subject, ".event.") != NULL)
            *leave = (struct leave){
                .is_leaving = true,
                .is_forced = commands_is_forced(world, agent, message->leaving.segment_id,
                                                message->leaving.epoch, message->term),
                .epoch = message->leaving.epoch,
                .since_us = world->timeline.now_us,
                .since_clock_us = process_clock_us(agent)};
        break;
    case MESSAGE_COPY_STATUS_REQUEST:
        leave = find(world, number, message->copy_status_request.segment_id);
        if (leave != NULL)
            note_ask(leave, message->copy_status_request.nonce);
        break;
    case MESSAGE_COPY_STATUS:
        check_status(world, agent, subject, message);
        break;
    case MESSAGE_RELEASE_HELD:
        leave = find(world, number, message->release_held.segment_id);
        if (leave != NULL)
            leave->is_leaving = false;
        break;
    case MESSAGE_SEGMENT_RELEASED:
        leave = find(world, number, message->segment_released.segment_id);
        if (leave != NULL)
            check_released(world, agent, leave, &message->segment_released);
        break;
    default:
        break;
    }
}
