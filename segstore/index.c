/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/index.h"

#include "base/error.h"
#include "segstore/bytes.h"
#include <inttypes.h>
#include <math.h>

enum { CALIBRATION_BYTES = 16 };

const char *index_kind_name(enum index_kind kind)
{
    static const char *const names[] = {"flat", "ivf", "graph"};

    return names[kind];
}

uint32_t index_effort_max(const struct index *index)
{
    return index->kind == INDEX_IVF ? index->ivf.shape.lists_count : 0;
}

static uint32_t part_of_way(uint32_t from, uint32_t to, float way)
{
    return from + (uint32_t)ceilf(way * (float)(to - from));
}

/* Between two that were measured, by the share of the way in recall. */
static struct index_calibration between(const struct index_calibration *below,
                                        const struct index_calibration *above, float recall)
{
    struct index_calibration found = *above;
    float way = (recall - below->recall) / (above->recall - below->recall);

    found.recall = recall;
    found.effort = part_of_way(below->effort, above->effort, way);
    found.refine = part_of_way(below->refine, above->refine, way);
    return found;
}

struct index_calibration index_settings(const struct index *index, uint32_t k, float recall)
{
    const struct index_calibration *below = NULL;
    uint32_t measured_k = 0;

    for (uint32_t i = 0; i < index->calibrations_count; i++) {
        const struct index_calibration *at = &index->calibrations[i];
        if (at->k < k || (measured_k != 0 && at->k != measured_k))
            continue;
        measured_k = at->k;
        if (at->recall >= recall)
            return below != NULL && at->recall > below->recall ? between(below, at, recall) : *at;
        below = at;
    }
    return (struct index_calibration){.k = k,
                                      .recall = recall,
                                      .effort = index_effort_max(index),
                                      .refine =
                                          k < LIMIT_REFINE_MAX / 8 ? 8 * k + 64 : LIMIT_REFINE_MAX};
}

void index_seal(const struct index *index, void *memory)
{
    uint8_t *header = memory;

    memset(header, 0, SECTION_HEADER_BYTES);
    bytes_put_u32(header + SECTION_AT_KIND, (uint32_t)index->kind);
    bytes_put_u32(header + SECTION_AT_EDITION, INDEX_EDITION);
    if (index->kind == INDEX_IVF)
        ivf_section_seal(&index->ivf, header);
    else
        graph_section_seal(&index->graph, header);
    bytes_put_u32(header + SECTION_AT_CALIBRATIONS_COUNT, index->calibrations_count);
    for (uint32_t i = 0; i < index->calibrations_count; i++) {
        uint8_t *entry = header + SECTION_AT_CALIBRATIONS + i * CALIBRATION_BYTES;
        bytes_put_u32(entry, index->calibrations[i].k);
        bytes_put_float(entry + 4, index->calibrations[i].recall);
        bytes_put_u32(entry + 8, index->calibrations[i].effort);
        bytes_put_u32(entry + 12, index->calibrations[i].refine);
    }
}

static bool calibrations_rise(const struct index_calibration *a, const struct index_calibration *b)
{
    return b->k > a->k || (b->k == a->k && b->recall >= a->recall && b->effort >= a->effort &&
                           b->refine >= a->refine);
}

static enum qn_status read_calibrations(const uint8_t *header, struct index *index,
                                        struct qn_error *error)
{
    index->calibrations_count = bytes_get_u32(header + SECTION_AT_CALIBRATIONS_COUNT);
    if (index->calibrations_count > INDEX_CALIBRATIONS_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "section index: %" PRIu32 " calibrations",
                         index->calibrations_count);
    for (uint32_t i = 0; i < index->calibrations_count; i++) {
        const uint8_t *entry = header + SECTION_AT_CALIBRATIONS + i * CALIBRATION_BYTES;
        struct index_calibration *at = &index->calibrations[i];
        *at = (struct index_calibration){.k = bytes_get_u32(entry),
                                         .recall = bytes_get_float(entry + 4),
                                         .effort = bytes_get_u32(entry + 8),
                                         .refine = bytes_get_u32(entry + 12)};
        if (at->k < 1 || !(at->recall >= 0 && at->recall <= 1) || at->effort < 1 ||
            at->effort > LIMIT_NPROBE_MAX || at->refine < 1 || at->refine > LIMIT_REFINE_MAX ||
            (i > 0 && !calibrations_rise(at - 1, at)))
            return error_set(error, QN_STATUS_CORRUPT, "section index: calibration %" PRIu32, i);
    }
    return QN_STATUS_OK;
}

enum qn_status index_open(const void *memory, uint64_t bytes, const struct segment_facts *facts,
                          struct index *ret_index, struct qn_error *error)
{
    struct index index = {.kind = INDEX_NONE};

    if (bytes < SECTION_HEADER_BYTES)
        return error_set(error, QN_STATUS_CORRUPT, "section index: %" PRIu64 " bytes", bytes);
    const uint8_t *header = memory;
    const uint32_t kind = bytes_get_u32(header + SECTION_AT_KIND);
    const uint32_t edition = bytes_get_u32(header + SECTION_AT_EDITION);
    if (edition != INDEX_EDITION || (kind != INDEX_IVF && kind != INDEX_GRAPH))
        return error_set(error, QN_STATUS_UNSUPPORTED,
                         "section index: kind %" PRIu32 ", edition %" PRIu32
                         ": this build knows ivf and graph, edition %d",
                         kind, edition, INDEX_EDITION);
    index.kind = (enum index_kind)kind;
    enum qn_status status = index.kind == INDEX_IVF
                                ? ivf_section_open(memory, bytes, facts, &index.ivf, error)
                                : graph_section_open(memory, bytes, facts, &index.graph, error);
    if (status == QN_STATUS_OK)
        status = read_calibrations(header, &index, error);
    if (status == QN_STATUS_OK)
        *ret_index = index;
    return status;
}
