/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/graph_section.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/bytes.h"
#include <float.h>
#include <inttypes.h>

enum {
    AT_DEGREE = SECTION_AT_SHAPE,
    AT_PROJECTED = SECTION_AT_SHAPE + 4,
    AT_ENTRIES = SECTION_AT_SHAPE + 8,
    AT_STEP = SECTION_AT_MORE_SHAPE,
    AT_IP_NORM = SECTION_AT_MORE_SHAPE + 4,
};

enum array { ARRAY_LINKS, ARRAY_CODES, ARRAY_DIRECTIONS, ARRAY_CENTRES, ARRAYS_COUNT };

uint32_t graph_space_dims(const struct graph_shape *shape)
{
    if (shape->projected > 0)
        return shape->projected + 1;
    return shape->dim + (shape->metric == QN_METRIC_IP ? 1 : 0);
}

static uint32_t code_dims(const struct graph_shape *shape)
{
    return (uint32_t)section_round_up(graph_space_dims(shape), GRAPH_CODE_DIMS);
}

/* offsets[ARRAYS_COUNT] is the end. */
static void lay_out(const struct graph_shape *shape, uint64_t offsets[ARRAYS_COUNT + 1])
{
    const uint64_t bytes[ARRAYS_COUNT] = {
        [ARRAY_LINKS] = shape->rows_count * shape->degree * sizeof(uint32_t),
        [ARRAY_CODES] = shape->rows_count * code_dims(shape),
        [ARRAY_DIRECTIONS] =
            section_round_up(shape->projected, LIMIT_BLOCK_ROWS) * shape->dim * sizeof(float),
        [ARRAY_CENTRES] = code_dims(shape) * sizeof(float),
    };

    section_lay_out(bytes, ARRAYS_COUNT, offsets);
}

uint64_t graph_section_bytes(const struct graph_shape *shape)
{
    uint64_t offsets[ARRAYS_COUNT + 1];

    lay_out(shape, offsets);
    return offsets[ARRAYS_COUNT];
}

void graph_section_lay(const struct graph_shape *shape, void *memory,
                       struct graph_section *ret_graph)
{
    unsigned char *bytes = memory;
    uint64_t offsets[ARRAYS_COUNT + 1];

    CHECK((uintptr_t)memory % SECTION_ALIGNMENT == 0);
    lay_out(shape, offsets);
    *ret_graph = (struct graph_section){
        .shape = *shape,
        .code_dims = code_dims(shape),
        .links = (const uint32_t *)(void *)(bytes + offsets[ARRAY_LINKS]),
        .codes = bytes + offsets[ARRAY_CODES],
        .directions = (const float *)(void *)(bytes + offsets[ARRAY_DIRECTIONS]),
        .centres = (const float *)(void *)(bytes + offsets[ARRAY_CENTRES]),
    };
}

void graph_section_seal(const struct graph_section *graph, uint8_t *header)
{
    bytes_put_u32(header + AT_DEGREE, graph->shape.degree);
    bytes_put_u32(header + AT_PROJECTED, graph->shape.projected);
    bytes_put_u32(header + AT_ENTRIES, graph->shape.entries);
    bytes_put_u64(header + SECTION_AT_BYTES, graph_section_bytes(&graph->shape));
    bytes_put_float(header + AT_STEP, graph->step);
    bytes_put_float(header + AT_IP_NORM, graph->ip_norm);
}

static enum qn_status read_shape(const uint8_t *header, uint64_t bytes,
                                 const struct segment_facts *facts, struct graph_shape *ret_shape,
                                 struct qn_error *error)
{
    const struct graph_shape shape = {
        .rows_count = facts->rows_count,
        .dim = facts->dim,
        .metric = facts->metric,
        .degree = bytes_get_u32(header + AT_DEGREE),
        .projected = bytes_get_u32(header + AT_PROJECTED),
        .entries = bytes_get_u32(header + AT_ENTRIES),
    };

    if (shape.degree < 1 || shape.degree > GRAPH_DEGREE_MAX || shape.projected > facts->dim ||
        shape.entries < 1 || shape.entries > GRAPH_ENTRIES_MAX ||
        shape.entries > facts->rows_count || facts->rows_count > GRAPH_ROWS_MAX)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section index: degree %" PRIu32 ", %" PRIu32 " directions, %" PRIu32
                         " entries, %" PRIu64 " rows",
                         shape.degree, shape.projected, shape.entries, facts->rows_count);
    *ret_shape = shape;
    return section_check_bytes(header, bytes, graph_section_bytes(&shape), error);
}

/* SIMD kernels rely on the range of codes, searches on that of links. */
static enum qn_status check_rows(const struct graph_section *graph, struct qn_error *error)
{
    const uint64_t rows_count = graph->shape.rows_count;
    const uint64_t links_count = rows_count * graph->shape.degree;
    const uint64_t codes_count = rows_count * graph->code_dims;

    for (uint64_t i = 0; i < links_count; i++)
        if (graph->links[i] >= rows_count)
            return error_set(error, QN_STATUS_CORRUPT,
                             "section index: row %" PRIu64 " has a link to row %" PRIu32,
                             i / graph->shape.degree, graph->links[i]);
    for (uint64_t i = 0; i < codes_count; i++)
        if (graph->codes[i] > GRAPH_CODE_TOP)
            return error_set(error, QN_STATUS_CORRUPT, "section index: row %" PRIu64 ": code %u",
                             i / graph->code_dims, graph->codes[i]);
    return QN_STATUS_OK;
}

enum qn_status graph_section_open(const void *memory, uint64_t bytes,
                                  const struct segment_facts *facts,
                                  struct graph_section *ret_graph, struct qn_error *error)
{
    const uint8_t *header = memory;
    struct graph_shape shape;
    enum qn_status status = read_shape(header, bytes, facts, &shape, error);

    if (status != QN_STATUS_OK)
        return status;
    graph_section_lay(&shape, (void *)(uintptr_t)memory, ret_graph);
    ret_graph->step = bytes_get_float(header + AT_STEP);
    ret_graph->ip_norm = bytes_get_float(header + AT_IP_NORM);
    if (!(ret_graph->step > 0 && ret_graph->step <= FLT_MAX) ||
        !(ret_graph->ip_norm >= 0 && ret_graph->ip_norm <= FLT_MAX))
        return error_set(error, QN_STATUS_CORRUPT, "section index: step %g, longest row %g",
                         (double)ret_graph->step, (double)ret_graph->ip_norm);
    status = check_rows(ret_graph, error);
    if (status == QN_STATUS_OK)
        status = section_check_floats(
            "directions", ret_graph->directions,
            section_round_up(shape.projected, LIMIT_BLOCK_ROWS) * shape.dim, error);
    if (status == QN_STATUS_OK)
        status = section_check_floats("centres", ret_graph->centres, ret_graph->code_dims, error);
    return status;
}
