/* SPDX-License-Identifier: Apache-2.0
 * Loads segment files as the agent does and searches them on this thread, for measuring. */
#include "segstore/qseg.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "segstore/kernels/kernels.h"
#include "segstore/qseg_load.h"
#include "segstore/search.h"
#include "segstore/vectors.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct searching {
    const char *query_path, *truth_path;
    uint64_t k, batch, loaders, passes;
    bool json, no_hits;

    struct qseg_segments segments;
    float *queries;
    uint64_t queries_count;
    uint32_t dim;
    struct topk *topks;
    unsigned char *storage;
    void *tiles;   /* of a batch of queries */
    void *scratch; /* of one search */
    uint64_t nprobe, ef, refine;
    double wanted_recall;
    double search_seconds, cpu_seconds; /* of the best pass; cpu: of this thread */
    double recall;                      /* < 0: no truth was given */
};

static double seconds_since(uint64_t start_us)
{
    struct clock clock = clock_monotonic();

    return (double)(clock_now_us(&clock) - start_us) / 1e6;
}

static enum qn_status open_queries(struct searching *searching, struct qn_error *error)
{
    struct qn_error reason = {0};
    enum qn_status status = vectors_read_all(searching->query_path, &searching->queries,
                                             &searching->queries_count, &searching->dim, error);

    if (status != QN_STATUS_OK)
        return status;
    if (searching->queries_count > UINT32_MAX)
        return error_set(error, QN_STATUS_INVALID, "%s: too many queries", searching->query_path);
    if (searching->dim != searching->segments.dim)
        return error_set(error, QN_STATUS_INVALID,
                         "%s: dim %" PRIu32 ", the segments have %" PRIu32, searching->query_path,
                         searching->dim, searching->segments.dim);
    if (search_prepare_queries(searching->segments.metric, searching->dim,
                               (uint32_t)searching->queries_count, searching->queries,
                               &reason) != QN_STATUS_OK)
        return error_set(error, QN_STATUS_CORRUPT, "%s: %s", searching->query_path, reason.text);
    return QN_STATUS_OK;
}

static void reset_topks(struct searching *searching)
{
    size_t topk_size = topk_bytes((uint32_t)searching->k);

    for (uint64_t i = 0; i < searching->queries_count; i++)
        topk_init(&searching->topks[i], searching->segments.metric, (uint32_t)searching->k,
                  searching->storage + i * topk_size);
}

static struct search_options options_of(const struct searching *searching)
{
    return (struct search_options){.k = (uint32_t)searching->k,
                                   .recall = (float)searching->wanted_recall,
                                   .nprobe = (uint32_t)searching->nprobe,
                                   .ef = (uint32_t)searching->ef,
                                   .refine = (uint32_t)searching->refine,
                                   .scratch = searching->scratch};
}

static void *take_scratch(const struct searching *searching)
{
    const struct search_options options = options_of(searching);
    const uint32_t nq =
        (uint32_t)(searching->queries_count < searching->batch ? searching->queries_count
                                                               : searching->batch);
    size_t bytes = 64;

    for (size_t i = 0; i < searching->segments.count; i++) {
        size_t needed = search_scratch_bytes(searching->segments.items[i], &options, nq);
        bytes = needed > bytes ? needed : bytes;
    }
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void search_all(struct searching *searching)
{
    struct search_options options = options_of(searching);
    struct search_queries queries;

    for (uint64_t first = 0; first < searching->queries_count; first += searching->batch) {
        uint64_t rest = searching->queries_count - first;
        uint32_t nq = (uint32_t)(rest < searching->batch ? rest : searching->batch);
        search_queries_init(&queries, searching->dim, nq,
                            searching->queries + first * searching->dim, searching->tiles);
        for (size_t i = 0; i < searching->segments.count; i++)
            CHECK(search_segment(searching->segments.items[i], &queries, &options,
                                 searching->topks + first) == QN_STATUS_OK);
        for (uint32_t i = 0; i < nq; i++)
            topk_sort(&searching->topks[first + i]);
    }
}

/* The best of the passes is told: others only share the machine. */
static enum qn_status measure(struct searching *searching, struct qn_error *error)
{
    struct clock clock = clock_monotonic();
    uint64_t together =
        searching->queries_count < searching->batch ? searching->queries_count : searching->batch;

    searching->tiles = malloc(search_queries_bytes(searching->dim, (uint32_t)together) + 1);
    searching->scratch = take_scratch(searching);
    searching->topks = calloc(searching->queries_count + 1, sizeof *searching->topks);
    searching->storage = malloc(searching->queries_count * topk_bytes((uint32_t)searching->k) + 1);
    if (searching->tiles == NULL || searching->scratch == NULL || searching->topks == NULL ||
        searching->storage == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    searching->search_seconds = searching->cpu_seconds = INFINITY;
    for (uint64_t pass = 0; pass < searching->passes; pass++) {
        reset_topks(searching);
        uint64_t start_us = clock_now_us(&clock), start_cpu_us = clock_thread_cpu_us();
        search_all(searching);
        searching->cpu_seconds =
            fmin(searching->cpu_seconds, (double)(clock_thread_cpu_us() - start_cpu_us) / 1e6);
        searching->search_seconds = fmin(searching->search_seconds, seconds_since(start_us));
    }
    return QN_STATUS_OK;
}

/* Share of the true k neighbours that were found; needs primary keys that are row numbers. */
static enum qn_status compare_truth(struct searching *searching, struct qn_error *error)
{
    struct qseg_truth_file truth;
    uint64_t found = 0, wanted = 0;

    searching->recall = -1;
    if (searching->truth_path == NULL)
        return QN_STATUS_OK;
    enum qn_status status = qseg_truth_read(searching->truth_path, &truth, error);
    if (status != QN_STATUS_OK)
        return status;
    if (truth.queries_count != searching->queries_count || truth.k < searching->k)
        status = error_set(error, QN_STATUS_INVALID,
                           "%s: %" PRIu32 " queries, k %" PRIu32 "; more are wanted",
                           searching->truth_path, truth.queries_count, truth.k);
    for (uint64_t i = 0; status == QN_STATUS_OK && i < searching->queries_count; i++) {
        uint32_t count = qseg_truth_count(&truth, i, (uint32_t)searching->k);
        found += qseg_truth_found(&truth, i, count, &searching->topks[i]);
        wanted += count;
    }
    free(truth.ids);
    searching->recall = wanted > 0 ? (double)found / (double)wanted : 1;
    return status;
}

static void set_distance(struct doc *hit, float distance)
{
    if (isfinite(distance))
        doc_set_number(hit, "distance", (double)distance);
    else
        doc_set_string(hit, "distance", distance > 0 ? "inf" : "-inf"); /* JSON has no word */
}

static struct doc *results_doc(const struct searching *searching)
{
    struct doc *results = doc_array();

    for (uint64_t i = 0; i < searching->queries_count; i++) {
        struct doc *result = doc_object(), *hits = doc_array();
        for (uint32_t j = 0; j < searching->topks[i].count; j++) {
            struct doc *hit = doc_object();
            doc_set_int(hit, "primary_key", searching->topks[i].hits[j].primary_key);
            set_distance(hit, searching->topks[i].hits[j].distance);
            doc_append(hits, hit);
        }
        doc_set_int(result, "query", (int64_t)i);
        doc_set(result, "hits", hits);
        doc_append(results, result);
    }
    return results;
}

static void tell_json(const struct searching *searching)
{
    struct doc *told = doc_object();

    doc_set_string(told, "kernels", kernels_current()->name);
    doc_set_string(told, "metric", qn_metric_name(searching->segments.metric));
    doc_set_int(told, "dim", searching->dim);
    doc_set_int(told, "segments", (int64_t)searching->segments.count);
    doc_set_int(told, "rows", (int64_t)searching->segments.rows_count);
    doc_set_int(told, "resident_bytes", (int64_t)searching->segments.resident_bytes);
    doc_set_number(told, "load_seconds", searching->segments.load_seconds);
    doc_set_int(told, "queries", (int64_t)searching->queries_count);
    doc_set_int(told, "k", (int64_t)searching->k);
    doc_set_int(told, "batch", (int64_t)searching->batch);
    doc_set_number(told, "search_seconds", searching->search_seconds);
    doc_set_number(told, "queries_per_second",
                   (double)searching->queries_count / fmax(searching->search_seconds, 1e-9));
    doc_set_number(told, "cpu_seconds", searching->cpu_seconds);
    doc_set_number(told, "queries_per_cpu_second",
                   (double)searching->queries_count / fmax(searching->cpu_seconds, 1e-9));
    if (searching->recall >= 0)
        doc_set_number(told, "recall", searching->recall);
    if (!searching->no_hits)
        doc_set(told, "results", results_doc(searching));
    doc_print(told);
    doc_free(told);
}

static void tell_table(const struct searching *searching)
{
    for (uint64_t i = 0; !searching->no_hits && i < searching->queries_count; i++)
        for (uint32_t j = 0; j < searching->topks[i].count; j++)
            (void)printf("%" PRIu64 "\t%" PRId64 "\t%.9g\n", i,
                         searching->topks[i].hits[j].primary_key,
                         (double)searching->topks[i].hits[j].distance);
    (void)fprintf(stderr,
                  "%s kernels: loaded %" PRIu64 " bytes in %.3f s, %" PRIu64
                  " queries in %.3f s = %.1f per second, %.1f per CPU second\n",
                  kernels_current()->name, searching->segments.resident_bytes,
                  searching->segments.load_seconds, searching->queries_count,
                  searching->search_seconds,
                  (double)searching->queries_count / fmax(searching->search_seconds, 1e-9),
                  (double)searching->queries_count / fmax(searching->cpu_seconds, 1e-9));
    if (searching->recall >= 0)
        (void)fprintf(stderr, "recall %.4f\n", searching->recall);
}

static int run_search(struct searching *searching, const struct qseg_arguments *arguments)
{
    struct qn_error error = {0};
    enum qn_status status =
        qseg_segments_load(arguments->files, arguments->files_count, (unsigned)searching->loaders,
                           &searching->segments, &error);

    if (status != QN_STATUS_OK)
        return qseg_fail(&error);
    status = open_queries(searching, &error);
    if (status == QN_STATUS_OK)
        status = measure(searching, &error);
    if (status == QN_STATUS_OK)
        status = compare_truth(searching, &error);
    if (status == QN_STATUS_OK && searching->json)
        tell_json(searching);
    else if (status == QN_STATUS_OK)
        tell_table(searching);
    free(searching->queries);
    free(searching->tiles);
    free(searching->scratch);
    free(searching->topks);
    free(searching->storage);
    qseg_segments_free(&searching->segments);
    return status == QN_STATUS_OK ? 0 : qseg_fail(&error);
}

int qseg_search(int argc, char **argv)
{
    struct searching searching = {.k = 10, .batch = 1, .loaders = 2, .passes = 1};
    const struct qseg_option options[] = {
        {"--query", QSEG_TEXT, &searching.query_path, "vectors of the segments' dim"},
        {"--k", QSEG_COUNT, &searching.k, "neighbours per query (default 10)"},
        {"--batch", QSEG_COUNT, &searching.batch, "queries searched together (default 1)"},
        {"--recall", QSEG_SHARE, &searching.wanted_recall,
         "with an index: reach it, as calibrated (default: exact)"},
        {"--nprobe", QSEG_COUNT, &searching.nprobe, "ivf, instead: lists to look at"},
        {"--ef", QSEG_COUNT, &searching.ef, "graph, instead: rows that its walk keeps"},
        {"--refine", QSEG_COUNT, &searching.refine,
         "with one of these: candidates to compute exactly"},
        {"--passes", QSEG_COUNT, &searching.passes, "repeat, tell the fastest (default 1)"},
        {"--loaders", QSEG_COUNT, &searching.loaders, "threads that load (default 2)"},
        {"--truth", QSEG_TEXT, &searching.truth_path, ".ibin of qseg truth: tell the recall"},
        {"--no-hits", QSEG_FLAG, &searching.no_hits, "tell the figures only"},
        {"--json", QSEG_FLAG, &searching.json, "as JSON (also: -o json)"},
    };
    struct qseg_arguments arguments = {
        .synopsis = "FILE|FOLDER... --query F [OPTION]...",
        .examples = "  qseg search seven.qseg --query query.fbin --k 10 --json\n"
                    "  qseg search glove --query query.fbin --k 100 --batch 64 --no-hits \\\n"
                    "    --truth truth.ibin\n",
        .options = options,
        .options_count = COUNT_OF(options),
    };
    int exit_code = 0;

    if (!qseg_parse(argc, argv, &arguments, &exit_code))
        return exit_code;
    if (arguments.files_count == 0 || searching.query_path == NULL)
        return qseg_usage("search", "segment files and --query are needed");
    if (searching.k < 1 || searching.k > LIMIT_K_MAX)
        return qseg_usage("search", "--k: 1 to %d", LIMIT_K_MAX);
    if (searching.refine > 0 && searching.nprobe == 0 && searching.ef == 0)
        return qseg_usage("search", "--refine goes with --nprobe or --ef");
    if (searching.batch < 1 || searching.batch > UINT32_MAX || searching.passes < 1)
        return qseg_usage("search", "--batch and --passes: at least 1");
    if (searching.loaders < 1 || searching.loaders > 64)
        return qseg_usage("search", "--loaders: 1 to 64");
    return run_search(&searching, &arguments);
}
