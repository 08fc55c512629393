/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/handoff.h"

static struct doc *nodes_doc(const struct handoff_nodes *nodes)
{
    struct doc *rows = doc_array();

    for (size_t i = 0; i < nodes->count; i++) {
        const struct handoff_node *node = &nodes->rows[i];
        struct doc *row = doc_object();
        doc_set_int(row, "nodeID", node->node_id);
        doc_set_int(row, "segments", node->copies_count);
        doc_set_int(row, "budget_bytes", (int64_t)node->budget_bytes);
        doc_set_int(row, "ledger_bytes", (int64_t)node->ledger_bytes);
        doc_set_int(row, "anon_bytes", (int64_t)node->anon_bytes);
        doc_set_string(row, "kernels", node->kernels);
        doc_append(rows, row);
    }
    return rows;
}

static struct doc *segments_doc(const struct handoff *handoff)
{
    struct doc *rows = doc_array();

    for (size_t i = 0; i < handoff->segments_count; i++) {
        const struct segment_info *segment = &handoff->segments[i];
        struct doc *row = doc_object();
        doc_set_int(row, "segmentID", segment->segment_id);
        doc_set_int(row, "collectionID", segment->collection_id);
        doc_set_int(row, "partitionID", segment->partition_id);
        doc_set_int(row, "mem_size", (int64_t)segment->mem_size);
        doc_set_int(row, "num_rows", (int64_t)segment->num_rows);
        doc_set_int(row, "nodeID", segment->node_id);
        doc_set_string(row, "state", qn_segment_state_name(segment->state));
        doc_append(rows, row);
    }
    return rows;
}

static struct doc *timeline_doc(const struct handoff *handoff)
{
    struct doc *rows = doc_array();

    for (size_t i = 0; i < handoff->rows_count; i++) {
        const struct handoff_row *from = &handoff->rows[i];
        struct doc *row = doc_object();
        doc_set_int(row, "t_ms", (int64_t)(from->wall_ms - handoff->started_wall_ms));
        doc_set_int(row, "segmentID", from->segment_id);
        doc_set_string(row, "phase", from->phase);
        doc_set_int(row, "src", from->src);
        doc_set_int(row, "dst", from->dst);
        doc_set_int(row, "bytes", (int64_t)from->bytes);
        doc_set_int(row, "rss_before", (int64_t)from->rss_before);
        doc_set_int(row, "rss_after", (int64_t)from->rss_after);
        doc_set_int(row, "waited_ms", (int64_t)from->waited_ms);
        doc_set_string(row, "note", from->note);
        doc_append(rows, row);
    }
    return rows;
}

static struct doc *receipts_doc(const struct handoff *handoff)
{
    const struct handoff_receipts *receipts = &handoff->receipts;
    struct doc *row = doc_object();

    doc_set_int(row, "releases", (int64_t)receipts->released_count);
    doc_set_int(row, "released_bytes", (int64_t)receipts->released_bytes);
    doc_set_int(row, "rss_fallen_bytes", (int64_t)receipts->fallen_bytes);
    doc_set_int(row, "waited_max_ms", (int64_t)receipts->waited_max_ms);
    doc_set_bool(row, "given_back", handoff_given_back(handoff));
    return row;
}

static struct doc *latency_doc(const struct handoff *handoff)
{
    static const struct {
        const char *name;
        enum load_stage stage;
    } stages[] = {{"before", LOAD_BEFORE}, {"during", LOAD_DURING}, {"after", LOAD_AFTER}};
    struct doc *rows = doc_object();
    uint32_t nq = handoff->options->load.nq;

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        doc_set(rows, stages[i].name,
                bench_stats_doc(load_stats(handoff->load, stages[i].stage),
                                load_stage_s(handoff->load, stages[i].stage), nq));
    doc_set(rows, "overlap", bench_stats_doc(load_stats(handoff->load, LOAD_OVERLAP), 0, nq));
    return rows;
}

struct doc *handoff_doc(const struct handoff *handoff)
{
    const struct bench_options *options = handoff->options;
    struct load_total total = load_total(handoff->load);
    struct doc *root = doc_object(), *nodes = doc_object();

    doc_set_int(root, "collectionID", options->load.collection_id);
    doc_set_int(root, "src", options->src);
    doc_set_int(root, "dst", options->dst);
    doc_set_int(root, "clients", options->load.clients_count);
    doc_set_int(root, "nq", options->load.nq);
    doc_set_int(root, "k", options->load.k);
    doc_set_int(root, "legs", handoff->legs_count);
    doc_set_string(root, "failure", handoff->failure);
    doc_set(nodes, "before", nodes_doc(&handoff->nodes[HANDOFF_BEFORE]));
    doc_set(nodes, "out", nodes_doc(&handoff->nodes[HANDOFF_OUT]));
    doc_set(nodes, "back", nodes_doc(&handoff->nodes[HANDOFF_BACK]));
    doc_set(root, "nodes", nodes);
    doc_set(root, "segments", segments_doc(handoff));
    doc_set(root, "timeline", timeline_doc(handoff));
    doc_set(root, "receipts", receipts_doc(handoff));
    doc_set(root, "latency", latency_doc(handoff));
    doc_set(root, "total", bench_total_doc(&total));
    return root;
}
