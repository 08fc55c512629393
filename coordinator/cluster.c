/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/cluster.h"

#include "channel/origin.h"
#include "coordinator/grow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES_MAX = LIMIT_REPORT_PAGES_MAX }; /* of one full report: bits of pending_mask */

static void list_done(struct cluster_list *list)
{
    free(list->copies);
    *list = (struct cluster_list){0};
}

void cluster_done(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        struct cluster_node *node = cluster->nodes.entries[i].item;
        list_done(&node->list);
        list_done(&node->pending);
        free(node);
    }
    idmap_done(&cluster->nodes);
}

struct cluster_node *cluster_find(const struct cluster *cluster, int64_t node_id)
{
    return idmap_find(&cluster->nodes, node_id);
}

struct cluster_node *cluster_sender(const struct cluster *cluster, const struct message *message)
{
    int64_t node_id;

    if (!origin_node(message, &node_id))
        return NULL;
    struct cluster_node *node = cluster_find(cluster, node_id);
    return node != NULL && node->boot == message->boot ? node : NULL;
}

/* Index of the first copy that is not below segment_id. */
static size_t list_lower_bound(const struct cluster_list *list, int64_t segment_id)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->copies[middle].segment_id < segment_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct cluster_copy *cluster_copy(const struct cluster_node *node, int64_t segment_id)
{
    size_t at = list_lower_bound(&node->list, segment_id);

    if (at == node->list.count || node->list.copies[at].segment_id != segment_id)
        return NULL;
    return &node->list.copies[at];
}

enum cluster_standing cluster_standing(const struct cluster_node *node, int64_t segment_id,
                                       struct qn_epoch epoch)
{
    if (node == NULL)
        return CLUSTER_UNKNOWN;
    if (node->silent)
        return CLUSTER_SILENT;
    if (!node->listed)
        return CLUSTER_UNKNOWN;
    const struct cluster_copy *copy = cluster_copy(node, segment_id);
    if (copy == NULL || qn_epoch_compare(copy->epoch, epoch) != 0)
        return CLUSTER_ABSENT;
    switch (copy->state) {
    case QN_COPY_LOADING:
        return CLUSTER_LOADING;
    case QN_COPY_SERVING:
        return CLUSTER_SERVING;
    case QN_COPY_LEAVING:
    case QN_COPY_DRAINING:
        return CLUSTER_LEAVING;
    case QN_COPY_ABSENT:
        break;
    }
    return CLUSTER_ABSENT;
}

void cluster_set_copy(struct cluster_node *node, const struct cluster_copy *copy)
{
    struct cluster_list *list = &node->list;
    size_t at = list_lower_bound(list, copy->segment_id);

    node->touched = true;
    if (at == list->count || list->copies[at].segment_id != copy->segment_id) {
        if (list->count == LIMIT_SEGMENTS_PER_NODE_MAX)
            return;
        list->copies = grow_for_one(list->copies, list->count, &list->capacity, sizeof *copy);
        memmove(list->copies + at + 1, list->copies + at, (list->count - at) * sizeof *copy);
        list->count++;
    }
    list->copies[at] = *copy;
}

void cluster_drop_copy(struct cluster_node *node, int64_t segment_id)
{
    struct cluster_list *list = &node->list;
    size_t at = list_lower_bound(list, segment_id);

    node->touched = true;
    if (at == list->count || list->copies[at].segment_id != segment_id)
        return;
    list->count--;
    memmove(list->copies + at, list->copies + at + 1, (list->count - at) * sizeof *list->copies);
}

static void take_figures(struct cluster_node *node, const struct node_report *report)
{
    size_t ledgers = report->memory.numa_ledger_count, totals = report->memory.numa_total_count;

    node->uptime_ms = report->uptime_ms;
    node->leaving = report->leaving;
    node->searches_total = report->searches_total;
    node->refused_total = report->refused_total;
    (void)snprintf(node->kernels, sizeof node->kernels, "%s", report->kernels);
    ledgers = ledgers < LIMIT_NUMA_NODES_MAX ? ledgers : LIMIT_NUMA_NODES_MAX;
    totals = totals < LIMIT_NUMA_NODES_MAX ? totals : LIMIT_NUMA_NODES_MAX;
    if (ledgers > 0)
        memcpy(node->numa_ledger_bytes, report->memory.numa_ledger_bytes,
               ledgers * sizeof node->numa_ledger_bytes[0]);
    if (totals > 0)
        memcpy(node->numa_total_bytes, report->memory.numa_total_bytes,
               totals * sizeof node->numa_total_bytes[0]);
    node->memory = report->memory;
    node->memory.numa_ledger_bytes = ledgers > 0 ? node->numa_ledger_bytes : NULL;
    node->memory.numa_ledger_count = ledgers;
    node->memory.numa_total_bytes = totals > 0 ? node->numa_total_bytes : NULL;
    node->memory.numa_total_count = totals;
}

static struct cluster_copy copy_of(const struct copy_report *report)
{
    return (struct cluster_copy){
        .segment_id = report->segment.segment_id,
        .collection_id = report->segment.collection_id,
        .partition_id = report->segment.partition_id,
        .mem_size = report->segment.mem_size,
        .num_rows = report->segment.num_rows,
        .delete_generation = report->segment.delete_generation,
        .epoch = report->segment.epoch,
        .content_hash = report->segment.content_hash,
        .state = report->segment.copy_state,
        .segment_state = report->segment.state,
    };
}

static int by_segment_id(const void *a, const void *b)
{
    const struct cluster_copy *left = a, *right = b;

    return (left->segment_id > right->segment_id) - (left->segment_id < right->segment_id);
}

/* What was learnt from receipts and a list that was written before them does not know: a copy at
 * one epoch never goes back to LOADING. */
static void carry_over(const struct cluster_node *node, struct cluster_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct cluster_copy *copy = &list->copies[i];
        const struct cluster_copy *known = cluster_copy(node, copy->segment_id);
        if (known == NULL || qn_epoch_compare(known->epoch, copy->epoch) != 0)
            continue;
        copy->asked_ms = known->asked_ms;
        if (copy->state == QN_COPY_LOADING)
            copy->state = known->state;
    }
}

static void list_complete(struct cluster_node *node)
{
    struct cluster_list old = node->list;

    if (node->pending.count > 1)
        qsort(node->pending.copies, node->pending.count, sizeof *node->pending.copies,
              by_segment_id);
    carry_over(node, &node->pending);
    node->list = node->pending;
    node->pending = (struct cluster_list){0};
    node->pending_mask = 0;
    node->listed = true;
    node->touched = false;
    list_done(&old);
}

/* True when the list is complete with this page. */
static bool take_page(struct cluster_node *node, const struct node_report *report)
{
    uint32_t pages = report->pages == 0 ? 1 : report->pages;
    size_t room = LIMIT_SEGMENTS_PER_NODE_MAX;

    if (pages > PAGES_MAX || report->page >= pages ||
        (node->listed && report->report_number <= node->list_number))
        return false;
    if (node->pending_mask == 0 || report->report_number > node->pending_number) {
        node->pending_number = report->report_number;
        node->pending_pages = pages;
        node->pending_mask = 0;
        node->pending.count = 0;
    }
    if (report->report_number != node->pending_number || pages != node->pending_pages ||
        (node->pending_mask >> report->page & 1) != 0 ||
        report->copies_in_page > room - node->pending.count)
        return false;
    for (size_t i = 0; i < report->copies_in_page; i++) {
        struct cluster_list *list = &node->pending;
        list->copies =
            grow_for_one(list->copies, list->count, &list->capacity, sizeof *list->copies);
        list->copies[list->count++] = copy_of(&report->copies[i]);
    }
    node->pending_mask |= UINT64_C(1) << report->page;
    if (node->pending_mask != UINT64_MAX >> (PAGES_MAX - pages))
        return false;
    node->list_number = report->report_number;
    node->list_digest = report->copies_digest;
    list_complete(node);
    return true;
}

static void forget_boot(struct cluster_node *node, uint64_t boot, uint64_t now_ms)
{
    node->boot = boot;
    node->boot_ms = now_ms;
    node->report_number = 0;
    node->listed = false;
    node->list_number = 0;
    node->list.count = 0;
    node->pending.count = 0;
    node->pending_mask = 0;
    node->asked_ms = 0;
}

struct cluster_change cluster_on_report(struct cluster *cluster, const struct message *message,
                                        uint64_t now_ms)
{
    const struct node_report *report = &message->node_report;
    struct cluster_node *node = cluster_find(cluster, report->node_id);
    struct cluster_change change = {0};

    if (node == NULL) {
        if (cluster->nodes.count == LIMIT_NODES_MAX || report->node_id <= 0)
            return change;
        node = grow_calloc(1, sizeof *node);
        node->node_id = report->node_id;
        node->boot = message->boot;
        node->boot_ms = now_ms;
        idmap_put(&cluster->nodes, node->node_id, node);
        change.joined = true;
    }
    /* What an older boot said before it ended may still be on its way. */
    if (message->boot < node->boot && message->boot != node->lower_boot &&
        (node->silent || now_ms - node->boot_ms >= LIMIT_NODE_SILENT_MS)) {
        node->lower_boot = message->boot;
        change.reborn = node;
    }
    if (message->boot < node->boot ||
        (message->boot == node->boot && report->report_number < node->report_number))
        return change;
    change.node = node;
    change.returned = node->silent;
    change.restarted = message->boot > node->boot;
    if (change.restarted)
        forget_boot(node, message->boot, now_ms);
    node->report_number = report->report_number;
    node->silent = false;
    node->heard_ms = now_ms;
    change.risen = message->term > node->term;
    node->term = message->term;
    take_figures(node, report);
    if (report->has_copies)
        change.relisted = take_page(node, report);
    node->stale = !node->listed || node->touched || report->copies_digest != node->list_digest;
    return change;
}

struct cluster_node *cluster_next_silent(struct cluster *cluster, uint64_t now_ms)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        struct cluster_node *node = cluster->nodes.entries[i].item;
        uint64_t since_ms = node->heard_ms > cluster->deaf_ms ? node->heard_ms : cluster->deaf_ms;
        if (!node->silent && now_ms - since_ms >= LIMIT_NODE_SILENT_MS) {
            node->silent = true;
            return node;
        }
    }
    return NULL;
}
