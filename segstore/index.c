/* SPDX-License-Identifier: Apache-2.0
 * One table of arrays gives every size and place, to the builder and to the reader. */
#include "segstore/index.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/bytes.h"
#include "segstore/format.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <math.h>

enum {
    AT_KIND = 0,
    AT_EDITION = 4,
    AT_LISTS = 8,
    AT_CODE_BITS = 12,
    AT_BLOCKS = 16,
    AT_BYTES = 24,
    AT_CALIBRATIONS_COUNT = 32,
    AT_CALIBRATIONS = 64,
    CALIBRATION_BYTES = 16,
};

enum array {
    ARRAY_CENTROIDS,
    ARRAY_CENTROID_TERMS,
    ARRAY_FIRST_ROWS,
    ARRAY_FIRST_BLOCKS,
    ARRAY_CODES,
    ARRAY_FACTORS,
    ARRAYS_COUNT,
};

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

static uint32_t code_dims(const struct index_shape *shape)
{
    return (uint32_t)round_up(shape->dim, 8);
}

/* offsets[ARRAYS_COUNT] is the end. */
static void lay_out(const struct index_shape *shape, uint64_t offsets[ARRAYS_COUNT + 1])
{
    const uint64_t padded_lists = round_up(shape->lists_count, LIMIT_BLOCK_ROWS);
    const uint64_t bytes[ARRAYS_COUNT] = {
        [ARRAY_CENTROIDS] = padded_lists * shape->dim * sizeof(float),
        [ARRAY_CENTROID_TERMS] = padded_lists * sizeof(float),
        [ARRAY_FIRST_ROWS] = (shape->lists_count + UINT64_C(1)) * sizeof(uint64_t),
        [ARRAY_FIRST_BLOCKS] = (shape->lists_count + UINT64_C(1)) * sizeof(uint64_t),
        [ARRAY_CODES] =
            shape->blocks_count * code_dims(shape) * LIMIT_BLOCK_ROWS * shape->code_bits / 8,
        [ARRAY_FACTORS] = shape->blocks_count * INDEX_FACTORS * LIMIT_BLOCK_ROWS * sizeof(float),
    };

    offsets[0] = INDEX_HEADER_BYTES;
    for (int i = 0; i < ARRAYS_COUNT; i++)
        offsets[i + 1] = offsets[i] + round_up(bytes[i], INDEX_ALIGNMENT);
}

uint64_t index_bytes(const struct index_shape *shape)
{
    uint64_t offsets[ARRAYS_COUNT + 1];

    lay_out(shape, offsets);
    return offsets[ARRAYS_COUNT];
}

void index_lay(const struct index_shape *shape, void *memory, struct index *ret_index)
{
    unsigned char *bytes = memory;
    uint64_t offsets[ARRAYS_COUNT + 1];

    CHECK((uintptr_t)memory % INDEX_ALIGNMENT == 0);
    lay_out(shape, offsets);
    *ret_index = (struct index){
        .shape = *shape,
        .code_dims = code_dims(shape),
        .centroids = (const float *)(void *)(bytes + offsets[ARRAY_CENTROIDS]),
        .centroid_terms = (const float *)(void *)(bytes + offsets[ARRAY_CENTROID_TERMS]),
        .first_rows = (const uint64_t *)(void *)(bytes + offsets[ARRAY_FIRST_ROWS]),
        .first_blocks = (const uint64_t *)(void *)(bytes + offsets[ARRAY_FIRST_BLOCKS]),
        .codes = bytes + offsets[ARRAY_CODES],
        .factors = (const float *)(void *)(bytes + offsets[ARRAY_FACTORS]),
    };
}

/* Between two that were measured, nprobe by the share of the way in recall. */
static struct index_calibration between(const struct index_calibration *below,
                                        const struct index_calibration *above, float recall)
{
    struct index_calibration found = *above;
    float way = (recall - below->recall) / (above->recall - below->recall);

    found.recall = recall;
    found.nprobe = below->nprobe + (uint32_t)ceilf(way * (float)(above->nprobe - below->nprobe));
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
                                      .nprobe = index->shape.lists_count,
                                      .refine =
                                          k < LIMIT_REFINE_MAX / 8 ? 8 * k + 64 : LIMIT_REFINE_MAX};
}

static void put_float(uint8_t *bytes, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    bytes_put_u32(bytes, bits);
}

static float get_float(const uint8_t *bytes)
{
    uint32_t bits = bytes_get_u32(bytes);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

void index_seal(const struct index *index, void *memory)
{
    uint8_t *header = memory;

    memset(header, 0, INDEX_HEADER_BYTES);
    bytes_put_u32(header + AT_KIND, (uint32_t)index->shape.kind);
    bytes_put_u32(header + AT_EDITION, INDEX_EDITION);
    bytes_put_u32(header + AT_LISTS, index->shape.lists_count);
    bytes_put_u32(header + AT_CODE_BITS, index->shape.code_bits);
    bytes_put_u64(header + AT_BLOCKS, index->shape.blocks_count);
    bytes_put_u64(header + AT_BYTES, index_bytes(&index->shape));
    bytes_put_u32(header + AT_CALIBRATIONS_COUNT, index->calibrations_count);
    for (uint32_t i = 0; i < index->calibrations_count; i++) {
        uint8_t *entry = header + AT_CALIBRATIONS + i * CALIBRATION_BYTES;
        bytes_put_u32(entry, index->calibrations[i].k);
        put_float(entry + 4, index->calibrations[i].recall);
        bytes_put_u32(entry + 8, index->calibrations[i].nprobe);
        bytes_put_u32(entry + 12, index->calibrations[i].refine);
    }
}

static enum qn_status read_shape(const uint8_t *header, uint64_t bytes,
                                 const struct segment_facts *facts, struct index_shape *ret_shape,
                                 struct qn_error *error)
{
    const struct index_shape shape = {
        .kind = (enum index_kind)bytes_get_u32(header + AT_KIND),
        .rows_count = facts->rows_count,
        .blocks_count = bytes_get_u64(header + AT_BLOCKS),
        .dim = facts->dim,
        .lists_count = bytes_get_u32(header + AT_LISTS),
        .code_bits = bytes_get_u32(header + AT_CODE_BITS),
    };

    if (bytes_get_u32(header + AT_EDITION) != INDEX_EDITION || shape.kind != INDEX_IVF)
        return error_set(error, QN_STATUS_UNSUPPORTED,
                         "section index: kind %" PRIu32 ", edition %" PRIu32
                         ": this build knows ivf, edition %d",
                         bytes_get_u32(header + AT_KIND), bytes_get_u32(header + AT_EDITION),
                         INDEX_EDITION);
    if (shape.lists_count < 1 || shape.lists_count > INDEX_LISTS_MAX ||
        (shape.code_bits != 4 && shape.code_bits != 8) || facts->rows_count > UINT32_MAX ||
        shape.blocks_count > format_blocks(facts->rows_count) + shape.lists_count)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section index: %" PRIu32 " lists, %" PRIu64 " blocks of %" PRIu32
                         "-bit codes, %" PRIu64 " rows",
                         shape.lists_count, shape.blocks_count, shape.code_bits, facts->rows_count);
    if (index_bytes(&shape) != bytes || bytes_get_u64(header + AT_BYTES) != bytes)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section index: %" PRIu64 " bytes, its shape says %" PRIu64, bytes,
                         index_bytes(&shape));
    *ret_shape = shape;
    return QN_STATUS_OK;
}

/* Lists follow each other without gaps, rows and blocks alike. */
static enum qn_status check_lists(const struct index *index, struct qn_error *error)
{
    const uint32_t count = index->shape.lists_count;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t rows = index->first_rows[i + 1] - index->first_rows[i];
        if (index->first_rows[i + 1] < index->first_rows[i] ||
            index->first_rows[i + 1] > index->shape.rows_count ||
            index->first_blocks[i + 1] - index->first_blocks[i] != format_blocks(rows))
            return error_set(error, QN_STATUS_CORRUPT, "section index: list %" PRIu32, i);
    }
    if (index->first_rows[0] != 0 || index->first_blocks[0] != 0 ||
        index->first_rows[count] != index->shape.rows_count ||
        index->first_blocks[count] != index->shape.blocks_count)
        return error_set(error, QN_STATUS_CORRUPT, "section index: the lists do not hold all rows");
    return QN_STATUS_OK;
}

static enum qn_status check_floats(const char *name, const float *values, size_t count,
                                   struct qn_error *error)
{
    size_t first = rows_first_nonfinite(values, count);

    if (first == count)
        return QN_STATUS_OK;
    return error_set(error, QN_STATUS_CORRUPT, "section index: %s: value %zu is not finite", name,
                     first);
}

static bool calibrations_rise(const struct index_calibration *a, const struct index_calibration *b)
{
    return b->k > a->k || (b->k == a->k && b->recall >= a->recall && b->nprobe >= a->nprobe);
}

static enum qn_status read_calibrations(const uint8_t *header, struct index *index,
                                        struct qn_error *error)
{
    index->calibrations_count = bytes_get_u32(header + AT_CALIBRATIONS_COUNT);
    if (index->calibrations_count > INDEX_CALIBRATIONS_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "section index: %" PRIu32 " calibrations",
                         index->calibrations_count);
    for (uint32_t i = 0; i < index->calibrations_count; i++) {
        const uint8_t *entry = header + AT_CALIBRATIONS + i * CALIBRATION_BYTES;
        struct index_calibration *at = &index->calibrations[i];
        *at = (struct index_calibration){.k = bytes_get_u32(entry),
                                         .recall = get_float(entry + 4),
                                         .nprobe = bytes_get_u32(entry + 8),
                                         .refine = bytes_get_u32(entry + 12)};
        if (at->k < 1 || !(at->recall >= 0 && at->recall <= 1) || at->nprobe < 1 ||
            at->refine < 1 || (i > 0 && !calibrations_rise(at - 1, at)))
            return error_set(error, QN_STATUS_CORRUPT, "section index: calibration %" PRIu32, i);
    }
    return QN_STATUS_OK;
}

enum qn_status index_open(const void *memory, uint64_t bytes, const struct segment_facts *facts,
                          struct index *ret_index, struct qn_error *error)
{
    struct index_shape shape;
    struct index index;

    if (bytes < INDEX_HEADER_BYTES)
        return error_set(error, QN_STATUS_CORRUPT, "section index: %" PRIu64 " bytes", bytes);
    enum qn_status status = read_shape(memory, bytes, facts, &shape, error);
    if (status != QN_STATUS_OK)
        return status;
    index_lay(&shape, (void *)(uintptr_t)memory, &index);
    status = check_lists(&index, error);
    if (status == QN_STATUS_OK)
        status = read_calibrations(memory, &index, error);
    if (status == QN_STATUS_OK)
        status =
            check_floats("centroids", index.centroids,
                         (size_t)((const char *)index.first_rows - (const char *)index.centroids) /
                             sizeof(float),
                         error);
    if (status == QN_STATUS_OK)
        status = check_floats("factors", index.factors,
                              shape.blocks_count * INDEX_FACTORS * LIMIT_BLOCK_ROWS, error);
    if (status == QN_STATUS_OK)
        *ret_index = index;
    return status;
}
