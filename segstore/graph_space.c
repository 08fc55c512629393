/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/graph_space.h"

#include "base/error.h"
#include "base/prng.h"
#include "segstore/kernels/kernels.h"
#include "segstore/principal.h"
#include "segstore/rows.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE_ROWS = 4096,
    STEP_TRIES = 16, /* shares of the widest dimension's range */
    RANGE_CODES = GRAPH_CODE_TOP - 1,
};

size_t graph_space_floats(const struct graph_section *graph)
{
    return graph->code_dims + LIMIT_BLOCK_ROWS;
}

static uint32_t plain_dims(const struct graph_section *graph)
{
    return graph->shape.projected > 0 ? graph->shape.projected : graph->shape.dim;
}

static size_t direction_blocks(const struct graph_section *graph)
{
    return (graph->shape.projected + LIMIT_BLOCK_ROWS - 1) / LIMIT_BLOCK_ROWS;
}

static void clear_rest(const struct graph_section *graph, float *space)
{
    const uint32_t dims = plain_dims(graph);

    memset(space + dims, 0, (graph->code_dims - dims) * sizeof *space);
}

void graph_space_query(const struct graph_section *graph, const float *vector, float *ret_space)
{
    if (graph->shape.projected > 0)
        kernels_current()->ip(&(struct kernel_job){
            .queries = vector,
            .blocks = graph->directions,
            .dim = graph->shape.dim,
            .queries_count = 1,
            .blocks_count = direction_blocks(graph),
            .ret_distances = ret_space,
        });
    else
        memcpy(ret_space, vector, graph->shape.dim * sizeof *ret_space);
    clear_rest(graph, ret_space);
}

size_t graph_space_tile_floats(const struct graph_section *graph)
{
    return direction_blocks(graph) * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS;
}

void graph_space_tile(const struct graph_section *graph, const float *tile, float *ret_products)
{
    (void)kernels_current()->tile(&(struct kernel_tile){
        .queries = tile,
        .blocks = graph->directions,
        .block_floats = (size_t)graph->shape.dim * LIMIT_BLOCK_ROWS,
        .dims = graph->shape.dim,
        .blocks_count = direction_blocks(graph),
        .is_first = true,
        .sums = ret_products,
    });
}

void graph_space_of_tile(const struct graph_section *graph, const float *products, uint32_t query,
                         float *ret_space)
{
    for (size_t block = 0; block < direction_blocks(graph); block++)
        memcpy(ret_space + block * LIMIT_BLOCK_ROWS,
               products + (block * KERNEL_TILE_QUERIES + query) * LIMIT_BLOCK_ROWS,
               LIMIT_BLOCK_ROWS * sizeof *ret_space);
    clear_rest(graph, ret_space);
}

static float to_float(double value)
{
    return (float)fmax(fmin(value, (double)FLT_MAX), (double)-FLT_MAX);
}

void graph_space_row(const struct graph_space *space, const float *vector, float *ret_values)
{
    const struct graph_section *graph = space->graph;
    const uint32_t dims = plain_dims(graph);
    double missing;

    graph_space_query(graph, vector, ret_values);
    if (graph_space_dims(&graph->shape) == dims)
        return;
    if (graph->shape.metric == QN_METRIC_IP)
        missing =
            (double)graph->ip_norm * (double)graph->ip_norm - rows_square(ret_values, NULL, dims);
    else
        missing = rows_square(vector, space->mean, graph->shape.dim) -
                  rows_square(ret_values, space->own_mean, dims);
    ret_values[dims] = missing > 0 ? to_float(sqrt(missing)) : 0;
}

static inline uint8_t code_of(const struct graph_section *graph, uint32_t d, float value)
{
    const float least = -GRAPH_CODE_MIDDLE, most = GRAPH_CODE_TOP - GRAPH_CODE_MIDDLE;
    float steps = (value - graph->centres[d]) / graph->step;

    steps = steps > least ? steps : least;
    steps = steps < most ? steps : most;
    return (uint8_t)(GRAPH_CODE_MIDDLE + lrintf(steps));
}

void graph_space_encode(const struct graph_section *graph, const float *space, uint8_t *ret_code)
{
    const uint32_t dims = graph_space_dims(&graph->shape);

    for (uint32_t d = 0; d < dims; d++)
        ret_code[d] = code_of(graph, d, space[d]);
    memset(ret_code + dims, 0, graph->code_dims - dims);
}

static void take_mean(const struct graph_space_training *training, struct graph_space *space)
{
    const uint32_t dim = space->graph->shape.dim;
    double *sums = calloc(dim, sizeof *sums);

    if (sums == NULL)
        return; /* any centre will do */
    for (uint64_t i = 0; i < training->rows_count; i++)
        for (uint32_t d = 0; d < dim; d++)
            sums[d] += (double)training->rows[i * dim + d];
    for (uint32_t d = 0; d < dim; d++)
        space->mean[d] = (float)(sums[d] / (double)training->rows_count);
    free(sums);
}

/* In the middle of what each dimension of the sample spans; the step in which the widest of them
 * has a code for each of its values. */
static float set_centres(struct graph_section *graph, const float *sample, size_t count)
{
    const size_t floats = graph_space_floats(graph);
    float *centres = (float *)(uintptr_t)graph->centres;
    float widest = 0;

    for (uint32_t d = 0; d < graph_space_dims(&graph->shape); d++) {
        float least = FLT_MAX, largest = -FLT_MAX;
        for (size_t i = 0; i < count; i++) { /* a product may have overflowed */
            least = fminf(least, fmaxf(sample[i * floats + d], -FLT_MAX));
            largest = fmaxf(largest, fminf(sample[i * floats + d], FLT_MAX));
        }
        centres[d] = least / 2 + largest / 2;
        widest = fmaxf(widest, largest / RANGE_CODES - least / RANGE_CODES);
    }
    return widest;
}

static double error_of_step(const struct graph_section *graph, const float *sample, size_t count)
{
    const size_t floats = graph_space_floats(graph);
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        for (uint32_t d = 0; d < graph_space_dims(&graph->shape); d++) {
            float value = sample[i * floats + d];
            int steps = code_of(graph, d, value) - GRAPH_CODE_MIDDLE;
            double error =
                (double)value - ((double)graph->centres[d] + steps * (double)graph->step);
            sum += error * error;
        }
    return sum;
}

/* A smaller step is finer, but cuts off more: the one with the least error on the sample. */
static void set_step(struct graph_section *graph, const float *sample, size_t count, float widest)
{
    float best = 1;
    double best_error = INFINITY;

    for (int i = STEP_TRIES; i > 0 && widest > 0; i--) {
        graph->step = fmaxf(widest * (float)i / STEP_TRIES, FLT_MIN);
        double error = error_of_step(graph, sample, count);
        if (error > best_error)
            break;
        best = graph->step;
        best_error = error;
    }
    graph->step = best;
}

/* Of all rows, evenly. */
static uint64_t sampled_row(const struct graph_space_training *training, size_t count, size_t i)
{
    return (uint64_t)i * training->rows_count / count;
}

/* By a power of two, so that no square of a value is too large or too small for a float: the
 * directions stay the same, to the bit where it does not matter. */
static void scale_down(float *values, size_t count, float largest)
{
    int exponent = 0;

    (void)frexpf(largest, &exponent);
    for (size_t i = 0; i < count; i++)
        values[i] = ldexpf(values[i], -exponent);
}

/* The sample's rows, and at its end the mean. */
static void take_sample(const struct graph_space_training *training,
                        const struct graph_space *space, size_t count, float *ret_sample)
{
    const uint32_t dim = space->graph->shape.dim;
    float largest = 0;

    for (size_t i = 0; i < count; i++)
        memcpy(ret_sample + i * dim, training->rows + sampled_row(training, count, i) * dim,
               dim * sizeof *ret_sample);
    memcpy(ret_sample + count * dim, space->mean, dim * sizeof *ret_sample);
    for (size_t i = 0; i < (count + 1) * dim; i++)
        largest = fmaxf(largest, fabsf(ret_sample[i]));
    scale_down(ret_sample, (count + 1) * dim, largest);
}

static enum qn_status train_directions(const struct graph_space_training *training,
                                       const struct graph_space *space, size_t count,
                                       struct qn_error *error)
{
    const uint32_t dim = space->graph->shape.dim;
    float *sample = malloc((count + 1) * dim * sizeof *sample);

    if (sample == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    take_sample(training, space, count, sample);
    const struct principal principal = {.rows = sample,
                                        .rows_count = count,
                                        .dim = dim,
                                        .count = space->graph->shape.projected,
                                        .seed = training->seed,
                                        .threads = training->threads};
    enum qn_status status = principal_directions(
        &principal, sample + count * dim, (float *)(uintptr_t)space->graph->directions, error);
    free(sample);
    return status;
}

static void take_norm(const struct graph_space_training *training, struct graph_section *graph)
{
    const uint32_t dim = graph->shape.dim;
    double most = 0;

    for (uint64_t i = 0; i < training->rows_count && graph->shape.metric == QN_METRIC_IP; i++)
        most = fmax(most, rows_square(training->rows + i * dim, NULL, dim));
    graph->ip_norm = to_float(sqrt(most));
}

static enum qn_status train_steps(const struct graph_space_training *training,
                                  const struct graph_space *space, size_t count,
                                  struct qn_error *error)
{
    const size_t floats = graph_space_floats(space->graph);
    float *sample = malloc(count * floats * sizeof *sample);

    if (sample == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        graph_space_row(space,
                        training->rows + sampled_row(training, count, i) * space->graph->shape.dim,
                        sample + i * floats);
    set_step(space->graph, sample, count, set_centres(space->graph, sample, count));
    free(sample);
    return QN_STATUS_OK;
}

enum qn_status graph_space_train(const struct graph_space_training *training,
                                 struct graph_section *graph, struct graph_space *ret_space,
                                 struct qn_error *error)
{
    const size_t count =
        training->rows_count < SAMPLE_ROWS ? (size_t)training->rows_count : SAMPLE_ROWS;
    enum qn_status status = QN_STATUS_OK;

    *ret_space = (struct graph_space){
        .graph = graph,
        .mean = calloc(graph->shape.dim, sizeof(float)),
        .own_mean = calloc(graph_space_floats(graph), sizeof(float)),
    };
    if (ret_space->mean == NULL || ret_space->own_mean == NULL)
        status = error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    if (status == QN_STATUS_OK)
        take_mean(training, ret_space);
    if (status == QN_STATUS_OK && graph->shape.projected > 0)
        status = train_directions(training, ret_space, count, error);
    if (status == QN_STATUS_OK) {
        graph_space_query(graph, ret_space->mean, ret_space->own_mean);
        take_norm(training, graph);
        status = train_steps(training, ret_space, count, error);
    }
    if (status != QN_STATUS_OK)
        graph_space_done(ret_space);
    return status;
}

void graph_space_done(struct graph_space *space)
{
    free(space->mean);
    free(space->own_mean);
    *space = (struct graph_space){.graph = NULL};
}
