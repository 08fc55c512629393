/* SPDX-License-Identifier: Apache-2.0
 * search: queries from an .fbin file, hits and a verdict. The answer says what it covers: PARTIAL
 * lists what is missing and why. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void file_closep(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

/* How many queries of the file to take. */
static enum qn_status take_count(const struct ctl_arguments *arguments, uint32_t rows,
                                 uint32_t *ret_count, struct qn_error *error)
{
    uint32_t most = LIMIT_HITS_PER_REQUEST_MAX / arguments->k;
    uint32_t limit = arguments->limit_queries;

    if (most > LIMIT_QUERIES_PER_REQUEST_MAX)
        most = LIMIT_QUERIES_PER_REQUEST_MAX;
    uint32_t count = limit != 0 && limit < rows ? limit : rows;
    if (count > most)
        return error_set(error, QN_STATUS_INVALID,
                         "%u queries: one search takes at most %u with k %u; add --limit-queries "
                         "%u",
                         count, most, arguments->k, most);
    *ret_count = count;
    return QN_STATUS_OK;
}

/* .fbin: uint32 rows, uint32 dim, rows x dim float32, little-endian. */
static enum qn_status read_queries(const struct ctl_arguments *arguments,
                                   struct qn_search_request *request, float **ret_values,
                                   struct qn_error *error)
{
    const char *path = arguments->query;
    CLEANUP(file_closep) FILE *file = fopen(path, "rbe");
    uint32_t header[2];

    if (file == NULL)
        return error_errno(error, errno, "open %s", path);
    if (fread(header, sizeof header, 1, file) != 1 || header[0] == 0 || header[1] == 0 ||
        header[1] > LIMIT_DIM_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "%s: not an .fbin file", path);
    if (take_count(arguments, header[0], &request->nq, error) != QN_STATUS_OK)
        return error->status;

    size_t count = (size_t)request->nq * header[1];
    float *values = calloc(count, sizeof *values);
    CHECK(values != NULL);
    if (fread(values, sizeof *values, count, file) != count) {
        free(values);
        return error_set(error, QN_STATUS_CORRUPT, "%s: shorter than %u queries of dimension %u",
                         path, request->nq, header[1]);
    }
    request->dim = header[1];
    request->queries = values;
    *ret_values = values;
    return QN_STATUS_OK;
}

static void print_hits(const struct qn_search_result *result)
{
    static const struct table_column columns[] = {
        {"query", true}, {"rank", true}, {"primary key", true}, {"distance", true}};
    struct table *table = table_new(columns, COUNT_OF(columns));

    for (uint32_t q = 0; q < result->nq; q++)
        for (uint32_t i = 0; i < result->hit_counts[q]; i++) {
            const struct qn_hit *hit = &result->hits[(size_t)q * result->k + i];
            table_cell(table, "%u", q);
            table_cell(table, "%u", i + 1);
            table_cell(table, "%" PRId64, hit->primary_key);
            table_cell(table, "%.6f", (double)hit->distance);
        }
    if (table_rows_count(table) > 0)
        table_print(table, stdout);
    (void)table_free(table);
}

static void print_missing(const struct qn_search_result *result)
{
    static const struct table_column columns[] = {
        {"missing segment", true}, {"node asked last", true}, {"reason", false}};
    struct table *table = table_new(columns, COUNT_OF(columns));

    for (size_t i = 0; i < result->missing_count; i++) {
        const struct qn_missing_segment *missing = &result->missing[i];
        table_cell(table, "%" PRId64, missing->segment_id);
        if (missing->node_id == 0)
            table_cell(table, "%s", "");
        else
            table_cell(table, "%" PRId64, missing->node_id);
        table_cell(table, "%s", qn_status_text(missing->reason));
    }
    table_print(table, stdout);
    (void)table_free(table);
}

static void print_verdict(const struct qn_search_result *result)
{
    if (result->verdict == QN_VERDICT_UNKNOWN) {
        printf("UNKNOWN: %s\nnext: qnodectl collections list shows what is loaded\n",
               result->reason == QN_STATUS_NOT_FOUND ? "the coordinator has no such collection"
                                                     : "no view of this collection arrived");
        return;
    }
    printf("%s at %" PRIu64 ".%" PRIu64 ": %zu of %u segments, %u requests, %u retried, %.2f ms\n",
           qn_verdict_name(result->verdict), result->version.term, result->version.version,
           result->segments_count - result->missing_count, result->segments_count,
           result->requests_count, result->retried_count, (double)result->took_us / 1000);
}

static struct doc *hits_doc(const struct qn_search_result *result)
{
    struct doc *queries = doc_array();

    for (uint32_t q = 0; q < result->nq; q++) {
        struct doc *hits = doc_array();
        for (uint32_t i = 0; i < result->hit_counts[q]; i++) {
            const struct qn_hit *hit = &result->hits[(size_t)q * result->k + i];
            struct doc *row = doc_object();
            doc_set_int(row, "primaryKey", hit->primary_key);
            doc_set_number(row, "distance", (double)hit->distance);
            doc_append(hits, row);
        }
        doc_append(queries, hits);
    }
    return queries;
}

static void print_json(const struct qn_search_result *result)
{
    struct doc *root = doc_object(), *version = doc_object(), *missing = doc_array();

    for (size_t i = 0; i < result->missing_count; i++) {
        struct doc *row = doc_object();
        doc_set_int(row, "segmentID", result->missing[i].segment_id);
        doc_set_int(row, "nodeID", result->missing[i].node_id);
        doc_set_string(row, "reason", qn_status_name(result->missing[i].reason));
        doc_append(missing, row);
    }
    doc_set_string(root, "verdict", qn_verdict_name(result->verdict));
    if (result->verdict == QN_VERDICT_UNKNOWN)
        doc_set_string(root, "reason", qn_status_name(result->reason));
    doc_set_int(version, "term", (int64_t)result->version.term);
    doc_set_int(version, "version", (int64_t)result->version.version);
    doc_set(root, "version", version);
    doc_set_int(root, "readableVersion", (int64_t)result->readable_version);
    doc_set_int(root, "segments", result->segments_count);
    doc_set(root, "missing", missing);
    doc_set_int(root, "requests", result->requests_count);
    doc_set_int(root, "retried", result->retried_count);
    doc_set_bool(root, "overlap", result->overlap);
    doc_set_int(root, "tookUs", (int64_t)result->took_us);
    doc_set(root, "hits", hits_doc(result));
    doc_print(root);
    doc_free(root);
}

static int run_search(struct ctl *ctl, const struct qn_search_request *request)
{
    struct qn_search_result result;
    struct qn_error error = {0};

    if (qn_search(ctl->client, request, &result, &error) != QN_STATUS_OK)
        return ctl_fail(&error);
    if (ctl->arguments->json) {
        print_json(&result);
    } else {
        print_hits(&result);
        print_verdict(&result);
        if (result.missing_count > 0)
            print_missing(&result);
    }
    int code = result.verdict == QN_VERDICT_COMPLETE ? 0 : 1;
    qn_search_result_done(&result);
    return code;
}

int ctl_search_check(const struct ctl_arguments *arguments)
{
    if (arguments->collection == NULL || arguments->query == NULL || arguments->k == 0)
        return ctl_usage("search needs --collection C, --query F.fbin and --k K");
    return 0;
}

int ctl_search(struct ctl *ctl)
{
    const struct ctl_arguments *arguments = ctl->arguments;
    struct qn_search_request request = {.k = arguments->k,
                                        .deadline_ms = arguments->deadline_ms,
                                        .recall = arguments->recall,
                                        .nprobe = arguments->nprobe,
                                        .ef = arguments->ef,
                                        .refine = arguments->refine};
    struct qn_error error = {0};
    float *values = NULL;

    if (read_queries(arguments, &request, &values, &error) != QN_STATUS_OK ||
        ctl_collection_id(ctl, arguments->collection, &request.collection_id, &error) !=
            QN_STATUS_OK) {
        free(values);
        return ctl_fail(&error);
    }
    int code = run_search(ctl, &request);
    free(values);
    return code;
}
