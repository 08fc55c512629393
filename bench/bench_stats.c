/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t counted(const _Atomic uint64_t *counter)
{
    return (int64_t)atomic_load(counter);
}

struct doc *bench_stats_doc(const struct load_stats *stats, double seconds, uint32_t nq)
{
    struct doc *row = doc_object();
    double searches = (double)load_searches(stats);

    doc_set_number(row, "seconds", seconds);
    doc_set_int(row, "searches", (int64_t)load_searches(stats));
    doc_set_int(row, "complete", counted(&stats->complete));
    doc_set_int(row, "partial", counted(&stats->partial));
    doc_set_int(row, "unknown", counted(&stats->unknown));
    doc_set_int(row, "failed", counted(&stats->failed));
    doc_set_int(row, "retried", counted(&stats->retried));
    doc_set_int(row, "requests", counted(&stats->requests));
    doc_set_int(row, "retried_requests", counted(&stats->retried_requests));
    doc_set_int(row, "p50_us", (int64_t)histogram_quantile(&stats->took_us, 0.50));
    doc_set_int(row, "p90_us", (int64_t)histogram_quantile(&stats->took_us, 0.90));
    doc_set_int(row, "p99_us", (int64_t)histogram_quantile(&stats->took_us, 0.99));
    doc_set_int(row, "max_us", counted(&stats->max_us));
    doc_set_number(row, "qps", seconds > 0 ? searches * nq / seconds : 0);
    return row;
}

void bench_print_last_line(const struct load_total *total)
{
    printf("searches %" PRIu64 " complete %" PRIu64 " partial %" PRIu64 " failed %" PRIu64
           " retried %" PRIu64 "\n",
           total->searches, total->complete, total->partial, total->failed + total->unknown,
           total->retried);
}

struct doc *bench_total_doc(const struct load_total *total)
{
    struct doc *row = doc_object();

    doc_set_int(row, "searches", (int64_t)total->searches);
    doc_set_int(row, "complete", (int64_t)total->complete);
    doc_set_int(row, "partial", (int64_t)total->partial);
    doc_set_int(row, "unknown", (int64_t)total->unknown);
    doc_set_int(row, "failed", (int64_t)total->failed);
    doc_set_int(row, "retried", (int64_t)total->retried);
    return row;
}

int bench_verdict(const struct load *load)
{
    struct load_total total = load_total(load);

    if (total.complete == total.searches)
        return 0;
    (void)fprintf(stderr, "qnode-bench: the first search that was not complete: %s\n",
                  load_first_trouble(load));
    return 1;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double bench_median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}
