/* SPDX-License-Identifier: Apache-2.0
 * Reports: a heartbeat each second, the list of copies in pages when it changed or was asked for,
 * no sooner than AGENT_REPORT_GAP_MS after the last list. All pages of one report share its
 * number; a full list counts as a heartbeat. */
#include "agent/agent_internal.h"

#include "base/log.h"
#include "channel/paging.h"
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

struct cutting {
    struct agent *agent;
    struct message message; /* as each page, but for the copies */
    struct copy_report *copies;
    size_t payload_max;
};

static size_t page_bytes(void *owner, size_t count)
{
    struct cutting *cutting = owner;

    cutting->message.node_report.copies = cutting->copies;
    cutting->message.node_report.copies_in_page = count;
    return agent_message_bytes(cutting->agent, &cutting->message);
}

/* The next page from the copy `first` on: how many it takes. What counts while the pages are cut is
 * taken for as long as it can be, so that they are cut alike when they are sent. */
static size_t cut_page(struct cutting *cutting, size_t first)
{
    struct node *node = cutting->agent->node;
    size_t left = node_copies_count(node) - first;

    if (left > LIMIT_REPORT_PAGE_COPIES)
        left = LIMIT_REPORT_PAGE_COPIES;
    for (size_t i = 0; i < left; i++) {
        fill_copy(cutting->agent, node_copy_at(node, first + i), &cutting->copies[i]);
        cutting->copies[i].searches = cutting->copies[i].loaded_bytes = UINT64_MAX;
    }
    return paging_fit(left, cutting->payload_max, page_bytes, cutting);
}

/* The number of copies of each page; false: they are more than LIMIT_REPORT_PAGES_MAX, and nobody
 * would take them. */
static bool cut_list(struct cutting *cutting, uint32_t *counts)
{
    struct node_report *report = &cutting->message.node_report;
    size_t left = node_copies_count(cutting->agent->node);
    uint32_t pages = 0;

    report->page = report->pages = LIMIT_REPORT_PAGES_MAX;
    for (size_t first = 0; left > 0; left -= counts[pages++]) {
        if (pages == LIMIT_REPORT_PAGES_MAX)
            return false;
        counts[pages] = (uint32_t)cut_page(cutting, first);
        first += counts[pages];
    }
    report->pages = pages == 0 ? 1 : pages;
    return true;
}

/* False when it cannot be said. */
static bool send_list(struct agent *agent)
{
    const struct transport *transport = &agent->options.transport;
    struct cutting cutting = {.agent = agent,
                              .message = {.kind = MESSAGE_NODE_REPORT},
                              .payload_max = transport->ops->max_payload(transport->self)};
    struct node_report *report = &cutting.message.node_report;
    uint32_t counts[LIMIT_REPORT_PAGES_MAX] = {0};
    size_t first = 0;

    arena_reset(&agent->decode_arena); /* no message is being received now */
    cutting.copies =
        arena_calloc(&agent->decode_arena, LIMIT_REPORT_PAGE_COPIES, sizeof *cutting.copies);
    if (cutting.copies == NULL) {
        LOG_WARNING(room, "no memory for a list of copies: a heartbeat instead");
        return false;
    }
    if (cutting.payload_max > LIMIT_ANSWER_PART_BYTES)
        cutting.payload_max = LIMIT_ANSWER_PART_BYTES;
    fill_report(agent, report);
    report->has_copies = true;
    if (!cut_list(&cutting, counts)) {
        LOG_WARNING(room,
                    "%zu copies do not go into %d pages of %zu bytes, the max_payload of the bus: "
                    "a heartbeat instead",
                    node_copies_count(agent->node), LIMIT_REPORT_PAGES_MAX, cutting.payload_max);
        return false;
    }
    report->copies = cutting.copies;
    for (report->page = 0; report->page < report->pages; report->page++) {
        report->copies_in_page = counts[report->page];
        for (size_t i = 0; i < report->copies_in_page; i++)
            fill_copy(agent, node_copy_at(agent->node, first + i), &cutting.copies[i]);
        agent_send(agent, agent->report_subject.text, &cutting.message);
        first += report->copies_in_page;
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
