/* SPDX-License-Identifier: Apache-2.0
 * A query is a row that is not allowed to find itself: of the same kind as the queries that come,
 * as far as anybody can know when a segment is sealed. For each k first how many candidates are
 * worth computing exactly, then how the recall rises with the lists that are looked at. A hit
 * counts if it is not farther than the k-th true neighbour. */
#include "segstore/calibrate.h"

#include "base/check.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/prng.h"
#include "segstore/search.h"
#include <stdatomic.h>
#include <stdlib.h>

enum {
    HELD_OUT = 600,
    HELD_OUT_SHARE_MIN = 8, /* never more than one row of so many */
    QUERIES_MIN = 50,       /* fewer say nothing: such a segment is searched whole */
    BATCH = 120,            /* queries of a thread's turn */
    STEPS_MAX = INDEX_CALIBRATIONS_MAX / 3,
    REFINE_TRIES = 5,
};

static const uint32_t ks[] = {1, 10, 100};
static const float recall_enough = 0.9995F, refine_loss = 0.001F;

struct calibrating {
    const struct calibrate_options *options;
    const struct segment *segment;
    float *bounds; /* of each query: the k-th true distance */

    struct search_options search; /* of the run under way; k: as wanted */
    bool is_truth;                /* the run fills bounds */
    _Atomic uint64_t found, wanted;
    _Atomic bool out_of_memory;
};

bool calibrate_is_query(uint64_t seed, uint64_t rows_count, uint64_t row)
{
    uint64_t share = rows_count / HELD_OUT;
    struct prng prng;

    prng_init(&prng, seed ^ (row + 1) * UINT64_C(0x9e3779b97f4a7c15));
    return prng_below(&prng, share > HELD_OUT_SHARE_MIN ? share : HELD_OUT_SHARE_MIN) == 0;
}

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
    const int64_t *own_keys = calibrating->options->own_keys;
    const uint32_t k = calibrating->search.k;
    uint32_t seen = 0, within = 0;

    for (uint32_t i = 0; i < topk->count && seen < k; i++) {
        if (own_keys != NULL && topk->hits[i].primary_key == own_keys[query])
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
                        calibrating->options->queries + first * segment->facts.dim, turn.tiles);
    (void)search_segment(segment, &queries, &turn.search, turn.topks);
    for (size_t i = 0; i < count; i++) {
        topk_sort(&turn.topks[i]);
        judge(calibrating, first + i, &turn.topks[i]);
    }
    turn_give(&turn);
}

/* effort 0: the truth. */
static float run(struct calibrating *calibrating, uint32_t k, uint32_t effort, uint32_t refine)
{
    calibrating->search =
        (struct search_options){.k = k, .nprobe = effort, .ef = effort, .refine = refine};
    calibrating->is_truth = effort == 0;
    atomic_store(calibrating->is_truth ? &calibrating->wanted : &calibrating->found, 0);
    parallel_for(calibrating->options->threads, calibrating->options->queries_count, BATCH,
                 run_turn, calibrating);
    uint64_t wanted = atomic_load(&calibrating->wanted);
    return wanted > 0 ? (float)atomic_load(&calibrating->found) / (float)wanted : 1;
}

static bool is_graph(const struct calibrating *calibrating)
{
    return calibrating->segment->index.kind == INDEX_GRAPH;
}

/* How many candidates find nearly as much as many would. */
static uint32_t choose_refine(struct calibrating *calibrating, uint32_t k)
{
    const uint32_t most = 32 * k + 128;
    const uint32_t effort =
        is_graph(calibrating) ? most : calibrating->segment->index.ivf.shape.lists_count / 8 + 1;
    const uint32_t tries[REFINE_TRIES] = {k + k / 2 + 6, 2 * k + 10, 4 * k + 16, 8 * k + 32,
                                          16 * k + 64};
    float best = run(calibrating, k, effort, most);

    for (int i = 0; i < REFINE_TRIES; i++)
        if (run(calibrating, k, effort, tries[i]) >= best - refine_loss)
            return tries[i];
    return most;
}

static uint32_t first_effort(const struct calibrating *calibrating, uint32_t k)
{
    return is_graph(calibrating) ? k : 1;
}

/* 0: there is no more. */
static uint32_t next_effort(const struct calibrating *calibrating, uint32_t effort)
{
    const uint32_t lists_count = calibrating->segment->index.ivf.shape.lists_count;

    if (is_graph(calibrating))
        return effort + effort / 4 + 2;
    if (effort == lists_count)
        return 0;
    effort += effort / 2 + (effort == 1);
    return effort < lists_count ? effort : lists_count;
}

/* Recalls may fall a little by chance; a table must not. A graph that keeps few rows has no more
 * to tell exactly. */
static void measure_k(struct calibrating *calibrating, uint32_t k, struct index *index)
{
    const uint32_t enough = choose_refine(calibrating, k);
    uint32_t effort = first_effort(calibrating, k);
    float recall = 0;

    for (int step = 0; step < STEPS_MAX && effort > 0; step++) {
        uint32_t refine = is_graph(calibrating) && effort < enough ? effort : enough;
        float measured = run(calibrating, k, effort, refine);
        recall = measured > recall ? measured : recall;
        index->calibrations[index->calibrations_count++] = (struct index_calibration){
            .k = k, .recall = recall, .effort = effort, .refine = refine};
        if (recall >= recall_enough)
            return;
        effort = next_effort(calibrating, effort);
    }
}

enum qn_status calibrate(const struct calibrate_options *options, struct segment *segment,
                         struct qn_error *error)
{
    struct calibrating calibrating = {.options = options, .segment = segment};
    const uint64_t rows_count = segment->facts.rows_count;

    calibrating.bounds = calloc(options->queries_count + UINT64_C(1), sizeof(float));
    if (calibrating.bounds == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    segment->index.calibrations_count = 0;
    for (size_t i = 0; i < COUNT_OF(ks); i++) {
        if (ks[i] >= rows_count || options->queries_count < QUERIES_MIN)
            break;
        (void)run(&calibrating, ks[i], 0, 0);
        measure_k(&calibrating, ks[i], &segment->index);
    }
    free(calibrating.bounds);
    return atomic_load(&calibrating.out_of_memory)
               ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory")
               : QN_STATUS_OK;
}
