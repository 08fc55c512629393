/* SPDX-License-Identifier: Apache-2.0
 * The verbs that only look: nodes, segments, collections list. Each row goes to the table or to the
 * JSON array while its page is valid. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include <inttypes.h>
#include <string.h>

struct listing {
    struct table *table;
    struct doc *rows; /* NULL: table */
    size_t count;
};

/* Calls, prints, and says `nothing` instead of an empty table. */
static int run_listing(struct ctl *ctl, const struct coord_request *request,
                       qn_on_answer *on_answer, struct listing *listing, const char *nothing)
{
    struct qn_error error = {0};
    bool json = ctl->arguments->json;

    listing->rows = json ? doc_array() : NULL;
    enum qn_status status = ctl_call(ctl, request, on_answer, listing, &error);
    if (status == QN_STATUS_OK && json)
        doc_print(listing->rows);
    else if (status == QN_STATUS_OK && listing->count == 0)
        printf("%s\n", nothing);
    else if (status == QN_STATUS_OK)
        table_print(listing->table, stdout);
    if (json)
        doc_free(listing->rows);
    listing->table = table_free(listing->table);
    return status == QN_STATUS_OK ? 0 : ctl_fail(&error);
}

/* DESIGN section 4: the larger of what the ledger and the host say. */
static double usage_percent(const struct memory_report *memory)
{
    uint64_t seen = memory->anon_bytes + memory->locked_bytes;
    uint64_t used = memory->ledger_bytes > seen ? memory->ledger_bytes : seen;

    return memory->budget_bytes == 0 ? 0 : 100.0 * (double)used / (double)memory->budget_bytes;
}

static struct doc *memory_doc(const struct memory_report *memory)
{
    struct doc *row = doc_object();

    doc_set_int(row, "budgetBytes", (int64_t)memory->budget_bytes);
    doc_set_int(row, "ledgerBytes", (int64_t)memory->ledger_bytes);
    doc_set_int(row, "reservedBytes", (int64_t)memory->reserved_bytes);
    doc_set_int(row, "anonBytes", (int64_t)memory->anon_bytes);
    doc_set_int(row, "lockedBytes", (int64_t)memory->locked_bytes);
    doc_set_int(row, "cgroupLimitBytes", (int64_t)memory->cgroup_limit_bytes);
    doc_set_int(row, "availableBytes", (int64_t)memory->available_bytes);
    doc_set_int(row, "heapAllocatedBytes", (int64_t)memory->heap_allocated_bytes);
    doc_set_int(row, "heapResidentBytes", (int64_t)memory->heap_resident_bytes);
    doc_set_int(row, "heapRetainedBytes", (int64_t)memory->heap_retained_bytes);
    doc_set_number(row, "usagePercent", usage_percent(memory));
    return row;
}

static void put_node_doc(struct doc *rows, const struct node_info *node)
{
    struct doc *row = doc_object();

    doc_set_int(row, "nodeID", node->node_id);
    doc_set_string(row, "state", node->silent ? "silent" : "up");
    doc_set_int(row, "heardMsAgo", (int64_t)node->heard_ms_ago);
    doc_set_int(row, "boot", (int64_t)node->boot);
    doc_set_int(row, "uptimeMs", (int64_t)node->uptime_ms);
    doc_set_int(row, "segments", node->copies_count);
    doc_set_int(row, "searchesTotal", (int64_t)node->searches_total);
    doc_set_int(row, "refusedTotal", (int64_t)node->refused_total);
    doc_set_string(row, "kernels", node->kernels);
    doc_set(row, "memory", memory_doc(&node->memory));
    doc_append(rows, row);
}

static void put_node_cells(struct table *table, const struct node_info *node)
{
    char text[TEXT_BYTES];

    table_cell(table, "%" PRId64, node->node_id);
    if (node->silent)
        table_cell(table, "silent %s", table_duration_ms(node->heard_ms_ago, text));
    else
        table_cell(table, "up %s", table_duration_ms(node->uptime_ms, text));
    table_cell(table, "%u", node->copies_count);
    table_cell(table, "%s", text_bytes(node->memory.ledger_bytes, text));
    table_cell(table, "%s", text_bytes(node->memory.anon_bytes, text));
    table_cell(table, "%s", text_bytes(node->memory.budget_bytes, text));
    table_cell(table, "%.1f %%", usage_percent(&node->memory));
    table_cell(table, "%s", text_count(node->searches_total, text));
}

static void on_nodes(void *owner, const struct coord_answer *answer)
{
    struct listing *listing = owner;

    for (size_t i = 0; i < answer->nodes_count; i++, listing->count++) {
        if (listing->rows != NULL)
            put_node_doc(listing->rows, &answer->nodes[i]);
        else
            put_node_cells(listing->table, &answer->nodes[i]);
    }
}

int ctl_nodes(struct ctl *ctl)
{
    static const struct table_column columns[] = {
        {"node", true}, {"state", false}, {"segments", true}, {"ledger", true},
        {"anon", true}, {"budget", true}, {"usage", true},    {"searches", true},
    };
    struct listing listing = {.table = table_new(columns, COUNT_OF(columns))};
    struct coord_request request = {.verb = COORD_LIST_NODES};

    return run_listing(ctl, &request, on_nodes, &listing,
                       "no node has reported; start one: qnoded --node-id 1 --bus URL");
}

static void put_segment_doc(struct doc *rows, const struct segment_info *segment)
{
    struct doc *row = doc_object();

    doc_set_int(row, "segmentID", segment->segment_id);
    doc_set_int(row, "collectionID", segment->collection_id);
    doc_set_int(row, "partitionID", segment->partition_id);
    doc_set_int(row, "mem_size", (int64_t)segment->mem_size);
    doc_set_int(row, "num_rows", (int64_t)segment->num_rows);
    doc_set_int(row, "nodeID", segment->node_id);
    doc_set_string(row, "state", qn_segment_state_name(segment->state));
    doc_set_string(row, "copyState", qn_copy_state_name(segment->copy_state));
    doc_append(rows, row);
}

static void put_segment_cells(struct table *table, const struct segment_info *segment)
{
    char text[TEXT_BYTES];

    table_cell(table, "%" PRId64, segment->segment_id);
    table_cell(table, "%" PRId64, segment->collection_id);
    table_cell(table, "%" PRId64, segment->partition_id);
    table_cell(table, "%s", text_bytes(segment->mem_size, text));
    table_cell(table, "%s", text_count(segment->num_rows, text));
    if (segment->node_id == 0)
        table_cell(table, "%s", "");
    else
        table_cell(table, "%" PRId64, segment->node_id);
    table_cell(table, "%s", qn_segment_state_name(segment->state));
}

static void on_segments(void *owner, const struct coord_answer *answer)
{
    struct listing *listing = owner;

    for (size_t i = 0; i < answer->segments_count; i++, listing->count++) {
        if (listing->rows != NULL)
            put_segment_doc(listing->rows, &answer->segments[i]);
        else
            put_segment_cells(listing->table, &answer->segments[i]);
    }
}

int ctl_segments(struct ctl *ctl)
{
    static const struct table_column columns[] = {
        {"segmentID", true}, {"collectionID", true}, {"partitionID", true}, {"mem_size", true},
        {"num_rows", true},  {"nodeID", true},       {"state", false},
    };
    struct listing listing = {.table = table_new(columns, COUNT_OF(columns))};
    struct coord_request request = {.verb = COORD_LIST_SEGMENTS,
                                    .collection = ctl->arguments->collection};

    return run_listing(ctl, &request, on_segments, &listing,
                       "no segments; load some: qnodectl collections load FOLDER");
}

static void put_collection_doc(struct doc *rows, const struct collection_info *info)
{
    struct doc *row = doc_object(), *version = doc_object();

    doc_set_int(row, "collectionID", info->collection_id);
    doc_set_string(row, "name", info->name);
    doc_set_string(row, "folder", info->folder);
    doc_set_int(row, "segments", info->segments_count);
    doc_set_int(row, "segmentsServing", info->segments_serving);
    doc_set_int(row, "num_rows", (int64_t)info->num_rows);
    doc_set_int(row, "mem_size", (int64_t)info->mem_size);
    doc_set_string(row, "metric", qn_metric_name(info->metric));
    doc_set_int(row, "dim", info->dim);
    doc_set_int(version, "term", (int64_t)info->version.term);
    doc_set_int(version, "version", (int64_t)info->version.version);
    doc_set(row, "version", version);
    doc_set_int(row, "readableVersion", (int64_t)info->readable_version);
    doc_append(rows, row);
}

static void put_collection_cells(struct table *table, const struct collection_info *info)
{
    char text[TEXT_BYTES];

    table_cell(table, "%" PRId64, info->collection_id);
    table_cell(table, "%u of %u", info->segments_serving, info->segments_count);
    table_cell(table, "%s", text_count(info->num_rows, text));
    table_cell(table, "%s", text_bytes(info->mem_size, text));
    table_cell(table, "%s", qn_metric_name(info->metric));
    table_cell(table, "%u", info->dim);
    table_cell(table, "%" PRIu64 ".%" PRIu64, info->version.term, info->version.version);
    table_cell(table, "%s", info->name);
}

static void on_collections(void *owner, const struct coord_answer *answer)
{
    struct listing *listing = owner;

    for (size_t i = 0; i < answer->collections_count; i++, listing->count++) {
        if (listing->rows != NULL)
            put_collection_doc(listing->rows, &answer->collections[i]);
        else
            put_collection_cells(listing->table, &answer->collections[i]);
    }
}

int ctl_collections_list(struct ctl *ctl)
{
    static const struct table_column columns[] = {
        {"collection", true}, {"serving", true}, {"num_rows", true}, {"mem_size", true},
        {"metric", false},    {"dim", true},     {"version", true},  {"name", false},
    };
    struct listing listing = {.table = table_new(columns, COUNT_OF(columns))};
    struct coord_request request = {.verb = COORD_LIST_COLLECTIONS};

    return run_listing(ctl, &request, on_collections, &listing,
                       "no collections; load one: qnodectl collections load FOLDER");
}
