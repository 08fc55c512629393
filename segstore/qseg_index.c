/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/qseg_index.h"

#include "base/error.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <stdlib.h>

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

static enum qn_status write_rows(const struct qseg_index *index, const struct ivf_built *built,
                                 const float *rows, struct segment_facts *facts,
                                 struct writer_sink sink, struct qn_error *error)
{
    struct writer *writer = NULL;
    enum qn_status status =
        writer_open_indexed(facts, built->section, built->section_bytes, sink, &writer, error);

    for (uint64_t i = 0; status == QN_STATUS_OK && i < facts->rows_count; i++) {
        int64_t key = index->first_key + (int64_t)(index->first_row + built->order[i]);
        status = writer_append(writer, &key, rows + (size_t)built->order[i] * facts->dim, 1, error);
    }
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

    if (rows == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory for %" PRIu64 " rows",
                         index->input, facts->rows_count);
    enum qn_status status = read_rows(index, facts, rows, error);
    if (status == QN_STATUS_OK)
        status = ivf_build(&index->options, facts->metric, facts->dim, rows, facts->rows_count,
                           &built, error);
    if (status == QN_STATUS_OK)
        status = write_rows(index, &built, rows, facts, sink, error);
    ivf_built_done(&built);
    free(rows);
    return status;
}
