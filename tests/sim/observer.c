/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/observer.h"

#include "base/hash.h"
#include "channel/codec.h"
#include "tests/sim/describe.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OBSERVER_TEXT_BYTES = 384 };

void observer_init(struct observer *observer)
{
    *observer = (struct observer){.lost_by_kill_us = {0}};
    arena_init(&observer->arena, LIMIT_DECODE_ARENA_BYTES);
}

void observer_done(struct observer *observer)
{
    arena_done(&observer->arena);
}

static void note_copies(struct observed_agent *agent, const struct node_report *report)
{
    if (report->page == 0)
        agent->copies_count = 0;
    for (size_t i = 0; i < report->copies_in_page && agent->copies_count < OBSERVER_COPIES_MAX;
         i++) {
        const struct segment_info *segment = &report->copies[i].segment;
        agent->copies[agent->copies_count++] = (struct observed_copy){
            .segment_id = segment->segment_id,
            .state = segment->copy_state,
            .epoch = segment->epoch,
            .mem_size = segment->mem_size,
        };
    }
}

/* K7: other copies, another digest; else nobody would ask for a list that was lost. */
static void check_digest(struct world *world, struct observed_agent *agent,
                         const struct node_report *report)
{
    uint64_t hash = 1;

    for (size_t i = 0; i < agent->copies_count; i++) {
        const struct observed_copy *copy = &agent->copies[i];
        uint64_t words[] = {hash, (uint64_t)copy->segment_id, (uint64_t)copy->state,
                            copy->epoch.term, copy->epoch.version};
        hash = hash64(words, sizeof words);
    }
    if (agent->list_hash != 0 && agent->list_hash != hash &&
        agent->list_digest == report->copies_digest)
        world_fail(world, "K7", "node %" PRId64 " lists other copies under the same digest",
                   report->node_id);
    agent->list_hash = hash;
}

static void note_report(struct world *world, struct observed_agent *agent,
                        const struct message *message)
{
    const struct node_report *report = &message->node_report;

    agent->uptime_ms = report->uptime_ms;
    agent->report_number = report->report_number;
    agent->digest = report->copies_digest;
    agent->ledger_bytes = report->memory.ledger_bytes;
    agent->reserved_bytes = report->memory.reserved_bytes;
    agent->budget_bytes = report->memory.budget_bytes;
    if (!report->has_copies)
        return;
    note_copies(agent, report);
    if (report->page + 1 == report->pages)
        check_digest(world, agent, report);
    agent->list_digest = report->copies_digest;
}

bool observer_view_is_empty(const struct observer *observer, int collection_number,
                            struct qn_epoch version)
{
    for (size_t i = 0; i < observer->empty_views_count[collection_number]; i++)
        if (qn_epoch_compare(observer->empty_views[collection_number][i], version) == 0)
            return true;
    return false;
}

static void note_empty_view(struct world *world, int number, struct qn_epoch version)
{
    struct observer *observer = &world->observer;

    if (observer_view_is_empty(observer, number, version))
        return;
    if (!world->collection_was_released[number])
        world_fail(world, "K1", "a view without items, and nobody released the collection");
    if (observer->empty_views_count[number] < OBSERVER_EMPTY_VIEWS_MAX)
        observer->empty_views[number][observer->empty_views_count[number]++] = version;
}

/* Of a healed world: what the coordinator that is left says, whatever another one said before. */
static void note_view(struct world *world, const struct process *from,
                      const struct collection_view *view)
{
    int number = world_collection_number(world, view->collection_id);

    if (number < 0)
        return;
    if (view->items_count == 0 && view->pages <= 1)
        note_empty_view(world, number, view->version);
    if (from != world->leader || !world->is_healed)
        return;
    struct observed_view *known = &world->observer.views[number];
    int order = known->is_known ? qn_epoch_compare(view->version, known->version) : 1;
    if (order < 0 || (order == 0 && view->page == 0))
        return;
    if (view->page == 0)
        *known = (struct observed_view){
            .is_known = true, .version = view->version, .readable_version = view->readable_version};
    known->items_count += view->items_count;
    for (size_t i = 0; i < view->items_count; i++)
        for (size_t c = 0; c < view->items[i].copies_count; c++) {
            if (known->copies_count == OBSERVER_COPIES_MAX)
                return;
            known->copies[known->copies_count][0] = view->items[i].segment_id;
            known->copies[known->copies_count++][1] = view->items[i].copies[c].node_id;
        }
}

static struct observed_request *request_slot(struct observer *observer, const char *reply_to,
                                             uint64_t *ret_hash)
{
    *ret_hash = hash64(reply_to, strlen(reply_to));
    return &observer->requests[*ret_hash % OBSERVER_REQUESTS_MAX];
}

static void note_request(struct observer *observer, const struct message *message)
{
    const struct search_request *request = &message->search_request;
    uint64_t hash;
    struct observed_request *slot = request_slot(observer, message->reply_to, &hash);

    if (request->segments_count > OPTIONS_SEGMENTS_MAX)
        return;
    slot->reply_hash = hash;
    slot->segments_count = (uint32_t)request->segments_count;
    for (size_t i = 0; i < request->segments_count; i++)
        slot->segment_ids[i] = request->segment_ids[i];
}

/* K2: what an answer covers is here, and was not given back. */
static void check_answer(struct world *world, const struct process *from, const char *subject,
                         const struct search_answer *answer)
{
    const struct observed_agent *agent = &world->observer.agents[from->index - 1];
    uint64_t hash;
    const struct observed_request *request = request_slot(&world->observer, subject, &hash);
    size_t epochs_count = 0;

    world->stats.searches_shed += answer->status == QN_STATUS_BUSY ? 1 : 0;
    for (uint32_t i = 0; request->reply_hash == hash && i < request->segments_count; i++) {
        int index = world_segment_index(world, request->segment_ids[i]);
        bool is_covered = i / 8 < answer->covered_bytes && (answer->covered[i / 8] >> i % 8 & 1);
        if (is_covered && (index < 0 || !agent->serves[index]))
            world_fail(world, "K2", "%s answers for segment %" PRId64 ", which it does not serve",
                       from->name, request->segment_ids[i]);
        if (!is_covered)
            continue;
        struct qn_epoch epoch = answer->epochs[epochs_count++];
        if (!commands_may_serve(world, from->node_id, request->segment_ids[i], epoch))
            world_fail(world, "K2",
                       "%s answers for segment %" PRId64 " at epoch (%" PRIu64 ", %" PRIu64
                       "), which nobody asked it to load",
                       from->name, request->segment_ids[i], epoch.term, epoch.version);
    }
}

static void note_receipt(struct world *world, struct observed_agent *agent,
                         const struct message *message)
{
    int index;

    switch (message->kind) {
    case MESSAGE_SEGMENT_LOADED:
        index = world_segment_index(world, message->segment_loaded.segment_id);
        world->stats.loads += message->segment_loaded.adopted ? 0 : 1;
        if (index >= 0)
            agent->serves[index] = true;
        if (index >= 0 && qn_epoch_compare(agent->loaded[index], message->segment_loaded.epoch) < 0)
            agent->loaded[index] = message->segment_loaded.epoch;
        break;
    case MESSAGE_SEGMENT_RELEASED:
        index = world_segment_index(world, message->segment_released.segment_id);
        if (index >= 0)
            agent->serves[index] = false;
        if (index >= 0 &&
            qn_epoch_compare(agent->released[index], message->segment_released.epoch) < 0)
            agent->released[index] = message->segment_released.epoch;
        world->stats.releases++;
        break;
    case MESSAGE_LOAD_FAILED:
        world->stats.load_failures++;
        world->stats.over_budget += message->load_failed.status == QN_STATUS_OVER_BUDGET ? 1 : 0;
        break;
    case MESSAGE_RELEASE_HELD:
        world->stats.releases_held++;
        break;
    case MESSAGE_COMMAND_REFUSED:
        world->stats.commands_refused++;
        break;
    default:
        break;
    }
}

static void note(struct world *world, const struct process *from, const char *subject,
                 const struct message *message)
{
    if (message->kind == MESSAGE_COLLECTION_VIEW && from->kind == PROCESS_COORDINATOR)
        published_view(world, from, &message->collection_view);
    if (message->kind == MESSAGE_COLLECTION_VIEW)
        published_note(world, &message->collection_view);
    if (message->kind == MESSAGE_RELEASE_SEGMENTS && from->kind == PROCESS_COORDINATOR)
        published_release(world, from, &message->release_segments);
    if (message->kind == MESSAGE_COLLECTION_VIEW)
        note_view(world, from, &message->collection_view);
    if (message->kind == MESSAGE_COORD_ANSWER && message->coord_answer.view != NULL)
        note_view(world, from, message->coord_answer.view);
    if (strstr(subject, ".control") != NULL)
        commands_note(world, from, strtoll(strstr(subject, ".agent.") + 7, NULL, 10), message);
    if (message->kind == MESSAGE_SEARCH_REQUEST)
        note_request(&world->observer, message);
    if (from->kind != PROCESS_AGENT)
        return;
    struct observed_agent *agent = &world->observer.agents[from->index - 1];
    agent->boot = message->boot;
    commands_check(world, from, message);
    leaves_check(world, from, subject, message);
    if (message->kind == MESSAGE_SEARCH_ANSWER)
        check_answer(world, from, subject, &message->search_answer);
    if (message->kind == MESSAGE_NODE_REPORT)
        note_report(world, agent, message);
    if (strstr(subject, ".event.") != NULL)
        note_receipt(world, agent, message);
}

void observer_on_publish(struct world *world, struct process *from, const char *subject,
                         const void *bytes, size_t size)
{
    struct message message;
    struct qn_error error = {0};
    char text[OBSERVER_TEXT_BYTES];

    arena_reset(&world->observer.arena);
    if (codec_decode(bytes, size, &world->observer.arena, &message, &error) != QN_STATUS_OK) {
        world_fail(world, "K7", "%s published on %s what does not decode: %s", from->name, subject,
                   error.text);
        return;
    }
    describe_message(&message, text, sizeof text);
    trace_line(&world->trace, "%s > %s  %s", from->name, subject + strlen("qnode.sim."), text);
    note(world, from, subject, &message);
}

void observer_on_arrival(struct world *world, const struct process *to, const char *subject,
                         const struct bus_message *bytes)
{
    struct message message;

    if (to->kind != PROCESS_AGENT || strstr(subject, ".control") == NULL)
        return;
    arena_reset(&world->observer.arena);
    if (codec_decode(bytes->bytes, bytes->size, &world->observer.arena, &message, NULL) ==
        QN_STATUS_OK)
        commands_arrive(world, to, &message);
}

void observer_on_kill(struct world *world, const struct process *process)
{
    if (process->kind != PROCESS_AGENT)
        return;
    struct observed_agent *agent = &world->observer.agents[process->index - 1];
    for (int i = 0; i < OBSERVER_SEGMENTS_MAX; i++)
        if (agent->serves[i])
            world->observer.lost_by_kill_us[i] = world->timeline.now_us;
    *agent = (struct observed_agent){.boot = agent->boot};
}
