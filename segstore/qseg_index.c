/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/qseg_index.h"

#include "base/error.h"
#include "segstore/calibrate.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096 };

struct building {
    const struct qseg_index *index;
    struct segment_facts *facts;
    struct ivf_built built;
    float *rows;   /* rows_count x dim, prepared; in the index's order at the end */
    int64_t *keys; /* of those */
};

static enum qn_status out_of_memory(const struct building *building, struct qn_error *error)
{
    return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory for %" PRIu64 " rows",
                     building->index->input, building->facts->rows_count);
}

static enum qn_status read_rows(const struct building *building, struct qn_error *error)
{
    const struct qseg_index *index = building->index;
    const struct segment_facts *facts = building->facts;

    for (uint64_t done = 0; done < facts->rows_count;) {
        uint64_t rest = facts->rows_count - done;
        size_t count = rest < BATCH_ROWS ? rest : BATCH_ROWS;
        float *rows = building->rows + done * facts->dim;
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

static enum qn_status put_in_order(struct building *building, struct qn_error *error)
{
    const struct segment_facts *facts = building->facts;
    const size_t row_bytes = facts->dim * sizeof(float);
    float *ordered = malloc(facts->rows_count * row_bytes);

    building->keys = calloc(facts->rows_count, sizeof *building->keys);
    if (ordered == NULL || building->keys == NULL) {
        free(ordered);
        return out_of_memory(building, error);
    }
    for (uint64_t i = 0; i < facts->rows_count; i++) {
        size_t from = building->built.order[i];
        memcpy(ordered + i * facts->dim, building->rows + from * facts->dim, row_bytes);
        building->keys[i] =
            building->index->first_key + (int64_t)(building->index->first_row + from);
    }
    free(building->rows);
    building->rows = ordered;
    return QN_STATUS_OK;
}

/* As a loaded segment would find. */
static enum qn_status add_calibrations(struct building *building, struct qn_error *error)
{
    struct ivf_built *built = &building->built;
    const struct calibrate_options options = {.seed = building->index->options.seed,
                                              .order = built->order,
                                              .threads = building->index->options.threads};
    struct segment segment = {
        .facts = *building->facts, .primary_keys = building->keys, .rows = building->rows};
    enum qn_status status =
        index_open(built->section, built->section_bytes, building->facts, &segment.index, error);

    if (status == QN_STATUS_OK)
        status = calibrate(&options, &segment, error);
    if (status == QN_STATUS_OK)
        index_seal(&segment.index, built->section);
    return status;
}

static enum qn_status write_rows(struct building *building, struct writer_sink sink,
                                 struct qn_error *error)
{
    const struct writer_index section = {building->built.section, building->built.section_bytes};
    struct writer *writer = NULL;
    enum qn_status status = writer_open_indexed(building->facts, section, sink, &writer, error);

    if (status == QN_STATUS_OK)
        status = writer_append(writer, building->keys, building->rows, building->facts->rows_count,
                               error);
    if (status == QN_STATUS_OK)
        status = writer_finish(writer, building->facts, error);
    writer_free(writer);
    return status;
}

enum qn_status qseg_index_build(const struct qseg_index *index, struct segment_facts *facts,
                                struct writer_sink sink, struct qn_error *error)
{
    struct building building = {.index = index,
                                .facts = facts,
                                .rows = malloc(facts->rows_count * facts->dim * sizeof(float))};
    enum qn_status status =
        building.rows == NULL ? out_of_memory(&building, error) : read_rows(&building, error);

    if (status == QN_STATUS_OK)
        status = ivf_build(&index->options, facts, building.rows, &building.built, error);
    if (status == QN_STATUS_OK)
        status = put_in_order(&building, error);
    if (status == QN_STATUS_OK)
        status = add_calibrations(&building, error);
    if (status == QN_STATUS_OK)
        status = write_rows(&building, sink, error);
    ivf_built_done(&building.built);
    free(building.keys);
    free(building.rows);
    return status;
}
