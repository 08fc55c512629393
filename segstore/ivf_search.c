/* SPDX-License-Identifier: Apache-2.0
 * One query after the other: the nearest lists by their centroids, the codes of those lists in the
 * order of the lists, the best of the estimates by the rows themselves. Distances that are told are
 * those of FORMAT.md, to the bit; only which rows are looked at is an estimate. */
#include "segstore/ivf.h"

#include "base/limits.h"
#include "segstore/kernels/kernels.h"
#include <math.h>

enum {
    STEP_BLOCKS = 32, /* of codes at a time */
    SORTED_MAX = 64,  /* lists that are worth putting in order */
    SAMPLES = 64,     /* of the lists' scores */
    SAMPLE_MARGIN = 6,
    LINE_BYTES = 64,
};

/* A list, or a row; the larger estimate is the better. */
struct candidate {
    float estimate;
    uint32_t number;
};

struct ivf {
    struct scan *scan;
    const struct ivf_section *index;
    const float *query;
    struct topk *topk;
    float *list_scores; /* lists, rounded up to 16 */
    struct candidate *lists;
    int8_t *codes; /* of the query: code_dims */
    float query_scale, query_sum;
    struct candidate *candidates; /* capacity */
    uint32_t candidates_count, capacity, refine, nprobe;
    float bound; /* what a candidate must reach */
};

static size_t align_up(size_t bytes)
{
    return (bytes + SECTION_ALIGNMENT - 1) & ~(size_t)(SECTION_ALIGNMENT - 1);
}

static uint32_t padded_lists(const struct ivf_section *index)
{
    return (index->shape.lists_count + LIMIT_BLOCK_ROWS - 1) / LIMIT_BLOCK_ROWS * LIMIT_BLOCK_ROWS;
}

static uint32_t refine_of(const struct search_options *options)
{
    uint32_t refine = options->refine > options->k ? options->refine : options->k;

    return refine < LIMIT_REFINE_MAX ? refine : LIMIT_REFINE_MAX;
}

static uint32_t capacity_of(const struct search_options *options)
{
    return 3 * refine_of(options) + STEP_BLOCKS * LIMIT_BLOCK_ROWS;
}

size_t ivf_scratch_bytes(const struct ivf_section *index, const struct search_options *options)
{
    const size_t lists = padded_lists(index);

    return align_up(lists * sizeof(float)) + align_up(lists * sizeof(struct candidate)) +
           align_up(index->code_dims) + align_up(capacity_of(options) * sizeof(struct candidate));
}

static void lay(struct ivf *ivf, unsigned char *place)
{
    const size_t lists = padded_lists(ivf->index);

    ivf->list_scores = (float *)(void *)place;
    place += align_up(lists * sizeof(float));
    ivf->lists = (struct candidate *)(void *)place;
    place += align_up(lists * sizeof(struct candidate));
    ivf->codes = (int8_t *)place;
    place += align_up(ivf->index->code_dims);
    ivf->candidates = (struct candidate *)(void *)place;
}

/* The best `keep` come first, in no order (Hoare's selection). What is not a number lands
 * anywhere; both walks end at the pivot or at what was swapped last, so inside the array. */
static void select_best(struct candidate *all, uint32_t count, uint32_t keep)
{
    int64_t first = 0, end = count;

    while (end - first > 1) {
        float pivot = all[first + (end - first) / 2].estimate;
        int64_t low = first, high = end - 1;
        while (low <= high) {
            while (all[low].estimate > pivot)
                low++;
            while (all[high].estimate < pivot)
                high--;
            if (low > high)
                break;
            struct candidate swapped = all[low];
            all[low++] = all[high];
            all[high--] = swapped;
        }
        if (keep <= high + 1)
            end = high + 1;
        else if (keep >= low)
            first = low;
        else
            return;
    }
}

static void sort_best(struct candidate *all, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct candidate moved = all[i];
        uint32_t at = i;
        for (; at > 0 && all[at - 1].estimate < moved.estimate; at--)
            all[at] = all[at - 1];
        all[at] = moved;
    }
}

static float list_score(const struct ivf *ivf, uint32_t list)
{
    return ivf->list_scores[list] + ivf->index->centroid_terms[list];
}

/* What most likely a few more than nprobe lists reach: most need not be selected from. */
static float sampled_bound(const struct ivf *ivf)
{
    const uint32_t lists_count = ivf->index->shape.lists_count;
    const uint32_t keep = (uint32_t)((uint64_t)ivf->nprobe * SAMPLES / lists_count) + SAMPLE_MARGIN;
    struct candidate samples[SAMPLES];
    float bound = INFINITY;

    if (lists_count < 4 * SAMPLES || keep >= SAMPLES)
        return -INFINITY;
    for (uint32_t i = 0; i < SAMPLES; i++)
        samples[i].estimate = list_score(ivf, (uint32_t)((uint64_t)i * lists_count / SAMPLES));
    select_best(samples, SAMPLES, keep);
    for (uint32_t i = 0; i < keep; i++)
        bound = fminf(bound, samples[i].estimate);
    return bound;
}

/* The lists that reach a bound; how many. */
static uint32_t gather_lists(struct ivf *ivf, float bound)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < ivf->index->shape.lists_count; i++) {
        float score = list_score(ivf, i);
        ivf->lists[count] = (struct candidate){score, i};
        count += score >= bound;
    }
    return count;
}

static void choose_lists(struct ivf *ivf)
{
    const struct ivf_section *index = ivf->index;

    kernels_current()->ip(&(struct kernel_job){
        .queries = ivf->query,
        .blocks = index->centroids,
        .dim = index->shape.dim,
        .queries_count = 1,
        .blocks_count = padded_lists(index) / LIMIT_BLOCK_ROWS,
        .ret_distances = ivf->list_scores,
    });
    uint32_t count = gather_lists(ivf, sampled_bound(ivf));
    if (count < ivf->nprobe)
        count = gather_lists(ivf, -INFINITY);
    select_best(ivf->lists, count, ivf->nprobe);
    if (ivf->nprobe <= SORTED_MAX)
        sort_best(ivf->lists, ivf->nprobe);
}

static void encode_query(struct ivf *ivf)
{
    const uint32_t dim = ivf->index->shape.dim;
    float largest = 0;
    int32_t sum = 0;

    for (uint32_t d = 0; d < dim; d++)
        largest = fmaxf(largest, fabsf(ivf->query[d]));
    ivf->query_scale = largest / 127;
    float inverse = largest > 0 ? 127 / largest : 0;
    for (uint32_t d = 0; d < ivf->index->code_dims; d++) {
        ivf->codes[d] = d < dim ? (int8_t)lrintf(ivf->query[d] * inverse) : 0;
        sum += ivf->codes[d];
    }
    ivf->query_sum = ivf->query_scale * (float)sum;
}

static void keep_best(struct ivf *ivf)
{
    if (ivf->candidates_count <= ivf->refine)
        return;
    select_best(ivf->candidates, ivf->candidates_count, ivf->refine);
    ivf->candidates_count = ivf->refine;
    float bound = INFINITY;
    for (uint32_t i = 0; i < ivf->refine; i++)
        bound = fminf(bound, ivf->candidates[i].estimate);
    ivf->bound = bound;
}

/* What passed of a list from first_row on, of which rows_left are left. */
static void take_masks(struct ivf *ivf, const struct kernel_codes *job, uint64_t first_row,
                       uint64_t rows_left)
{
    for (size_t b = 0; b < job->blocks_count; b++) {
        unsigned mask = job->ret_masks[b];
        if (mask == 0)
            continue;
        if (rows_left < (b + 1) * LIMIT_BLOCK_ROWS)
            mask &= (1U << (rows_left - b * LIMIT_BLOCK_ROWS)) - 1;
        for (; mask != 0; mask &= mask - 1) {
            size_t row = b * LIMIT_BLOCK_ROWS + (size_t)__builtin_ctz(mask);
            ivf->candidates[ivf->candidates_count++] =
                (struct candidate){job->ret_estimates[row], (uint32_t)(first_row + row)};
        }
    }
}

static void scan_list(struct ivf *ivf, uint32_t list, float centroid_score)
{
    const struct kernels *kernels = kernels_current();
    const struct ivf_section *index = ivf->index;
    const bool is_half = index->shape.code_bits == 4;
    const size_t block_bytes = (size_t)index->code_dims * LIMIT_BLOCK_ROWS / (is_half ? 2 : 1);
    float estimates[STEP_BLOCKS * LIMIT_BLOCK_ROWS];
    uint16_t masks[STEP_BLOCKS];

    for (uint64_t block = index->first_blocks[list]; block < index->first_blocks[list + 1];
         block += STEP_BLOCKS) {
        uint64_t rest = index->first_blocks[list + 1] - block;
        uint64_t first_row =
            index->first_rows[list] + (block - index->first_blocks[list]) * LIMIT_BLOCK_ROWS;
        struct kernel_codes job = {
            .codes = index->codes + block * block_bytes,
            .factors = index->factors + block * IVF_FACTORS * LIMIT_BLOCK_ROWS,
            .query = ivf->codes,
            .dims = index->code_dims,
            .blocks_count = rest < STEP_BLOCKS ? rest : STEP_BLOCKS,
            .base = centroid_score,
            .query_sum = ivf->query_sum,
            .query_scale = ivf->query_scale,
            .bound = ivf->bound,
            .ret_estimates = estimates,
            .ret_masks = masks,
        };
        (is_half ? kernels->codes4 : kernels->codes8)(&job);
        take_masks(ivf, &job, first_row, index->first_rows[list + 1] - first_row);
        if (ivf->candidates_count > ivf->capacity - STEP_BLOCKS * LIMIT_BLOCK_ROWS)
            keep_best(ivf);
    }
}

static const float *row_at(const struct ivf *ivf, uint32_t candidate)
{
    return ivf->scan->segment->rows +
           (size_t)ivf->candidates[candidate].number * ivf->index->shape.dim;
}

static void refine(struct ivf *ivf)
{
    const struct kernels *kernels = kernels_current();
    const struct segment *segment = ivf->scan->segment;
    const size_t row_bytes = ivf->index->shape.dim * sizeof(float);
    float distances[LIMIT_BLOCK_ROWS];
    struct kernel_rows job = {
        .query = ivf->query, .dim = ivf->index->shape.dim, .ret_distances = distances};

    for (uint32_t i = 0; i < ivf->candidates_count; i++)
        for (size_t at = 0; at < row_bytes; at += LINE_BYTES)
            __builtin_prefetch((const char *)row_at(ivf, i) + at);
    for (uint32_t first = 0; first < ivf->candidates_count; first += LIMIT_BLOCK_ROWS) {
        uint32_t count = ivf->candidates_count - first < LIMIT_BLOCK_ROWS
                             ? ivf->candidates_count - first
                             : LIMIT_BLOCK_ROWS;
        job.rows_count = count;
        for (uint32_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
            job.rows[i] = row_at(ivf, first + (i < count ? i : 0));
        (segment->facts.metric == QN_METRIC_L2 ? kernels->l2_rows : kernels->ip_rows)(&job);
        for (uint32_t i = 0; i < count; i++)
            if (topk_wants(ivf->topk, distances[i]))
                topk_push(ivf->topk,
                          (struct qn_hit){segment->primary_keys[ivf->candidates[first + i].number],
                                          distances[i]});
    }
}

static bool search_one(struct ivf *ivf)
{
    const struct ivf_section *index = ivf->index;

    ivf->candidates_count = 0;
    ivf->bound = -INFINITY;
    choose_lists(ivf);
    encode_query(ivf);
    for (uint32_t i = 0; i < ivf->nprobe; i++) {
        uint32_t list = ivf->lists[i].number;
        scan_list(ivf, list, ivf->list_scores[list]);
        if (scan_must_stop(ivf->scan, (index->first_blocks[list + 1] - index->first_blocks[list]) *
                                          LIMIT_BLOCK_ROWS * index->shape.dim / 4))
            return false;
    }
    keep_best(ivf);
    refine(ivf);
    return true;
}

enum qn_status ivf_search(struct scan *scan)
{
    const struct ivf_section *index = &scan->segment->index.ivf;
    const struct search_options *options = scan->options;
    struct ivf ivf = {.scan = scan,
                      .index = index,
                      .capacity = capacity_of(options),
                      .refine = refine_of(options),
                      .nprobe = options->nprobe < index->shape.lists_count
                                    ? options->nprobe
                                    : index->shape.lists_count};

    lay(&ivf, options->scratch);
    for (uint32_t query = 0; query < scan->queries->nq; query++) {
        ivf.query = scan->queries->rows + (size_t)query * index->shape.dim;
        ivf.topk = &scan->topks[query];
        if (!search_one(&ivf))
            return QN_STATUS_TIMEOUT;
    }
    return QN_STATUS_OK;
}
