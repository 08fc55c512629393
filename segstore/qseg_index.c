/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/qseg_index.h"

#include "base/error.h"
#include "segstore/half.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096 };

struct building {
    const struct qseg_index *index;
    struct segment_facts *facts;
    struct index_input input;
    struct section_built built;
};

static enum qn_status out_of_memory(const struct building *building, struct qn_error *error)
{
    return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory for %" PRIu64 " rows",
                     building->index->input, building->facts->rows_count);
}

/* As it will be served: what is built and measured on the rows is then true of the segment. */
static enum qn_status prepare_row(const struct qseg_index *index, const struct segment_facts *facts,
                                  float *row, struct qn_error *error)
{
    enum qn_status status = rows_prepare(facts->metric, facts->dim, row, error);

    if (status != QN_STATUS_OK || index->row_bits == 32)
        return status;
    size_t rounded = half_round(row, facts->dim);
    if (rounded < facts->dim)
        return error_set(error, QN_STATUS_INVALID,
                         "value %zu is %.9g, beyond the range of half floats (%d)", rounded,
                         (double)row[rounded], HALF_MAX);
    return QN_STATUS_OK;
}

/* As the metric wants them; errors name the input and its row. */
static enum qn_status read_batch(struct building *building, uint64_t done, size_t count,
                                 struct qn_error *error)
{
    const struct qseg_index *index = building->index;
    const struct segment_facts *facts = building->facts;
    float *rows = building->input.rows + done * facts->dim;
    const uint64_t first = index->first_row + done;
    struct qn_error reason = {0};
    enum qn_status status = vectors_read(index->vectors, first, count, rows, error);

    for (size_t i = 0; i < count && status == QN_STATUS_OK; i++) {
        building->input.keys[done + i] = index->first_key + (int64_t)(first + i);
        if (prepare_row(index, facts, rows + i * facts->dim, &reason) != QN_STATUS_OK)
            status = error_set(error, QN_STATUS_CORRUPT, "%s: row %" PRIu64 ": %s", index->input,
                               first + i, reason.text);
    }
    return status;
}

static enum qn_status read_rows(struct building *building, struct qn_error *error)
{
    const uint64_t rows_count = building->facts->rows_count;

    for (uint64_t done = 0; done < rows_count;) {
        uint64_t rest = rows_count - done;
        size_t count = rest < BATCH_ROWS ? rest : BATCH_ROWS;
        enum qn_status status = read_batch(building, done, count, error);
        if (status != QN_STATUS_OK)
            return status;
        done += count;
        progress_tell(&building->index->options.progress, "read", done, rows_count);
    }
    return QN_STATUS_OK;
}

static enum qn_status write_rows(struct building *building, struct writer_sink sink,
                                 struct qn_error *error)
{
    const struct writer_index section = {.bytes = building->built.section,
                                         .size = building->built.section_bytes,
                                         .row_bits = building->index->row_bits};
    struct writer *writer = NULL;
    enum qn_status status = writer_open_indexed(building->facts, section, sink, &writer, error);

    if (status == QN_STATUS_OK)
        status = writer_append(writer, building->input.keys, building->input.rows,
                               building->facts->rows_count, error);
    if (status == QN_STATUS_OK)
        status = writer_finish(writer, building->facts, error);
    writer_free(writer);
    return status;
}

enum qn_status qseg_index_build(const struct qseg_index *index, struct segment_facts *facts,
                                struct writer_sink sink, struct choice *ret_choice,
                                struct qn_error *error)
{
    struct building building = {
        .index = index,
        .facts = facts,
        .input = {.facts = *facts,
                  .rows = malloc(facts->rows_count * facts->dim * sizeof(float)),
                  .keys = calloc(facts->rows_count, sizeof(int64_t))},
    };
    enum qn_status status = building.input.rows == NULL || building.input.keys == NULL
                                ? out_of_memory(&building, error)
                                : read_rows(&building, error);

    if (status == QN_STATUS_OK)
        status = index_build(&index->options, &building.input, &building.built, ret_choice, error);
    if (status == QN_STATUS_OK)
        status = write_rows(&building, sink, error);
    section_built_done(&building.built);
    free(building.input.keys);
    free(building.input.rows);
    return status;
}
