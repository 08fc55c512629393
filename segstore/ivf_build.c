/* SPDX-License-Identifier: Apache-2.0
 * A row x of the list around c is kept as the codes u of its residual r = x - c, each between the
 * residual's least and largest value: r ~ a + s u. For a query q
 *
 *     q.x = q.c + q.r,   q.r ~ f (a sum q + s sum q u)
 *
 * where f = |r|^2 / (r . (a + s u)) makes the estimate right for q along r, as in RaBitQ (Gao and
 * Long, SIGMOD 2024). For l2 a row's score is q.x - |x|^2 / 2, which orders rows as distances do.
 */
#include "segstore/ivf_build.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/parallel.h"
#include "base/prng.h"
#include "segstore/calibrate.h"
#include "segstore/format.h"
#include "segstore/index.h"
#include "segstore/kmeans.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITERATIONS = 10,
    SAMPLE_PER_LIST = 100,
    ROWS_PER_LIST_MIN = 8, /* of those to train on: fewer are all needed */
};

struct building {
    const struct ivf_options *options;
    enum qn_metric metric;
    uint32_t dim;
    const float *rows;
    uint64_t rows_count;
    struct kmeans kmeans; /* of all rows */
    float *centroids;     /* nlist x dim */
    uint32_t *nearest;    /* rows_count */
    struct ivf_section ivf;
    struct section_built *built;
};

/* About 4 sqrt(rows): the lists that are looked at and the centroids cost the same. */
static uint32_t lists_for(uint64_t rows_count)
{
    double wanted = 4 * sqrt((double)rows_count);
    uint32_t lists = 1;

    while (lists * 1.5 < wanted && lists < IVF_LISTS_MAX)
        lists *= 2;
    while (lists > 1 && lists > rows_count / 8)
        lists /= 2;
    return lists;
}

/* Takes part in the training: too few rows are all needed. */
static bool is_trained_on(const struct building *building, uint64_t row)
{
    return building->rows_count < (uint64_t)building->kmeans.centroids_count * ROWS_PER_LIST_MIN ||
           !calibrate_is_query(building->options->seed, building->rows_count, row);
}

static enum qn_status train(struct building *building, struct qn_error *error)
{
    const size_t dim = building->dim;
    uint64_t wanted = (uint64_t)building->kmeans.centroids_count * SAMPLE_PER_LIST;
    uint64_t count = 0, taken = 0, left = 0;
    struct prng prng;

    for (uint64_t i = 0; i < building->rows_count; i++)
        left += is_trained_on(building, i);
    count = wanted < left ? wanted : left;
    float *sample = malloc(count * dim * sizeof *sample);
    if (sample == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    prng_init(&prng, building->options->seed + 1);
    for (uint64_t i = 0; i < building->rows_count && taken < count; i++)
        if (is_trained_on(building, i) && prng_below(&prng, left--) < count - taken)
            memcpy(sample + taken++ * dim, building->rows + i * dim, dim * sizeof *sample);
    struct kmeans training = building->kmeans;
    training.rows = sample;
    training.rows_count = count;
    enum qn_status status = kmeans_train(&training, building->centroids, error);
    free(sample);
    return status;
}

/* Counting sort: within a list the input's order stays. */
static enum qn_status sort_into_lists(struct building *building, struct qn_error *error)
{
    const uint32_t lists_count = building->kmeans.centroids_count;
    struct section_built *built = building->built;
    uint64_t *firsts = calloc(lists_count + UINT64_C(1), sizeof *firsts), blocks_count = 0;

    built->order = calloc(building->rows_count + 1, sizeof *built->order);
    if (firsts == NULL || built->order == NULL) {
        free(firsts);
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    }
    for (uint64_t i = 0; i < building->rows_count; i++)
        firsts[building->nearest[i] + 1]++;
    for (uint32_t i = 0; i < lists_count; i++)
        blocks_count += format_blocks(firsts[i + 1]);
    const struct ivf_shape shape = {.rows_count = building->rows_count,
                                    .blocks_count = blocks_count,
                                    .dim = building->dim,
                                    .lists_count = lists_count,
                                    .code_bits = building->options->code_bits};
    built->section_bytes = ivf_section_bytes(&shape);
    built->section = aligned_alloc(SECTION_ALIGNMENT, built->section_bytes);
    if (built->section == NULL) {
        free(firsts);
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    }
    memset(built->section, 0, built->section_bytes);
    ivf_section_lay(&shape, built->section, &building->ivf);
    uint64_t *first_rows = (uint64_t *)(uintptr_t)building->ivf.first_rows;
    uint64_t *first_blocks = (uint64_t *)(uintptr_t)building->ivf.first_blocks;
    for (uint32_t i = 0; i < lists_count; i++) {
        first_rows[i + 1] = first_rows[i] + firsts[i + 1];
        first_blocks[i + 1] = first_blocks[i] + format_blocks(firsts[i + 1]);
        firsts[i + 1] = first_rows[i + 1];
    }
    for (uint64_t i = 0; i < building->rows_count; i++)
        built->order[firsts[building->nearest[i]]++] = (uint32_t)i;
    free(firsts);
    return QN_STATUS_OK;
}

static double dot(const float *a, const float *b, uint32_t dim)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void put_code(const struct building *building, uint64_t block, size_t lane, uint32_t d,
                     unsigned code)
{
    const bool is_half = building->options->code_bits == 4;
    uint8_t *bytes = (uint8_t *)(uintptr_t)building->ivf.codes +
                     block * building->ivf.code_dims * LIMIT_BLOCK_ROWS / (is_half ? 2 : 1);

    if (is_half)
        bytes[d / 8 * 64 + lane * 4 + d % 4] |= (uint8_t)(code << (d / 4 % 2 * 4));
    else
        bytes[d / 4 * 64 + lane * 4 + d % 4] = (uint8_t)code;
}

struct residual {
    float least, largest;
    double square;
};

static struct residual take_residual(const float *row, const float *centroid, uint32_t dim,
                                     float *ret_values)
{
    struct residual residual = {.least = INFINITY, .largest = -INFINITY};

    for (uint32_t d = 0; d < dim; d++) {
        ret_values[d] = row[d] - centroid[d];
        residual.least = fminf(residual.least, ret_values[d]);
        residual.largest = fmaxf(residual.largest, ret_values[d]);
        residual.square += (double)ret_values[d] * (double)ret_values[d];
    }
    return residual;
}

/* values: dim, for the residual. */
static void encode_row(const struct building *building, size_t list, uint64_t row, float *values)
{
    const struct ivf_section *ivf = &building->ivf;
    const uint32_t dim = building->dim;
    const unsigned top = (1U << building->options->code_bits) - 1;
    const uint64_t in_list = row - ivf->first_rows[list];
    const uint64_t block = ivf->first_blocks[list] + in_list / LIMIT_BLOCK_ROWS;
    const size_t lane = in_list % LIMIT_BLOCK_ROWS;
    const float *from = building->rows + (size_t)building->built->order[row] * dim;
    struct residual residual = take_residual(from, building->centroids + list * dim, dim, values);
    float step = (residual.largest - residual.least) / (float)top;
    double along = 0;

    for (uint32_t d = 0; d < dim; d++) {
        float code = step > 0 ? roundf((values[d] - residual.least) / step) : 0;
        code = fminf(fmaxf(code, 0), (float)top);
        put_code(building, block, lane, d, (unsigned)code);
        along += (double)values[d] * ((double)residual.least + (double)step * (double)code);
    }
    double factor = along > 0 ? residual.square / along : 1;
    float *factors = (float *)(uintptr_t)ivf->factors + block * IVF_FACTORS * LIMIT_BLOCK_ROWS;
    if (building->metric == QN_METRIC_L2)
        factors[lane] = (float)(-dot(from, from, dim) / 2);
    factors[LIMIT_BLOCK_ROWS + lane] = (float)(factor * (double)residual.least);
    factors[2 * LIMIT_BLOCK_ROWS + lane] = (float)(factor * (double)step);
}

static void encode_lists(void *owner, size_t first, size_t count)
{
    struct building *building = owner;
    const struct ivf_section *ivf = &building->ivf;
    float *values = malloc(building->dim * sizeof *values);

    CHECK(values != NULL); /* a few KiB */
    for (size_t list = first; list < first + count; list++)
        for (uint64_t row = ivf->first_rows[list]; row < ivf->first_rows[list + 1]; row++)
            encode_row(building, list, row, values);
    free(values);
}

static void place_centroids(struct building *building)
{
    const struct ivf_section *ivf = &building->ivf;
    const uint32_t dim = building->dim;
    float *terms = (float *)(uintptr_t)ivf->centroid_terms;

    for (uint32_t i = 0; i < ivf->shape.lists_count; i++) {
        const float *centroid = building->centroids + (size_t)i * dim;
        rows_to_block(centroid, dim, i % LIMIT_BLOCK_ROWS,
                      (float *)(uintptr_t)ivf->centroids +
                          (size_t)(i / LIMIT_BLOCK_ROWS) * LIMIT_BLOCK_ROWS * dim);
        if (building->metric == QN_METRIC_L2)
            terms[i] = (float)(-dot(centroid, centroid, dim) / 2);
    }
}

static enum qn_status run(struct building *building, struct qn_error *error)
{
    enum qn_status status = train(building, error);

    if (status == QN_STATUS_OK)
        status = kmeans_assign(&building->kmeans, building->centroids, building->nearest, error);
    if (status == QN_STATUS_OK)
        status = sort_into_lists(building, error);
    if (status != QN_STATUS_OK)
        return status;
    place_centroids(building);
    parallel_for(building->options->threads, building->ivf.shape.lists_count, 1, encode_lists,
                 building);
    index_seal(&(struct index){.kind = INDEX_IVF, .ivf = building->ivf}, building->built->section);
    return QN_STATUS_OK;
}

enum qn_status ivf_build(const struct ivf_options *options, const struct segment_facts *facts,
                         const float *rows, struct section_built *ret_built, struct qn_error *error)
{
    uint32_t nlist = options->nlist > 0 ? options->nlist : lists_for(facts->rows_count);
    struct building building = {
        .options = options,
        .metric = facts->metric,
        .dim = facts->dim,
        .rows = rows,
        .rows_count = facts->rows_count,
        .kmeans = {.dim = facts->dim,
                   .centroids_count = nlist,
                   .iterations = ITERATIONS,
                   .seed = options->seed,
                   .threads = options->threads,
                   .rows = rows,
                   .rows_count = facts->rows_count},
        .centroids = malloc((size_t)nlist * facts->dim * sizeof(float)),
        .nearest = calloc(facts->rows_count + 1, sizeof(uint32_t)),
        .built = ret_built,
    };
    enum qn_status status = QN_STATUS_OK;

    *ret_built = (struct section_built){.order = NULL};
    if (nlist > facts->rows_count || facts->rows_count > UINT32_MAX)
        status = error_set(error, QN_STATUS_INVALID, "%" PRIu32 " lists for %" PRIu64 " rows",
                           nlist, facts->rows_count);
    else if (building.centroids == NULL || building.nearest == NULL)
        status = error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    else
        status = run(&building, error);
    free(building.centroids);
    free(building.nearest);
    if (status != QN_STATUS_OK)
        section_built_done(ret_built);
    return status;
}
