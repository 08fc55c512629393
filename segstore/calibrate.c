/* SPDX-License-Identifier: Apache-2.0
 * A query is a row that is not allowed to find itself: of the same kind as the queries that come,
 * as far as anybody can know when a segment is sealed. For each k first how many candidates are
 * worth computing exactly, then how the recall rises with the lists that are looked at. A hit
 * counts if it is not farther than the k-th true neighbour. */
#include "segstore/calibrate.h"

#include "base/check.h"
#include "base/error.h"
#include "base/parallel.h"
#include "segstore/ivf_build.h"
#include "segstore/search.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUERIES_MAX = 1200,
    QUERIES_MIN = 50, /* fewer say nothing: such a segment is searched whole */
    BATCH = 24,       /* queries of a thread's turn */
    STEPS_MAX = INDEX_CALIBRATIONS_MAX / 3,
    REFINE_TRIES = 5,
};

static const uint32_t ks[] = {1, 10, 100};
static const float recall_enough = 0.9995F, refine_loss = 0.001F;

struct calibrating {
    const struct calibrate_options *options;
    const struct segment *segment;
    uint32_t queries_count;
    float *queries;    /* queries_count x dim */
    int64_t *own_keys; /* queries_count */
    float *bounds;     /* queries_count: the k-th true distance */

    struct search_options search; /* of the run under way; k: as wanted */
    bool is_truth;                /* the run fills bounds */
    _Atomic uint64_t found, wanted;
    _Atomic bool out_of_memory;
};

/* One thread's turn searches for one neighbour more than k: the row itself is among them. */
struct turn {
    struct topk topks[BATCH];
    struct search_options search;
    void *storage, *tiles, *scratch;
};

static bool turn_take(struct turn *turn, const struct calibrating *calibrating, size_t count)
{
    const struct segment *segment = calibrating->segment;

    turn->search = calibrating->search;
    turn->search.k++;
    turn->storage = malloc(count * topk_bytes(turn->search.k));
    turn->tiles = malloc(search_queries_bytes(segment->facts.dim, (uint32_t)count) + 1);
    turn->scratch =
        aligned_alloc(64, (search_scratch_bytes(segment, &turn->search) + 64) / 64 * 64);
    turn->search.scratch = turn->scratch;
    return turn->storage != NULL && turn->tiles != NULL && turn->scratch != NULL;
}

static void turn_give(struct turn *turn)
{
    free(turn->storage);
    free(turn->tiles);
    free(turn->scratch);
}

static bool is_within(enum qn_metric metric, float distance, float bound)
{
    return metric == QN_METRIC_L2 ? distance <= bound : distance >= bound;
}

/* Of one query: its k-th distance, or how many hits are within it. */
static void judge(struct calibrating *calibrating, size_t query, const struct topk *topk)
{
    const enum qn_metric metric = calibrating->segment->facts.metric;
    const uint32_t k = calibrating->search.k;
    uint32_t seen = 0, within = 0;

    for (uint32_t i = 0; i < topk->count && seen < k; i++) {
        if (topk->hits[i].primary_key == calibrating->own_keys[query])
            continue;
        seen++;
        if (calibrating->is_truth)
            calibrating->bounds[query] = topk->hits[i].distance;
        else
            within += is_within(metric, topk->hits[i].distance, calibrating->bounds[query]);
    }
    (void)atomic_fetch_add(calibrating->is_truth ? &calibrating->wanted : &calibrating->found,
                           calibrating->is_truth ? seen : within);
}

static void run_turn(void *owner, size_t first, size_t count)
{
    struct calibrating *calibrating = owner;
    const struct segment *segment = calibrating->segment;
    struct search_queries queries;
    struct turn turn;

    if (!turn_take(&turn, calibrating, count)) {
        atomic_store(&calibrating->out_of_memory, true);
        turn_give(&turn);
        return;
    }
    for (size_t i = 0; i < count; i++)
        topk_init(&turn.topks[i], segment->facts.metric, turn.search.k,
                  (unsigned char *)turn.storage + i * topk_bytes(turn.search.k));
    search_queries_init(&queries, segment->facts.dim, (uint32_t)count,
                        calibrating->queries + first * segment->facts.dim, turn.tiles);
    (void)search_segment(segment, &queries, &turn.search, turn.topks);
    for (size_t i = 0; i < count; i++) {
        topk_sort(&turn.topks[i]);
        judge(calibrating, first + i, &turn.topks[i]);
    }
    turn_give(&turn);
}

static float run(struct calibrating *calibrating, uint32_t k, uint32_t nprobe, uint32_t refine)
{
    calibrating->search = (struct search_options){.k = k, .nprobe = nprobe, .refine = refine};
    calibrating->is_truth = nprobe == 0;
    atomic_store(calibrating->is_truth ? &calibrating->wanted : &calibrating->found, 0);
    parallel_for(calibrating->options->threads, calibrating->queries_count, BATCH, run_turn,
                 calibrating);
    uint64_t wanted = atomic_load(&calibrating->wanted);
    return wanted > 0 ? (float)atomic_load(&calibrating->found) / (float)wanted : 1;
}

/* How many candidates find nearly as much as many would. */
static uint32_t choose_refine(struct calibrating *calibrating, uint32_t k)
{
    const uint32_t lists_count = index_effort_max(&calibrating->segment->index);
    const uint32_t nprobe = lists_count / 8 + 1;
    const uint32_t tries[REFINE_TRIES] = {k + k / 2 + 6, 2 * k + 10, 4 * k + 16, 8 * k + 32,
                                          16 * k + 64};
    float best = run(calibrating, k, nprobe, 32 * k + 128);

    for (int i = 0; i < REFINE_TRIES; i++)
        if (run(calibrating, k, nprobe, tries[i]) >= best - refine_loss)
            return tries[i];
    return 32 * k + 128;
}

static uint32_t next_nprobe(uint32_t nprobe, uint32_t lists_count)
{
    uint32_t next = nprobe + nprobe / 2 + (nprobe == 1);

    return next < lists_count ? next : lists_count;
}

/* Recalls may fall a little by chance; a table must not. */
static void measure_k(struct calibrating *calibrating, uint32_t k, struct index *index)
{
    const uint32_t lists_count = index_effort_max(index), refine = choose_refine(calibrating, k);
    uint32_t nprobe = 1;
    float recall = 0;

    for (int step = 0; step < STEPS_MAX; step++) {
        float measured = run(calibrating, k, nprobe, refine);
        recall = measured > recall ? measured : recall;
        index->calibrations[index->calibrations_count++] = (struct index_calibration){
            .k = k, .recall = recall, .effort = nprobe, .refine = refine};
        if (recall >= recall_enough || nprobe == lists_count)
            return;
        nprobe = next_nprobe(nprobe, lists_count);
    }
}

static void choose_queries(struct calibrating *calibrating)
{
    const struct segment *segment = calibrating->segment;
    const uint64_t rows_count = segment->facts.rows_count;
    const size_t dim = segment->facts.dim;
    uint32_t taken = 0;

    for (uint64_t i = 0; i < rows_count && taken < QUERIES_MAX; i++)
        if (ivf_is_held_out(calibrating->options->seed, rows_count,
                            calibrating->options->order[i])) {
            memcpy(calibrating->queries + taken * dim, segment->rows + i * dim,
                   dim * sizeof(float));
            calibrating->own_keys[taken++] = segment->primary_keys[i];
        }
    calibrating->queries_count = taken;
}

enum qn_status calibrate(const struct calibrate_options *options, struct segment *segment,
                         struct qn_error *error)
{
    struct calibrating calibrating = {.options = options, .segment = segment};
    const uint64_t rows_count = segment->facts.rows_count;

    calibrating.queries = malloc((size_t)QUERIES_MAX * segment->facts.dim * sizeof(float));
    calibrating.own_keys = calloc(QUERIES_MAX, sizeof(int64_t));
    calibrating.bounds = calloc(QUERIES_MAX, sizeof(float));
    bool is_short =
        calibrating.queries == NULL || calibrating.own_keys == NULL || calibrating.bounds == NULL;
    segment->index.calibrations_count = 0;
    if (!is_short)
        choose_queries(&calibrating);
    for (size_t i = 0; i < COUNT_OF(ks) && !is_short && ks[i] < rows_count &&
                       calibrating.queries_count >= QUERIES_MIN;
         i++) {
        (void)run(&calibrating, ks[i], 0, 0);
        measure_k(&calibrating, ks[i], &segment->index);
    }
    is_short |= atomic_load(&calibrating.out_of_memory);
    free(calibrating.queries);
    free(calibrating.own_keys);
    free(calibrating.bounds);
    return is_short ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory") : QN_STATUS_OK;
}
