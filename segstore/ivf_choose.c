/* SPDX-License-Identifier: Apache-2.0
 * Which lists are looked at, and in which order. For l2: those with the nearest centres. For ip and
 * cosine a row x of a list is c + r, and of r it is known how long it is on average: as if its
 * values were normal ones of the list's spread p. A neighbour must reach a score t, of which the
 * list's centre has s: (t - s) / p deviations are missing. The lists with the fewest hold the most
 * neighbours for what it costs to look at them; a centre with a good score says less, since lists
 * of rows that lie close together promise more than they hold. t is the k-th best score in the list
 * with the best centre. (So weighed for l2, lists were found no better than by distance.) */
#include "segstore/ivf_internal.h"

#include <math.h>
#include <string.h>

enum {
    SAMPLES = 128, /* of the lists' ranks */
    SAMPLE_MARGIN = 6,
    SORTED_MAX = 256, /* lists that are worth putting in order */
};

/* Larger is better. */
static void rank_lists(const struct ivf *ivf, const float *scores, float wanted)
{
    const uint32_t lists_count = ivf->index->shape.lists_count;
    const float *spreads = ivf->index->spreads;

    if (spreads == NULL)
        memcpy(ivf->ranks, scores, lists_count * sizeof *scores);
    else
        for (uint32_t i = 0; i < lists_count; i++)
            ivf->ranks[i] = (scores[i] - wanted) / spreads[i];
}

/* What most likely a few more than `keep` lists reach: most need not be selected from. */
static float sampled_bound(const struct ivf *ivf, uint32_t keep)
{
    const uint64_t lists_count = ivf->index->shape.lists_count;
    const uint64_t sample_keep = keep * (uint64_t)SAMPLES / lists_count + SAMPLE_MARGIN;
    uint64_t items[SAMPLES];
    struct ivf_best samples;

    if (lists_count < 4 * SAMPLES || sample_keep >= SAMPLES)
        return -INFINITY;
    ivf_best_init(&samples, (uint32_t)sample_keep, items);
    for (uint32_t i = 0; i < SAMPLES; i++)
        items[i] = ivf_best_item(ivf->ranks[i * lists_count / SAMPLES], i);
    samples.count = SAMPLES;
    ivf_best_cut(&samples);
    return samples.bound;
}

/* Whether any of 16 is not below a bound; without a branch. */
static bool any_reaches(const float *values, float bound)
{
    int reach = 0;

    for (int i = 0; i < LIMIT_BLOCK_ROWS; i++)
        reach |= !(values[i] < bound);
    return reach != 0;
}

/* All but one list that reach a bound. */
static uint32_t gather_lists(const struct ivf *ivf, float bound, uint32_t but)
{
    const uint32_t lists_count = ivf->index->shape.lists_count;
    uint32_t count = 0;

    for (uint32_t first = 0; first < lists_count; first += LIMIT_BLOCK_ROWS) {
        const uint32_t rest = lists_count - first;
        if (rest >= LIMIT_BLOCK_ROWS && !any_reaches(ivf->ranks + first, bound))
            continue;
        for (uint32_t i = first; i < lists_count && i < first + LIMIT_BLOCK_ROWS; i++) {
            ivf->items[count] = ivf_best_item(ivf->ranks[i], i);
            count += !(ivf->ranks[i] < bound) && i != but;
        }
    }
    return count;
}

static uint32_t best_list(const struct ivf *ivf, const float *scores)
{
    const uint32_t lists_count = ivf->index->shape.lists_count;
    float lanes[LIMIT_BLOCK_ROWS], most = -INFINITY;
    uint32_t i = 0;

    for (int j = 0; j < LIMIT_BLOCK_ROWS; j++)
        lanes[j] = -INFINITY;
    for (; i + LIMIT_BLOCK_ROWS <= lists_count; i += LIMIT_BLOCK_ROWS)
        for (int j = 0; j < LIMIT_BLOCK_ROWS; j++)
            lanes[j] = scores[i + (uint32_t)j] > lanes[j] ? scores[i + (uint32_t)j] : lanes[j];
    for (int j = 0; j < LIMIT_BLOCK_ROWS; j++)
        most = lanes[j] > most ? lanes[j] : most;
    for (; i < lists_count; i++)
        most = scores[i] > most ? scores[i] : most;
    for (i = 0; i + LIMIT_BLOCK_ROWS <= lists_count && !any_reaches(scores + i, most);)
        i += LIMIT_BLOCK_ROWS;
    while (i + 1 < lists_count && scores[i] < most)
        i++;
    return i;
}

bool ivf_choose(const struct ivf *ivf, uint32_t asker, const float *scores,
                struct ivf_probe *ret_probes)
{
    const uint32_t first = best_list(ivf, scores), others = ivf->nprobe - 1;
    struct ivf_wave wave = {.count = 1, .askers = {&ivf->askers[asker]}, .scores = {scores[first]}};
    struct ivf_best lists;

    if (!ivf_scan_list(ivf, first, &wave))
        return false;
    if (others == 0)
        return true;
    rank_lists(ivf, scores,
               ivf_best_nth(&wave.askers[0]->best, ivf->scan->options->k, scores[first]));
    ivf_best_init(&lists, others, ivf->items);
    lists.count = gather_lists(ivf, sampled_bound(ivf, others), first);
    if (lists.count < others)
        lists.count = gather_lists(ivf, -INFINITY, first);
    ivf_best_cut(&lists);
    if (others <= SORTED_MAX && ivf->nq == 1)
        ivf_best_sort(&lists);
    for (uint32_t i = 0; i < others; i++) {
        const uint32_t list = ivf_best_number(lists.items[i]);
        ret_probes[i] = (struct ivf_probe){asker, list, scores[list]};
    }
    return true;
}
