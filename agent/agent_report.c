/* SPDX-License-Identifier: Apache-2.0
 * Reports: a heartbeat each second, the list of copies in pages when it changed or was asked for,
 * no sooner than AGENT_REPORT_GAP_MS after the last list. All pages of one report share its
 * number; a full list counts as a heartbeat. */
#include "agent/agent_internal.h"

#include "base/log.h"
#include "segstore/kernels/kernels.h"
#include <stdatomic.h>

static const char room[] = "agent";

static void fill_memory(struct agent *agent, struct memory_report *report)
{
    const struct ledger *ledger = node_ledger(agent->node);

    *report = (struct memory_report){0};
    if (agent->options.read_memory != NULL)
        agent->options.read_memory(agent->options.read_memory_owner, report);
    report->budget_bytes = ledger->budget_bytes;
    report->ledger_bytes = ledger->used_bytes + ledger->reserved_bytes;
    report->reserved_bytes = ledger->reserved_bytes;
    report->numa_ledger_bytes = ledger->numa_bytes;
    report->numa_ledger_count = ledger->numa_count;
    report->numa_total_bytes = ledger->numa_total_bytes;
    report->numa_total_count = ledger->numa_count;
}

static void fill_copy(struct agent *agent, const struct node_copy *copy,
                      struct copy_report *ret_report)
{
    struct holding *holding = holdings_find(agent->holdings, copy->segment_id);

    *ret_report = (struct copy_report){
        .segment = {.segment_id = copy->segment_id,
                    .collection_id = copy->collection_id,
                    .partition_id = copy->partition_id,
                    .mem_size = copy->mem_size,
                    .num_rows = copy->num_rows,
                    .node_id = agent->options.node_id,
                    .state = QN_SEGMENT_SEALED,
                    .epoch = copy->epoch,
                    .content_hash = copy->content_hash,
                    .delete_generation = copy->delete_generation,
                    .replica = copy->replica,
                    .copy_state = copy->state},
        .numa_node = copy->numa_node,
        .loaded_bytes = copy->mem_size,
    };
    if (holding == NULL)
        return;
    ret_report->searches = holding->searches;
    if (copy->state == QN_COPY_LOADING)
        ret_report->loaded_bytes = holding_progress_bytes(holding);
}

/* What no inbox has seen, because the bus library threw it away, counts too. */
static uint64_t dropped_total(const struct agent *agent)
{
    const struct agent_options *options = &agent->options;
    uint64_t dropped = atomic_load(&agent->dropped_total) + transport_dropped(&options->transport);

    if (options->search_transport.self != options->transport.self)
        dropped += transport_dropped(&options->search_transport);
    return dropped;
}

/* Nobody answers a report: that it does not arrive is seen here, and said once. */
static void watch_bus(struct agent *agent)
{
    const struct transport *transport = &agent->options.transport;
    struct qn_error error = {0};
    bool is_away = !transport->ops->is_connected(transport->self);
    bool refuses = transport_refused(transport, NULL, 3 * LIMIT_REPORT_INTERVAL_MS, &error) ||
                   transport_refused(transport, agent->report_subject.text,
                                     3 * LIMIT_REPORT_INTERVAL_MS, &error);

    if (refuses && !agent->bus_refuses)
        LOG_WARNING(room, "%s", error.text);
    if (is_away && !agent->bus_is_away)
        LOG_WARNING(room, "the bus is away: what is held is kept, and served when it is back");
    if (!is_away && agent->bus_is_away)
        LOG_INFO(room, "the bus is back");
    agent->bus_is_away = is_away;
    agent->bus_refuses = refuses;
}

static void fill_report(struct agent *agent, struct node_report *report)
{
    agent->report_number++;
    *report = (struct node_report){
        .node_id = agent->options.node_id,
        .report_number = agent->report_number,
        .uptime_ms = agent_uptime_ms(agent),
        .copies_digest = node_copies_digest(agent->node),
        .copies_count = (uint32_t)node_copies_count(agent->node),
        .searches_total = agent->searches_total,
        .refused_total = agent->commands_refused + node_counters(agent->node)->commands_refused,
        .dropped_total = dropped_total(agent),
        .leaving = agent->leaving,
        .kernels = kernels_current()->name,
    };
    fill_memory(agent, &report->memory);
}

static void send_heartbeat(struct agent *agent)
{
    struct message message = {.kind = MESSAGE_NODE_REPORT};

    fill_report(agent, &message.node_report);
    agent_send(agent, agent->report_subject.text, &message);
}

/* False when there is no memory for a page. */
static bool send_list(struct agent *agent)
{
    struct message message = {.kind = MESSAGE_NODE_REPORT};
    struct node_report *report = &message.node_report;
    size_t copies_count = node_copies_count(agent->node);

    arena_reset(&agent->decode_arena); /* no message is being received now */
    struct copy_report *page =
        arena_calloc(&agent->decode_arena, LIMIT_REPORT_PAGE_COPIES, sizeof *page);
    if (page == NULL)
        return false;
    fill_report(agent, report);
    report->has_copies = true;
    report->copies = page;
    report->pages =
        (uint32_t)((copies_count + LIMIT_REPORT_PAGE_COPIES - 1) / LIMIT_REPORT_PAGE_COPIES);
    if (report->pages == 0)
        report->pages = 1;
    for (; report->page < report->pages; report->page++) {
        size_t first = (size_t)report->page * LIMIT_REPORT_PAGE_COPIES;
        size_t in_page = copies_count - first;
        if (in_page > LIMIT_REPORT_PAGE_COPIES)
            in_page = LIMIT_REPORT_PAGE_COPIES;
        for (size_t i = 0; i < in_page; i++)
            fill_copy(agent, node_copy_at(agent->node, first + i), &page[i]);
        report->copies_in_page = in_page;
        agent_send(agent, agent->report_subject.text, &message);
    }
    return true;
}

void agent_report_due(struct agent *agent)
{
    uint64_t now_us = clock_now_us(&agent->options.clock);
    bool list = agent->report_wanted && now_us >= agent->list_allowed_us;

    if (!list && now_us < agent->heartbeat_due_us)
        return;
    watch_bus(agent);
    if (list && send_list(agent)) {
        agent->report_wanted = false;
        agent->list_allowed_us = now_us + (uint64_t)AGENT_REPORT_GAP_MS * 1000;
    } else {
        if (list)
            LOG_WARNING(room, "no memory for a list of copies: a heartbeat instead");
        agent->list_allowed_us = now_us + (uint64_t)AGENT_REPORT_GAP_MS * 1000;
        send_heartbeat(agent);
    }
    agent->heartbeat_due_us = now_us + (uint64_t)LIMIT_REPORT_INTERVAL_MS * 1000;
}

uint64_t agent_report_wake_us(const struct agent *agent)
{
    if (agent->report_wanted && agent->list_allowed_us < agent->heartbeat_due_us)
        return agent->list_allowed_us;
    return agent->heartbeat_due_us;
}
