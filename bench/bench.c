/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench: the load generator. */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

static const char usage_text[] =
    "usage: qnode-bench search  --collection ID --query F.fbin [options] [--json]\n"
    "       qnode-bench handoff --collection ID --query F.fbin --src A --dst B\n"
    "                           [options] [--json FILE]\n"
    "\n"
    "search   N clients in a closed loop: each sends its next search when the last one\n"
    "         is answered. Prints p50, p90, p99, max, queries per second, verdicts.\n"
    "handoff  the canonical scenario: while clients search without pause, half of the\n"
    "         segments of node A move to node B and back, until enough searches fell\n"
    "         into an overlap (both copies serving). Prints nodes and memory, segments,\n"
    "         the timeline with receipts, latencies before, during and after, and the\n"
    "         memory given back.\n"
    "\n"
    "options:\n"
    "  --bus URL         nats://host:port (default: $QNODE_BUS); with a login as in\n"
    "                    'nats://client@host:4222?creds=FILE'\n"
    "  --cluster NAME    default: $QNODE_CLUSTER, else \"default\"\n"
    "  --query F.fbin    queries are drawn from here at random (seeded)\n"
    "  --clients N       threads (default: search 1, handoff 2)\n"
    "  --connections N   client handles that the threads share (default 1)\n"
    "  --nq N --k K      queries per search (1), neighbours per query (10)\n"
    "  --deadline-ms N   of each search (default 5000)\n"
    "  --seconds S       search: how long (10); handoff: before and after (3)\n"
    "  --min-overlap N   handoff: searches that must fall into an overlap (2000)\n"
    "  --max-seconds S   handoff: give up after this (120)\n"
    "\n"
    "The last line is: searches N complete N partial N failed N retried N\n"
    "(retried: searches that had to ask again). Exit 1 if partial or failed is not 0.\n"
    "\n"
    "examples:\n"
    "  qnode-bench search --collection 1 --query words.fbin --clients 4 --seconds 10\n"
    "  qnode-bench handoff --collection 1 --query words.fbin --src 1 --dst 3\n";

static int run(const char *verb, struct bench_options *options)
{
    struct fbin queries;
    struct qn_error error = {0};

    if (fbin_read(options->query_path, 0, &queries, &error) != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        return qn_status_exit_code(error.status);
    }
    int code = 2;
    options->load.queries = &queries;
    if (queries.rows_count < options->load.nq)
        (void)fprintf(stderr, "qnode-bench: %s has only %u rows, --nq is %u\n", options->query_path,
                      queries.rows_count, options->load.nq);
    else if (strcmp(verb, "search") == 0)
        code = bench_search(options);
    else
        code = bench_handoff(options);
    fbin_done(&queries);
    return code;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return argc > 1 && strcmp(argv[1], "help") == 0;
}

int main(int argc, char **argv)
{
    struct bench_options options;

    if (asks_help(argc, argv)) {
        (void)fputs(usage_text, stdout);
        return 0;
    }
    if (argc < 2 || (strcmp(argv[1], "search") != 0 && strcmp(argv[1], "handoff") != 0)) {
        (void)fprintf(stderr, "qnode-bench: the verb must be search or handoff\n\n%s", usage_text);
        return 2;
    }
    if (!bench_parse(argc - 1, argv + 1, &options)) {
        (void)fprintf(stderr, "next: qnode-bench --help\n");
        return 2;
    }
    return run(argv[1], &options);
}
