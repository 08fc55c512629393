/* SPDX-License-Identifier: Apache-2.0
 * A row x of the list around c is kept as the codes of its residual r = x - c: r ~ s w, where w are
 * the codes less their middle. For a query q
 *
 *     q.x = q.c + q.r,   q.r ~ f (q.w),   f = |r|^2 / (r.w)
 *
 * where f makes the estimate right for q along r, as in RaBitQ (Gao and Long, SIGMOD 2024). For l2
 * a list's score is q.c - |c|^2 / 2 and a row's that and q.r + (|c|^2 - |x|^2) / 2, which orders
 * them as distances do. Centres are coded around the mean of all: that is the same for every list,
 * and left out of the scores.
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
#include "segstore/ivf_encode.h"
#include "segstore/kmeans.h"
#include "segstore/rows.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITERATIONS = 10,
    SAMPLE_PER_LIST = 100,
    AVERAGE_ROWS = 4,
    ROWS_PER_LIST_MIN = 8, /* of those to train on: fewer are all needed */
    SQUARE_ROOM = 16,
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
    double *squares;      /* nlist: of all residuals */
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
                                    .code_bits = building->options->code_bits,
                                    .has_terms = building->metric == QN_METRIC_L2};
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

/* What encoding wants of memory. */
struct desk {
    float *values;          /* dim */
    uint8_t *codes, *tried; /* dim */
};

static bool desk_take(struct desk *desk, uint32_t dim)
{
    desk->values = malloc(dim * sizeof *desk->values);
    desk->codes = malloc(dim);
    desk->tried = malloc(dim);
    return desk->values != NULL && desk->codes != NULL && desk->tried != NULL;
}

static void desk_give(struct desk *desk)
{
    free(desk->values);
    free(desk->codes);
    free(desk->tried);
}

/* Returns the square of its residual. */
static double encode_row(const struct building *building, size_t list, uint64_t row,
                         const struct desk *desk)
{
    const struct ivf_section *ivf = &building->ivf;
    const uint32_t dim = building->dim, bits = ivf->shape.code_bits;
    const uint64_t place = ivf->first_blocks[list] * LIMIT_BLOCK_ROWS + row - ivf->first_rows[list];
    const float *from = building->rows + (size_t)building->built->order[row] * dim;
    const float *centre = building->centroids + list * dim;

    for (uint32_t d = 0; d < dim; d++)
        desk->values[d] = from[d] - centre[d];
    struct ivf_coded coded = ivf_encode(desk->values, dim, bits, desk->codes, desk->tried);
    ivf_put_codes(ivf, &ivf->rows, bits, place, desk->codes);
    ((float *)(uintptr_t)ivf->rows.scales)[place] =
        coded.along > 0 ? (float)(coded.value_square / coded.along) : 0;
    if (ivf->rows.terms != NULL)
        ((float *)(uintptr_t)ivf->rows.terms)[place] =
            (float)((rows_square(centre, ivf->mean, dim) - rows_square(from, ivf->mean, dim)) / 2);
    return coded.value_square;
}

static void encode_lists(void *owner, size_t first, size_t count)
{
    struct building *building = owner;
    const struct ivf_section *ivf = &building->ivf;
    struct desk desk;

    CHECK(desk_take(&desk, building->dim)); /* a few KiB */
    for (size_t list = first; list < first + count; list++)
        for (uint64_t row = ivf->first_rows[list]; row < ivf->first_rows[list + 1]; row++)
            building->squares[list] += encode_row(building, list, row, &desk);
    desk_give(&desk);
}

/* A list's centre is what its code says, so that the residuals make up for what it does not. */
static void encode_centre(struct building *building, size_t list, const float *mean,
                          const struct desk *desk)
{
    const struct ivf_section *ivf = &building->ivf;
    const uint32_t dim = building->dim;
    const float middle = (float)ivf_code_top(IVF_CENTRE_BITS) / 2;
    float *centre = building->centroids + list * dim;

    for (uint32_t d = 0; d < dim; d++)
        desk->values[d] = centre[d] - mean[d];
    struct ivf_coded coded =
        ivf_encode(desk->values, dim, IVF_CENTRE_BITS, desk->codes, desk->tried);
    float scale = (float)(coded.along / coded.code_square);
    ivf_put_codes(ivf, &ivf->centres, IVF_CENTRE_BITS, list, desk->codes);
    for (uint32_t d = 0; d < dim; d++)
        centre[d] = mean[d] + scale * ((float)desk->codes[d] - middle);
    ((float *)(uintptr_t)ivf->centres.scales)[list] = scale;
    if (ivf->centres.terms != NULL)
        ((float *)(uintptr_t)ivf->centres.terms)[list] =
            (float)(-rows_square(centre, mean, dim) / 2);
}

static void take_mean(const struct building *building, float *mean)
{
    const size_t lists_count = building->kmeans.centroids_count, dim = building->dim;

    for (size_t d = 0; d < dim; d++) {
        double sum = 0;
        for (size_t i = 0; i < lists_count; i++)
            sum += (double)building->centroids[i * dim + d];
        mean[d] = (float)(sum / (double)lists_count);
    }
    if (building->ivf.mean != NULL)
        memcpy((float *)(uintptr_t)building->ivf.mean, mean, dim * sizeof *mean);
}

static enum qn_status encode_centres(struct building *building, struct qn_error *error)
{
    const size_t lists_count = building->kmeans.centroids_count;
    float *mean = calloc(building->dim, sizeof *mean);
    struct desk desk;
    bool is_short = !desk_take(&desk, building->dim) || mean == NULL;

    if (!is_short)
        take_mean(building, mean);
    for (size_t i = 0; i < lists_count && !is_short; i++)
        encode_centre(building, i, mean, &desk);
    desk_give(&desk);
    free(mean);
    return is_short ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory") : QN_STATUS_OK;
}

/* Of few rows little is known: some of the average counts with them. */
static void place_spreads(struct building *building)
{
    const struct ivf_section *ivf = &building->ivf;
    const uint32_t lists_count = ivf->shape.lists_count;
    float *spreads = (float *)(uintptr_t)ivf->spreads;
    double all = 0;

    if (spreads == NULL)
        return;
    for (uint32_t i = 0; i < lists_count; i++)
        all += building->squares[i];
    all /= (double)building->rows_count;
    for (uint32_t i = 0; i < lists_count; i++) {
        const double rows_count = (double)(ivf->first_rows[i + 1] - ivf->first_rows[i]);
        const double square = (building->squares[i] + AVERAGE_ROWS * all) /
                              (rows_count + AVERAGE_ROWS) / building->dim;
        spreads[i] = square > FLT_MIN ? (float)sqrt(square) : 1;
    }
}

/* Squares of lengths, and their differences, must be floats. */
static enum qn_status check_lengths(const struct building *building, struct qn_error *error)
{
    const uint32_t dim = building->dim;

    for (uint64_t i = 0; i < building->rows_count; i++) {
        const double square = rows_square(building->rows + i * dim, NULL, dim);
        if (square > (double)FLT_MAX / SQUARE_ROOM)
            return error_set(error, QN_STATUS_INVALID,
                             "row %" PRIu64 ": its length of %.3g is more than an ivf can "
                             "estimate; a graph takes it",
                             i, sqrt(square));
    }
    return QN_STATUS_OK;
}

static enum qn_status run(struct building *building, struct qn_error *error)
{
    const struct progress *progress = &building->options->progress;
    enum qn_status status = check_lengths(building, error);

    if (status == QN_STATUS_OK)
        status = train(building, error);
    progress_tell(progress, "lists", 0, 2);
    if (status == QN_STATUS_OK)
        status = kmeans_assign(&building->kmeans, building->centroids, building->nearest, error);
    if (status == QN_STATUS_OK)
        status = sort_into_lists(building, error);
    if (status == QN_STATUS_OK)
        status = encode_centres(building, error);
    if (status != QN_STATUS_OK)
        return status;
    progress_tell(progress, "lists", 1, 2);
    parallel_for(building->options->threads, building->ivf.shape.lists_count, 1, encode_lists,
                 building);
    place_spreads(building);
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
                   .rows_count = facts->rows_count,
                   .progress = options->progress},
        .centroids = malloc((size_t)nlist * facts->dim * sizeof(float)),
        .nearest = calloc(facts->rows_count + 1, sizeof(uint32_t)),
        .squares = calloc(nlist, sizeof(double)),
        .built = ret_built,
    };
    enum qn_status status = QN_STATUS_OK;

    *ret_built = (struct section_built){.order = NULL};
    if (nlist > facts->rows_count || facts->rows_count > UINT32_MAX)
        status = error_set(error, QN_STATUS_INVALID, "%" PRIu32 " lists for %" PRIu64 " rows",
                           nlist, facts->rows_count);
    else if (building.centroids == NULL || building.nearest == NULL || building.squares == NULL)
        status = error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    else
        status = run(&building, error);
    free(building.centroids);
    free(building.nearest);
    free(building.squares);
    if (status != QN_STATUS_OK)
        section_built_done(ret_built);
    return status;
}
