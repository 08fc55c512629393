/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench: the load generator. */
#include "bench/bench.h"

#include "base/check.h"
#include "base/standard_files.h"
#include <stdio.h>
#include <string.h>

static const char usage_text[] =
    "usage: qnode-bench search  --collection ID --query F.fbin [options] [--json]\n"
    "       qnode-bench handoff --collection ID --query F.fbin --src A --dst B\n"
    "                           [options] [--json FILE]\n"
    "       qnode-bench probe   --collection ID --query F.fbin --base F.fbin\n"
    "                           [options]\n"
    "       qnode-bench roundtrip --collection ID --query F.fbin [options] [--json]\n"
    "       qnode-bench echo    --bus URL\n"
    "       qnode-bench kernels [--each] [--rounds N] [--json]\n"
    "\n"
    "search   N clients in a closed loop: each sends its next search when the last\n"
    "         one is answered. Prints p50, p90, p99, max, queries per second,\n"
    "         verdicts.\n"
    "handoff  the canonical scenario: while clients search without pause, half of the\n"
    "         segments of node A move to node B and back, until enough searches fell\n"
    "         into an overlap (both copies serving). Prints nodes and memory,\n"
    "         segments, the timeline with receipts, latencies before, during and\n"
    "         after, and the memory given back.\n"
    "probe    clients that search until Ctrl-C and compare each complete answer (l2)\n"
    "         with brute force over --base, bit by bit. A line per search: begin (us,\n"
    "         monotonic), duration (us), COMPLETE, PARTIAL, UNKNOWN, FAILED or WRONG,\n"
    "         status, retried.\n"
    "roundtrip  one request at a time, three things in turn: the bare bus library\n"
    "         against qnode-bench echo, a search of one row, and one wake-up of a\n"
    "         thread (bench/roundtrip starts all it needs).\n"
    "kernels  no bus: the flat scan on one thread, as a share of what the machine can\n"
    "         read and multiply; QNODE_KERNELS=avx2 forces an instruction set. With\n"
    "         --each every kernel by itself, by each instruction set of the machine,\n"
    "         beside the limit that is nearest to it (segstore/kernels/README.md).\n"
    "\n"
    "options:\n"
    "  --bus URL         nats://host:port (default: $QNODE_BUS); with a login as in\n"
    "                    'nats://client@host:4222?creds=FILE' or\n"
    "                    'kafka://host:9092?config=FILE', librdkafka's name=value\n"
    "  --cluster NAME    default: $QNODE_CLUSTER, else \"default\"\n"
    "  --query F.fbin    queries are drawn from here at random (seeded)\n"
    "  --clients N       threads (default: search 1, handoff 2)\n"
    "  --connections N   client handles that the threads share (default 1)\n"
    "  --nq N --k K      queries per search (1), neighbours per query (10)\n"
    "  --deadline-ms N   of each search (default 5000)\n"
    "  --recall R        with an index: the recall to reach (default 0.95; 1: exact)\n"
    "  --nprobe N        instead of --recall, of an ivf: lists to look at\n"
    "  --ef N            instead of --recall, of a graph: rows that its walk keeps\n"
    "  --refine N        with either: candidates that are computed exactly\n"
    "  --seconds S       search: how long (10); handoff: before and after (3)\n"
    "  --min-overlap N   handoff: searches that must fall into an overlap (2000)\n"
    "  --max-seconds S   handoff: give up after this (120)\n"
    "  --pause-ms N      probe: of a client between two searches (10)\n"
    "  --rounds N        roundtrip (50), kernels (7, at most 64)\n"
    "  --each            kernels: each kernel, not the flat scan\n"
    "\n"
    "The last line is: searches N complete N partial N failed N retried N\n"
    "(retried: searches that had to ask again). Exit 1 if partial or failed is not 0.\n"
    "\n"
    "examples:\n"
    "  qnode-bench search --collection 1 --query words.fbin --clients 4 --seconds 10\n"
    "  qnode-bench handoff --collection 1 --query words.fbin --src 1 --dst 3\n"
    "  qnode-bench kernels --each --rounds 15\n";

static const struct {
    const char *name;
    int (*run)(const struct bench_options *options);
    bool needs_queries;
} verbs[] = {
    {"search", bench_search, true},       {"handoff", bench_handoff, true},
    {"probe", bench_probe, true},         {"echo", bench_echo, false},
    {"roundtrip", bench_roundtrip, true}, {"kernels", bench_kernels, false},
};

static int run(size_t verb, struct bench_options *options)
{
    struct fbin queries;
    struct qn_error error = {0};

    if (!verbs[verb].needs_queries)
        return verbs[verb].run(options);
    if (fbin_read(options->query_path, 0, &queries, &error) != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        return qn_status_exit_code(error.status);
    }
    int code = 2;
    options->load.queries = &queries;
    if (queries.rows_count < options->load.nq)
        (void)fprintf(stderr, "qnode-bench: %s has only %u rows, --nq is %u\n", options->query_path,
                      queries.rows_count, options->load.nq);
    else
        code = verbs[verb].run(options);
    fbin_done(&queries);
    return code;
}

static size_t verb_find(const char *name)
{
    size_t verb = 0;

    while (verb < COUNT_OF(verbs) && strcmp(verbs[verb].name, name) != 0)
        verb++;
    return verb;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return argc > 1 && strcmp(argv[1], "help") == 0;
}

static int main_run(int argc, char **argv)
{
    struct bench_options options;

    if (asks_help(argc, argv)) {
        (void)fputs(usage_text, stdout);
        return 0;
    }
    size_t verb = argc < 2 ? COUNT_OF(verbs) : verb_find(argv[1]);
    if (verb == COUNT_OF(verbs)) {
        (void)fprintf(stderr, "qnode-bench: the first argument is a verb\n\n%s", usage_text);
        return 2;
    }
    if (!bench_parse(argc - 1, argv + 1, &options)) {
        (void)fprintf(stderr, "next: qnode-bench --help\n");
        return 2;
    }
    return run(verb, &options);
}

int main(int argc, char **argv)
{
    standard_files_open();
    return standard_files_end("qnode-bench", main_run(argc, argv));
}
