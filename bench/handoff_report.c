/* SPDX-License-Identifier: Apache-2.0
 * The report of the canonical scenario, 80 columns, for people. */
#include "bench/handoff.h"

#include "base/text.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { PRINTED_ROWS_MAX = 60 };

static int compare_rows(const void *a, const void *b)
{
    const struct handoff_row *left = a, *right = b;

    if (left->wall_ms != right->wall_ms)
        return left->wall_ms < right->wall_ms ? -1 : 1;
    return (left->segment_id > right->segment_id) - (left->segment_id < right->segment_id);
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024 * 1024);
}

/* The report counts in KiB and up: "0.0 KiB". */
static const char *kib_text(uint64_t bytes, char ret_text[TEXT_BYTES])
{
    if (bytes >= 1024)
        return text_bytes(bytes, ret_text);
    (void)snprintf(ret_text, TEXT_BYTES, "%.1f KiB", (double)bytes / 1024);
    return ret_text;
}

static void print_head(const struct handoff *handoff)
{
    const struct bench_options *options = handoff->options;
    const struct handoff_nodes *nodes = &handoff->nodes[HANDOFF_BEFORE];

    printf("Hand-off under load: collection %" PRId64 ", %zu of the %zu segments of node %" PRId64
           " go to\nnode %" PRId64 " and back, %u times",
           options->load.collection_id, handoff->moving_count, handoff->src_count, options->src,
           options->dst, handoff->legs_count / 2);
    printf("; %u clients search without pause (nq %u, k %u, %s)\n", options->load.clients_count,
           options->load.nq, options->load.k, nodes->count > 0 ? nodes->rows[0].kernels : "?");
}

static const struct handoff_node *node_at(const struct handoff *handoff, enum handoff_moment moment,
                                          int64_t node_id)
{
    const struct handoff_nodes *nodes = &handoff->nodes[moment];

    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->rows[i].node_id == node_id)
            return &nodes->rows[i];
    return NULL;
}

static void print_nodes(const struct handoff *handoff)
{
    const struct handoff_nodes *before = &handoff->nodes[HANDOFF_BEFORE];

    printf("\nNodes and memory (MiB; ledger: bytes of the segments held, RSS: RssAnon)\n\n"
           "               ----- before -----   --- moved out ----   --- moved back ---\n"
           "  node budget  segs ledger    RSS   segs ledger    RSS   segs ledger    RSS\n");
    for (size_t i = 0; i < before->count; i++) {
        printf("%6" PRId64 " %6.0f", before->rows[i].node_id, mib(before->rows[i].budget_bytes));
        for (int moment = 0; moment < HANDOFF_MOMENTS_COUNT; moment++) {
            const struct handoff_node *node =
                node_at(handoff, (enum handoff_moment)moment, before->rows[i].node_id);
            const char *gap = moment == 0 ? "  " : "   ";
            if (node == NULL)
                printf("%s%4s %6s %6s", gap, "-", "-", "-");
            else
                printf("%s%4u %6.1f %6.1f", gap, node->copies_count, mib(node->ledger_bytes),
                       mib(node->anon_bytes));
        }
        printf("\n");
    }
}

static uint64_t handoffs_of(const struct handoff *handoff, int64_t segment_id)
{
    uint64_t count = 0;

    for (size_t i = 0; i < handoff->moving_count; i++)
        count += handoff->moving[i] == segment_id ? handoff->legs_count : 0;
    return count;
}

static void print_segments(const struct handoff *handoff)
{
    char text[TEXT_BYTES];

    printf("\nSegments\n\n"
           "  segmentID collectionID partitionID  mem_size num_rows nodeID state  hand-offs\n");
    for (size_t i = 0; i < handoff->segments_count; i++) {
        const struct segment_info *segment = &handoff->segments[i];
        printf("%11" PRId64 " %12" PRId64 " %11" PRId64, segment->segment_id,
               segment->collection_id, segment->partition_id);
        printf(" %9s %8" PRIu64, kib_text(segment->mem_size, text), segment->num_rows);
        printf(" %6" PRId64 " %-7s %8" PRIu64 "\n", segment->node_id,
               qn_segment_state_name(segment->state), handoffs_of(handoff, segment->segment_id));
    }
}

/* The last column: what a receipt says of memory, or a remark. */
static void print_rest(const struct handoff_row *row)
{
    char text[TEXT_BYTES];

    if (row->bytes != 0)
        printf(" %10s", kib_text(row->bytes, text));
    else if (row->note[0] != '\0')
        printf(" %10s", "");
    if (row->rss_before != 0)
        printf("  %6.1f -> %.1f MiB %5" PRIu64 " ms", mib(row->rss_before), mib(row->rss_after),
               row->waited_ms);
    else if (row->note[0] != '\0')
        printf("  %.60s", row->note);
    printf("\n");
}

static void print_row(const struct handoff *handoff, const struct handoff_row *row)
{
    double t = ((double)row->wall_ms - (double)handoff->started_wall_ms) / 1000;

    printf("%8.3f %8" PRId64 "  %-11s %4" PRId64 " -> %" PRId64, t, row->segment_id, row->phase,
           row->src, row->dst);
    print_rest(row);
}

/* The first round trip; the others look the same, and JSON has them all. */
static void print_timeline(struct handoff *handoff)
{
    size_t shown = 0;

    qsort(handoff->rows, handoff->rows_count, sizeof *handoff->rows, compare_rows);
    printf("\nHand-offs and their receipts\n\n"
           "     t/s  segment  phase       from -> to    bytes  RSS before -> after   waited\n");
    while (shown < handoff->rows_count && shown < PRINTED_ROWS_MAX &&
           (handoff->first_trip_wall_ms == 0 ||
            handoff->rows[shown].wall_ms <= handoff->first_trip_wall_ms))
        print_row(handoff, &handoff->rows[shown++]);
    if (shown < handoff->rows_count)
        printf("     ... %zu more lines of later hand-offs: --json FILE has them\n",
               handoff->rows_count - shown);
}

static void print_latency(const char *name, const struct load_stats *stats, double seconds)
{
    uint64_t searches = load_searches(stats);
    char text[TEXT_BYTES];

    printf("  %-17s %10s", name, text_count(searches, text));
    printf(" %9s", seconds > 0 ? text_count((uint64_t)((double)searches / seconds), text) : "");
    printf(" %11s", text_us(histogram_quantile(&stats->took_us, 0.50), text));
    printf(" %11s", text_us(histogram_quantile(&stats->took_us, 0.99), text));
    printf(" %11s\n", text_us(atomic_load(&stats->max_us), text));
}

static void print_latencies(const struct handoff *handoff)
{
    const struct load *load = handoff->load;
    const struct load_stats *before = load_stats(load, LOAD_BEFORE);
    uint64_t p99_before = histogram_quantile(&before->took_us, 0.99);
    uint64_t p99_overlap = histogram_quantile(&load_stats(load, LOAD_OVERLAP)->took_us, 0.99);

    printf("\nLatency of a search\n\n"
           "  %-17s %10s %9s %11s %11s %11s\n",
           "", "searches", "per s", "p50", "p99", "max");
    print_latency("before", before, load_stage_s(load, LOAD_BEFORE));
    print_latency("during", load_stats(load, LOAD_DURING), load_stage_s(load, LOAD_DURING));
    print_latency("  in an overlap", load_stats(load, LOAD_OVERLAP), 0);
    print_latency("after", load_stats(load, LOAD_AFTER), load_stage_s(load, LOAD_AFTER));
    if (p99_before > 0)
        printf("  p99 in an overlap is %.2f x the p99 before\n",
               (double)p99_overlap / (double)p99_before);
}

bool handoff_given_back(const struct handoff *handoff)
{
    const struct handoff_receipts *receipts = &handoff->receipts;

    return receipts->released_count == handoff->moving_count * handoff->legs_count &&
           (double)receipts->fallen_bytes >= 0.99 * (double)receipts->released_bytes;
}

static void print_given_back(const struct handoff *handoff)
{
    const struct handoff_receipts *receipts = &handoff->receipts;
    char fallen[TEXT_BYTES], released[TEXT_BYTES];

    printf("\nMemory given back: RSS fell by %s for %s released (%.1f %%),\n"
           "%" PRIu64 " receipts for %zu releases, the longest wait %" PRIu64 " ms\n",
           kib_text(receipts->fallen_bytes, fallen), kib_text(receipts->released_bytes, released),
           receipts->released_bytes == 0
               ? 0
               : 100.0 * (double)receipts->fallen_bytes / (double)receipts->released_bytes,
           receipts->released_count, handoff->moving_count * handoff->legs_count,
           receipts->waited_max_ms);
    if (qn_feed_dropped(handoff->feed) > 0)
        printf("(%" PRIu64 " receipts were lost: the feed was full)\n",
               qn_feed_dropped(handoff->feed));
}

void handoff_print(struct handoff *handoff)
{
    print_head(handoff);
    print_nodes(handoff);
    print_segments(handoff);
    print_timeline(handoff);
    print_latencies(handoff);
    print_given_back(handoff);
    printf("\n");
    (void)fflush(stdout);
}
