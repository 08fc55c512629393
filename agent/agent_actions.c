/* SPDX-License-Identifier: Apache-2.0
 * Does what the node decided, and brings it the news. An action never steps the node: what follows
 * from it comes as an event through the events ring, also when it happened at once. */
#include "agent/agent_internal.h"

#include "base/check.h"
#include "base/log.h"
#include <inttypes.h>

static const char room[] = "agent";

static void post(struct agent *agent, struct agent_event *event)
{
    CHECK(ring_push(&agent->events, event)); /* sized for all that can be under way */
}

/* Loader thread (or ours, with an inline executor). */
static void on_load_done(void *owner, struct load *load, struct segment *segment,
                         const struct qn_error *error)
{
    struct holding *holding = owner;

    (void)load;
    (void)pthread_mutex_lock(&holding->load_lock);
    holding->load = NULL;
    holding->load_over = true;
    (void)pthread_mutex_unlock(&holding->load_lock);
    holding->loaded = segment;
    if (segment == NULL)
        holding->load_error = *error;
    post(holding->agent, &holding->load_done);
}

static void start_load(struct agent *agent, const struct node_action *action)
{
    const struct segment_load_info *info = &action->load;
    struct holding *holding = holdings_take(agent->holdings, info->segment_id);
    struct load_options options = {
        .path = info->path,
        .expected = {.segment_id = info->segment_id,
                     .collection_id = info->collection_id,
                     .partition_id = info->partition_id,
                     .rows_count = info->num_rows,
                     .delete_generation = info->delete_generation,
                     .resident_bytes = info->mem_size,
                     .content_hash = info->content_hash},
        .numa_node = action->numa_node,
        .files = agent->options.files,
        .executor = agent->options.executor,
    };

    CHECK(holding != NULL); /* the node bounds its copies */
    holding->agent = agent;
    LOG_INFO(room, "segment %" PRId64 " loading: %s, %" PRIu64 " bytes", info->segment_id,
             info->path, info->mem_size);
    struct load *load = load_start(&options, on_load_done, holding, &holding->load_error);
    (void)pthread_mutex_lock(&holding->load_lock);
    bool over = holding->load_over;
    if (!over)
        holding->load = load;
    (void)pthread_mutex_unlock(&holding->load_lock);
    if (load == NULL && !over)
        post(agent, &holding->load_done);
}

/* The thread of the last reader: the holding stays until the news is taken. */
static void on_drained(void *owner, struct segment *segment)
{
    struct holding *holding = owner;

    (void)segment;
    post(holding->agent, &holding->drained);
}

static struct holding *holding_of(struct agent *agent, int64_t segment_id)
{
    struct holding *holding = holdings_find(agent->holdings, segment_id);

    CHECK(holding != NULL);
    return holding;
}

static struct segment *segment_of(struct agent *agent, int64_t segment_id)
{
    struct segment *segment = store_find(agent->store, segment_id);

    CHECK(segment != NULL);
    return segment;
}

static void drain(struct agent *agent, int64_t segment_id)
{
    struct holding *holding = holding_of(agent, segment_id);

    holding->drained_taken = false;
    if (holding->stale_drains > 0)
        holding->drain_wanted = true;
    else
        segment_drain(segment_of(agent, segment_id), on_drained, holding);
}

static void undrain(struct agent *agent, int64_t segment_id)
{
    struct holding *holding = holding_of(agent, segment_id);

    if (holding->drain_wanted)
        holding->drain_wanted = false;
    else if (segment_undrain(segment_of(agent, segment_id)) && !holding->drained_taken)
        holding->stale_drains++;
}

static uint64_t read_anon(struct agent *agent)
{
    if (agent->options.read_anon == NULL)
        return 0;
    return agent->options.read_anon(agent->options.read_memory_owner);
}

static void unmap(struct agent *agent, int64_t segment_id)
{
    struct holding *holding = holding_of(agent, segment_id);
    struct segment *segment = store_remove(agent->store, segment_id);

    CHECK(segment != NULL);
    holding->rss_before = read_anon(agent);
    segment_free(segment);
    holding->rss_after = read_anon(agent);
    post(agent, &holding->unmapped);
}

static void execute_one(struct agent *agent, const struct node_action *action)
{
    switch (action->kind) {
    case NODE_ACTION_PERSIST_TERM:
        CHECK(false); /* taken care of where messages come in */
        break;
    case NODE_ACTION_LOAD:
        start_load(agent, action);
        break;
    case NODE_ACTION_CANCEL_LOAD:
        LOG_INFO(room, "segment %" PRId64 " is no longer to be loaded: %s", action->segment_id,
                 action->text);
        holding_cancel_load(holding_of(agent, action->segment_id));
        break;
    case NODE_ACTION_DRAIN:
        drain(agent, action->segment_id);
        break;
    case NODE_ACTION_UNDRAIN:
        undrain(agent, action->segment_id);
        break;
    case NODE_ACTION_UNMAP:
        unmap(agent, action->segment_id);
        break;
    case NODE_ACTION_SEND:
        agent_send_action(agent, action);
        break;
    case NODE_ACTION_REPORT:
        agent->report_wanted = true;
        break;
    }
}

void agent_execute(struct agent *agent)
{
    CHECK(!agent->stepping);
    agent->stepping = true;
    for (uint32_t i = 0; i < agent->actions->count; i++)
        execute_one(agent, &agent->actions->items[i]);
    agent->stepping = false;
}

void agent_step(struct agent *agent, const struct node_event *event)
{
    CHECK(!agent->stepping);
    node_step(agent->node, event, agent->actions);
    agent_execute(agent);
}

static void take_load_done(struct agent *agent, struct holding *holding)
{
    struct node_event event = {.kind = NODE_EVENT_LOADED,
                               .now_ms = agent_uptime_ms(agent),
                               .segment_id = holding->segment_id};
    struct qn_error error = holding->load_error;
    struct segment *segment = holding->loaded;

    holding->loaded = NULL;
    if (segment != NULL) {
        CHECK(store_insert(agent->store, segment));
    } else {
        event.kind = NODE_EVENT_LOAD_FAILED;
        event.status = error.status;
        event.text = error.text;
        holdings_give(agent->holdings, holding);
    }
    agent_step(agent, &event);
}

static void take_drained(struct agent *agent, struct holding *holding)
{
    if (holding->stale_drains == 0) {
        holding->drained_taken = true;
        agent_step(agent, &(struct node_event){.kind = NODE_EVENT_DRAINED,
                                               .now_ms = agent_uptime_ms(agent),
                                               .segment_id = holding->segment_id});
        return;
    }
    holding->stale_drains--;
    if (holding->drain_wanted) {
        holding->drain_wanted = false;
        drain(agent, holding->segment_id);
    }
}

static void take_unmapped(struct agent *agent, struct holding *holding)
{
    struct node_event event = {.kind = NODE_EVENT_UNMAPPED,
                               .now_ms = agent_uptime_ms(agent),
                               .segment_id = holding->segment_id,
                               .rss_before = holding->rss_before,
                               .rss_after = holding->rss_after};

    holdings_give(agent->holdings, holding);
    agent_step(agent, &event);
}

void agent_take_event(struct agent *agent, struct agent_event *event)
{
    switch (event->kind) {
    case AGENT_EVENT_LOAD_DONE:
        take_load_done(agent, CONTAINER_OF(event, struct holding, load_done));
        break;
    case AGENT_EVENT_DRAINED:
        take_drained(agent, CONTAINER_OF(event, struct holding, drained));
        break;
    case AGENT_EVENT_UNMAPPED:
        take_unmapped(agent, CONTAINER_OF(event, struct holding, unmapped));
        break;
    case AGENT_EVENT_SEARCHED:
        dispatch_finished(agent, event);
        break;
    }
}

void agent_cancel_loads(struct agent *agent)
{
    for (size_t i = 0; i < node_copies_count(agent->node); i++) {
        const struct node_copy *copy = node_copy_at(agent->node, i);
        if (copy->state == QN_COPY_LOADING)
            holding_cancel_load(holding_of(agent, copy->segment_id));
    }
}
