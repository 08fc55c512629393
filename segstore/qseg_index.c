/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/qseg_index.h"

#include "base/error.h"
#include "segstore/calibrate.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096 };

static enum qn_status read_rows(const struct qseg_index *index, const struct segment_facts *facts,
                                float *ret_rows, struct qn_error *error)
{
    for (uint64_t done = 0; done < facts->rows_count;) {
        uint64_t rest = facts->rows_count - done;
        size_t count = rest < BATCH_ROWS ? rest : BATCH_ROWS;
        float *rows = ret_rows + done * facts->dim;
        struct qn_error reason = {0};
        enum qn_status status =
            vectors_read(index->vectors, index->first_row + done, count, rows, error);
        if (status != QN_STATUS_OK)
            return status;
        for (size_t i = 0; i < count; i++)
            if (rows_prepare(facts->metric, facts->dim, rows + i * facts->dim, &reason) !=
                QN_STATUS_OK)
                return error_set(error, QN_STATUS_CORRUPT, "%s: row %" PRIu64 ": %s", index->input,
                                 index->first_row + done + i, reason.text);
        done += count;
        qseg_progress_tell(index->progress, index->first_row + done);
    }
    return QN_STATUS_OK;
}

/* Rows in the index's order, with their keys; takes the place of rows. */
static enum qn_status put_in_order(const struct qseg_index *index, const struct ivf_built *built,
                                   const struct segment_facts *facts, float **rows,
                                   int64_t **ret_keys, struct qn_error *error)
{
    const size_t row_bytes = facts->dim * sizeof(float);
    float *ordered = malloc(facts->rows_count * row_bytes);
    int64_t *keys = calloc(facts->rows_count, sizeof *keys);

    if (ordered == NULL || keys == NULL) {
        free(ordered);
        free(keys);
        return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory", index->input);
    }
    for (uint64_t i = 0; i < facts->rows_count; i++) {
        memcpy(ordered + i * facts->dim, *rows + (size_t)built->order[i] * facts->dim, row_bytes);
        keys[i] = index->first_key + (int64_t)(index->first_row + built->order[i]);
    }
    free(*rows);
    *rows = ordered;
    *ret_keys = keys;
    return QN_STATUS_OK;
}

/* As a loaded segment would find. */
static enum qn_status add_calibrations(const struct qseg_index *index, struct ivf_built *built,
                                       const struct segment_facts *facts, const float *rows,
                                       const int64_t *keys, struct qn_error *error)
{
    const struct calibrate_options options = {.seed = index->options.seed,
                                              .threads = index->options.threads};
    struct segment segment = {.facts = *facts, .primary_keys = keys, .rows = rows};
    enum qn_status status =
        index_open(built->section, built->section_bytes, facts, &segment.index, error);

    if (status == QN_STATUS_OK)
        status = calibrate(&options, &segment, error);
    if (status == QN_STATUS_OK)
        index_seal(&segment.index, built->section);
    return status;
}

static enum qn_status write_rows(const struct ivf_built *built, const float *rows,
                                 const int64_t *keys, struct segment_facts *facts,
                                 struct writer_sink sink, struct qn_error *error)
{
    struct writer *writer = NULL;
    enum qn_status status =
        writer_open_indexed(facts, built->section, built->section_bytes, sink, &writer, error);

    if (status == QN_STATUS_OK)
        status = writer_append(writer, keys, rows, facts->rows_count, error);
    if (status == QN_STATUS_OK)
        status = writer_finish(writer, facts, error);
    writer_free(writer);
    return status;
}

enum qn_status qseg_index_build(const struct qseg_index *index, struct segment_facts *facts,
                                struct writer_sink sink, struct qn_error *error)
{
    float *rows = malloc(facts->rows_count * facts->dim * sizeof *rows);
    struct ivf_built built = {.order = NULL};
    int64_t *keys = NULL;

    if (rows == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory for %" PRIu64 " rows",
                         index->input, facts->rows_count);
    enum qn_status status = read_rows(index, facts, rows, error);
    if (status == QN_STATUS_OK)
        status = ivf_build(&index->options, facts->metric, facts->dim, rows, facts->rows_count,
                           &built, error);
    if (status == QN_STATUS_OK)
        status = put_in_order(index, &built, facts, &rows, &keys, error);
    if (status == QN_STATUS_OK)
        status = add_calibrations(index, &built, facts, rows, keys, error);
    if (status == QN_STATUS_OK)
        status = write_rows(&built, rows, keys, facts, sink, error);
    ivf_built_done(&built);
    free(keys);
    free(rows);
    return status;
}
