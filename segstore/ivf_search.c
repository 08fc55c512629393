/* SPDX-License-Identifier: Apache-2.0
 * A group of queries at a time. First the best lists of each, by the codes of the lists' centres;
 * then list after list, its codes against all queries that want it, so that bytes and their
 * unpacking are paid once; then the best of the estimates by the rows themselves. Distances that
 * are told are those of FORMAT.md, to the bit; only which rows are looked at is an estimate. What
 * a query finds does not depend on the others of its group. */
#include "segstore/ivf_internal.h"

#include "segstore/refine.h"
#include <math.h>
#include <string.h>

enum {
    GROUP_MAX = 256,       /* queries */
    GROUP_BYTES = 4 << 20, /* of what a group needs: about as much */
};

enum part {
    ASKERS,
    PROBES,
    SORTED,
    ENDS,
    SCORES,
    RANKS,
    LISTS,
    ESTIMATES,
    MASKS,
    CODES,
    ITEMS,
    PARTS_COUNT
};

static void settle(struct ivf *ivf, const struct ivf_section *index,
                   const struct search_options *options, uint32_t nq)
{
    const uint32_t lists_count = index->shape.lists_count;

    ivf->index = index;
    ivf->refine = options->refine > options->k ? options->refine : options->k;
    ivf->refine = ivf->refine < LIMIT_REFINE_MAX ? ivf->refine : LIMIT_REFINE_MAX;
    ivf->nprobe = options->nprobe < lists_count ? options->nprobe : lists_count;
    const size_t each = ivf_best_capacity(ivf->refine) * sizeof(uint64_t) +
                        2 * ivf->nprobe * sizeof(struct ivf_probe);
    const size_t most = GROUP_BYTES / each + 1;
    ivf->group = most < GROUP_MAX ? (uint32_t)most : GROUP_MAX;
    ivf->group = nq < ivf->group ? nq : ivf->group;
}

/* offsets[PARTS_COUNT] is the end. */
static void lay_out(const struct ivf *ivf, size_t offsets[PARTS_COUNT + 1])
{
    const size_t group = ivf->group;
    const size_t wave = group < KERNEL_CODE_QUERIES ? group : KERNEL_CODE_QUERIES;
    const size_t lists = ivf_lists_padded(ivf->index);
    const size_t bytes[PARTS_COUNT] = {
        [ASKERS] = group * sizeof(struct ivf_asker),
        [PROBES] = group * ivf->nprobe * sizeof(struct ivf_probe),
        [SORTED] = group * ivf->nprobe * sizeof(struct ivf_probe),
        [ENDS] = ivf->index->shape.lists_count * sizeof(uint32_t),
        [SCORES] = wave * lists * sizeof(float),
        [RANKS] = lists * sizeof(float),
        [LISTS] = lists * sizeof(uint64_t),
        [ESTIMATES] = wave * IVF_STEP_ROWS * sizeof(float),
        [MASKS] = wave * (IVF_STEP_BLOCKS + lists / LIMIT_BLOCK_ROWS) * sizeof(uint16_t),
        [CODES] = group * ivf->index->code_dims,
        [ITEMS] = group * ivf_best_capacity(ivf->refine) * sizeof(uint64_t),
    };

    offsets[0] = 0;
    for (int i = 0; i < PARTS_COUNT; i++)
        offsets[i + 1] = offsets[i] + section_align(bytes[i]);
}

size_t ivf_scratch_bytes(const struct ivf_section *index, const struct search_options *options,
                         uint32_t nq)
{
    size_t offsets[PARTS_COUNT + 1];
    struct ivf ivf;

    settle(&ivf, index, options, nq);
    lay_out(&ivf, offsets);
    return offsets[PARTS_COUNT] + flat_rows_bytes(index->shape.dim);
}

static void lay(struct ivf *ivf, unsigned char *place)
{
    size_t offsets[PARTS_COUNT + 1];

    lay_out(ivf, offsets);
    ivf->exact = place + offsets[PARTS_COUNT];
    ivf->askers = (struct ivf_asker *)(void *)(place + offsets[ASKERS]);
    ivf->sorted = (struct ivf_probe *)(void *)(place + offsets[SORTED]);
    ivf->ends = (uint32_t *)(void *)(place + offsets[ENDS]);
    ivf->probes = (struct ivf_probe *)(void *)(place + offsets[PROBES]);
    ivf->estimates = (float *)(void *)(place + offsets[ESTIMATES]);
    ivf->masks = (uint16_t *)(void *)(place + offsets[MASKS]);
    ivf->scores = (float *)(void *)(place + offsets[SCORES]);
    ivf->ranks = (float *)(void *)(place + offsets[RANKS]);
    ivf->items = (uint64_t *)(void *)(place + offsets[LISTS]);
    for (size_t i = 0; i < ivf->group; i++) {
        ivf->askers[i].codes = (const int8_t *)place + offsets[CODES] + i * ivf->index->code_dims;
        ivf->askers[i].best.items =
            (uint64_t *)(void *)(place + offsets[ITEMS]) + i * ivf_best_capacity(ivf->refine);
    }
}

static float value_at(const struct ivf *ivf, const struct ivf_asker *asker, uint32_t d)
{
    return ivf->index->mean != NULL ? asker->row[d] - ivf->index->mean[d] : asker->row[d];
}

static void encode(const struct ivf *ivf, struct ivf_asker *asker)
{
    const uint32_t dim = ivf->index->shape.dim, code_dims = ivf->index->code_dims;
    int8_t *codes = (int8_t *)(uintptr_t)asker->codes;
    float largest = 0;

    for (uint32_t d = 0; d < dim; d++)
        largest = fmaxf(largest, fabsf(value_at(ivf, asker, d)));
    const float inverse = largest > 0 ? 127 / largest : 0;
    asker->scale = largest / 127;
    asker->sum = 0;
    for (uint32_t d = 0; d < code_dims; d++) {
        codes[d] = d < dim ? (int8_t)lrintf(value_at(ivf, asker, d) * inverse) : 0;
        asker->sum += codes[d];
    }
}

/* Of all queries of the group, one after the other; how many, false when the deadline passed. */
static bool choose_lists(struct ivf *ivf, uint32_t *ret_probes_count)
{
    const uint32_t others = ivf->nprobe - 1;

    for (uint32_t first = 0; first < ivf->nq; first += KERNEL_CODE_QUERIES) {
        const uint32_t rest = ivf->nq - first;
        struct ivf_wave wave = {.count = rest < KERNEL_CODE_QUERIES ? rest : KERNEL_CODE_QUERIES};
        for (uint32_t i = 0; i < wave.count; i++)
            wave.askers[i] = &ivf->askers[first + i];
        ivf_scan_centres(ivf, &wave);
        for (uint32_t i = 0; i < wave.count; i++)
            if (!ivf_choose(ivf, first + i, ivf->scores + i * ivf_lists_padded(ivf->index),
                            ivf->probes + (size_t)(first + i) * others))
                return false;
    }
    *ret_probes_count = ivf->nq * others;
    return true;
}

/* Counting sort. */
static void sort_probes(struct ivf *ivf, uint32_t probes_count)
{
    const uint32_t lists_count = ivf->index->shape.lists_count;
    uint32_t end = 0;

    memset(ivf->ends, 0, lists_count * sizeof *ivf->ends);
    for (uint32_t i = 0; i < probes_count; i++)
        ivf->ends[ivf->probes[i].list]++;
    for (uint32_t list = 0; list < lists_count; list++) {
        const uint32_t count = ivf->ends[list];
        ivf->ends[list] = end;
        end += count;
    }
    for (uint32_t i = 0; i < probes_count; i++)
        ivf->sorted[ivf->ends[ivf->probes[i].list]++] = ivf->probes[i];
}

/* One query: the most promising lists come first. */
static bool scan_alone(struct ivf *ivf, uint32_t probes_count)
{
    struct ivf_wave wave = {.count = 1, .askers = {&ivf->askers[0]}};

    for (uint32_t i = 0; i < probes_count; i++) {
        if (i + 1 < probes_count)
            ivf_fetch_list(ivf, ivf->probes[i + 1].list);
        wave.scores[0] = ivf->probes[i].score;
        if (!ivf_scan_list(ivf, ivf->probes[i].list, &wave))
            return false;
    }
    return true;
}

static bool scan_together(struct ivf *ivf, uint32_t probes_count)
{
    sort_probes(ivf, probes_count);
    for (uint32_t at = 0; at < probes_count;) {
        const uint32_t list = ivf->sorted[at].list;
        struct ivf_wave wave = {.count = 0};
        for (;
             at < probes_count && ivf->sorted[at].list == list && wave.count < KERNEL_CODE_QUERIES;
             at++) {
            wave.askers[wave.count] = &ivf->askers[ivf->sorted[at].asker];
            wave.scores[wave.count++] = ivf->sorted[at].score;
        }
        if (!ivf_scan_list(ivf, list, &wave))
            return false;
    }
    return true;
}

static void fetch_rows(const struct ivf *ivf, struct ivf_asker *asker)
{
    ivf_best_cut(&asker->best);
    for (uint32_t i = 0; i < asker->best.count; i++)
        refine_prefetch(ivf->scan->segment, ivf_best_number(asker->best.items[i]));
}

static void refine(const struct ivf *ivf, const struct ivf_asker *asker)
{
    const struct ivf_best *best = &asker->best;
    uint32_t rows[LIMIT_BLOCK_ROWS];

    for (uint32_t first = 0; first < best->count; first += LIMIT_BLOCK_ROWS) {
        const uint32_t rest = best->count - first;
        const uint32_t count = rest < LIMIT_BLOCK_ROWS ? rest : LIMIT_BLOCK_ROWS;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = ivf_best_number(best->items[first + i]);
        refine_rows(ivf->scan->segment, asker->row, rows, count, asker->topk);
    }
}

/* Lists that hold fewer rows than are wanted (of rows that are equal, most lists hold none) say
 * nothing of the others. False when the deadline passed. */
static bool tell(struct ivf *ivf, struct ivf_asker *asker)
{
    const uint64_t rows_count = ivf->scan->segment->facts.rows_count;
    const uint32_t k = ivf->scan->options->k;

    if (ivf->scan->options->is_by_index_alone ||
        asker->best.count >= (k < rows_count ? k : rows_count)) {
        refine(ivf, asker);
        return true;
    }
    return flat_rows_one(ivf->scan, (uint32_t)(asker->topk - ivf->scan->topks), ivf->exact) ==
           QN_STATUS_OK;
}

/* False when the deadline passed. */
static bool search_group(struct ivf *ivf, uint32_t first)
{
    const struct scan *scan = ivf->scan;
    uint32_t probes_count = 0;

    for (uint32_t i = 0; i < ivf->nq; i++) {
        struct ivf_asker *asker = &ivf->askers[i];
        asker->row = scan->queries->rows + (size_t)(first + i) * ivf->index->shape.dim;
        asker->topk = &scan->topks[first + i];
        encode(ivf, asker);
        ivf_best_init(&asker->best, ivf->refine, asker->best.items);
    }
    if (!choose_lists(ivf, &probes_count) ||
        !(ivf->nq == 1 ? scan_alone : scan_together)(ivf, probes_count))
        return false;
    fetch_rows(ivf, &ivf->askers[0]);
    for (uint32_t i = 0; i < ivf->nq; i++) {
        if (i + 1 < ivf->nq)
            fetch_rows(ivf, &ivf->askers[i + 1]);
        if (!tell(ivf, &ivf->askers[i]))
            return false;
    }
    return true;
}

enum qn_status ivf_search(struct scan *scan)
{
    const uint32_t nq = scan->queries->nq;
    struct ivf ivf = {.scan = scan};

    settle(&ivf, &scan->segment->index.ivf, scan->options, nq);
    lay(&ivf, scan->options->scratch);
    for (uint32_t first = 0; first < nq; first += ivf.nq) {
        ivf.nq = nq - first < ivf.group ? nq - first : ivf.group;
        if (!search_group(&ivf, first))
            return QN_STATUS_TIMEOUT;
    }
    return QN_STATUS_OK;
}
