/* SPDX-License-Identifier: Apache-2.0
 * A query is a row that is not allowed to find itself: of the same kind as the queries that come,
 * as far as anybody can know when a segment is sealed. Of an ivf for each k first how many
 * candidates are worth computing exactly, then how the recall rises with the lists that are looked
 * at; of a graph step by step what raises the recall for the least cost. A hit counts if it is not
 * farther than the k-th true neighbour. */
#include "segstore/calibrate.h"

#include "base/check.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/prng.h"
#include "segstore/search.h"
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    HELD_OUT = 600,
    HELD_OUT_SHARE_MIN = 8, /* never more than one row of so many */
    QUERIES_MIN = 50,       /* fewer say nothing: such a segment is searched whole */
    BATCH = 60,             /* queries of a thread's turn */
    STEPS_MAX = INDEX_CALIBRATIONS_MAX / 3,
    REFINE_TRIES = 5,
    STALLS_MAX = 3, /* steps that find nothing more: more of them will not, either */
    HITS_ENOUGH = 20000,
    GRAPH_NEW_CODES = 18, /* of the links of a row, those that were not met before */
    LINE_BYTES = 64,
};

static const uint32_t ks[] = {1, 10, 100};
static const float recall_least = 0.8F, recall_enough = 0.9995F, recall_stall = 0.0003F,
                   refine_loss = 0.001F;

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
    turn->scratch = aligned_alloc(
        64, (search_scratch_bytes(segment, &turn->search, (uint32_t)count) + 64) / 64 * 64);
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

/* Of many hits a query, few queries say as much. */
static size_t queries_for(const struct calibrating *calibrating, uint32_t k)
{
    const size_t count = calibrating->options->queries_count, enough = HITS_ENOUGH / k;

    return count < enough ? count : enough;
}

/* effort 0: the truth. */
static float run(struct calibrating *calibrating, uint32_t k, uint32_t effort, uint32_t refine)
{
    calibrating->search = (struct search_options){
        .k = k, .nprobe = effort, .ef = effort, .refine = refine, .is_by_index_alone = true};
    calibrating->is_truth = effort == 0;
    atomic_store(calibrating->is_truth ? &calibrating->wanted : &calibrating->found, 0);
    parallel_for(calibrating->options->threads, queries_for(calibrating, k), BATCH, run_turn,
                 calibrating);
    uint64_t wanted = atomic_load(&calibrating->wanted);
    return wanted > 0 ? (float)atomic_load(&calibrating->found) / (float)wanted : 1;
}

static void add(struct index *index, struct index_calibration found)
{
    index->calibrations[index->calibrations_count++] = found;
}

/* How many candidates find nearly as much as many would. */
static uint32_t choose_refine(struct calibrating *calibrating, uint32_t k)
{
    const uint32_t most = 32 * k + 128;
    const uint32_t nprobe = calibrating->segment->index.ivf.shape.lists_count / 8 + 1;
    const uint32_t tries[REFINE_TRIES] = {k + k / 2 + 6, 2 * k + 10, 4 * k + 16, 8 * k + 32,
                                          16 * k + 64};
    float best = run(calibrating, k, nprobe, most);

    for (int i = 0; i < REFINE_TRIES; i++)
        if (run(calibrating, k, nprobe, tries[i]) >= best - refine_loss)
            return tries[i];
    return most;
}

static uint32_t next_nprobe(uint32_t nprobe, uint32_t lists_count)
{
    uint32_t next = nprobe + nprobe / 2 + (nprobe == 1);

    return next < lists_count ? next : lists_count;
}

/* Recalls may fall a little by chance; a table must not. */
static void measure_lists(struct calibrating *calibrating, uint32_t k, struct index *index)
{
    const uint32_t lists_count = index->ivf.shape.lists_count;
    struct index_calibration at = {.k = k, .effort = 1, .refine = choose_refine(calibrating, k)};

    for (int step = 0; step < STEPS_MAX; step++) {
        at.recall = fmaxf(at.recall, run(calibrating, k, at.effort, at.refine));
        add(index, at);
        if (at.recall >= recall_enough || at.effort == lists_count)
            return;
        at.effort = next_nprobe(at.effort, lists_count);
    }
}

/* In cache lines: codes of the rows that a followed row leads to, and rows. */
static float graph_cost(const struct graph_section *graph, const struct index_calibration *at)
{
    const float code = (float)graph->code_dims / LINE_BYTES;
    const float row = (float)(graph->shape.dim * sizeof(float)) / LINE_BYTES;

    return (float)at->effort * GRAPH_NEW_CODES * (1 + code) + (float)at->refine * (2 + row);
}

/* More ef or more refine, whichever finds more for what it costs. */
static struct index_calibration climb(struct calibrating *calibrating, struct index_calibration at)
{
    const struct graph_section *graph = &calibrating->segment->index.graph;
    struct index_calibration best = at;
    float best_gain = -1;

    for (int i = 0; i < 2; i++) {
        struct index_calibration next = at;
        if (i == 0)
            next.effort += at.effort / 4 + 1;
        else
            next.refine += at.refine / 4 + 1;
        next.recall = fmaxf(at.recall, run(calibrating, at.k, next.effort, next.refine));
        float gain =
            (next.recall - at.recall) / (graph_cost(graph, &next) - graph_cost(graph, &at));
        if (gain > best_gain) {
            best_gain = gain;
            best = next;
        }
    }
    return best;
}

static void measure_graph(struct calibrating *calibrating, uint32_t k, struct index *index)
{
    struct index_calibration at = {.k = k, .effort = (3 * k + 3) / 4, .refine = k};
    int step = 0, stalls = 0;

    at.recall = run(calibrating, k, at.effort, at.refine);
    while (step < STEPS_MAX && stalls < STALLS_MAX) {
        step += at.recall >= recall_least;
        if (at.recall >= recall_least)
            add(index, at);
        if (at.recall >= recall_enough)
            return;
        const float before = at.recall;
        at = climb(calibrating, at);
        stalls = at.recall < before + recall_stall ? stalls + 1 : 0;
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
        (segment->index.kind == INDEX_IVF ? measure_lists : measure_graph)(&calibrating, ks[i],
                                                                           &segment->index);
    }
    free(calibrating.bounds);
    return atomic_load(&calibrating.out_of_memory)
               ? error_set(error, QN_STATUS_NO_MEMORY, "out of memory")
               : QN_STATUS_OK;
}
