/* SPDX-License-Identifier: Apache-2.0
 * The node thread's turn. Order within a turn: control, asks, news, a bounded number of searches,
 * time, reports; so no load of searches starves control, and no turn waits. */
#include "agent/agent_internal.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char room[] = "agent";

uint64_t agent_uptime_ms(const struct agent *agent)
{
    return (clock_now_us(&agent->options.clock) - agent->opened_us) / 1000;
}

/* The bus library's thread: hand over and leave. */
static void on_bus_message(void *owner, struct bus_message *message)
{
    struct inbox *inbox = owner;
    size_t size = message->size;

    if (message->no_responders) {
        message->release(message);
        return;
    }
    uint64_t waiting_bytes = atomic_fetch_add(&inbox->bytes, size);
    if (size <= LIMIT_MESSAGE_BYTES_MAX && waiting_bytes + size <= AGENT_INBOX_BYTES_MAX &&
        ring_push(&inbox->ring, message)) {
        /* Read-modify-write: the push is seen by whoever says after this that it is not quiet. */
        if (atomic_fetch_add(&inbox->is_quiet, 0) == 0)
            waiter_wake(inbox->waiter);
        return;
    }
    (void)atomic_fetch_sub(&inbox->bytes, size);
    (void)atomic_fetch_add(inbox->dropped_total, 1);
    message->release(message);
}

static struct bus_message *inbox_pop(struct inbox *inbox)
{
    struct bus_message *message = ring_pop(&inbox->ring);

    if (message != NULL)
        (void)atomic_fetch_sub(&inbox->bytes, message->size);
    return message;
}

static bool inbox_is_half_full(struct inbox *inbox)
{
    return ring_count(&inbox->ring) > LIMIT_INBOX_SLOTS / 2 ||
           atomic_load(&inbox->bytes) > AGENT_INBOX_BYTES_MAX / 2;
}

static enum qn_status check_options(const struct agent_options *options, struct qn_error *error)
{
    if (!subject_cluster_is_valid(options->cluster))
        return error_set(error, QN_STATUS_INVALID, "cluster name: %.80s: not [A-Za-z0-9_-]{1,64}",
                         options->cluster);
    if (options->numa_count < 1 || options->numa_count > LIMIT_NUMA_NODES_MAX)
        return error_set(error, QN_STATUS_INVALID, "%u NUMA nodes", options->numa_count);
    return QN_STATUS_OK;
}

/* Reads boot and term and makes boot + 1 durable, before anything is sent. */
static enum qn_status start_boot(struct agent *agent, struct qn_error *error)
{
    const struct agent_options *options = &agent->options;
    struct agent_state state = {.node_id = options->node_id};
    enum qn_status status = agent_state_path(options->state_dir, agent->state_path, error);

    if (status != QN_STATUS_OK)
        return status;
    (void)snprintf(state.cluster, sizeof state.cluster, "%s", agent->cluster);
    status = agent_state_read(&options->files, agent->state_path, &state, error);
    if (status != QN_STATUS_OK && status != QN_STATUS_NOT_FOUND)
        return status;
    if (state.node_id != options->node_id || strcmp(state.cluster, agent->cluster) != 0)
        return error_set(error, QN_STATUS_CONFLICT,
                         "%s: belongs to node %" PRId64 " of cluster %s; give each node a "
                         "state directory of its own",
                         agent->state_path, state.node_id, state.cluster);
    if (status == QN_STATUS_NOT_FOUND && options->first_boot > 0)
        state.boot = options->first_boot - 1;
    state.boot++;
    status = agent_state_write(&options->files, agent->state_path, &state, error);
    agent->state = state;
    return status;
}

static enum qn_status take_memory(struct agent *agent, struct qn_error *error)
{
    const struct agent_options *options = &agent->options;
    struct node_options node_options = {
        .node_id = options->node_id,
        .boot = agent->state.boot,
        .term = agent->state.term,
        .release_grace_ms = options->release_grace_ms,
        .budget_bytes = options->budget_bytes,
        .numa_count = options->numa_count,
    };
    bool taken = true;

    memcpy(node_options.numa_total_bytes, options->numa_total_bytes,
           sizeof node_options.numa_total_bytes);
    for (int i = 0; i < INBOX_COUNT; i++) {
        agent->inboxes[i].dropped_total = &agent->dropped_total;
        agent->inboxes[i].waiter = &agent->waiter;
        taken &= ring_init(&agent->inboxes[i].ring, LIMIT_INBOX_SLOTS, NULL) == QN_STATUS_OK;
    }
    taken &= ring_init(&agent->events, AGENT_EVENTS_SLOTS, &agent->waiter) == QN_STATUS_OK;
    agent->node = node_new(&node_options);
    agent->actions = calloc(1, sizeof *agent->actions);
    agent->store = store_new();
    agent->holdings = holdings_new();
    if (!taken || agent->node == NULL || agent->actions == NULL || agent->store == NULL ||
        agent->holdings == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "agent: out of memory");
    return QN_STATUS_OK;
}

static enum qn_status subscribe_all(struct agent *agent, struct qn_error *error)
{
    int64_t node_id = agent->options.node_id;
    struct subject subjects[INBOX_COUNT] = {
        [INBOX_CONTROL] = subject_control(agent->cluster, node_id),
        [INBOX_ASK] = subject_ask(agent->cluster, node_id),
        [INBOX_SEARCH] = subject_search(agent->cluster, node_id),
    };
    enum qn_status status = QN_STATUS_OK;

    for (int i = 0; status == QN_STATUS_OK && i < INBOX_COUNT; i++) {
        const struct transport *transport =
            i == INBOX_SEARCH ? &agent->options.search_transport : &agent->options.transport;
        status = transport->ops->subscribe(transport->self, subjects[i].text, on_bus_message,
                                           &agent->inboxes[i], error);
    }
    return status;
}

static struct agent *agent_new(const struct agent_options *options)
{
    struct agent *agent = aligned_alloc(64, (sizeof *agent + 63) / 64 * 64);

    if (agent == NULL)
        return NULL;
    memset(agent, 0, sizeof *agent);
    agent->options = *options;
    if (options->search_transport.ops == NULL)
        agent->options.search_transport = options->transport;
    (void)snprintf(agent->cluster, sizeof agent->cluster, "%s", options->cluster);
    (void)snprintf(agent->sender, sizeof agent->sender, "node/%" PRId64, options->node_id);
    agent->ask_subject = subject_ask(agent->cluster, options->node_id);
    agent->event_subject = subject_event(agent->cluster, options->node_id);
    agent->report_subject = subject_report(agent->cluster, options->node_id);
    agent->opened_us = clock_now_us(&options->clock);
    agent->heartbeat_due_us = agent->opened_us;
    agent->list_allowed_us = agent->opened_us;
    agent->report_wanted = true;
    waiter_init(&agent->waiter);
    arena_init(&agent->decode_arena, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&agent->send_arena, AGENT_ENCODE_ARENA_BYTES);
    return agent;
}

enum qn_status agent_open(const struct agent_options *options, struct agent **ret_agent,
                          struct qn_error *error)
{
    enum qn_status status = check_options(options, error);

    *ret_agent = NULL;
    if (status != QN_STATUS_OK)
        return status;
    struct agent *agent = agent_new(options);
    if (agent == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "agent: out of memory");
    status = start_boot(agent, error);
    if (status == QN_STATUS_OK)
        status = take_memory(agent, error);
    if (status != QN_STATUS_OK) {
        agent_close(agent);
        return status;
    }
    /* Last: from the first subscription on, the bus knows where the agent lies. */
    *ret_agent = agent;
    status = subscribe_all(agent, error);
    if (status != QN_STATUS_OK)
        return status;
    LOG_INFO(room, "node %" PRId64 " of cluster %s: boot %" PRIu64 ", term %" PRIu64,
             options->node_id, agent->cluster, agent->state.boot, agent->state.term);
    return QN_STATUS_OK;
}

static bool take_commands(struct agent *agent, enum inbox_kind kind)
{
    struct bus_message *message;
    unsigned taken = 0;

    while (taken < AGENT_COMMANDS_PER_TURN &&
           (message = inbox_pop(&agent->inboxes[kind])) != NULL) {
        agent_receive(agent, kind, message);
        taken++;
    }
    return taken > 0;
}

static bool take_events(struct agent *agent)
{
    struct agent_event *event;
    unsigned taken = 0;

    while (taken < AGENT_EVENTS_PER_TURN && (event = ring_pop(&agent->events)) != NULL) {
        agent_take_event(agent, event);
        taken++;
    }
    return taken > 0;
}

/* When more than half of the inbox is taken, searches are answered BUSY until it is not: a client
 * that hears so asks another copy at once, one that hears nothing waits. */
static bool take_searches(struct agent *agent)
{
    struct inbox *inbox = &agent->inboxes[INBOX_SEARCH];
    struct bus_message *message;
    unsigned taken = 0;

    while (taken < AGENT_SEARCHES_PER_TURN) {
        bool shed = inbox_is_half_full(inbox);
        if ((message = inbox_pop(inbox)) == NULL)
            break;
        dispatch_receive(agent, message, shed);
        taken++;
    }
    return taken > 0;
}

static void take_tick(struct agent *agent)
{
    uint64_t now_ms = agent_uptime_ms(agent);

    if (now_ms >= node_wake_ms(agent->node))
        agent_step(agent, &(struct node_event){.kind = NODE_EVENT_TICK, .now_ms = now_ms});
}

static uint64_t wake_us(const struct agent *agent)
{
    uint64_t report_us = agent_report_wake_us(agent);
    uint64_t node_ms = node_wake_ms(agent->node);

    if (node_ms == UINT64_MAX)
        return report_us;
    uint64_t node_us = agent->opened_us + node_ms * 1000;
    return node_us < report_us ? node_us : report_us;
}

uint64_t agent_poll(struct agent *agent)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    for (int turn = 0; turn < AGENT_TURNS_MAX; turn++) {
        bool busy = take_commands(agent, INBOX_CONTROL);
        busy |= take_commands(agent, INBOX_ASK);
        busy |= take_events(agent);
        busy |= take_searches(agent);
        busy |= dispatch_waiting(agent);
        take_tick(agent);
        agent_report_due(agent);
        if (!busy && ring_count(&agent->events) == 0)
            return wake_us(agent);
    }
    return clock_now_us(&agent->options.clock);
}

static int something_waits(void *owner)
{
    struct agent *agent = owner;

    for (int i = 0; i < INBOX_COUNT; i++)
        if (ring_count(&agent->inboxes[i].ring) > 0 &&
            atomic_load(&agent->inboxes[i].is_quiet) == 0)
            return 1;
    return ring_count(&agent->events) > 0 || atomic_load(&agent->woken) != 0;
}

/* While workers search, they are who needs the core: no spinning. While all of them do and the next
 * batches are there, the end of one is what counts; to be woken for each search that comes would
 * cost more than it takes. */
void agent_wait(struct agent *agent, uint64_t until_us)
{
    _Atomic int *is_quiet = &agent->inboxes[INBOX_SEARCH].is_quiet;

    CHECK_ROLE(THREAD_ROLE_NODE);
    if (dispatch_is_full(agent)) {
        uint64_t look_us = clock_now_us(&agent->options.clock) + AGENT_QUIET_US;
        atomic_store(is_quiet, 1);
        (void)waiter_sleep_until(&agent->waiter, something_waits, agent,
                                 until_us < look_us ? until_us : look_us);
        atomic_store(is_quiet, 0);
    } else if (agent->batches_in_flight > 0) {
        (void)waiter_sleep_until(&agent->waiter, something_waits, agent, until_us);
    } else {
        (void)waiter_wait_until(&agent->waiter, something_waits, agent, until_us);
    }
    atomic_store(&agent->woken, 0);
}

void agent_wake(struct agent *agent)
{
    atomic_store(&agent->woken, 1);
    waiter_wake(&agent->waiter);
}

void agent_leave(struct agent *agent)
{
    CHECK_ROLE(THREAD_ROLE_NODE);
    if (agent->leaving)
        return;
    agent->leaving = true;
    agent->report_wanted = true;
    agent->list_allowed_us = clock_now_us(&agent->options.clock);
    agent_step(agent,
               &(struct node_event){.kind = NODE_EVENT_SHUTDOWN, .now_ms = agent_uptime_ms(agent)});
    agent_cancel_loads(agent);
}

bool agent_is_searching(const struct agent *agent)
{
    return agent->searches_in_flight > 0;
}

/* What arrived after the last turn. */
static void discard_waiting(struct agent *agent)
{
    struct bus_message *message;
    struct agent_event *event;

    for (int i = 0; i < INBOX_COUNT; i++)
        while (agent->inboxes[i].ring.slots != NULL &&
               (message = inbox_pop(&agent->inboxes[i])) != NULL)
            message->release(message);
    while (agent->events.slots != NULL && (event = ring_pop(&agent->events)) != NULL) {
        if (event->kind == AGENT_EVENT_SEARCHED)
            dispatch_finished(agent, event);
        else if (event->kind == AGENT_EVENT_LOAD_DONE)
            segment_free(CONTAINER_OF(event, struct holding, load_done)->loaded);
    }
}

void agent_close(struct agent *agent)
{
    if (agent == NULL)
        return;
    discard_waiting(agent);
    dispatch_close(agent);
    store_free(agent->store);
    holdings_free(agent->holdings);
    node_free(agent->node);
    free(agent->actions);
    for (int i = 0; i < INBOX_COUNT; i++)
        ring_done(&agent->inboxes[i].ring);
    ring_done(&agent->events);
    arena_done(&agent->decode_arena);
    arena_done(&agent->send_arena);
    free(agent);
}
