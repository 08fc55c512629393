/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/commands.h"

#include "base/check.h"
#include "base/hash.h"
#include "tests/sim/world.h"
#include <inttypes.h>

enum command_verb {
    COMMAND_LOAD = 1,
    COMMAND_RELEASE = 2,
    COMMAND_RELEASED = 3,
    COMMAND_SERVED = 4,
    COMMAND_FORCE = 5,
};

/* No padding: hashed whole. */
struct command {
    uint64_t verb;
    int64_t node_id, segment_id;
    struct qn_epoch epoch;
    uint64_t term; /* releases */
    uint64_t boot; /* that it is for; 0: any */
};

/* Where it is, or where it would go. */
static struct commands_told *find(struct commands *commands, const struct command *command)
{
    uint64_t hash = hash64(command, sizeof *command) | 1;
    size_t at = hash % COMMANDS_SLOTS;

    while (commands->told[at].hash != 0 && commands->told[at].hash != hash)
        at = (at + 1) % COMMANDS_SLOTS;
    return &commands->told[at];
}

static void tell(struct commands *commands, const struct command *command, uint64_t until_uptime_ms)
{
    struct commands_told *told = find(commands, command);

    if (told->hash == 0) {
        CHECK(++commands->count < COMMANDS_SLOTS / 4 * 3);
        *told = (struct commands_told){.hash = hash64(command, sizeof *command) | 1};
    }
    if (until_uptime_ms > told->until_uptime_ms)
        told->until_uptime_ms = until_uptime_ms;
}

static bool was_told(struct commands *commands, const struct command *command, uint64_t uptime_ms)
{
    const struct commands_told *told = find(commands, command);

    return told->hash != 0 && uptime_ms <= told->until_uptime_ms;
}

static void tell_release(struct commands *commands, int64_t node_id, const struct message *message,
                         int64_t segment_id, struct qn_epoch epoch)
{
    struct not_after not_after = message->kind == MESSAGE_CHANGE_INFO
                                     ? message->change_info.not_after
                                     : message->release_segments.not_after;

    tell(commands,
         &(struct command){COMMAND_RELEASE, node_id, segment_id, epoch, message->term,
                           not_after.boot},
         not_after.boot == 0 ? UINT64_MAX : not_after.uptime_ms);
}

static void note_change(struct commands *commands, int64_t node_id, const struct message *message)
{
    const struct change_info *change = &message->change_info;

    for (size_t i = 0; i < change->infos_count; i++) {
        const struct segment_change_info *info = &change->infos[i];
        for (size_t s = 0; info->offline_node_id == node_id && s < info->offline_segments_count;
             s++)
            tell_release(commands, node_id, message, info->offline_segments[s].segment_id,
                         info->offline_segments[s].epoch);
    }
}

static struct commands_author *author_of(struct commands *commands, const struct process *process)
{
    return &commands->authors[process == process->world->rival ? 1 : 0];
}

void commands_forget_terms(struct commands *commands, const struct process *coordinator)
{
    author_of(commands, coordinator)->term = 0;
}

static void note_term(struct world *world, const struct process *from,
                      const struct message *message)
{
    struct commands *commands = &world->commands;
    struct commands_author *author = author_of(commands, from);

    if (from->kind != PROCESS_COORDINATOR || message->kind == MESSAGE_REPORT_REQUEST)
        return;
    if (from->incarnation != author->incarnation && message->term <= author->term)
        world_fail(world, "K9",
                   "start %u of %s commands with term %" PRIu64 ", which it used before",
                   from->incarnation, from->name, message->term);
    const struct commands_author *other = &commands->authors[author == commands->authors ? 1 : 0];
    if (author->term != message->term && other->term == message->term)
        world->stats.terms_shared++;
    *author = (struct commands_author){message->term, from->incarnation};
    commands->term_max = message->term > commands->term_max ? message->term : commands->term_max;
}

bool commands_is_forced(struct world *world, const struct process *agent, int64_t segment_id,
                        struct qn_epoch epoch, uint64_t term)
{
    return was_told(&world->commands,
                    &(struct command){COMMAND_FORCE, agent->node_id, segment_id, epoch, term, 0},
                    0);
}

static bool was_asked_to_load(struct commands *commands, int64_t node_id, int64_t segment_id,
                              struct qn_epoch epoch, uint64_t boot)
{
    struct command command = {COMMAND_LOAD, node_id, segment_id, epoch, 0, 0};
    bool is_told = was_told(commands, &command, 0);

    command.boot = boot;
    return is_told || was_told(commands, &command, 0);
}

bool commands_may_serve(struct world *world, int64_t node_id, int64_t segment_id,
                        struct qn_epoch epoch)
{
    return was_asked_to_load(&world->commands, node_id, segment_id, epoch,
                             world->observer.agents[node_id - 1].boot);
}

bool commands_has_served(struct world *world, int64_t node_id, int64_t segment_id,
                         struct qn_epoch epoch)
{
    return was_told(&world->commands,
                    &(struct command){COMMAND_SERVED, node_id, segment_id, epoch, 0, 0}, 0);
}

/* By a receipt, or by a list (a receipt may be missing for want of memory). */
static void note_served(struct world *world, const struct process *agent,
                        const struct message *message)
{
    struct command command = {.verb = COMMAND_SERVED, .node_id = agent->node_id};
    const struct node_report *report = &message->node_report;

    if (message->kind == MESSAGE_SEGMENT_LOADED) {
        command.segment_id = message->segment_loaded.segment_id;
        command.epoch = message->segment_loaded.epoch;
        tell(&world->commands, &command, UINT64_MAX);
    }
    for (size_t i = 0;
         message->kind == MESSAGE_NODE_REPORT && report->has_copies && i < report->copies_in_page;
         i++) {
        if (report->copies[i].segment.copy_state < QN_COPY_SERVING)
            continue;
        command.segment_id = report->copies[i].segment.segment_id;
        command.epoch = report->copies[i].segment.epoch;
        tell(&world->commands, &command, UINT64_MAX);
    }
}

static void check_expiry(struct world *world, const struct process *from,
                         const struct message *message)
{
    struct not_after not_after =
        message->kind == MESSAGE_LOAD_SEGMENTS ? message->load_segments.not_after
        : message->kind == MESSAGE_CHANGE_INFO ? message->change_info.not_after
                                               : message->release_segments.not_after;

    if (from->kind == PROCESS_COORDINATOR && message->kind != MESSAGE_REPORT_REQUEST &&
        not_after.boot == 0)
        world_fail(world, "K9", "%s sends %s that never expires", from->name,
                   message_kind_name(message->kind));
}

void commands_note(struct world *world, const struct process *from, int64_t node_id,
                   const struct message *message)
{
    struct commands *commands = &world->commands;
    const struct release_segments *release = &message->release_segments;

    note_term(world, from, message);
    check_expiry(world, from, message);
    if (message->kind == MESSAGE_CHANGE_INFO)
        note_change(commands, node_id, message);
    for (size_t i = 0; message->kind == MESSAGE_RELEASE_SEGMENTS && i < release->segments_count;
         i++) {
        const struct segment_release *segment = &release->segments[i];
        tell_release(commands, node_id, message, segment->segment_id, segment->epoch);
        if (segment->ground == GROUND_FORCE)
            tell(commands,
                 &(struct command){COMMAND_FORCE, node_id, segment->segment_id, segment->epoch,
                                   message->term, 0},
                 UINT64_MAX);
    }
}

void commands_arrive(struct world *world, const struct process *agent,
                     const struct message *message)
{
    const struct load_segments *load = &message->load_segments;

    if (message->kind != MESSAGE_LOAD_SEGMENTS ||
        message->term < world->commands.terms[agent->index - 1])
        return;
    for (size_t i = 0; i < load->segments_count; i++)
        tell(&world->commands,
             &(struct command){COMMAND_LOAD, agent->node_id, load->segments[i].segment_id,
                               load->segments[i].epoch, 0, load->not_after.boot},
             UINT64_MAX);
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

static void fail(struct world *world, const struct process *agent, const struct message *message,
                 const struct command *command, const char *why)
{
    world_fail(world, "K9",
               "%s: %s of segment %" PRId64 " at epoch (%" PRIu64 ", %" PRIu64 ") and term %" PRIu64
               ", %s",
               agent->name, message_kind_name(message->kind), command->segment_id,
               command->epoch.term, command->epoch.version, message->term, why);
}

static void check_leaving(struct world *world, const struct process *agent,
                          const struct message *message)
{
    struct command command = {.verb = COMMAND_RELEASE,
                              .node_id = agent->node_id,
                              .segment_id = message->leaving.segment_id,
                              .epoch = message->leaving.epoch,
                              .term = message->term};
    uint64_t uptime_ms = process_clock_us(agent) / 1000;

    if (was_told(&world->commands, &command, uptime_ms))
        return;
    command.boot = message->boot;
    if (!was_told(&world->commands, &command, uptime_ms))
        fail(world, agent, message, &command, "which nobody commanded, or not until now");
}

static void check_loaded(struct world *world, const struct process *agent,
                         const struct message *message)
{
    struct command command = {.verb = COMMAND_LOAD,
                              .node_id = agent->node_id,
                              .segment_id = message->segment_loaded.segment_id,
                              .epoch = message->segment_loaded.epoch};

    if (!was_asked_to_load(&world->commands, agent->node_id, command.segment_id, command.epoch,
                           message->boot))
        fail(world, agent, message, &command, "which nobody commanded to this boot");
    int index = world_segment_index(world, command.segment_id);
    const struct observed_agent *observed = &world->observer.agents[agent->index - 1];
    if (index >= 0 && !message->segment_loaded.adopted &&
        qn_epoch_compare(command.epoch, observed->released[index]) <= 0)
        fail(world, agent, message, &command, "and a newer copy of it was released before");
    if (index >= 0 && message->segment_loaded.adopted &&
        qn_epoch_compare(command.epoch, observed->loaded[index]) <= 0)
        fail(world, agent, message, &command, "and it did not become newer");
    command.verb = COMMAND_RELEASED;
    command.boot = message->boot;
    if (was_told(&world->commands, &command, 0))
        fail(world, agent, message, &command, "which it has released before");
}

static void note_released(struct world *world, const struct process *agent,
                          const struct message *message)
{
    struct command command = {.verb = COMMAND_RELEASED,
                              .node_id = agent->node_id,
                              .segment_id = message->segment_released.segment_id,
                              .epoch = message->segment_released.epoch,
                              .boot = message->boot};

    tell(&world->commands, &command, UINT64_MAX);
}

void commands_check(struct world *world, const struct process *agent, const struct message *message)
{
    /* A search is answered with the term of its arrival: workers do not look again. */
    if (message->kind != MESSAGE_SEARCH_ANSWER)
        check_memory(world, agent, message);
    note_served(world, agent, message);
    if (message->kind == MESSAGE_LEAVING)
        check_leaving(world, agent, message);
    if (message->kind == MESSAGE_SEGMENT_LOADED)
        check_loaded(world, agent, message);
    if (message->kind == MESSAGE_SEGMENT_RELEASED)
        note_released(world, agent, message);
}
