/* SPDX-License-Identifier: Apache-2.0
 * An ivf is calibrated as it is: its lists were not trained on the rows that stand for queries. In
 * a graph a row is found by its own links: those that stand for queries are added after it was
 * calibrated without them. */
#include "segstore/index_build.h"

#include "base/error.h"
#include "base/prng.h"
#include "segstore/calibrate.h"
#include <stdlib.h>
#include <string.h>

struct building {
    const struct index_options *options;
    struct index_input *input;
    struct calibrate_options queries;
    int64_t *own_keys;
};

static enum qn_status out_of_memory(struct qn_error *error)
{
    return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
}

static const float *row_at(const struct index_input *input, uint64_t row)
{
    return input->rows + row * input->facts.dim;
}

/* What comes i-th lies at order[i]: cycle by cycle, so that no second copy is needed. */
static enum qn_status put_in_order(struct index_input *input, const uint32_t *order,
                                   struct qn_error *error)
{
    const size_t row_bytes = input->facts.dim * sizeof(float);
    float *held = malloc(row_bytes);
    unsigned char *is_done = calloc(input->facts.rows_count, 1);

    if (held == NULL || is_done == NULL) {
        free(held);
        free(is_done);
        return out_of_memory(error);
    }
    for (uint64_t first = 0; first < input->facts.rows_count; first++) {
        if (is_done[first])
            continue;
        const int64_t held_key = input->keys[first];
        uint64_t at = first;
        memcpy(held, row_at(input, first), row_bytes);
        for (; order[at] != first; at = order[at]) {
            memcpy(input->rows + at * input->facts.dim, row_at(input, order[at]), row_bytes);
            input->keys[at] = input->keys[order[at]];
            is_done[at] = 1;
        }
        memcpy(input->rows + at * input->facts.dim, held, row_bytes);
        input->keys[at] = held_key;
        is_done[at] = 1;
    }
    free(held);
    free(is_done);
    return QN_STATUS_OK;
}

static bool is_query(const struct building *building, uint64_t row)
{
    return calibrate_is_query(building->options->seed, building->input->facts.rows_count, row);
}

static enum qn_status take_queries(struct building *building, struct qn_error *error)
{
    const struct index_input *input = building->input;
    const size_t dim = input->facts.dim;

    building->queries.threads = building->options->threads;
    building->queries.queries = malloc(CALIBRATE_QUERIES_MAX * dim * sizeof(float));
    building->own_keys = calloc(CALIBRATE_QUERIES_MAX, sizeof *building->own_keys);
    if (building->queries.queries == NULL || building->own_keys == NULL)
        return out_of_memory(error);
    for (uint64_t i = 0; i < input->facts.rows_count; i++)
        if (is_query(building, i) && building->queries.queries_count < CALIBRATE_QUERIES_MAX) {
            memcpy(building->queries.queries + building->queries.queries_count * dim,
                   row_at(input, i), dim * sizeof(float));
            building->own_keys[building->queries.queries_count++] = input->keys[i];
        }
    return QN_STATUS_OK;
}

static enum qn_status calibrate_index(const struct building *building, struct index *index,
                                      uint64_t rows_count, struct qn_error *error)
{
    const struct index_input *input = building->input;
    struct segment segment = {
        .facts = input->facts, .primary_keys = input->keys, .rows = input->rows, .index = *index};

    progress_tell(&building->options->progress, "calibrate", 0, 1);
    segment.facts.rows_count = rows_count;
    enum qn_status status = calibrate(&building->queries, &segment, error);
    *index = segment.index;
    return status;
}

static enum qn_status build_ivf(struct building *building, struct section_built *built,
                                struct qn_error *error)
{
    struct index_input *input = building->input;
    struct ivf_options options = building->options->ivf;
    struct index index;

    options.seed = building->options->seed;
    options.threads = building->options->threads;
    options.progress = building->options->progress;
    building->queries.own_keys = building->own_keys;
    enum qn_status status = ivf_build(&options, &input->facts, input->rows, built, error);
    if (status == QN_STATUS_OK)
        status = put_in_order(input, built->order, error);
    if (status == QN_STATUS_OK)
        status = index_open(built->section, built->section_bytes, &input->facts, &index, error);
    if (status == QN_STATUS_OK)
        status = calibrate_index(building, &index, input->facts.rows_count, error);
    if (status == QN_STATUS_OK)
        index_seal(&index, built->section);
    return status;
}

/* At random, so that any part stands for all; those that stand for queries come last. */
static uint64_t shuffle(const struct building *building, uint32_t *ret_order)
{
    const uint64_t rows_count = building->input->facts.rows_count;
    uint64_t first = 0, last = rows_count;
    struct prng prng;

    for (uint64_t i = 0; i < rows_count; i++)
        if (is_query(building, i))
            ret_order[--last] = (uint32_t)i;
        else
            ret_order[first++] = (uint32_t)i;
    prng_init(&prng, building->options->seed + 2);
    for (uint64_t i = first; i > 1; i--) {
        uint64_t other = prng_below(&prng, i);
        uint32_t moved = ret_order[i - 1];
        ret_order[i - 1] = ret_order[other];
        ret_order[other] = moved;
    }
    return first > 0 ? first : rows_count;
}

/* order: of the rows as they are now, in the caller's numbers; becomes the final one. */
static enum qn_status grow_graph(struct building *building, uint64_t known_count, uint32_t *order,
                                 struct section_built *built, struct qn_error *error)
{
    struct index_input *input = building->input;
    struct graph_options options = building->options->graph;
    struct graph_builder *builder = NULL;
    struct index index = {.kind = INDEX_GRAPH}, sealed;

    options.seed = building->options->seed;
    options.threads = building->options->threads;
    options.progress = building->options->progress;
    enum qn_status status =
        graph_builder_new(&options, &input->facts, input->rows, &builder, error);
    if (status != QN_STATUS_OK)
        return status;
    status = graph_builder_add(builder, known_count, error);
    if (status == QN_STATUS_OK) {
        index.graph = *graph_builder_graph(builder);
        index.graph.shape.rows_count = known_count;
        status = calibrate_index(building, &index, known_count, error);
    }
    if (status == QN_STATUS_OK)
        status = graph_builder_add(builder, input->facts.rows_count, error);
    if (status == QN_STATUS_OK)
        status = graph_builder_finish(builder, built, error);
    (void)graph_builder_free(builder);
    if (status == QN_STATUS_OK)
        status = put_in_order(input, built->order, error);
    if (status == QN_STATUS_OK)
        status = index_open(built->section, built->section_bytes, &input->facts, &sealed, error);
    if (status != QN_STATUS_OK)
        return status;
    sealed.calibrations_count = index.calibrations_count;
    memcpy(sealed.calibrations, index.calibrations, sizeof index.calibrations);
    index_seal(&sealed, built->section);
    for (uint64_t i = 0; i < input->facts.rows_count; i++)
        built->order[i] = order[built->order[i]];
    return QN_STATUS_OK;
}

static enum qn_status build_graph(struct building *building, struct section_built *built,
                                  struct qn_error *error)
{
    struct index_input *input = building->input;
    uint32_t *order = calloc(input->facts.rows_count, sizeof *order);

    if (order == NULL)
        return out_of_memory(error);
    uint64_t known_count = shuffle(building, order);
    enum qn_status status = put_in_order(input, order, error);
    if (status == QN_STATUS_OK)
        status = grow_graph(building, known_count, order, built, error);
    free(order);
    return status;
}

/* What the options leave open. */
static enum qn_status settle(const struct index_options *options, const struct index_input *input,
                             struct choice *ret_choice, struct qn_error *error)
{
    const struct choose_input asked = {.metric = input->facts.metric,
                                       .dim = input->facts.dim,
                                       .rows = input->rows,
                                       .rows_count = input->facts.rows_count,
                                       .recall = options->recall,
                                       .seed = options->seed,
                                       .threads = options->threads};

    *ret_choice = (struct choice){.kind = options->kind, .projected = options->graph.projected};
    if (options->kind == INDEX_IVF ||
        (options->kind == INDEX_GRAPH && options->graph.projected != GRAPH_PROJECTED_OPEN))
        return QN_STATUS_OK;
    progress_tell(&options->progress, "choose", 0, 1);
    return choose_index(&asked, options->kind, ret_choice, error);
}

enum qn_status index_build(const struct index_options *options, struct index_input *input,
                           struct section_built *ret_built, struct choice *ret_choice,
                           struct qn_error *error)
{
    struct index_options settled = *options;
    struct building building = {.options = &settled, .input = input};
    enum qn_status status = settle(options, input, ret_choice, error);

    *ret_built = (struct section_built){.order = NULL};
    settled.kind = ret_choice->kind;
    settled.graph.projected = ret_choice->projected;
    if (status == QN_STATUS_OK)
        status = take_queries(&building, error);
    if (status == QN_STATUS_OK)
        status = (settled.kind == INDEX_IVF ? build_ivf : build_graph)(&building, ret_built, error);
    progress_tell(&options->progress, "calibrate", 1, 1);
    free(building.queries.queries);
    free(building.own_keys);
    if (status != QN_STATUS_OK)
        section_built_done(ret_built);
    return status;
}
