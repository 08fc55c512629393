/* SPDX-License-Identifier: Apache-2.0
 * One table of arrays gives every size and place, to the builder and to the reader. */
#include "segstore/ivf_section.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/bytes.h"
#include "segstore/format.h"
#include <inttypes.h>

enum {
    AT_LISTS = SECTION_AT_SHAPE,
    AT_CODE_BITS = SECTION_AT_SHAPE + 4,
    AT_BLOCKS = SECTION_AT_SHAPE + 8,
};

enum array {
    ARRAY_FIRST_ROWS,
    ARRAY_FIRST_BLOCKS,
    ARRAY_SPREADS,
    ARRAY_MEAN,
    ARRAY_CENTRE_SCALES,
    ARRAY_CENTRE_TERMS,
    ARRAY_SCALES,
    ARRAY_TERMS, /* the floats follow each other: they are checked as one */
    ARRAY_CENTRE_CODES,
    ARRAY_CODES,
    ARRAYS_COUNT,
};

static uint32_t code_dims(const struct ivf_shape *shape)
{
    return (uint32_t)section_round_up(shape->dim, 8);
}

static uint64_t codes_bytes(const struct ivf_shape *shape, uint64_t blocks, uint32_t code_bits)
{
    return blocks * code_dims(shape) * LIMIT_BLOCK_ROWS / (code_bits == 4 ? 2 : 1);
}

uint64_t ivf_centre_blocks(const struct ivf_shape *shape)
{
    return format_blocks(shape->lists_count);
}

size_t ivf_block_bytes(const struct ivf_section *ivf, uint32_t code_bits)
{
    return codes_bytes(&ivf->shape, 1, code_bits);
}

/* offsets[ARRAYS_COUNT] is the end. */
static void lay_out(const struct ivf_shape *shape, uint64_t offsets[ARRAYS_COUNT + 1])
{
    const uint64_t centres = ivf_centre_blocks(shape),
                   block_floats = LIMIT_BLOCK_ROWS * sizeof(float);
    const uint64_t bytes[ARRAYS_COUNT] = {
        [ARRAY_FIRST_ROWS] = (shape->lists_count + UINT64_C(1)) * sizeof(uint64_t),
        [ARRAY_FIRST_BLOCKS] = (shape->lists_count + UINT64_C(1)) * sizeof(uint64_t),
        [ARRAY_SPREADS] = shape->has_terms ? 0 : shape->lists_count * sizeof(float),
        [ARRAY_MEAN] = shape->has_terms ? shape->dim * sizeof(float) : 0,
        [ARRAY_CENTRE_SCALES] = centres * block_floats,
        [ARRAY_CENTRE_TERMS] = shape->has_terms ? centres * block_floats : 0,
        [ARRAY_SCALES] = shape->blocks_count * block_floats,
        [ARRAY_TERMS] = shape->has_terms ? shape->blocks_count * block_floats : 0,
        [ARRAY_CENTRE_CODES] = codes_bytes(shape, centres, IVF_CENTRE_BITS),
        [ARRAY_CODES] = codes_bytes(shape, shape->blocks_count, shape->code_bits),
    };

    section_lay_out(bytes, ARRAYS_COUNT, offsets);
}

uint64_t ivf_section_bytes(const struct ivf_shape *shape)
{
    uint64_t offsets[ARRAYS_COUNT + 1];

    lay_out(shape, offsets);
    return offsets[ARRAYS_COUNT];
}

static struct ivf_codes codes_at(const struct ivf_shape *shape, unsigned char *bytes,
                                 const uint64_t *offsets, const enum array arrays[3])
{
    return (struct ivf_codes){
        .codes = bytes + offsets[arrays[0]],
        .scales = (const float *)(void *)(bytes + offsets[arrays[1]]),
        .terms = shape->has_terms ? (const float *)(void *)(bytes + offsets[arrays[2]]) : NULL,
    };
}

void ivf_section_lay(const struct ivf_shape *shape, void *memory, struct ivf_section *ret_ivf)
{
    static const enum array centres[3] = {ARRAY_CENTRE_CODES, ARRAY_CENTRE_SCALES,
                                          ARRAY_CENTRE_TERMS};
    static const enum array rows[3] = {ARRAY_CODES, ARRAY_SCALES, ARRAY_TERMS};
    unsigned char *bytes = memory;
    uint64_t offsets[ARRAYS_COUNT + 1];

    CHECK((uintptr_t)memory % SECTION_ALIGNMENT == 0);
    lay_out(shape, offsets);
    *ret_ivf = (struct ivf_section){
        .shape = *shape,
        .code_dims = code_dims(shape),
        .first_rows = (const uint64_t *)(void *)(bytes + offsets[ARRAY_FIRST_ROWS]),
        .first_blocks = (const uint64_t *)(void *)(bytes + offsets[ARRAY_FIRST_BLOCKS]),
        .spreads =
            shape->has_terms ? NULL : (const float *)(void *)(bytes + offsets[ARRAY_SPREADS]),
        .mean = shape->has_terms ? (const float *)(void *)(bytes + offsets[ARRAY_MEAN]) : NULL,
        .centres = codes_at(shape, bytes, offsets, centres),
        .rows = codes_at(shape, bytes, offsets, rows),
    };
}

void ivf_section_seal(const struct ivf_section *ivf, uint8_t *header)
{
    bytes_put_u32(header + AT_LISTS, ivf->shape.lists_count);
    bytes_put_u32(header + AT_CODE_BITS, ivf->shape.code_bits);
    bytes_put_u64(header + AT_BLOCKS, ivf->shape.blocks_count);
    bytes_put_u64(header + SECTION_AT_BYTES, ivf_section_bytes(&ivf->shape));
}

static enum qn_status read_shape(const uint8_t *header, uint64_t bytes,
                                 const struct segment_facts *facts, struct ivf_shape *ret_shape,
                                 struct qn_error *error)
{
    const struct ivf_shape shape = {
        .rows_count = facts->rows_count,
        .blocks_count = bytes_get_u64(header + AT_BLOCKS),
        .dim = facts->dim,
        .lists_count = bytes_get_u32(header + AT_LISTS),
        .code_bits = bytes_get_u32(header + AT_CODE_BITS),
        .has_terms = facts->metric == QN_METRIC_L2,
    };

    if (shape.lists_count < 1 || shape.lists_count > IVF_LISTS_MAX ||
        (shape.code_bits != 4 && shape.code_bits != 8) || facts->rows_count > UINT32_MAX ||
        shape.blocks_count > format_blocks(facts->rows_count) + shape.lists_count)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section index: %" PRIu32 " lists, %" PRIu64 " blocks of %" PRIu32
                         "-bit codes, %" PRIu64 " rows",
                         shape.lists_count, shape.blocks_count, shape.code_bits, facts->rows_count);
    *ret_shape = shape;
    return section_check_bytes(header, bytes, ivf_section_bytes(&shape), error);
}

/* Lists follow each other without gaps, rows and blocks alike. */
static enum qn_status check_lists(const struct ivf_section *ivf, struct qn_error *error)
{
    const uint32_t count = ivf->shape.lists_count;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t rows = ivf->first_rows[i + 1] - ivf->first_rows[i];
        if (ivf->first_rows[i + 1] < ivf->first_rows[i] ||
            ivf->first_rows[i + 1] > ivf->shape.rows_count ||
            ivf->first_blocks[i + 1] - ivf->first_blocks[i] != format_blocks(rows))
            return error_set(error, QN_STATUS_CORRUPT, "section index: list %" PRIu32, i);
    }
    if (ivf->first_rows[0] != 0 || ivf->first_blocks[0] != 0 ||
        ivf->first_rows[count] != ivf->shape.rows_count ||
        ivf->first_blocks[count] != ivf->shape.blocks_count)
        return error_set(error, QN_STATUS_CORRUPT, "section index: the lists do not hold all rows");
    return QN_STATUS_OK;
}

enum qn_status ivf_section_open(const void *memory, uint64_t bytes,
                                const struct segment_facts *facts, struct ivf_section *ret_ivf,
                                struct qn_error *error)
{
    struct ivf_shape shape;
    enum qn_status status = read_shape(memory, bytes, facts, &shape, error);

    if (status != QN_STATUS_OK)
        return status;
    ivf_section_lay(&shape, (void *)(uintptr_t)memory, ret_ivf);
    const float *floats = shape.has_terms ? ret_ivf->mean : ret_ivf->spreads;
    status = check_lists(ret_ivf, error);
    if (status == QN_STATUS_OK)
        status = section_check_floats(
            "factors", floats,
            (size_t)((const char *)ret_ivf->centres.codes - (const char *)floats) / sizeof(float),
            error);
    return status;
}
