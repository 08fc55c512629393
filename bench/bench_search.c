/* SPDX-License-Identifier: Apache-2.0
 * qnode-bench search: a closed loop through the bus for a while. */
#include "bench/bench.h"

#include "base/text.h"
#include <stdatomic.h>
#include <stdio.h>

enum { WARM_UP_MS = 500 };

static void print_text(const struct load *load, const struct load_options *options)
{
    const struct load_stats *stats = load_stats(load, LOAD_BEFORE);
    double seconds = load_stage_s(load, LOAD_BEFORE);
    double qps = (double)load_searches(stats) * options->nq / seconds;
    char a[TEXT_BYTES], b[TEXT_BYTES], c[TEXT_BYTES], d[TEXT_BYTES];

    printf("%u clients on %u connections, nq %u, k %u, %.1f s (after %.1f s of warm-up)\n",
           options->clients_count, options->handles_count, options->nq, options->k, seconds,
           WARM_UP_MS / 1000.0);
    printf("p50 %s  p90 %s  p99 %s  max %s\n",
           text_us(histogram_quantile(&stats->took_us, 0.50), a),
           text_us(histogram_quantile(&stats->took_us, 0.90), b),
           text_us(histogram_quantile(&stats->took_us, 0.99), c),
           text_us(atomic_load(&stats->max_us), d));
    printf("%s queries/s\n", text_count((uint64_t)qps, a));
}

static void print_json(const struct load *load, const struct load_options *options)
{
    struct doc *root = bench_stats_doc(load_stats(load, LOAD_BEFORE),
                                       load_stage_s(load, LOAD_BEFORE), options->nq);
    struct load_total total = load_total(load);

    doc_set_int(root, "clients", options->clients_count);
    doc_set_int(root, "connections", options->handles_count);
    doc_set_int(root, "nq", options->nq);
    doc_set_int(root, "k", options->k);
    doc_set(root, "with_warm_up", bench_total_doc(&total));
    doc_print(root);
    doc_free(root);
}

int bench_search(const struct bench_options *options)
{
    struct load *load = NULL;
    struct qn_error error = {0};

    if (load_start(&options->load, &load, &error) != QN_STATUS_OK) {
        (void)fprintf(stderr, "qnode-bench: %s\n", error.text);
        return qn_status_exit_code(error.status);
    }
    bench_catch_signals();
    bench_wait_ms(WARM_UP_MS);
    load_enter(load, LOAD_BEFORE);
    bench_wait_ms((uint64_t)options->seconds * 1000);
    load_stop(load);

    struct load_total total = load_total(load);
    if (options->json_path != NULL) {
        print_json(load, &options->load);
    } else {
        print_text(load, &options->load);
        bench_print_last_line(&total);
    }
    int code = bench_verdict(load);
    (void)load_free(load);
    return code;
}
