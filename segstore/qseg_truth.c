/* SPDX-License-Identifier: Apache-2.0
 * Exact neighbours by brute force. The base is streamed: each batch of rows becomes a segment in
 * memory for a moment, and the flat search merges it into the queries' top-k. */
#include "segstore/qseg.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/bytes.h"
#include "segstore/rows.h"
#include "segstore/search.h"
#include "segstore/vectors.h"
#include "segstore/writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_BYTES = 8 << 20 };

struct truth {
    const char *base_path, *query_path, *metric_name, *out;
    enum qn_metric metric;
    uint64_t k;

    struct vectors base;
    float *queries;
    uint64_t queries_count;
    void *tiles; /* of all queries */
    uint32_t dim;
    struct topk *topks;
    unsigned char *storage;
    /* one batch */
    uint64_t batch_rows;
    float *rows, *blocks;
    int64_t *keys;
};

static enum qn_status load_batch(struct truth *truth, uint64_t first, uint64_t count,
                                 struct qn_error *error)
{
    const size_t dim = truth->dim;
    enum qn_status status = vectors_read(&truth->base, first, count, truth->rows, error);

    for (uint64_t i = 0; status == QN_STATUS_OK && i < count; i++) {
        struct qn_error reason = {0};
        float *row = truth->rows + i * dim;
        if (rows_prepare(truth->metric, truth->dim, row, &reason) != QN_STATUS_OK)
            return error_set(error, QN_STATUS_CORRUPT, "%s: row %" PRIu64 ": %s", truth->base_path,
                             first + i, reason.text);
        rows_to_block(row, truth->dim, i % LIMIT_BLOCK_ROWS,
                      truth->blocks + i / LIMIT_BLOCK_ROWS * dim * LIMIT_BLOCK_ROWS);
        truth->keys[i] = (int64_t)(first + i);
    }
    return status;
}

static enum qn_status scan_base(struct truth *truth, struct qn_error *error)
{
    struct qseg_progress progress = qseg_progress_start("truth", truth->base.rows_count);
    struct search_options options = {.k = (uint32_t)truth->k};
    struct search_queries queries;
    struct segment segment = {
        .facts = {.dim = truth->dim, .metric = truth->metric},
        .primary_keys = truth->keys,
        .blocks = truth->blocks,
    };

    search_queries_init(&queries, truth->dim, (uint32_t)truth->queries_count, truth->queries,
                        truth->tiles);
    for (uint64_t first = 0; first < truth->base.rows_count; first += truth->batch_rows) {
        uint64_t rest = truth->base.rows_count - first;
        segment.facts.rows_count = rest < truth->batch_rows ? rest : truth->batch_rows;
        enum qn_status status = load_batch(truth, first, segment.facts.rows_count, error);
        if (status != QN_STATUS_OK)
            return status;
        CHECK(search_segment(&segment, &queries, &options, truth->topks) == QN_STATUS_OK);
        qseg_progress_tell(&progress, first);
    }
    qseg_progress_tell(&progress, truth->base.rows_count);
    return QN_STATUS_OK;
}

static enum qn_status write_ibin(struct truth *truth, struct qn_error *error)
{
    size_t bytes = 8 + truth->queries_count * truth->k * 4;
    unsigned char *text = malloc(bytes);
    unsigned char *end = text + 8;
    struct writer_file *file = NULL;

    if (text == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    bytes_put_u32(text, (uint32_t)truth->queries_count);
    bytes_put_u32(text + 4, (uint32_t)truth->k);
    for (uint64_t i = 0; i < truth->queries_count; i++) {
        topk_sort(&truth->topks[i]);
        for (uint32_t j = 0; j < truth->k; j++, end += 4)
            bytes_put_u32(end, j < truth->topks[i].count
                                   ? (uint32_t)truth->topks[i].hits[j].primary_key
                                   : UINT32_MAX);
    }
    enum qn_status status = writer_file_open(truth->out, &file, error);
    if (status == QN_STATUS_OK) {
        struct writer_sink sink = writer_file_sink(file);
        status = sink.write_at(sink.self, 0, text, bytes, error);
    }
    if (status == QN_STATUS_OK)
        status = writer_file_commit(file, error);
    writer_file_free(file);
    free(text);
    return status;
}

static enum qn_status open_inputs(struct truth *truth, struct qn_error *error)
{
    struct qn_error reason = {0};
    enum qn_status status = vectors_read_all(truth->query_path, &truth->queries,
                                             &truth->queries_count, &truth->dim, error);

    if (status != QN_STATUS_OK)
        return status;
    if (truth->dim != truth->base.dim)
        return error_set(error, QN_STATUS_INVALID, "%s: dim %" PRIu32 ", the base has %" PRIu32,
                         truth->query_path, truth->dim, truth->base.dim);
    if (truth->base.rows_count > INT32_MAX || truth->queries_count > INT32_MAX)
        return error_set(error, QN_STATUS_INVALID, ".ibin holds row numbers up to 2^31 - 1");
    if (search_prepare_queries(truth->metric, truth->dim, (uint32_t)truth->queries_count,
                               truth->queries, &reason) != QN_STATUS_OK)
        return error_set(error, QN_STATUS_CORRUPT, "%s: %s", truth->query_path, reason.text);
    return QN_STATUS_OK;
}

static enum qn_status allocate(struct truth *truth, struct qn_error *error)
{
    size_t topk_size = topk_bytes((uint32_t)truth->k);
    size_t row_bytes = truth->dim * sizeof(float);

    truth->batch_rows = (BATCH_BYTES / row_bytes + LIMIT_BLOCK_ROWS) & ~UINT64_C(15);
    truth->rows = malloc(truth->batch_rows * row_bytes);
    truth->blocks = calloc(truth->batch_rows, row_bytes);
    truth->keys = calloc(truth->batch_rows, sizeof *truth->keys);
    truth->topks = calloc(truth->queries_count + 1, sizeof *truth->topks);
    truth->storage = malloc(truth->queries_count * topk_size + 1);
    truth->tiles = malloc(search_queries_bytes(truth->dim, (uint32_t)truth->queries_count) + 1);
    if (truth->rows == NULL || truth->blocks == NULL || truth->keys == NULL ||
        truth->topks == NULL || truth->storage == NULL || truth->tiles == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    for (uint64_t i = 0; i < truth->queries_count; i++)
        topk_init(&truth->topks[i], truth->metric, (uint32_t)truth->k,
                  truth->storage + i * topk_size);
    return QN_STATUS_OK;
}

static int run_truth(struct truth *truth)
{
    struct qn_error error = {0};
    enum qn_status status = vectors_open(truth->base_path, &truth->base, &error);

    if (status != QN_STATUS_OK)
        return qseg_fail(&error);
    status = open_inputs(truth, &error);
    if (status == QN_STATUS_OK)
        status = allocate(truth, &error);
    if (status == QN_STATUS_OK)
        status = scan_base(truth, &error);
    if (status == QN_STATUS_OK)
        status = write_ibin(truth, &error);
    vectors_close(&truth->base);
    free(truth->queries);
    free(truth->topks);
    free(truth->tiles);
    free(truth->storage);
    free(truth->rows);
    free(truth->blocks);
    free(truth->keys);
    return status == QN_STATUS_OK ? 0 : qseg_fail(&error);
}

int qseg_truth(int argc, char **argv)
{
    struct truth truth = {0};
    const struct qseg_option options[] = {
        {"--base", QSEG_TEXT, &truth.base_path, "vectors; a row's number is its id"},
        {"--query", QSEG_TEXT, &truth.query_path, "vectors of the same dim"},
        {"--metric", QSEG_TEXT, &truth.metric_name, "l2, ip or cosine"},
        {"--k", QSEG_COUNT, &truth.k, "neighbours per query"},
        {"--out", QSEG_TEXT, &truth.out, "the .ibin file to write"},
    };
    struct qseg_arguments arguments = {
        .synopsis = "--base F --query F --metric M --k K --out F.ibin",
        .examples = "  qseg truth --base base.fbin --query query.fbin --metric l2 --k 100 \\\n"
                    "    --out truth.ibin\n",
        .options = options,
        .options_count = COUNT_OF(options),
    };
    int exit_code = 0;

    if (!qseg_parse(argc, argv, &arguments, &exit_code))
        return exit_code;
    if (truth.base_path == NULL || truth.query_path == NULL || truth.out == NULL ||
        arguments.files_count > 0)
        return qseg_usage("truth", "--base, --query, --metric, --k and --out are needed");
    if (truth.k < 1 || truth.k > LIMIT_K_MAX)
        return qseg_usage("truth", "--k: 1 to %d", LIMIT_K_MAX);
    if (!qseg_metric("truth", truth.metric_name, &truth.metric, &exit_code))
        return exit_code;
    return run_truth(&truth);
}
