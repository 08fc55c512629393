/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/commands.h"

#include "base/check.h"
#include "base/hash.h"
#include "tests/sim/world.h"
#include <inttypes.h>

enum command_verb { COMMAND_LOAD = 1, COMMAND_RELEASE = 2 };

struct command {
    uint64_t verb;
    int64_t node_id, segment_id;
    struct qn_epoch epoch;
    uint64_t term; /* of loads: 0, any */
};

static uint64_t *slot_of(struct commands *commands, const struct command *command)
{
    uint64_t hash = hash64(command, sizeof *command) | 1;
    size_t at = hash % COMMANDS_SLOTS;

    while (commands->told[at] != 0 && commands->told[at] != hash)
        at = (at + 1) % COMMANDS_SLOTS;
    if (commands->told[at] == 0) {
        CHECK(commands->count < COMMANDS_SLOTS - 2);
        return &commands->told[at];
    }
    return NULL; /* it was told */
}

static void tell(struct commands *commands, const struct command *command)
{
    uint64_t *slot = slot_of(commands, command);

    if (slot == NULL)
        return;
    *slot = hash64(command, sizeof *command) | 1;
    commands->count++;
}

static void note_change(struct commands *commands, int64_t node_id, const struct message *message)
{
    const struct change_info *change = &message->change_info;

    for (size_t i = 0; i < change->infos_count; i++) {
        const struct segment_change_info *info = &change->infos[i];
        for (size_t s = 0; info->offline_node_id == node_id && s < info->offline_segments_count;
             s++)
            tell(commands,
                 &(struct command){COMMAND_RELEASE, node_id, info->offline_segments[s].segment_id,
                                   info->offline_segments[s].epoch, message->term});
    }
}

void commands_note(struct commands *commands, int64_t node_id, const struct message *message)
{
    const struct load_segments *load = &message->load_segments;
    const struct release_segments *release = &message->release_segments;

    commands->term_max = message->term > commands->term_max ? message->term : commands->term_max;
    if (message->kind == MESSAGE_CHANGE_INFO)
        note_change(commands, node_id, message);
    for (size_t i = 0; message->kind == MESSAGE_LOAD_SEGMENTS && i < load->segments_count; i++)
        tell(commands, &(struct command){COMMAND_LOAD, node_id, load->segments[i].segment_id,
                                         load->segments[i].epoch, 0});
    for (size_t i = 0; message->kind == MESSAGE_RELEASE_SEGMENTS && i < release->segments_count;
         i++)
        tell(commands, &(struct command){COMMAND_RELEASE, node_id, release->segments[i].segment_id,
                                         release->segments[i].epoch, message->term});
}

static void check_memory(struct world *world, const struct process *agent,
                         const struct message *message)
{
    struct commands *commands = &world->commands;
    unsigned number = agent->index - 1;

    if (message->term < commands->terms[number])
        world_fail(world, "K9", "%s forgot a term: it knew %" PRIu64 ", now it says %" PRIu64,
                   agent->name, commands->terms[number], message->term);
    if (commands->incarnations[number] != agent->incarnation &&
        message->boot <= commands->boots[number])
        world_fail(world, "K9", "%s started with boot %" PRIu64 " again", agent->name,
                   message->boot);
    commands->terms[number] = message->term;
    commands->boots[number] = message->boot;
    commands->incarnations[number] = agent->incarnation;
}

void commands_check(struct world *world, const struct process *agent, const struct message *message)
{
    struct command command = {.node_id = agent->node_id};

    /* A search is answered with the term of its arrival: workers do not look again. */
    if (message->kind != MESSAGE_SEARCH_ANSWER)
        check_memory(world, agent, message);
    if (message->kind == MESSAGE_LEAVING) {
        command.verb = COMMAND_RELEASE;
        command.segment_id = message->leaving.segment_id;
        command.epoch = message->leaving.epoch;
        command.term = message->term;
    } else if (message->kind == MESSAGE_SEGMENT_LOADED) {
        command.verb = COMMAND_LOAD;
        command.segment_id = message->segment_loaded.segment_id;
        command.epoch = message->segment_loaded.epoch;
    } else {
        return;
    }
    if (slot_of(&world->commands, &command) != NULL)
        world_fail(world, "K9",
                   "%s: %s of segment %" PRId64 " at epoch (%" PRIu64 ", %" PRIu64
                   ") and term %" PRIu64 ", which nobody commanded",
                   agent->name, message_kind_name(message->kind), command.segment_id,
                   command.epoch.term, command.epoch.version, message->term);
}
